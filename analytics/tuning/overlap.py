"""How well requests that were routed at random cover each threshold, with the estimators side by side.

References:
    Crump et al. (2009), Biometrika 96; Ionides (2008), J. Computational and Graphical Statistics 17;
    Swaminathan & Joachims (2015), NeurIPS 28.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from analytics.estimate import Floats
from analytics.tuning.exploration import effective, estimable
from analytics.tuning.propensity import AMBER_ESS, MOST_SHARE, RARE
from analytics.tuning.randomised import explored
from analytics.tuning.sums import Levels

if TYPE_CHECKING:
    from analytics.tuning.log import Selection

CLIP = 10.0
WEIGHTED = ("doubly_robust", "exploration_difference")
_ROUTES = ("keep", "esc")


def overlap_table(selection: "Selection", category: str) -> pl.DataFrame | None:
    """Weights and estimates at every threshold of a category; None where nothing was routed at random.

    Args:
        selection: The rows in question.
        category: Name of a category in it.

    Returns:
        One row per threshold (null: escalate all) with ``matched`` (graded requests that the log treated as
        the policy would), ``ess`` (effective number of requests), ``largest_share`` (of one weight in all),
        ``mean_weight`` (1 in expectation) and its ``mean_weight_error``, ``rare_share`` (requests whose
        action under the policy had a probability below 1%), ``clipped_10`` and ``clipped_root`` (mass per
        request above a weight of 10 and of the root of n: what clipping could take from an accuracy),
        ``estimate`` with ``estimate_error`` (of the category's estimator, as it comes), ``ips``,
        ``ips_error``, ``ips_10``, ``ips_root`` (clipped), ``snips``, ``snips_error`` (one answer per request
        only) and ``status``: ``good``, ``amber`` (under 100 effective requests, more than a fifth of the
        weight on one of them, or an estimate outside [0, 1]), ``not estimable`` (under 30) or ``not
        identified``; the last two have no estimates.
    """
    known = selection.regimes["task_category"].to_list()
    if category not in known or selection.regimes["estimator"][known.index(category)] not in WEIGHTED:
        return None
    regime = selection.regimes[known.index(category)]
    at = selection.levels[category]
    cells = selection.cells.filter(
        (pl.col("task_category") == category) & (pl.col("fast_graded") | pl.col("strong_graded"))
    )
    parts = _parts(cells, one_arm=bool(regime["one_arm"][0]), root=math.sqrt(max(at.everywhere("n"), 1.0)))
    place = np.searchsorted(at.confidence, cells["confidence"].fill_null(-1.0).to_numpy()) + 1
    place[cells["confidence"].is_null().to_numpy()] = 0
    size = at.confidence.size + 1
    columns = {
        name: np.bincount(place, weights=values, minlength=size).astype(np.float64)
        for name, values in parts.sums.items()
    }
    names = sorted({name.split("_", 1)[1] for name in columns})
    kept, sent = ([f"{route}_{name}" for name in names] for route in _ROUTES)
    totals = Levels(at.confidence, columns).swept(kept, sent, missing=selection.missing)
    swept = dict(zip(names, totals, strict=True))
    swept |= _estimates(at, selection)
    largest = _largest(parts.weight, place, size, keeps_missing=selection.missing == "keep")
    return _table(at, swept, largest, one_arm=bool(regime["one_arm"][0]))


@dataclass(frozen=True, slots=True)
class _Parts:
    """What each cell adds on either route, and the weight of its requests there."""

    sums: dict[str, Floats]
    weight: dict[str, Floats]


def _parts(cells: pl.DataFrame, *, one_arm: bool, root: float) -> _Parts:
    random = cells.select(explored()).to_series().to_numpy()
    sent = cells["escalated"].fill_null(value=False).to_numpy()
    fast, strong = (cells[f"{side}_graded"].to_numpy() for side in ("fast", "strong"))
    q = np.where(random, cells["propensity"].cast(pl.Float64).fill_null(1.0).to_numpy(), 1.0)
    n = cells["n"].cast(pl.Float64).to_numpy()
    x, y, xx, yy, xy = (
        cells[name].fill_null(0.0).to_numpy()
        for name in (
            "fast_correct_sum", "strong_correct_sum", "fast_correct_sq", "strong_correct_sq", "correct_x",
        )
    )  # fmt: skip
    taken = {"keep": ~sent, "esc": sent}
    graded = {"keep": fast, "esc": strong}
    # Where every fast grade is known a kept request needs no weight.
    free = {"keep": not one_arm, "esc": False}
    sums: dict[str, Floats] = {}
    weights: dict[str, Floats] = {}
    for route in _ROUTES:
        chance = np.where(random & (not free[route]), np.where(taken[route], q, 1 - q), 1.0)
        seen = np.where(random & (not free[route]), taken[route] & graded[route], graded[route])
        weight = np.where(seen, 1 / chance, 0.0)
        weights[route] = weight
        sums |= {
            f"{route}_matched": n * seen,
            f"{route}_w": n * weight,
            f"{route}_w2": n * weight**2,
            f"{route}_reach": n / chance,
            f"{route}_rare": n * (chance < RARE),
        }
        for clip, most in (("", np.inf), ("_10", CLIP), ("_root", root)):
            w = np.minimum(weight, most)
            sums[f"{route}_over{clip}"] = n * (weight - w)
            corrected = route == "esc" and not one_arm
            b = np.where(random, 1 - w, 0.0) if corrected else (w if route == "keep" else np.zeros(n.size))
            c = w if route == "esc" else np.zeros(n.size)
            sums[f"{route}_ips{clip}"] = b * x + c * y
            sums[f"{route}_ips_sq{clip}"] = b * b * xx + c * c * yy + 2 * b * c * xy
        sums[f"{route}_wwy"] = weight**2 * (x if route == "keep" else y)
        sums[f"{route}_wwyy"] = weight**2 * (xx if route == "keep" else yy)
    return _Parts(sums, weights)


def _estimates(at: Levels, selection: "Selection") -> dict[str, Floats]:
    columns = ("n", "sum", "sq", "gap")
    keeps, escalates = (["n", *(f"{route}_{name}" for name in columns[1:])] for route in _ROUTES)
    return dict(zip(columns, at.swept(keeps, escalates, missing=selection.missing), strict=True))


def _largest(
    weight: dict[str, Floats], place: npt.NDArray[np.intp], size: int, *, keeps_missing: bool
) -> Floats:
    """The largest weight at every threshold."""
    slots = {route: np.zeros(size) for route in _ROUTES}
    for route, values in weight.items():
        np.maximum.at(slots[route], place, values)
    found = np.zeros(size)
    found[:-1] = np.maximum.accumulate(slots["keep"][:0:-1])[::-1]
    found[1:] = np.maximum(found[1:], np.maximum.accumulate(slots["esc"][1:]))
    of_missing = float(slots["keep" if keeps_missing else "esc"][0])
    highest: Floats = np.maximum(found, of_missing)
    return highest


def _table(at: Levels, swept: dict[str, Floats], largest: Floats, *, one_arm: bool) -> pl.DataFrame:
    n, w = np.maximum(swept["n"], 1.0), np.where(swept["w"] > 0, swept["w"], 1.0)

    def error(total: Floats, squares: Floats) -> Floats:
        of_mean: Floats = np.sqrt(np.maximum(squares / n - (total / n) ** 2, 0.0) / np.maximum(n - 1, 1.0))
        return of_mean

    snips = swept["ips"] / w
    residual = swept["wwyy"] - 2 * snips * swept["wwy"] + snips**2 * swept["w2"]
    figures = {
        "estimate": swept["sum"] / n,
        "estimate_error": error(swept["sum"], swept["sq"]),
        "ips": swept["ips"] / n,
        "ips_error": error(swept["ips"], swept["ips_sq"]),
        "ips_10": swept["ips_10"] / n,
        "ips_root": swept["ips_root"] / n,
    }
    if one_arm:
        figures |= {"snips": snips, "snips_error": np.sqrt(np.maximum(residual, 0.0)) / w}
    ess = effective(swept["n"], swept["w"], swept["w2"], swept["reach"])
    share = largest / w
    outside = np.any(
        [(figures[name] < 0) | (figures[name] > 1 + 1e-12) for name in ("estimate", "ips")], axis=0
    )
    told = estimable(swept["n"], swept["w"], swept["w2"], swept["reach"])
    status = np.select(
        [swept["gap"] > 0, ~told, (ess < AMBER_ESS) | (share > MOST_SHARE) | outside],
        ["not identified", "not estimable", "amber"],
        "good",
    )
    printed = (swept["gap"] == 0) & told
    columns = {
        "threshold": np.append(at.confidence, np.nan),
        "matched": swept["matched"],
        "ess": ess,
        "largest_share": share,
        "mean_weight": swept["w"] / n,
        "mean_weight_error": np.sqrt(np.maximum(swept["reach"] - swept["n"], 0.0)) / n,
        "rare_share": swept["rare"] / n,
        "clipped_10": swept["over_10"] / n,
        "clipped_root": swept["over_root"] / n,
        **{name: np.where(printed, values, np.nan) for name, values in figures.items()},
    }
    table = pl.DataFrame({name: pl.Series(values, nan_to_null=True) for name, values in columns.items()})
    if not one_arm:
        table = table.with_columns(pl.lit(None, pl.Float64).alias(name) for name in ("snips", "snips_error"))
    return table.with_columns(pl.Series("status", status.tolist()))
