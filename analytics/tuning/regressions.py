"""Requests that escalation made worse: what it broke beside what it mended, and the rows themselves.

References:
    McNemar (1947), Psychometrika 12; Fagerland, Lydersen & Laake (2013), BMC Medical Research
    Methodology 13: exact and mid-p tests.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

import polars as pl

from analytics.logs.schema import UNCATEGORISED
from analytics.logs.storage import tables
from analytics.tuning.log import Selection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analytics.logs.store import Store

MOST_ROWS = 1_000

_ROWS = f"""
    SELECT request_id, ts, task_category, confidence, fast_model, strong_model, fast_correct, strong_correct,
        escalated, fast_cost_usd, strong_cost_usd, prompt, answer
    FROM {tables.DECISIONS}
    WHERE fast_correct > strong_correct
        AND ($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)
        AND list_contains($categories, coalesce(task_category, $uncategorised))
        AND list_contains($pairs, [fast_model, strong_model])
        AND ($arm IS NULL OR arm = $arm) AND coalesce(policy_kind, 'cascade') = $kind
    ORDER BY confidence DESC NULLS LAST, request_id
    LIMIT $most"""  # noqa: S608 - our own names only


@dataclass(frozen=True, slots=True)
class Regressions:
    """What escalating does to requests whose both answers are graded.

    Attributes:
        task_category: Category; None for all together.
        pairs: Requests with both answers graded.
        mended: Only the strong answer is right.
        worsened: Only the fast answer is right.
        p_value: Of the exact McNemar test that both are equally likely; None where none differs.
        mid_p: The same, less conservative.
        sampled: Whether pairs of kept requests are a sample, so that counts are not shares of the traffic.
    """

    task_category: str | None
    pairs: int
    mended: int
    worsened: int
    p_value: float | None
    mid_p: float | None
    sampled: bool


def mcnemar(mended: int, worsened: int) -> tuple[float, float] | None:
    """Two-sided exact and mid-p values that mending and worsening are equally likely; None without either."""
    from scipy.stats import binom, binomtest  # noqa: PLC0415 - off the page path

    differing = mended + worsened
    if differing == 0:
        return None
    exact = float(binomtest(mended, differing, 0.5).pvalue)
    fewer = min(mended, worsened)
    mid = 2 * float(binom.cdf(fewer, differing, 0.5)) - float(binom.pmf(fewer, differing, 0.5))
    return exact, min(mid, 1.0)


def regressions(selection: Selection) -> list[Regressions]:
    """Counts over all categories and, the most worsened first, of each; grades in between are rounded."""
    pairs = selection.cells.filter(pl.col("fast_graded") & pl.col("strong_graded"))
    sampled = pairs.group_by("task_category").agg((pl.col("sampling_probability") < 1).any().alias("sampled"))
    counts = (
        pairs.group_by("task_category")
        .agg(
            pl.col("n").sum(),
            (pl.col("rounded_strong") - pl.col("rounded_both")).sum().alias("mended"),
            (pl.col("rounded_fast") - pl.col("rounded_both")).sum().alias("worsened"),
        )
        .join(sampled, on="task_category")
        .sort("worsened", "task_category", descending=[True, False])
    )
    found = [
        _counted(name, n, mended, worsened, sampled=bool(some))
        for name, n, mended, worsened, some in counts.iter_rows()
    ]
    whole = _counted(
        None,
        *(int(counts[name].sum()) for name in ("n", "mended", "worsened")),
        sampled=any(item.sampled for item in found),
    )
    return [whole, *found]


def _counted(name: str | None, n: int, mended: int, worsened: int, *, sampled: bool) -> Regressions:
    p_value, mid_p = mcnemar(mended, worsened) or (None, None)
    return Regressions(name, n, mended, worsened, p_value, mid_p, sampled)


def worsened_rows(
    store: "Store",
    selection: Selection,
    *,
    category: str | None = None,
    since: date | datetime | None = None,
    until: date | datetime | None = None,
    most: int = MOST_ROWS,
) -> pl.DataFrame:
    """The requests whose fast answer is better than the strong one, the most confident first.

    Args:
        store: The open store with the selection's log.
        selection: Whose filters count.
        category: One of its categories; None for all.
        since: First moment that counts, UTC; None for no limit.
        until: First moment that no longer counts, UTC; None for no limit.
        most: Rows at most.

    Returns:
        ``request_id``, ``ts``, ``task_category``, ``confidence``, both models and grades, ``escalated``,
        both costs (USD), ``prompt`` and ``answer`` (null unless the log has them).
    """
    names: Sequence[str] = selection.categories if category is None else (category,)
    pairs = sorted({selection.pairs[name] for name in names})
    with store.cursor() as cursor:
        found: pl.DataFrame = cursor.sql(
            _ROWS,
            params={
                "decisions": tables.of(cursor, selection.log.name, "decisions"),
                "since": since,
                "until": until,
                "categories": list(names),
                "uncategorised": UNCATEGORISED,
                "pairs": [list(pair) for pair in pairs],
                "arm": selection.arm,
                "kind": selection.policy_kind,
                "most": most,
            },
        ).pl()
    return found
