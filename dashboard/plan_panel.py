"""What to buy where a log cannot tell: strong calls of kept requests, and grades of a drawn sample."""

import datetime as dt
from typing import TYPE_CHECKING, Any

import polars as pl
import streamlit as st

from analytics.errors import TiertuneError
from analytics.policy import Goal
from analytics.spreadsheet import csv_text
from analytics.tuning.grading_plan import GradingPlan, grading_plan
from analytics.tuning.grading_sheet import grading_sheet
from analytics.tuning.shadow_config import shadow_config
from analytics.tuning.shadow_plan import RATES, Exploration, Purchase, ShadowPlan
from dashboard import components, state, studies, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from analytics.logs.store import Store
    from analytics.tuning.log import Selection

ALL = "All categories"
QUESTIONS = {"raise": "Raise it?", "lower": "Certify lower"}
SHARES = {rate: words.percent(rate, digits=0) for rate in RATES}
USUAL_ROWS, MOST_ROWS = 500, 20_000
SOON_DAYS = 90
NO_CONFIDENCE = (
    "Without a confidence there is no threshold to ask about. Log the fast answer's confidence first."
)
NOTHING_TO_BUY = "No kept request lacks its strong answer, so there is no strong call to buy."
NOBODY_KNOWS = "Nobody knows what the strong model would have said to the requests just above the thresholds."
TOO_FEW = "Just above the thresholds are too few shadow answers to tell within the margin what raising gains."
FRAME: dict[str, Any] = {
    "category": pl.String, "question": pl.String, "confidence": pl.String, "pairs": pl.Int64,
    "strong_calls": pl.Int64, "cost_usd": pl.Float64, "days": pl.Float64,
}  # fmt: skip


@st.fragment
def plan_panel(selection: "Selection", goal: Goal) -> None:
    """Draw both planners; a move of a control reruns this function alone, from cached plans.

    Args:
        selection: The viewed rows.
        goal: What thresholds are for; its margin says how exactly something must be known.
    """
    plan = studies.shadow_plan(goal)
    components.section("Strong calls to buy")
    if plan.purchases:
        _calls(plan)
    else:
        blind = selection.rows["confidence"].null_count() == selection.rows.height
        components.caption(NO_CONFIDENCE if blind else NOTHING_TO_BUY)
    components.section("Requests to grade")
    _grades(selection)


def frame(plan: ShadowPlan, rate: float) -> pl.DataFrame:
    """The table of a plan at one share of asked requests.

    Returns:
        ``category``, ``question``, ``confidence`` (the band), ``pairs`` (further graded pairs),
        ``strong_calls``, ``cost_usd`` and ``days``; null where unknown. What no number
        would answer is left out.
    """
    return pl.DataFrame(
        [
            {
                "category": purchase.task_category or ALL,
                "question": QUESTIONS[purchase.question],
                "confidence": band(purchase.low, purchase.high),
                "pairs": purchase.pairs,
                **_figures(_at(purchase, rate)),
            }
            for purchase in plan.purchases
            if purchase.explorations
        ],
        schema=FRAME,
    )


def sentence(plan: ShadowPlan, rate: float) -> str:
    """What asking would answer, at what price, and how soon."""
    total = plan.total("raise", rate)
    if total is None:
        return "No category lacks the strong answers just above its threshold."
    asked = [item for item in plan.purchases if item.question == "raise"]
    times = [days for item in asked if (days := _at(item, rate).days) is not None]
    price = "" if total.cost_usd is None else f" (about {words.money(total.cost_usd)})"
    text = (
        f"{NOBODY_KNOWS if plan.shadow_share is None else TOO_FEW} "
        f"{words.plural(total.strong_calls, 'shadow call')}{price} would tell whether to raise "
        f"{'it' if len(asked) == 1 else 'them'} in {words.plural(len(asked), 'category', 'categories')}"
    )
    if not times:
        return f"{text}."
    soon = sum(days <= SOON_DAYS for days in times)
    return f"{text}; at this log's traffic {soon or 'none'} of them within {SOON_DAYS}{words.NBSP}days."


def band(low: float | None, high: float | None) -> str:
    """A band of confidences: ``0.95 to 0.98``, ``0.95 and above``."""
    if low is None:
        return "all"
    if high is None:
        return f"{words.number(low)} and above"
    return f"{words.number(low)} to {words.number(high)}"


