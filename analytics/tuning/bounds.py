"""What is possible where a log cannot tell: tighter bounds under one assumption, and bounds on cost.

References:
    Manski (1990), AER P&P 80; Manski (1997), Econometrica 65 (monotone treatment response).
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import polars as pl

from analytics.estimate import LEVEL, Floats, imbens_manski_band
from analytics.tuning.identification import Missing
from analytics.tuning.sums import LEAST_COST_COVERAGE, Levels, Sums, estimable_at, whole_route

if TYPE_CHECKING:
    from analytics.tuning.log import Selection

_DEAREST = """
    SELECT task_category, fast_model, strong_model, max(strong_cost_usd) AS strong_cost_usd
    FROM query_table(['decisions', $source], true)
    WHERE ($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)
    GROUP BY ALL ORDER BY ALL"""


def dearest(
    cursor: duckdb.DuckDBPyConnection,
    source: str,
    *,
    since: date | datetime | None = None,
    until: date | datetime | None = None,
) -> pl.DataFrame:
    """The dearest strong call of each category and pair, ``strong_cost_usd``; null where none was priced.

    Args:
        cursor: A cursor of its own for this call.
        source: A dataset's table, see ``storage.tables.of``.
        since: First moment that counts, UTC; None for no limit.
        until: First moment that no longer counts, UTC; None for no limit.
    """
    window = {"source": source, "since": since, "until": until}
    found: pl.DataFrame = cursor.sql(_DEAREST, params=window).pl()
    return found


def dearest_strong(selection: "Selection", names: Sequence[str]) -> float | None:
    """The dearest strong call in some categories, USD; None where a category has none."""
    found = [selection.dearest.get(name) for name in names]
    known = [cost for cost in found if cost is not None]
    return max(known) if known and len(known) == len(found) else None


def accuracy_bounds(
    sums: Sums,
    ats: Sequence[Levels],
    *,
    missing: Missing = "escalate",
    inflation: float = 1.0,
    level: float = LEVEL,
) -> dict[str, Floats]:
    """Bounds on accuracy if the strong model is never worse than the fast one on the same request.

    An escalated request whose strong answer is unknown then gets at least its fast grade, a kept one whose
    fast grade is unknown at most its strong one.

    Args:
        sums: Totals at the thresholds of all groups, one group after the other.
        ats: What each confidence contributes, group by group.
        missing: What a missing confidence does.
        inflation: Design effect.
        level: Coverage of the interval.

    Returns:
        ``bound_low_mtr`` and ``bound_high_mtr`` with the interval ``mtr_low`` to ``mtr_high`` around them;
        NaN where nothing can be said, or nothing is unknown.
    """
    told = (sums.gap > 0) & np.concatenate([estimable_at(at, missing=missing) for at in ats])
    if not told.any():
        return dict.fromkeys(
            ("bound_low_mtr", "bound_high_mtr", "mtr_low", "mtr_high"), np.full(told.size, np.nan)
        )
    kept, sent = ("keep_ceiling", None), (None, "esc_floor")
    ceiling, floor = np.concatenate([at.swept(kept, sent, missing=missing) for at in ats], axis=1)
    rows = np.maximum(sums.n, 1.0)
    ends = ((sums.total + floor) / rows, (sums.total + sums.gap - ceiling) / rows)
    # A grade in [0, 1] is at least its square.
    squares = (sums.squares + floor, sums.squares + sums.gap - ceiling)
    errors = [
        np.sqrt(np.maximum(square / rows - end**2, 0.0) * inflation / rows)
        for end, square in zip(ends, squares, strict=True)
    ]
    low, high = imbens_manski_band(*ends, *errors, level=level)
    found = {
        "bound_low_mtr": ends[0],
        "bound_high_mtr": ends[1],
        "mtr_low": np.clip(low, 0.0, 1.0),
        "mtr_high": np.clip(high, 0.0, 1.0),
    }
    return {name: np.where(told, values, np.nan) for name, values in found.items()}


_KEPT = ("rows", "keep_cost_n", "keep_cost_sum", *[None] * 6)
_SENT = (*[None] * 3, "rows", "esc_cost_n", "esc_cost_sum", "esc_cost_gap", "gap_cost_n", "gap_cost_sum")


def cost_bounds(
    sums: Sums, ats: Sequence[Levels], highest: Sequence[float | None], *, missing: Missing = "escalate"
) -> dict[str, Floats]:
    """Bounds on cost per request where strong calls that were never made would be paid.

    Such a call costs between nothing and the dearest strong call of the log.

    Args:
        sums: Totals at the thresholds of all groups, one group after the other.
        ats: What each confidence contributes, group by group.
        highest: Each group's ``dearest_strong``.
        missing: What a missing confidence does.

    Returns:
        ``cost_bound_low`` and ``cost_bound_high``, USD; NaN where the cost is known, or nothing can be said.
    """
    swept = np.concatenate([at.swept(_KEPT, _SENT, missing=missing) for at in ats], axis=1)
    kept, kept_n, kept_cost, sent, sent_n, sent_cost, never, never_n, never_cost = swept
    most = np.repeat(
        [np.nan if cost is None else cost for cost in highest], [at.confidence.size + 1 for at in ats]
    )
    parts = [
        whole_route(kept_n, kept_cost, kept_cost, kept),
        whole_route(sent_n, sent_cost, sent_cost, sent - never),
        whole_route(never_n, never_cost, never_cost, never),
    ]
    rows = np.maximum(sums.rows, 1.0)
    covered = (kept_n + sent_n + never_n) / rows >= LEAST_COST_COVERAGE
    told = (never > 0) & covered & np.concatenate([estimable_at(at, missing=missing) for at in ats])
    told &= sum(unknown for _, _, unknown in parts) == 0
    low = np.where(told, sum(cost for cost, _, _ in parts) / rows, np.nan)
    return {"cost_bound_low": low, "cost_bound_high": low + most * never / rows}


def to_log(at: Levels) -> str:
    """What to log so that more thresholds are identified; empty where all are."""
    escalate, keep = at.everywhere("esc_gap") > 0, at.everywhere("keep_gap") > 0
    said = []
    if escalate:
        said.append(
            "To tell what a higher threshold would give, ask the strong model as well for a random share of "
            "the kept requests, serve the fast answer, and log the share as sampling_probability."
        )
    if keep:
        said.append(
            "To tell what a lower threshold would give, grade the fast answers of escalated requests too, or "
            "keep a random share of those requests and log the probability of each action as propensity."
        )
    return " ".join(said)
