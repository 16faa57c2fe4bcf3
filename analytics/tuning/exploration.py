"""Requests that were escalated at random with a logged probability, as contributions of cells.

Each such request adds a prediction on either route, and its own outcome corrects that with weight
1 / probability. Sums over cells are exact, since within a cell the probability and the prediction are
constant. Rows whose action was certain (probability 1, or none logged) are no part of this: what was
observed of them counts as it is, and what was not remains a gap.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from analytics.estimate import Floats
from analytics.tuning.propensity import GROUPS, LEAST_ESS, cross_fitted_means
from analytics.tuning.randomised import explored

_BINS = 10
FOLDS_PER_GROUP = 4

WEIGHTS = ("keep_w", "keep_w2", "keep_reach", "esc_w", "esc_w2", "esc_reach")
"""Per route: sum of weights, of their squares, and of 1 / probability whether the route was taken or not."""
COLUMNS = (*WEIGHTS, "oracle_gap", "one_kept", "one_sent")


def estimable(n: Floats, weight: Floats, squares: Floats, reach: Floats) -> npt.NDArray[np.bool_]:
    """Where weighted estimates mean anything: enough effective requests, or no weights at all.

    The effective number is the smaller of Kish's and the one that the probabilities alone promise, since
    an unlikely action that never happened leaves no large weight to see.

    Args:
        n: Requests, any shape.
        weight: Sum of their weights under the policy, same shape.
        squares: Sum of the weights' squares.
        reach: Sum of 1 / probability of the policy's action.
    """
    return ~weighted(n, weight, squares, reach) | (effective(n, weight, squares, reach) >= LEAST_ESS)


def weighted(n: Floats, weight: Floats, squares: Floats, reach: Floats) -> npt.NDArray[np.bool_]:
    """Whether any request counts by its probability."""
    return (np.abs(squares - weight) > 1e-9 * n) | (reach > n * (1 + 1e-9))


def effective(n: Floats, weight: Floats, squares: Floats, reach: Floats) -> Floats:
    """Effective numbers of requests, see ``estimable``."""
    kish = weight**2 / np.where(squares > 0, squares, 1.0)
    return np.minimum(kish, n**2 / np.where(reach > 0, reach, 1.0))


@dataclass(frozen=True, slots=True)
class _Cells:
    """The columns of cells of requests routed at random, as arrays.

    ``weight`` and ``known`` are by route: 1 / probability where that route was taken (else 0), and
    whether what the route needs was observed.
    """

    frame: pl.DataFrame
    n: Floats
    escalated: npt.NDArray[np.bool_]
    weight: dict[str, Floats]
    reach: dict[str, Floats]
    bins: npt.NDArray[np.intp]
    groups: npt.NDArray[np.intp]

    def column(self, name: str) -> Floats:
        """A sum of the cells."""
        return self.frame[name].cast(pl.Float64).fill_null(0.0).to_numpy()

    def flag(self, name: str) -> npt.NDArray[np.bool_]:
        """A boolean key of the cells."""
        return self.frame[name].fill_null(value=False).to_numpy()

    def predicted(self, total: Floats, seen: npt.NDArray[np.bool_]) -> Floats:
        """Cross-fitted mean outcome of each cell."""
        return cross_fitted_means(
            np.where(seen, total, 0.0), np.where(seen, self.n, 0.0), self.bins, self.groups
        )


def _arrays(frame: pl.DataFrame) -> _Cells:
    q, escalated = frame["propensity"].to_numpy(), frame["escalated"].to_numpy()
    p = {"esc": np.where(escalated, q, 1 - q), "keep": np.where(escalated, 1 - q, q)}
    taken = {"esc": escalated, "keep": ~escalated}
    return _Cells(
        frame=frame,
        n=frame["n"].cast(pl.Float64).to_numpy(),
        escalated=escalated,
        weight={route: np.where(taken[route], 1 / p[route], 0.0) for route in p},
        reach={route: 1 / p[route] for route in p},
        bins=frame["bin"].cast(pl.Int64).to_numpy(),
        groups=frame["fold"].cast(pl.Int64).to_numpy() // FOLDS_PER_GROUP % GROUPS,
    )


def bins(cells: pl.DataFrame, keys: Sequence[str]) -> pl.Series:
    """A number for each cell's category and tenth of its requests by confidence.

    Equal confidences share a bin, a missing one has its own, and edges do not depend on outcomes or routes.
    """
    levels = cells.group_by([*keys, "confidence"]).agg(pl.col("n").sum()).sort([*keys, "confidence"])
    known = pl.when(pl.col("confidence").is_null()).then(0).otherwise(pl.col("n"))
    reached = (known.cum_sum() - known / 2).over(keys) / known.sum().over(keys)
    levels = levels.with_columns(
        pl.when(pl.col("confidence").is_null())
        .then(_BINS)
        .otherwise((reached * _BINS).floor().clip(0, _BINS - 1))
        .alias("tenth")
    )
    numbered = levels.with_columns((pl.struct([*keys, "tenth"]).rank("dense") - 1).alias("bin"))
    joined = cells.select(*keys, "confidence").join(
        numbered.select(*keys, "confidence", "bin"), on=[*keys, "confidence"], how="left",
        nulls_equal=True, maintain_order="left",
    )  # fmt: skip
    return joined["bin"]


@dataclass(frozen=True, slots=True)
class _Outcomes:
    """Sums of an outcome over each cell: ``x`` of the fast answer, ``y`` of the strong one."""

    n: Floats
    x: Floats
    y: Floats
    xx: Floats
    yy: Floats
    xy: Floats

    def sums(self, a: Floats, b: Floats, c: Floats) -> tuple[Floats, Floats]:
        """Sum and sum of squares of ``a + b x + c y`` over each cell."""
        total = self.n * a + b * self.x + c * self.y
        squares = self.n * a * a + b * b * self.xx + c * c * self.yy
        return total, squares + 2 * (a * b * self.x + a * c * self.y + b * c * self.xy)


def with_exploration(contributions: pl.DataFrame, cells: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Contributions in which requests routed at random count by their probability.

    Args:
        contributions: One row per cell, in the order of ``cells``.
        cells: Cells with ``explored``, ``one_arm`` and ``explored_cost`` of their category (``usability``)
            and ``graded``.
        keys: What a category is told apart by.

    Returns:
        The same rows with ``WEIGHTS``, ``oracle_gap`` (requests whose two outcomes are never known together)
        and of those ``one_kept`` and ``one_sent``, whose grade is known.
    """
    marked = cells.with_columns(explored().alias("x"), bins(cells, keys).alias("bin"))
    n = contributions["n"].cast(pl.Float64).to_numpy()
    columns = {name: n.copy() for name in WEIGHTS} | {
        name: np.zeros(n.size) for name in COLUMNS if name not in WEIGHTS
    }
    for flag, found in (("explored", _grades), ("explored_cost", _costs)):
        at = np.flatnonzero(marked.select(pl.col("x") & pl.col(flag)).to_series().to_numpy())
        if at.size == 0:
            continue
        for name, values in found(_arrays(marked[at.tolist()])).items():
            if name not in columns:
                columns[name] = contributions[name].cast(pl.Float64).to_numpy().copy()
            columns[name][at] = values
    return contributions.with_columns(pl.Series(name, column) for name, column in columns.items())


