"""The tab on how stable the recommended thresholds are; drawn, and worked out, only while it is open."""

from typing import TYPE_CHECKING, Any

import polars as pl

from analytics.errors import TiertuneError
from analytics.tuning.policy_sums import rule_of
from dashboard import components, honesty, studies, words
from dashboard.charts import stability as chart

if TYPE_CHECKING:
    from analytics.policy import Goal
    from analytics.tuning.goals import Tuning
    from analytics.tuning.log import Selection
    from analytics.tuning.plateau import Plateau
    from analytics.tuning.stability import CategoryStability


def stability_panel(selection: "Selection", goal: "Goal", tuning: "Tuning", category: str) -> None:
    """What resamples pick, and which thresholds of the shown category cannot be told apart.

    Args:
        selection: The viewed rows.
        goal: What was tuned for.
        tuning: The recommended policy.
        category: The category that the page shows.
    """
    try:
        found = studies.stability(goal)
    except TiertuneError as error:
        components.explain(error)
        return
    plateaus = {name: _plateau(selection, tuning, name) for name in found.categories}
    components.caption(honesty.stability(found, goal, tuning))
    components.bare_chart(chart.picks(found), key="stability", alt=chart.described(found))
    mine = plateaus.get(category)
    said = "" if mine is None else f" **{words.plain(category, limit=60)}.** {honesty.plateau(mine)}"
    components.caption(honesty.READING + said)
    components.table(
        _table(list(found.categories.values()), plateaus),
        {
            "category": components.text_column("Category", 160),
            "chosen": components.text_column(
                "Recommended",
                120,
                right=True,
                hint="As the smallest confidence kept; the file has the shortest number that does the same.",
            ),
            "same": components.share_column(
                "Picked again", 120, hint="Share of the resamples that pick what is recommended."
            ),
            "range": components.text_column("5 to 95% of picks", 220, right=True),
            "alike": components.text_column(
                "Cannot be told apart",
                190,
                right=True,
                hint="Thresholds whose accuracy this log cannot tell from the recommended one's.",
            ),
            "cheapest": components.text_column("Cheapest of them", 130, right=True),
        },
        key="stability_table",
        alt="What resamples pick in every category, and which thresholds cannot be told apart.",
        file="tiertune-stability",
    )


def _plateau(selection: "Selection", tuning: "Tuning", name: str) -> "Plateau | None":
    """The plateau around what the policy does in a category; None where no threshold does that."""
    route, threshold, _ = rule_of(tuning.policy, name)
    at = selection.levels[name]
    if route == "fast_only":
        row = None if at.columns["rows"][0] and selection.missing != "keep" else 0
    elif route == "strong_only" or threshold is None:
        row = at.confidence.size
    else:
        row = int(at.confidence.searchsorted(threshold, side="left"))
    return studies.plateau(name, row)


def _table(items: "list[CategoryStability]", plateaus: "dict[str, Plateau | None]") -> pl.DataFrame:
    """One row per category.

    Returns:
        ``category``, ``chosen`` (text), ``same`` in [0, 1], ``range``, ``alike`` and ``cheapest`` (text,
        null where not known).
    """
    records: list[dict[str, Any]] = []
    for item in items:
        options = [
            words.threshold(at, route=route)
            for route, at in item.options.select("route", "threshold").iter_rows()
        ]
        found = plateaus[item.task_category]
        inside = [] if found is None else found.inside
        records.append(
            {
                "category": item.task_category,
                "chosen": options[item.options["chosen"].arg_true()[0]],
                "same": item.same,
                "range": None
                if item.low is None or item.high is None
                else _range(options[item.low], options[item.high]),
                "alike": None
                if found is None
                else _range(honesty.option(found, inside[0]), honesty.option(found, inside[-1])),
                "cheapest": None if found is None else honesty.option(found, found.cheapest),
            }
        )
    texts = ("category", "chosen", "range", "alike", "cheapest")
    return pl.DataFrame(records, schema={**dict.fromkeys(texts, pl.String), "same": pl.Float64})


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"
