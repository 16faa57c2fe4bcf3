"""Totals of a log under one policy or under every threshold, and the intervals that follow from them.

Keep iff ``confidence >= threshold``. Between two neighbouring observed confidences every threshold is
the same policy, so a log with m distinct confidences has m + 1 of them, "escalate all" included.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.estimate import LEVEL, Floats, imbens_manski_band, mean_band, wilson_band
from analytics.tuning.exploration import COLUMNS as EXPLORED
from analytics.tuning.exploration import estimable
from analytics.tuning.identification import CONTRIBUTIONS, Missing

Bools = NDArray[np.bool_]

LEAST_COST_COVERAGE = 0.5


@dataclass(frozen=True, slots=True)
class Sums:
    """Totals over requests under one or several policies; arrays of one shape.

    Attributes:
        n: Requests that accuracy is about.
        total: Sum of their outcomes where known.
        squares: Sum of squares of the same.
        gap: Requests whose outcome is unknown.
        cost_n: Requests whose cost is known.
        cost: Cost of all requests, USD; those of a route whose cost is unknown count as its others do.
        cost_squares: Sum of squares of the same.
        cost_gap: Requests whose cost was never incurred in this log, or is known for none on their route.
        rows: All requests.
        escalated: Requests that are escalated.
    """

    n: Floats
    total: Floats
    squares: Floats
    gap: Floats
    cost_n: Floats
    cost: Floats
    cost_squares: Floats
    cost_gap: Floats
    rows: Floats
    escalated: Floats

    def __add__(self, other: "Sums") -> "Sums":
        """Totals over both sets of requests."""
        return Sums(*(getattr(self, name) + getattr(other, name) for name in SUM_NAMES))


SUM_NAMES = tuple(Sums.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Levels:
    """What each distinct confidence contributes; slot 0 of every array is the missing confidence."""

    confidence: Floats
    columns: dict[str, Floats]

    def swept(
        self, keeps: Sequence[str | None], escalates: Sequence[str | None], *, missing: Missing = "escalate"
    ) -> Floats:
        """Totals at every threshold: kept from there up, escalated below.

        Args:
            keeps: Columns that count where kept, None for nothing; ``k`` of them.
            escalates: Columns that count where escalated, as many.
            missing: What a missing confidence does.

        Returns:
            Shape ``(k, m + 1)``, the last column "escalate all".
        """
        kept, escalated = self._stacked(keeps), self._stacked(escalates)
        total = np.zeros((len(keeps), self.confidence.size + 1))
        total[:, :-1] = np.cumsum(kept[:, :0:-1], axis=1)[:, ::-1]
        total[:, 1:] += np.cumsum(escalated[:, 1:], axis=1)
        total += (kept if missing == "keep" else escalated)[:, :1]
        return total

    def _stacked(self, names: Sequence[str | None]) -> Floats:
        stacked = np.zeros((len(names), self.confidence.size + 1))
        for place, name in enumerate(names):
            if name is not None:
                stacked[place] = self.columns[name]
        return stacked

    def everywhere(self, column: str) -> float:
        """Total of one column over all slots."""
        return float(np.add.reduce(self.columns[column]))


def levels(contributions: pl.DataFrame) -> Levels:
    """What each distinct confidence contributes, from the rows of ``identification.contributions``."""
    return _levels(_by_confidence(contributions, "confidence"))


def levels_by_category(contributions: pl.DataFrame) -> dict[str, Levels]:
    """The ``levels`` of every category, by one GROUP BY for all."""
    table = _by_confidence(contributions, "task_category", "confidence")
    parts = table.partition_by("task_category", as_dict=True)
    return {name: _levels(part) for (name,), part in parts.items()}


def _by_confidence(contributions: pl.DataFrame, *keys: str) -> pl.DataFrame:
    present = [*CONTRIBUTIONS, *(name for name in EXPLORED if name in contributions.columns)]
    table = contributions.group_by(keys).agg(pl.col(present).sum().cast(pl.Float64))
    return table.sort(keys, nulls_last=False)


def _levels(table: pl.DataFrame) -> Levels:
    confidence = table["confidence"]
    names = [*CONTRIBUTIONS, *(name for name in EXPLORED if name in table.columns)]
    columns = {name: table[name].to_numpy() for name in names}
    if table.height == 0 or confidence[0] is not None:
        columns = {name: np.append(0.0, column) for name, column in columns.items()}
    return Levels(confidence.drop_nulls().to_numpy().astype(np.float64), columns)


_COSTS = ("cost_n", "cost_sum", "cost_sq")
_NOTHING = (None,) * len(_COSTS)
_KEPT = (
    "n", "keep_sum", "keep_sq", "keep_gap", None, "rows", None,
    *(f"keep_{name}" for name in _COSTS), *_NOTHING,
)  # fmt: skip
_ESCALATED = (
    "n", "esc_sum", "esc_sq", "esc_gap", "esc_cost_gap", "rows", "rows",
    *_NOTHING, *(f"esc_{name}" for name in _COSTS),
)  # fmt: skip


def threshold_sums(at: Levels, *, missing: Missing = "escalate") -> Sums:
    """Totals at every threshold; arrays of shape ``(m + 1,)``, the last "escalate all"."""
    swept = at.swept(_KEPT, _ESCALATED, missing=missing)
    n, total, squares, gap, never, rows, escalated, *costs = swept
    kept, sent = costs[: len(_COSTS)], costs[len(_COSTS) :]
    kept_cost, kept_squares, kept_unknown = whole_route(kept[0], kept[1], kept[2], rows - escalated)
    sent_cost, sent_squares, sent_unknown = whole_route(sent[0], sent[1], sent[2], escalated)
    sums = Sums(
        n=n,
        total=total,
        squares=squares,
        gap=gap,
        cost_n=kept[0] + sent[0],
        cost=kept_cost + sent_cost,
        cost_squares=kept_squares + sent_squares,
        cost_gap=never + kept_unknown + sent_unknown,
        rows=rows,
        escalated=escalated,
    )
    return sums if _certain(at) else withheld(sums, estimable_at(at, missing=missing))


_KEPT_WEIGHTS, _SENT_WEIGHTS = (
    tuple(f"{route}_{name}" for name in ("w", "w2", "reach")) for route in ("keep", "esc")
)


def _certain(at: Levels) -> bool:
    """Whether no request counts by the probability of its route."""
    return "esc_w" not in at.columns


def estimable_at(at: Levels, *, missing: Missing = "escalate") -> Bools:
    """Which thresholds enough of the requests routed at random speak for; all, where none were."""
    if _certain(at):
        return np.ones(at.confidence.size + 1, dtype=bool)
    swept = at.swept(("n", *_KEPT_WEIGHTS), ("n", *_SENT_WEIGHTS), missing=missing)
    return estimable(*swept)


def withheld(sums: Sums, known: Bools) -> Sums:
    """The totals without those of policies that are not ``known``: there every outcome is unknown."""
    return replace(
        sums,
        total=np.where(known, sums.total, 0.0),
        squares=np.where(known, sums.squares, 0.0),
        gap=np.where(known, sums.gap, sums.n),
        cost_gap=np.where(known, sums.cost_gap, sums.rows),
    )


def whole_route(n: Floats, cost: Floats, squares: Floats, rows: Floats) -> tuple[Floats, Floats, Floats]:
    """Costs of all requests of one route from those that are known; what is missing may favour a route.

    Returns:
        Cost and its squares, scaled from ``n`` to ``rows`` requests, and the requests of a route on
        which no cost is known.
    """
    factor = np.where(n > 0, rows / np.maximum(n, 1.0), 0.0)
    return cost * factor, squares * factor, np.where(n > 0, 0.0, rows)


def joined(parts: Sequence[Sums]) -> Sums:
    """Totals of several groups of policies one after the other."""
    return Sums(*(np.concatenate([getattr(part, name) for part in parts]) for name in SUM_NAMES))


_CONTROLS = {
    "fast_only": ("keep_sum", "keep_sq", "keep_gap", "fast_cost_n", "fast_cost_sum", "fast_cost_sq", None, 0),
    "strong_only": (
        "esc_sum", "esc_sq", "esc_gap", "strong_cost_n", "strong_cost_sum", "strong_cost_sq",
        "esc_cost_gap", 1,
    ),
}  # fmt: skip


def control_sums(at: Levels, name: str) -> Sums:
    """Totals under ``fast_only`` or ``strong_only``; arrays of shape ``(1,)``."""
    total, squares, gap, cost_n, cost, cost_squares, cost_gap, escalated = _CONTROLS[name]

    def whole(column: str | None) -> Floats:
        return np.array([at.everywhere(column) if column else 0.0])

    n, rows = whole(cost_n), whole("rows")
    costs, cost_sq, unknown = whole_route(n, whole(cost), whole(cost_squares), rows)
    sums = Sums(
        whole("n"), whole(total), whole(squares), whole(gap), n, costs, cost_sq, whole(cost_gap) + unknown,
        rows, rows * escalated,
    )  # fmt: skip
    weights = _SENT_WEIGHTS if escalated else _KEPT_WEIGHTS
    if _certain(at):
        return sums
    return withheld(sums, estimable(sums.n, *(whole(column) for column in weights)))


def oracle_sums(at: Levels) -> Sums:
    """Totals of the right choice for every request: escalate exactly where the strong answer is better."""

    def whole(*names: str) -> Floats:
        return np.array([sum(at.everywhere(name) for name in names)])

    unknown = np.full(1, np.nan)
    # Two answers that were never seen together, or too few of them, do not say which is better.
    apart = ("oracle_gap",) if "oracle_gap" in at.columns else ()
    silent = 0.0 if estimable_at(at)[-1] else at.everywhere("n")
    return Sums(
        n=whole("n"),
        total=whole("keep_sum", "oracle_sum"),
        squares=unknown,
        gap=whole("keep_gap", "esc_gap", *apart) + silent,
        cost_n=whole("oracle_cost_n"),
        cost=whole("oracle_cost_sum"),
        cost_squares=unknown,
        cost_gap=whole("esc_cost_gap"),
        rows=whole("rows"),
        escalated=unknown,
    )


def accuracy_band(sums: Sums, *, inflation: float = 1.0, level: float = LEVEL) -> dict[str, Floats]:
    """Accuracy with its interval; where outcomes are unknown, bounds instead of a value.

    Returns:
        ``value`` (NaN where not identified), ``low``, ``high``, ``bound_low``, ``bound_high``. Wilson
        intervals for 0/1 outcomes, normal ones otherwise, Imbens-Manski ones around bounds.
    """
    n, total, squares, gap = sums.n, sums.total, sums.squares, sums.gap
    rows = np.maximum(n, 1.0)
    # A weighted estimate may leave [0, 1] by chance; no accuracy does.
    value = np.where((gap == 0) & (n > 0), np.clip(total / rows, 0.0, 1.0), np.nan)
    bound_low, bound_high = total / rows, (total + gap) / rows
    binary = np.abs(squares - total) <= 1e-9 * rows
    low, high = wilson_band(total / inflation, n / inflation, level=level)
    normal_low, normal_high = mean_band(total, squares, n, level=level, inflation=inflation)
    low = np.where(binary, low, np.clip(normal_low, 0.0, 1.0))
    high = np.where(binary, high, np.clip(normal_high, 0.0, 1.0))
    unknown = gap > 0
    if unknown.any():
        errors = [
            np.sqrt(np.maximum(sq / rows - mean**2, 0.0) * inflation / rows)
            for sq, mean in ((squares, bound_low), (squares + gap, bound_high))
        ]
        wide_low, wide_high = imbens_manski_band(bound_low, bound_high, *errors, level=level)
        low = np.where(unknown, np.clip(wide_low, 0.0, 1.0), low)
        high = np.where(unknown, np.clip(wide_high, 0.0, 1.0), high)
    nothing = n == 0
    return {
        "value": value,
        "low": np.where(nothing, np.nan, low),
        "high": np.where(nothing, np.nan, high),
        "bound_low": np.where(nothing, np.nan, bound_low),
        "bound_high": np.where(nothing, np.nan, bound_high),
    }


def cost_band(sums: Sums, *, inflation: float = 1.0, level: float = LEVEL) -> dict[str, Floats]:
    """Mean cost per request with its interval, USD; NaN where unknown on half of the rows or more."""
    rows = np.maximum(sums.rows, 1.0)
    covered = sums.cost_n / rows
    known = (sums.cost_gap == 0) & (covered >= LEAST_COST_COVERAGE) & (sums.cost_n > 0)
    # The interval knows only the rows whose cost is known.
    low, high = mean_band(
        sums.cost * covered, sums.cost_squares * covered, sums.cost_n, level=level, inflation=inflation
    )
    return {
        "value": np.where(known, sums.cost / rows, np.nan),
        "low": np.where(known, np.maximum(low, 0.0), np.nan),
        "high": np.where(known, high, np.nan),
    }


def paired_band(
    total: Floats,
    squares: Floats,
    n: Floats,
    *,
    weight: float | Floats = 1.0,
    inflation: float = 1.0,
    level: float = LEVEL,
) -> tuple[Floats, Floats]:
    """Intervals for a mean difference of two answers to the same requests.

    One request is added on which each side wins, so that few or no differing grades do not pass for
    certainty.

    Args:
        total: Sum of the differences, any shape.
        squares: Sum of their squares, same shape.
        n: Requests, same shape.
        weight: Largest weight of a request: what an unseen difference would count for.
        inflation: Design effect.
        level: Coverage.

    References:
        Bonett & Price (2012), J. Educational and Behavioral Statistics 37: adjusted Wald for pairs.
    """
    low, high = mean_band(total, squares + 2 * weight**2, n + 2, level=level, inflation=inflation)
    return np.maximum(low, -1.0), np.minimum(high, 1.0)