def _grades(cells: _Cells) -> dict[str, Floats]:
    """What the cells add to accuracy.

    Where every fast grade is known, escalating adds y_f + g + (e / p)(d - g); else each route adds the
    prediction of its own answer and the weighted error of that where it was taken.
    """
    fast, strong, one_arm = (cells.flag(name) for name in ("fast_graded", "strong_graded", "one_arm"))
    n = np.where(fast | strong, cells.n, 0.0)
    seen_fast, seen_strong = np.where(fast, 1.0, 0.0), np.where(strong, 1.0, 0.0)
    x, y = cells.column("fast_correct_sum") * seen_fast, cells.column("strong_correct_sum") * seen_strong
    xx, yy = cells.column("fast_correct_sq") * seen_fast, cells.column("strong_correct_sq") * seen_strong
    both = fast & strong
    outcomes = _Outcomes(n, x, y, xx, yy, cells.column("correct_x") * np.where(both, 1.0, 0.0))
    sent, w = cells.escalated, cells.weight
    gain = cells.predicted(y - x, sent & both & ~one_arm)
    kept_grade, sent_grade = (
        cells.predicted(x, ~sent & fast & one_arm),
        cells.predicted(y, sent & strong & one_arm),
    )
    keep = (
        np.where(one_arm, (1 - w["keep"]) * kept_grade, 0.0),
        np.where(one_arm, w["keep"], 1.0),
        np.zeros(n.size),
    )
    escalate = (
        (1 - w["esc"]) * np.where(one_arm, sent_grade, gain),
        np.where(one_arm, 0.0, 1 - w["esc"]),
        w["esc"],
    )
    keep_known = np.where(one_arm, sent | fast, fast)
    escalate_known = np.where(one_arm, ~sent | strong, fast & (~sent | strong))
    routes = {"keep": (keep, keep_known), "esc": (escalate, escalate_known)}
    found: dict[str, Floats] = {}
    for route, (parts, known) in routes.items():
        total, squares = outcomes.sums(*parts)
        found[f"{route}_sum"], found[f"{route}_sq"] = np.where(known, (total, squares), 0.0)
        found[f"{route}_gap"] = np.where(known, 0.0, n)
    difference = outcomes.sums(*(b - a for a, b in zip(keep, escalate, strict=True)))
    found["gain_sum"], found["gain_sq"] = np.where(keep_known & escalate_known, difference, 0.0)
    found["esc_floor"] = np.where(~escalate_known, x, 0.0)
    found["keep_ceiling"] = np.where(~keep_known & strong, n - y, 0.0)
    better = np.where(both & ~one_arm, w["esc"], 0.0)
    found["oracle_sum"] = better * cells.column("gain_sum")
    found["oracle_cost_sum"] = np.where(
        (n > 0) & cells.flag("fast_cost_known") & (cells.flag("strong_cost_known") | ~both),
        cells.column("fast_cost_sum") + better * cells.column("gain_cost_sum"),
        0.0,
    )
    found["oracle_gap"] = np.where(one_arm, n, 0.0)
    found["one_kept"] = np.where(one_arm & ~sent & fast, n, 0.0)
    found["one_sent"] = np.where(one_arm & sent & strong, n, 0.0)
    taken = {"keep": np.where(one_arm, w["keep"], 1.0), "esc": w["esc"]}
    reach = {"keep": np.where(one_arm, cells.reach["keep"], 1.0), "esc": cells.reach["esc"]}
    for route, weight in taken.items():
        found[f"{route}_w"], found[f"{route}_w2"] = n * weight, n * weight**2
        found[f"{route}_reach"] = n * reach[route]
    return found


