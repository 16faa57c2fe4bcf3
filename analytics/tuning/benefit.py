"""What escalating gains at each confidence: the strong grade minus the fast one, where both were observed.

A threshold escalates what lies below it. That is the right rule only where the gain falls with the
confidence: where it does not, no single threshold is the best policy of its category.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl

from analytics.estimate import LEVEL, Estimate, Floats, normal_quantile, undefined
from analytics.measure.graded import FEW, Ints, summed
from analytics.measure.multiplicity import holm
from analytics.measure.ranking import Weighted, trend_z, two_sided
from analytics.measure.reliability import midranks, quantile_bins
from analytics.tuning.log import Selection

Word = Literal["falls", "rises", "flat", "too_few", "unobserved"]

BINS = 10
LEAST_IN_BIN = 10
LEAST_RISE = 0.01
SIGNIFICANT = 0.05
DRAWS = 10_000
SEED = 20_261_127
NO_PAIRS = "No request with a confidence has both answers graded."
UNKNOWN_SHARE = "Shadow answers of unknown probability are left out."
_MEAN = "mean of strong - fast grade"
_WEIGHTED = "mean of strong - fast grade, weighted by 1 / sampling probability"


@dataclass(frozen=True, slots=True)
class Pairs:
    """Graded pairs by confidence; arrays of shape ``(m,)``.

    Attributes:
        confidence: Distinct confidences of requests with both answers graded, ascending.
        n: Such requests at each.
        gains: Weighted sums of strong minus fast grade; a sampled pair weighs 1 / its probability.
        fold: Fold of every part, ``(k,)``.
        level: Position in ``confidence`` of every part, ``(k,)``.
        parts: Sum of weights and of weighted gains of every part, ``(2, k)``.
        clustered: Whether users have several requests.
        left_out: Pairs that are not used, because with which probability they were observed is unknown.
    """

    confidence: Floats
    n: Floats
    gains: Weighted
    fold: Ints
    level: Ints
    parts: Floats
    clustered: bool = False
    left_out: int = 0

    @property
    def weighted(self) -> bool:
        """Whether some pairs stand for several requests."""
        return bool((self.gains.weight > self.n * (1 + 1e-9)).any())

    @property
    def mean(self) -> float:
        """Mean gain over all pairs."""
        return float(self.gains.total.sum() / self.gains.weight.sum())

    @property
    def inflation(self) -> float:
        """Design effect of several requests per user on the mean gain, at least 1.

        References:
            Kish (1965), Survey Sampling, chapter 5.
        """
        folds = np.unique(self.fold)
        if not self.clustered or self.n.sum() < FEW or folds.size < 2:  # noqa: PLR2004 - a spread needs two
            return 1.0
        mean, gains = self.mean, self.gains
        own = float((gains.squares - 2 * mean * gains.squared_total + mean**2 * gains.squared).sum())
        sums = np.bincount(self.fold, weights=self.parts[1] - mean * self.parts[0])
        spread = float((sums**2).sum()) * folds.size / (folds.size - 1)
        return max(1.0, spread / own) if own > 0 else 1.0


def pairs(selection: Selection, category: str | None = None) -> Pairs:
    """The graded pairs of one category, or of all of them.

    Kept requests with a shadow answer weigh 1 / their sampling probability; where that is unknown or does
    not fit, they are left out, unless every graded request has both answers.

    Args:
        selection: The rows in question.
        category: One of its categories; None for all.
    """
    cells = selection.cells
    if category is not None:
        cells = cells.filter(pl.col("task_category") == category)
    known = selection.regimes.select("task_category", "estimator", "shadow")
    both = cells.filter(
        pl.col("confidence").is_not_null() & pl.col("fast_graded") & pl.col("strong_graded")
    ).join(known, on="task_category", how="left")
    # Where the route was not logged, a pair with a sampling probability below 1 was a kept request's.
    kept = pl.coalesce(~pl.col("escalated"), (pl.col("sampling_probability") < 1).fill_null(value=False))
    sampled = kept & (pl.col("estimator") != "paired")
    usable = both.filter(~sampled | pl.col("shadow"))
    weight = pl.when(sampled).then(1 / pl.col("sampling_probability")).otherwise(1.0)
    gain = pl.col("strong_correct_sum") - pl.col("fast_correct_sum")
    squares = pl.col("strong_correct_sq") - 2 * pl.col("correct_x") + pl.col("fast_correct_sq")
    table = (
        usable.with_columns(weight.alias("w"))
        .group_by("confidence", "fold")
        .agg(
            pl.col("n").sum(),
            (pl.col("w") * pl.col("n")).sum().alias("weight"),
            (pl.col("w") ** 2 * pl.col("n")).sum().alias("squared"),
            (pl.col("w") * gain).sum().alias("total"),
            (pl.col("w") ** 2 * gain).sum().alias("squared_total"),
            (pl.col("w") ** 2 * squares).sum().alias("squares"),
        )
        .sort("confidence", "fold")
    )
    left_out = int(both["n"].sum()) - int(usable["n"].sum())
    return _assembled(table, clustered=selection.log.facts.clustered, left_out=left_out)


def _assembled(table: pl.DataFrame, *, clustered: bool, left_out: int) -> Pairs:
    distinct, level = np.unique(table["confidence"].to_numpy().astype(np.float64), return_inverse=True)
    names = ("n", "weight", "squared", "total", "squared_total", "squares")
    columns = {name: table[name].to_numpy().astype(np.float64) for name in names}
    sums = {name: summed(level, values, size=distinct.size) for name, values in columns.items()}
    return Pairs(
        confidence=distinct,
        n=sums.pop("n"),
        gains=Weighted(**sums),
        fold=table["fold"].to_numpy().astype(np.int64),
        level=level,
        parts=np.stack([columns["weight"], columns["total"]]),
        clustered=clustered,
        left_out=left_out,
    )


def benefit_table(found: Pairs, *, bins: int = BINS, level: float = LEVEL) -> pl.DataFrame:
    """Mean gain of escalating in bins of about as many pairs, ties never split.

    Returns:
        One row per bin: ``bin``, ``n`` (pairs), ``first`` and ``last`` (its confidences), ``confidence``
        (their weighted mean), ``gain`` and its interval ``low`` to ``high``, ``error`` (standard error).
        Intervals add two pairs to each bin, so that a bin without a difference has one, too.

    References:
        Agresti & Min (2005), Statistics in Medicine 24: the adjusted interval for matched pairs.
    """
    index = quantile_bins(found.n, bins=bins)
    kept = np.unique(index)
    size = int(index.max()) + 1 if index.size else 0
    n, claimed, weight, squared, total, squared_total, squares = (
        summed(index, values, size=size)[kept]
        for values in (
            found.n, found.gains.weight * found.confidence, found.gains.weight, found.gains.squared,
            found.gains.total, found.gains.squared_total, found.gains.squares,
        )
    )  # fmt: skip
    # Half a pair each won and lost, and one without a difference, at the typical weight of the bin.
    typical = np.divide(squared, weight, out=np.ones_like(weight), where=weight > 0)
    padded = weight + 2 * typical
    middle = total / padded
    around = squares + typical**2 - 2 * middle * squared_total + middle**2 * (squared + 2 * typical**2)
    error = np.sqrt(np.maximum(around, 0.0) * found.inflation) / padded
    half = normal_quantile((1 + level) / 2) * error
    return pl.DataFrame(
        {
            "bin": kept,
            "n": n.astype(np.int64),
            "first": [float(found.confidence[index == place].min()) for place in kept],
            "last": [float(found.confidence[index == place].max()) for place in kept],
            "confidence": claimed / weight,
            "gain": total / weight,
            "low": np.maximum(middle - half, -1.0),
            "high": np.minimum(middle + half, 1.0),
            "error": error,
        }
    )


@dataclass(frozen=True, slots=True)
class Rise:
    """A test whether the gain rises with confidence somewhere, so that one threshold is not the best policy.

    Attributes:
        p_value: Of a gain that never rises; None with fewer than two bins of ``LEAST_IN_BIN`` pairs.
        size: Largest rise from a bin to a later one.
        below: First and last confidence of the bin from which it rises.
        above: Of the bin to which it rises.
    """

    p_value: float | None
    size: float = 0.0
    below: tuple[float, float] | None = None
    above: tuple[float, float] | None = None


def rise(table: pl.DataFrame) -> Rise:
    """Whether a gain that should fall with confidence rises somewhere.

    The statistic is the weighted distance of the bins' gains from their best non-increasing fit; its null
    distribution, for gains that are all equal, comes from seeded draws.

    Args:
        table: Of ``benefit_table``.

    References:
        Robertson, Wright & Dykstra (1988), Order Restricted Statistical Inference, chapter 2.
    """
    kept = table.filter((pl.col("n") >= LEAST_IN_BIN) & (pl.col("error") > 0))
    if kept.height < 2:  # noqa: PLR2004 - a rise needs two bins
        return Rise(None)
    gain, error = kept["gain"].to_numpy(), kept["error"].to_numpy()
    precision = error**-2.0
    found = _distance(gain[None, :], precision)[0]
    drawn = np.random.default_rng(SEED).standard_normal((DRAWS, gain.size)) * error
    p_value = (1 + int((_distance(drawn, precision) >= found - 1e-12).sum())) / (DRAWS + 1)
    rises = gain[None, :] - gain[:, None]
    lower, upper = np.unravel_index(np.argmax(np.triu(rises, 1)), rises.shape)
    ends = [(row["first"], row["last"]) for row in kept.to_dicts()]
    return Rise(p_value, max(float(rises[lower, upper]), 0.0), ends[lower], ends[upper])


def _distance(values: Floats, precision: Floats) -> Floats:
    """Weighted squared distance of each row from its best non-increasing fit, by the min-max formula."""
    size = precision.size
    mass = np.concatenate([[0.0], np.cumsum(precision)])
    sums = np.concatenate([np.zeros((values.shape[0], 1)), np.cumsum(values * precision, axis=1)], axis=1)
    fit = np.empty_like(values)
    for place in range(size):
        # Largest over later ends of the smallest mean over earlier starts: the non-increasing fit.
        first, last = np.arange(place + 1), np.arange(place + 1, size + 1)
        means = (sums[:, None, last] - sums[:, first, None]) / (mass[None, last] - mass[first, None])
        fit[:, place] = means.min(axis=1).max(axis=1)
    distance: Floats = (precision * (values - fit) ** 2).sum(axis=1)
    return distance


@dataclass(frozen=True, slots=True)
class Benefit:
    """What escalating gains in one category, and whether its confidence says where.

    Attributes:
        mean: Over all pairs.
        n: Pairs.
        p_value: Of no trend of the gain over the rank of the confidence, two-sided; None if not asked.
        adjusted: The same, adjusted for all categories.
        word: ``falls`` (escalating low confidences gains more), ``rises``, ``flat`` (no trend seen),
            ``too_few`` pairs, or ``unobserved``.
        rise: Test whether the gain rises somewhere.
        rise_adjusted: Its p-value, adjusted for all categories.
        bins: Of ``benefit_table``.
        left_out: Pairs that are not used, see ``Pairs``.
    """

    mean: Estimate
    n: int
    p_value: float | None
    adjusted: float | None
    word: Word
    rise: Rise
    rise_adjusted: float | None
    bins: pl.DataFrame
    left_out: int

    @property
    def several_thresholds(self) -> bool:
        """Whether one threshold is not the best policy: the gain rises somewhere, by more than chance."""
        return (
            self.rise_adjusted is not None
            and self.rise_adjusted < SIGNIFICANT
            and self.rise.size >= LEAST_RISE
        )


def benefits(selection: Selection, *, level: float = LEVEL) -> dict[str | None, Benefit]:
    """What escalating gains in every category, and under None in all of them together.

    P-values are adjusted over the categories; the pooled one stands for itself.
    """
    raw = {name: _one(pairs(selection, name), level=level) for name in (None, *selection.categories)}
    names = list(selection.categories)
    for_trend = dict(zip(names, holm([raw[name].p_value for name in names]), strict=True))
    for_rise = dict(zip(names, holm([raw[name].rise.p_value for name in names]), strict=True))
    done: dict[str | None, Benefit] = {}
    for name, entry in raw.items():
        trend = entry.p_value if name is None else for_trend[name]
        risen = entry.rise.p_value if name is None else for_rise[name]
        done[name] = _judged(entry, trend, risen)
    return done


def _one(found: Pairs, *, level: float) -> Benefit:
    method = _WEIGHTED if found.weighted else _MEAN
    rows = round(float(found.n.sum()))
    table = benefit_table(found, level=level)
    if not rows:
        nothing = undefined(NO_PAIRS, method=method, level=level)
        return Benefit(nothing, 0, None, None, "unobserved", Rise(None), None, table, found.left_out)
    whole = benefit_table(found, bins=1, level=level).row(0, named=True)
    mean = Estimate(whole["gain"], whole["low"], whole["high"], rows, method, level)
    if rows < FEW or found.confidence.size < 2:  # noqa: PLR2004 - a trend needs two confidences
        return Benefit(mean, rows, None, None, "too_few", Rise(None), None, table, found.left_out)
    z = trend_z(found.gains, midranks(found.n))
    p_value = None if z is None else two_sided(z / math.sqrt(found.inflation))
    word: Word = "flat" if z is None else "falls" if z < 0 else "rises"
    return Benefit(mean, rows, p_value, None, word, rise(table), None, table, found.left_out)


def _judged(entry: Benefit, adjusted: float | None, rise_adjusted: float | None) -> Benefit:
    seen = entry.word not in ("falls", "rises") or (adjusted is not None and adjusted < SIGNIFICANT)
    word: Word = entry.word if seen else "flat"
    return replace(entry, adjusted=adjusted, word=word, rise_adjusted=rise_adjusted)
