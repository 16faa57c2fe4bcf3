"""What looks wrong in a log itself, before any figure is believed.

References:
    McNemar (1947), Psychometrika 12; Armitage (1955), Biometrics 11: the trend of a share.
"""

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from analytics.estimate import normal_quantile
from analytics.measure.multiplicity import holm
from analytics.tuning.graded_pairs import graded_pairs
from analytics.tuning.log import Selection

_LEAST_PAIRS = 300
_MOST_CORRELATION, _SURE = 0.1, 0.995
_EXTREME = 0.05
_P_VALUE = 0.01
_ERRORS = 4.0
_OFF_SHARE = 0.01
_LEAST_UNGRADED, _LEAST_DROP = 0.02, 0.05


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Something that should be looked into before a threshold is changed.

    Attributes:
        kind: ``misaligned``, ``strong_worse``, ``propensity``, ``selective_grades`` or ``few_values``.
        title: The finding, in a few words without names of the log.
        body: What it means and what to do.
        categories: Where, if not everywhere.
    """

    kind: str
    title: str
    body: str
    categories: tuple[str, ...] = ()


def suspicions(selection: Selection) -> list[Suspicion]:
    """Everything that looks wrong in a selection, the most harmful first; from aggregates alone."""
    found = [
        _misaligned(selection),
        _propensities(selection),
        _strong_worse(selection),
        _selective_grades(selection),
        _few_values(selection),
    ]
    return [item for item in found if item is not None]


def _misaligned(selection: Selection) -> Suspicion | None:
    """Right answers of the two models as good as independent: the answers may belong to other requests."""
    fast, strong, both = (f"rounded_{name}" for name in ("fast", "strong", "both"))
    pairs = selection.cells.filter(pl.col("fast_graded") & pl.col("strong_graded"))
    n, a, b, ab = (float(pairs[name].sum()) for name in ("n", fast, strong, both))
    if n < _LEAST_PAIRS:
        return None
    shares = (a / n, b / n)
    if min(shares) < _EXTREME or max(shares) > 1 - _EXTREME:
        return None
    spread = math.sqrt(math.prod(share * (1 - share) for share in shares))
    correlation = (ab / n - shares[0] * shares[1]) / spread
    if correlation + normal_quantile(_SURE) / math.sqrt(n) > _MOST_CORRELATION:
        return None
    return Suspicion(
        "misaligned",
        "Fast and strong grades have nothing to do with each other",
        (
            f"Requests that one model gets right are no easier for the other one (correlation "
            f"{correlation:.2f} in {n:,.0f} pairs). That is rare for answers to the same requests: check "
            "that both files are joined by the right key."
        ),
    )


def _strong_worse(selection: Selection) -> Suspicion | None:
    """Categories in which the fast model wins more often than it loses, beyond chance in any of them."""
    from scipy.special import bdtr  # noqa: PLC0415 - off the page path

    pairs = graded_pairs(selection, "strong")
    counts = pairs.frame.group_by("task_category").agg(pl.col("lost", "won").sum()).sort("task_category")
    if counts.is_empty():
        return None
    lost, won = (counts[name].to_numpy().astype(np.float64) for name in ("lost", "won"))
    # With no difference, each pair that differs is lost or won alike.
    p_values = [
        float(bdtr(few, int(few + many), 0.5)) if few + many else None
        for few, many in zip(lost, won, strict=True)
    ]
    adjusted = holm(p_values)
    names = tuple(
        name
        for name, p_value in zip(counts["task_category"], adjusted, strict=True)
        if p_value is not None and p_value < _P_VALUE
    )
    if not names:
        return None
    where = "one category" if len(names) == 1 else f"{len(names)} categories"
    return Suspicion(
        "strong_worse",
        "The strong model is worse than the fast one",
        (
            f"In {where} its answers are less often right, beyond chance (exact McNemar test). Escalating "
            "there costs money and correct answers: keep the fast answer, or check that grades and models "
            "are not swapped."
        ),
        names,
    )


def _propensities(selection: Selection) -> Suspicion | None:
    """Logged probabilities of escalating that do not fit how often requests were escalated."""
    cells = selection.log.cells
    logged = pl.when("escalated").then(pl.col("propensity")).otherwise(1 - pl.col("propensity"))
    frame = (
        cells.filter(pl.col("propensity").is_not_null() & pl.col("escalated").is_not_null())
        .select("n", "escalated", logged.alias("p"))
        .filter((pl.col("p") > 0) & (pl.col("p") < 1))
    )
    n = float(frame["n"].sum())
    if n < _LEAST_PAIRS:
        return None
    weighted = float(frame.filter("escalated").select((pl.col("n") / pl.col("p")).sum()).item())
    error = math.sqrt(float(frame.select((pl.col("n") * (1 - pl.col("p")) / pl.col("p")).sum()).item()))
    off = weighted - n
    if abs(off) <= max(_ERRORS * error, _OFF_SHARE * n):
        return None
    return Suspicion(
        "propensity",
        "The logged propensities do not fit",
        (
            f"Weighted by their probability, {weighted:,.0f} requests were escalated, and {n:,.0f} should "
            "be. Either the probabilities are not those of the action taken, or requests were lost on the "
            "way. Figures that use them cannot be trusted."
        ),
    )


def _selective_grades(selection: Selection) -> Suspicion | None:
    """Grades that are missing more often at one end of the confidence."""
    graded = pl.col("fast_graded") | pl.col("strong_graded")
    cells = selection.cells.drop_nulls("confidence")
    if "grade_probability" in cells.columns and cells["grade_probability"].null_count() < cells.height:
        return None  # drawn by a known probability, which is allowed for
    table = (
        cells.group_by("confidence")
        .agg(pl.col("n").sum(), pl.col("n").filter(graded).sum().alias("graded"))
        .sort("confidence")
    )
    n, seen = (table[name].to_numpy().astype(np.float64) for name in ("n", "graded"))
    total, known = float(n.sum()), float(seen.sum())
    if known < _LEAST_PAIRS or total - known < _LEAST_UNGRADED * total or known == 0:
        return None
    rank = (np.cumsum(n) - n / 2) / total
    share, mean = known / total, float((n * rank).sum() / total)
    spread = float((n * (rank - mean) ** 2).sum())
    if spread <= 0:
        return None
    z = float(((seen - share * n) * (rank - mean)).sum()) / math.sqrt(share * (1 - share) * spread)
    low = rank < 0.5  # noqa: PLR2004 - the lower half
    if not low.any() or low.all():
        return None
    lower, upper = float(seen[low].sum() / n[low].sum()), float(seen[~low].sum() / n[~low].sum())
    if abs(z) < _ERRORS or abs(lower - upper) < _LEAST_DROP:
        return None
    side = "low" if lower < upper else "high"
    return Suspicion(
        "selective_grades",
        f"Grades are missing more often where confidence is {side}",
        (
            f"{lower:.0%} of the less confident half are graded and {upper:.0%} of the other. Within a "
            "category ungraded requests are taken to be like graded ones, which then tilts accuracies: grade "
            "a random sample instead."
        ),
    )


def _few_values(selection: Selection) -> Suspicion | None:
    """A confidence that can hardly tell requests apart."""
    values = selection.cells["confidence"].drop_nulls().unique().sort()
    if values.is_empty() or values.len() > 2:  # noqa: PLR2004 - two values are one threshold
        return None
    shown = " and ".join(f"{value:g}" for value in values)
    one = values.len() == 1
    return Suspicion(
        "few_values",
        f"The confidence has {'one value' if one else 'two values'}",
        (
            f"It is {shown} in every request, so "
            + (
                "no threshold can tell one from another. "
                if one
                else "there is one threshold to choose, if any. "
            )
            + "Check that it is a score and not a verdict, or that it was not rounded."
        ),
    )
