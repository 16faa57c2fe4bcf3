"""The tab on money: what a correct answer must be worth, and how the policy moves when prices do."""

from typing import TYPE_CHECKING, Any

import polars as pl

from analytics.tuning.policy_sums import rule_of
from dashboard import components, reasons, studies, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analytics.policy import Goal
    from analytics.tuning.goals import Tuning
    from analytics.tuning.price_sensitivity import Repriced, Worth

NO_COSTS = "This log has no costs, so prices change nothing: policies are compared by share escalated."
WORTH_READ = (
    "The choice is the best one if a correct answer is worth more than the last one that it buys costs and "
    "less than the next one would. Where no value does that, another choice lies above the line between its "
    "neighbours: certainty has its price, and a pick on a part of the log can miss the frontier of all of it."
)
MOVES_READ = (
    "The same goal tuned again as if every strong call cost so much more or less, all other things equal. "
    "Losses do not move with prices, so certificates stay possible; what is cheapest does move."
)


WORTH: dict[str, Any] = {
    "category": pl.String, "choice": pl.String, "last_usd": pl.Float64, "next_usd": pl.Float64,
    "best": pl.String,
}  # fmt: skip


def prices_tab(goal: "Goal", tuning: "Tuning") -> None:
    """Draw the tab.

    Args:
        goal: What was tuned for.
        tuning: The recommended policy.
    """
    worth = studies.worth(goal)
    if not worth:
        components.caption(NO_COSTS)
        return
    if tuning.price_usd is not None:
        dearest = words.money(tuning.price_usd)
        components.caption(
            f"The dearest additional correct answer that this policy buys costs {dearest}, which is what it "
            "says an error is worth."
        )
    components.section("What a further correct answer costs")
    frame = worth_frame(worth, tuning)
    components.table(
        frame,
        {
            "category": components.text_column("Category", 180),
            "choice": components.text_column("Recommended", 130, right=True),
            "last_usd": components.money_column("The last one costs", 150, frame["last_usd"]),
            "next_usd": components.money_column("The next would cost", 150, frame["next_usd"]),
            "best": components.text_column("Best at", 190, right=True),
        },
        key="worth",
        alt="For which value of a correct answer each category's choice is the best one.",
        file="tiertune-worth",
    )
    components.caption(WORTH_READ)
    components.section("When the strong model's price moves")
    moves = studies.prices(goal)
    components.table(
        moves_frame(moves, tuning),
        {
            "category": components.text_column("Category", 180),
            **{_column(item): components.text_column(_column(item), 130, right=True) for item in moves},
        },
        key="moves",
        alt="The policy at a quarter, half, once, twice and four times the strong model's price.",
        file="tiertune-prices",
    )
    components.caption(MOVES_READ)


def worth_frame(worth: "Sequence[Worth]", tuning: "Tuning") -> pl.DataFrame:
    """``category``, ``choice`` (text), ``last_usd`` and ``next_usd`` (null without one), ``best`` (text)."""
    records: list[dict[str, Any]] = [
        {
            "category": item.task_category,
            "choice": _rule(tuning.policy, item.task_category),
            "last_usd": item.last_usd,
            "next_usd": item.next_usd,
            "best": _best(item),
        }
        for item in worth
    ]
    return pl.DataFrame(records, schema=WORTH)


def moves_frame(moves: "Sequence[Repriced]", tuning: "Tuning") -> pl.DataFrame:
    """One row per category, and first the saving and the verdict of the whole, a column per price."""
    names = sorted(tuning.figures.categories)
    columns: dict[str, list[str | None]] = {"category": ["Saved against always strong", "Verdict", *names]}
    for item in moves:
        if item.policy is None:
            said = reasons.said(item.reason or "", limit=80)
            columns[_column(item)] = [None, said, *(None for _ in names)]
            continue
        verdict = "certified" if item.certified else "estimated"
        saved = None if item.saved is None else words.percent(item.saved, digits=0)
        rules = [_rule(item.policy, name) for name in names]
        columns[_column(item)] = [saved, words.verdict(verdict).word, *rules]
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))


def _best(item: "Worth") -> str:
    """For which values of a correct answer the choice is the best one."""
    if not item.best:
        return "no value"
    low = None if item.last_usd is None else words.money(item.last_usd)
    high = None if item.next_usd is None else words.money(item.next_usd)
    if low is None and high is None:
        return "any value"
    if low is None:
        return f"up to {high}"
    return f"{low} or more" if high is None else f"{low} to {high}"


def _column(item: "Repriced") -> str:
    return "As logged" if item.factor == 1 else f"x {item.factor:g}"


def _rule(policy: Any, name: str) -> str:
    route, threshold, _ = rule_of(policy, name)
    return words.threshold(threshold, route=route)
