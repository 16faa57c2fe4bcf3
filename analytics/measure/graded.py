"""Graded fast answers by confidence: the sums from which everything about a confidence follows.

Per distinct confidence: how many answers are graded, the sum of their grades and of the squares of those.
They come from cells, so no row leaves the database, and grades may lie between 0 and 1.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from analytics.estimate import Estimate, Floats, normal_quantile, undefined

Ints = npt.NDArray[np.int64]

FEW = 30
"""Graded answers, below which nothing is said about a confidence."""
FEW_OF_EITHER = 10
PICKED_FOLDS, HELD_OUT_FOLDS = range(10), range(10, 20)
UNGRADED = "No graded fast answer has a confidence."

_SUMS = {"n": "fast_n", "total": "keep_sum", "squares": "keep_sq"}


@dataclass(frozen=True, slots=True)
class Graded:
    """Graded answers that have a confidence.

    Attributes:
        confidence: Distinct confidences in [0, 1], ascending, shape ``(m,)``.
        n: Graded answers at each, ``(m,)``.
        total: Sums of their grades, ``(m,)``.
        squares: Sums of the squares of those, ``(m,)``.
        fold: Fold of every part, ``(k,)``; a user's answers share one.
        level: Position in ``confidence`` of every part, ``(k,)``.
        parts: ``n``, ``total`` and ``squares`` of every part, ``(3, k)``.
        clustered: Whether users have several answers, so that answers are not independent.
    """

    confidence: Floats
    n: Floats
    total: Floats
    squares: Floats
    fold: Ints
    level: Ints
    parts: Floats
    clustered: bool = False

    @property
    def rows(self) -> int:
        """Graded answers."""
        return round(float(self.n.sum()))

    @property
    def right(self) -> float:
        """Sum of all grades."""
        return float(self.total.sum())

    @property
    def wrong(self) -> float:
        """Sum of what is missing from full grades."""
        return float(self.n.sum() - self.total.sum())

    @property
    def binary(self) -> bool:
        """Whether every grade is 0 or 1."""
        return bool(np.isclose(self.total.sum(), self.squares.sum(), rtol=0, atol=1e-9 * max(self.rows, 1)))

    def within(self, folds: Collection[int]) -> "Graded":
        """The answers of some folds."""
        kept = np.isin(self.fold, list(folds))
        return _assembled(
            self.confidence[self.level[kept]], self.fold[kept], self.parts[:, kept], clustered=self.clustered
        )

    def mean(self, constant: Floats, slope: Floats, *, method: str, level: float) -> Estimate:
        """Mean of ``constant + slope * grade`` over the answers, with its interval by Student's t.

        Args:
            constant: By confidence, ``(m,)``.
            slope: By confidence, ``(m,)``.
            method: How the estimate is named.
            level: Coverage.
        """
        if not self.rows:
            return undefined(UNGRADED, method=method, level=level)
        value = float((self.n * constant + self.total * slope).sum() / self.n.sum())
        error = self.error(constant - value, slope)
        if error is None:
            return Estimate(value, None, None, self.rows, method, level)
        half = self.quantile((1 + level) / 2) * error
        return Estimate(value, value - half, value + half, self.rows, method, level)

    def error(self, constant: Floats, slope: Floats) -> float | None:
        """Standard error of a mean whose influence is ``constant + slope * grade``; None below two rows.

        Where users have several answers it is at least that of the spread between folds.
        """
        n = float(self.n.sum())
        if n < 2:  # noqa: PLR2004 - a variance needs two rows
            return None
        own = self.n * constant**2 + 2 * constant * slope * self.total + slope**2 * self.squares
        independent = max(float(own.sum()), 0.0) / (n * (n - 1))
        return float(np.sqrt(independent * self.inflation(constant, slope)))

    def inflation(self, constant: Floats, slope: Floats) -> float:
        """Design effect of several answers per user on the mean of ``constant + slope * grade``, at least 1.

        References:
            Kish (1965), Survey Sampling, chapter 5.
        """
        n = float(self.n.sum())
        if not self.clustered or n < FEW:
            return 1.0
        own = self.n * constant**2 + 2 * constant * slope * self.total + slope**2 * self.squares
        independent = float(own.sum()) / n**2
        spread = self.fold_variance(constant[self.level] * self.parts[0] + slope[self.level] * self.parts[1])
        return 1.0 if spread is None or independent <= 0 else max(1.0, spread / independent)

    def fold_variance(self, influences: Floats) -> float | None:
        """Variance of a mean from the sums of its influences in the folds; None with a single fold.

        Args:
            influences: Sum of the influences of the answers of every part, ``(k,)``.
        """
        present, index = np.unique(self.fold, return_inverse=True)
        if present.size < 2:  # noqa: PLR2004 - a spread needs two folds
            return None
        sums = np.bincount(index, weights=influences)
        return float((sums**2).sum() * present.size / (present.size - 1) / self.n.sum() ** 2)

    def quantile(self, probability: float) -> float:
        """Quantile of Student's t for a mean of these answers: folds less one where they are clustered."""
        from scipy.special import stdtrit  # noqa: PLC0415 - kept off the import path of pages

        freedom = np.unique(self.fold).size - 1 if self.clustered else self.rows - 1
        return float(stdtrit(freedom, probability)) if freedom >= 1 else normal_quantile(probability)