def _costs(cells: _Cells) -> dict[str, Floats]:
    """What the cells add to costs: the strong cost is weighted, the fast one too if only one call is paid."""
    fast, strong = cells.flag("fast_cost_known"), cells.flag("strong_cost_known")
    predictive = (cells.frame["policy_kind"] == "predictive").to_numpy()
    n, sent, w = cells.n, cells.escalated, cells.weight
    outcomes = _Outcomes(
        n,
        cells.column("fast_cost_sum"),
        cells.column("strong_cost_sum"),
        cells.column("fast_cost_sq"),
        cells.column("strong_cost_sq"),
        cells.column("cost_x"),
    )
    # Cells hold no squares of the router's cost: within a cell it counts as constant, its mean.
    router = np.where(predictive, cells.column("router_cost_sum") / n, 0.0)
    none, one = np.zeros(n.size), np.ones(n.size)
    dear = (1 - w["esc"]) * cells.predicted(outcomes.y, sent & strong)
    cheap = np.where(predictive, (1 - w["keep"]) * cells.predicted(outcomes.x, ~sent & fast), 0.0)
    fast_part = np.where(predictive, w["keep"], one)
    fast_known = np.where(predictive, sent | fast, fast)
    strong_known = ~sent | strong
    routes = {
        "keep": ((cheap + router, fast_part, none), fast_known),
        "esc": (
            (dear + router, np.where(predictive, none, one), w["esc"]),
            np.where(predictive, strong_known, fast & strong_known),
        ),
        "fast": ((cheap, fast_part, none), fast_known),
        "strong": ((dear, none, w["esc"]), strong_known),
    }
    found: dict[str, Floats] = {}
    for route, (parts, known) in routes.items():
        total, squares = outcomes.sums(*parts)
        found[f"{route}_cost_n"] = np.where(known, n, 0.0)
        found[f"{route}_cost_sum"], found[f"{route}_cost_sq"] = np.where(known, (total, squares), 0.0)
    return found | {"esc_cost_gap": none, "gap_cost_n": none, "gap_cost_sum": none}