def told(plan: GradingPlan) -> str:
    """What the sheet of a plan draws, what to do with it, and what it leaves out."""
    rates = plan.strata["probability"].unique().sort()
    share = (
        words.percent(rates[0])
        if rates.len() == 1
        else f"{words.percent(rates[0])} to {words.percent(rates[-1])}"
    )
    text = (
        f"Draws {words.plural(plan.rows, 'request')}, {share} of each category. People or a judge fill in "
        "the column correct, a line for each answer; then add the file on the Logs page as grades. "
        "Its probabilities are used."
    )
    if plan.given_up:
        text += (
            f" About {words.count(plan.given_up)} grades that the log has do not count beside the sample, as "
            "they do not stand for all requests."
        )
    if plan.left_out:
        text += f" Mostly graded already, so none is drawn: {words.listing(plan.left_out)}."
    return text


def _calls(plan: ShadowPlan) -> None:
    rate = st.segmented_control(
        "Share of these requests to ask",
        RATES,
        default=RATES[1],
        required=True,
        format_func=SHARES.__getitem__,
        key="shadow_share",
        help="The fast answer is served as always; the strong model is asked too, and nobody notices.",
    )
    components.caption(sentence(plan, rate))
    shown = frame(plan, rate)
    components.table(
        shown,
        {
            "category": components.text_column("Category", 145),
            "confidence": components.text_column("Confidence", 115, right=True),
            "strong_calls": components.number_column("Calls", 75, hint="Of the strong model."),
            "cost_usd": components.money_column("Cost", 85, shown["cost_usd"]),
            "days": components.number_column("Days", 80, "%,.0f", hint="At the traffic of this log."),
            "question": components.text_column("For", 120),
            "pairs": components.number_column("Graded pairs", 110, hint="Further ones, both answers graded."),
        },
        key="purchases",
        alt="What it would take to answer each open question: category, confidence, calls, cost and days.",
        file="tiertune-shadow-plan",
    )
    for purchase in plan.purchases:
        if purchase.impossible is not None:
            name = purchase.task_category or ALL
            components.caption(f"{words.plain(name)}: {words.plain(purchase.impossible, limit=300)}")
    if plan.buys:
        st.download_button(
            "Lines for the router",
            data=lambda: shadow_config(plan, rate).encode(),
            file_name="tiertune-shadow.yaml",
            mime="text/yaml",
            key="shadow-config",
            on_click="ignore",
            icon=":material/download:",
        )
    components.caption(" ".join(words.plain(text, limit=300) for text in plan.assumptions))


def _figures(found: Exploration) -> dict[str, float | None]:
    return {"strong_calls": found.strong_calls, "cost_usd": found.cost_usd, "days": found.days}


def _at(purchase: Purchase, rate: float) -> Exploration:
    return next(item for item in purchase.explorations if item.rate == rate)


def _grades(selection: "Selection") -> None:
    least = max(len(selection.categories), 1)
    with components.row():
        rows = st.number_input(
            "Requests",
            min_value=least,
            max_value=max(MOST_ROWS, least),
            value=max(USUAL_ROWS, least),
            step=100,
            key="sheet_rows",
            width=140,
            help="Drawn by a hash of their ids: more from large and from hard categories, in each of them "
            "evenly over the confidences.",
        )
        try:
            plan = grading_plan(selection, int(rows))
        except TiertuneError as error:
            components.caption(words.plain(str(error), limit=300))
            return
        if not state.rows_in_reach(selection.log.name):
            components.caption("The sheet lists single requests: draw it where the log is. " + told(plan))
            return
        st.download_button(
            "Sheet to fill in",
            data=_sheet(selection, plan),
            file_name="tiertune-grading-sheet.csv",
            mime="text/csv",
            key="sheet",
            on_click="ignore",
            icon=":material/download:",
        )
    components.caption(told(plan))


def _sheet(selection: "Selection", plan: GradingPlan) -> "Callable[[], bytes]":
    """Makes the sheet once somebody wants it, without anything of this session."""
    store, chosen = state.store(), state.view()

    def made() -> bytes:
        return _drawn(store, chosen, selection, plan)

    return made


def _drawn(store: "Store", chosen: "state.View | None", selection: "Selection", plan: GradingPlan) -> bytes:
    since, until = (None, None) if chosen is None else (chosen.since, chosen.until)
    end = None if until is None else until + dt.timedelta(days=1)
    with store.cursor() as cursor:
        sheet = grading_sheet(cursor, selection.log.name, selection, plan, since=since, until=end)
    return csv_text(sheet.frame).encode()