def graded(rows: pl.DataFrame, *, clustered: bool = False) -> Graded:
    """The graded answers of a log.

    Args:
        rows: Of ``identification.contributions``: fold, confidence, fast_right, fast_wrong, keep_sum and
            keep_sq.
        clustered: Whether users have several requests.
    """
    known = rows.with_columns((pl.col("fast_right") + pl.col("fast_wrong")).alias("fast_n"))
    known = known.filter(pl.col("confidence").is_not_null() & (pl.col("fast_n") > 0))
    table = known.group_by("confidence", "fold").agg(pl.col(list(_SUMS.values())).sum().cast(pl.Float64))
    table = table.sort("confidence", "fold")
    return _assembled(
        table["confidence"].to_numpy().astype(np.float64),
        table["fold"].to_numpy().astype(np.int64),
        np.stack([table[name].to_numpy() for name in _SUMS.values()]),
        clustered=clustered,
    )


def graded_by_category(rows: pl.DataFrame, *, clustered: bool = False) -> dict[str, Graded]:
    """The ``graded`` answers of every category, in alphabetical order; those without any as well."""
    parts = rows.partition_by("task_category", as_dict=True)
    return {name: graded(part, clustered=clustered) for (name,), part in sorted(parts.items())}


def graded_answers(
    confidence: Sequence[float] | Floats,
    correct: Sequence[float] | Floats,
    *,
    fold: Sequence[int] | Ints | None = None,
    clustered: bool = False,
) -> Graded:
    """Graded answers from one value each, for data that is at hand in rows.

    Args:
        confidence: In [0, 1], ``(n,)``.
        correct: Grades in [0, 1], ``(n,)``.
        fold: Fold of each; None puts them all into fold 0.
        clustered: Whether users have several answers.
    """
    at, grade = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    folds = np.zeros(at.size, dtype=np.int64) if fold is None else np.asarray(fold, dtype=np.int64)
    return _assembled(at, folds, np.stack([np.ones_like(grade), grade, grade**2]), clustered=clustered)


def summed(index: Ints, values: Floats, *, size: int) -> Floats:
    """Sums of ``values`` by ``index``, shape ``(size,)``."""
    return np.bincount(index, weights=values, minlength=size).astype(np.float64)


def _assembled(confidence: Floats, fold: Ints, parts: Floats, *, clustered: bool) -> Graded:
    distinct, level = np.unique(confidence, return_inverse=True)
    n, total, squares = (summed(level, column, size=distinct.size) for column in parts)
    return Graded(distinct, n, total, squares, fold, level, parts, clustered=clustered)
