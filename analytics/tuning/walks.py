"""Walks: policies in an order fixed without the rows that judge them, tested from the reference down.

The walk stops at the first policy that fails; every policy before that is certified at once, whatever the
shape of the accuracy. Three walks share the error: one threshold for all categories through every distinct
confidence, and two along a path through all categories that one half of the folds learns and the other
half walks.

References:
    Angelopoulos et al. (2021), Learn then Test, arXiv 2110.01052: fixed sequences.
    Laufer-Goldshtein et al. (2023), Pareto Testing: a path learned on another split.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from analytics.estimate import Floats
from analytics.logs.schema import FOLDS
from analytics.tuning.graded_pairs import GradedPairs
from analytics.tuning.learned_path import path
from analytics.tuning.noninferiority import (
    ALLOWANCE,
    TOLERANCE,
    critical_value,
    floor_p_values,
    fold_p_values,
    score,
)

Ints = npt.NDArray[np.int64]

_MOST_LEVELS = 40
FAST_ONLY = -1
"""Position of the option that keeps every answer, those without a confidence included."""


@dataclass(frozen=True, slots=True)
class Test:
    """What a walk tests: at most ``margin`` lost against the reference, or an accuracy of at least ``floor``.

    Attributes:
        margin: Accuracy that may be lost; None for a floor.
        floor: Least accuracy; None for a margin.
        error: Probability of a false certificate that this test may have.
        clustered: Whether users have several requests, so that the spread between folds counts too.
    """

    margin: float | None
    floor: float | None
    error: float
    clustered: bool

    @property
    def least_pairs(self) -> int:
        """Pairs below which nothing can pass, even without a single lost answer."""
        good = 1 - self.margin if self.margin is not None else (self.floor or 0.0)
        error = self.error if self.margin is None else self.error - ALLOWANCE
        if not 0 < good < 1 or error <= 0:
            return 1
        return math.ceil(math.log(error) / math.log(good))


@dataclass(frozen=True, slots=True)
class Walk:
    """A tested sequence of policies.

    Attributes:
        categories: Whose options the steps set, in the order of ``positions``.
        learned_on: Folds that fixed the order; empty where no outcome did.
        walked_on: Folds that judged; empty for all.
        positions: Option of each category at each step: number of its smallest kept confidence (ascending),
            its number of confidences where none is kept, or ``FAST_ONLY``; shape ``(steps, categories)``.
        n: Pairs that judged.
        lost: Lost answers at each step, shape ``(steps,)``.
        won: Won answers at each step.
        z: Statistic of each step (NaN for a floor).
        passed: How many steps passed, from the first.
        errors: Wrong answers of the reference.
        test: What was tested.
    """

    categories: tuple[str, ...]
    learned_on: tuple[int, ...]
    walked_on: tuple[int, ...]
    positions: Ints
    n: int
    lost: Ints
    won: Ints
    z: Floats
    passed: int
    errors: int
    test: Test

    @property
    def most_errors(self) -> int:
        """The most errors that show the floor; -1 where even none would not, or where there is no floor."""
        from scipy.special import bdtrik  # noqa: PLC0415 - off the page path

        if self.test.floor is None or self.n < self.test.least_pairs:
            return -1
        return int(bdtrik(self.test.error, self.n, 1 - self.test.floor) + 1e-9)


@dataclass(frozen=True, slots=True)
class Ground:
    """What walks move on.

    Attributes:
        pairs: The pairs.
        confidences: Distinct confidences of each category over all its requests, ascending.
        cost: Cost of each category at each position, with ``FAST_ONLY`` last; shape ``(m + 2,)``.
        start: Position of the reference in each category; the number of confidences is always strong.
        requests: Requests by ``fold`` and ``confidence``, column ``rows``.
        keeps_missing: Whether a missing confidence keeps the fast answer.
    """

    pairs: GradedPairs
    confidences: dict[str, Floats]
    cost: dict[str, Floats]
    start: dict[str, int]
    requests: pl.DataFrame
    keeps_missing: bool


def common_walk(ground: Ground, test: Test) -> Walk:
    """One threshold for all categories, down through every distinct confidence, on all pairs."""
    levels = np.unique(np.concatenate(list(ground.confidences.values())))[::-1]
    return _straight(ground, tuple(ground.pairs.anchors), levels, test)


def category_walk(ground: Ground, name: str, test: Test) -> Walk:
    """One category, down through every distinct confidence of it, on all its pairs."""
    return _straight(ground, (name,), ground.confidences[name][::-1], test)


def path_walk(ground: Ground, test: Test, *, learned_on: tuple[int, ...], walked_on: tuple[int, ...]) -> Walk:
    """Along the path of cheapest losses that some folds suggest, judged on the others."""
    names = tuple(ground.pairs.anchors)
    levels = _levels(ground, learned_on)
    counts = _Counts(ground, names, levels)
    options = [_positions(ground, name, levels) for name in names]
    costs = [ground.cost[name][at] for name, at in zip(names, options, strict=True)]
    learned = list(learned_on)
    loss = (counts.lost - counts.won)[learned].sum(axis=0)[:, 1:]
    steps = path(
        counts.undecided[learned].sum(axis=0)[:, 1:].astype(np.float64),
        loss.astype(np.float64),
        _savings(costs),
        total=float(counts.n[learned].sum()),
        missing_last=not ground.keeps_missing,
    )
    positions = np.stack([at[steps[:, place]] for place, at in enumerate(options)], axis=1)
    return _judged(ground, names, positions, counts.along(steps), test=test, folds=(learned_on, walked_on))


def _savings(costs: Sequence[Floats]) -> Floats:
    """Share of the reference's cost that each option of each category saves."""
    total = sum(float(cost[0]) for cost in costs)
    table = np.stack([cost[0] - cost for cost in costs])
    return table / total if total > 0 else table


def _levels(ground: Ground, folds: tuple[int, ...]) -> Floats:
    """Descending thresholds of a path: every distinct confidence, or bins of the learning half's requests.

    Confidences are no outcomes, so bins of equal mass of them are fixed beforehand.
    """
    distinct = np.unique(np.concatenate(list(ground.confidences.values())))
    if distinct.size <= _MOST_LEVELS:
        return distinct[::-1]
    rows = ground.requests.filter(pl.col("fold").is_in(folds) & pl.col("confidence").is_not_null())
    counts = rows.group_by("confidence").agg(pl.col("rows").sum()).sort("confidence", descending=True)
    share = counts["rows"].cum_sum().to_numpy() / max(float(counts["rows"].sum()), 1.0)
    ends = np.searchsorted(share, np.arange(1, _MOST_LEVELS) / _MOST_LEVELS, side="left")
    edges = counts["confidence"].to_numpy()[np.unique(np.minimum(ends, share.size - 1))]
    return np.unique(np.append(edges, distinct[0]))[::-1]


def _straight(ground: Ground, names: tuple[str, ...], levels: Floats, test: Test) -> Walk:
    """A walk with one threshold through ``levels``, descending, and at last without escalation."""
    counts = _Counts(ground, names, levels, pooled=True)
    positions = np.stack([_positions(ground, name, levels)[1:] for name in names], axis=1)
    return _judged(ground, names, positions, counts.straight(), test=test, folds=((), ()))


def _positions(ground: Ground, name: str, levels: Floats) -> Ints:
    """Option of a category when nothing, each of ``levels``, and everything is kept."""
    start = ground.start[name]
    between = np.minimum(np.searchsorted(ground.confidences[name], levels), start)
    ends = [] if ground.keeps_missing else [FAST_ONLY]
    return np.concatenate([[start], between, ends]).astype(np.int64)


class _Counts:
    """Pairs of some categories by fold and level; level 0 keeps nothing, the last one everything."""

    def __init__(
        self, ground: Ground, names: tuple[str, ...], levels: Floats, *, pooled: bool = False
    ) -> None:
        frame = ground.pairs.frame.filter(pl.col("task_category").is_in(names))
        place = {name: 0 if pooled else at for at, name in enumerate(names)}
        category = frame["task_category"].replace_strict(place, return_dtype=pl.Int64).to_numpy()
        fold = frame["fold"].to_numpy().astype(np.int64)
        at = frame["confidence"].to_numpy()
        missing = np.isnan(at)
        # Levels descend: a confidence belongs to the first that is not above it.
        level = np.searchsorted(-levels, -np.where(missing, 0.0, at), side="left") + 1
        last = levels.size + (0 if ground.keeps_missing else 1)
        level = np.where(missing, 1 if ground.keeps_missing else last, level)
        anchor = frame["task_category"].replace_strict(ground.pairs.anchors, return_dtype=pl.Float64)
        anchored = (frame["confidence"] >= anchor).fill_null(value=False).to_numpy()
        self._shape = (FOLDS, 1 if pooled else len(names), last + 1)
        index = (fold, category, level)
        self.lost, self.won = (self._table(index, frame[name].to_numpy()) for name in ("lost", "won"))
        n = frame["n"].to_numpy()
        self.undecided = self._table(index, np.where(anchored, 0, n))
        self.n, self.wrong = (
            np.bincount(fold, weights=values, minlength=FOLDS).astype(np.int64)
            for values in (n, frame["wrong"].to_numpy())
        )

    def _table(self, index: tuple[Ints, Ints, Ints], values: Ints) -> Ints:
        table = np.zeros(self._shape, dtype=np.int64)
        np.add.at(table, index, values)
        return table

    def straight(self) -> tuple[Ints, Ints]:
        """Lost and won answers by fold when all categories keep down to one level, level by level."""
        lost, won = (table.sum(axis=1).cumsum(axis=1)[:, 1:] for table in (self.lost, self.won))
        return lost, won

    def along(self, steps: Ints) -> tuple[Ints, Ints]:
        """The same when each category has its own level; ``steps`` has shape ``(steps, categories)``."""
        found = []
        for table in (self.lost, self.won):
            summed = table.cumsum(axis=2)
            found.append(sum(summed[:, at, steps[:, at]] for at in range(steps.shape[1])))
        return np.asarray(found[0]), np.asarray(found[1])


def _judged(
    ground: Ground,
    names: tuple[str, ...],
    positions: Ints,
    counts: tuple[Ints, Ints],
    *,
    test: Test,
    folds: tuple[tuple[int, ...], tuple[int, ...]],
) -> Walk:
    """The walk over steps whose counts are known; it stops at the first step that fails."""
    learned_on, walked_on = folds
    chosen = list(walked_on or range(FOLDS))
    whole = ground.pairs.frame.filter(pl.col("task_category").is_in(names))
    by_fold = [
        np.bincount(
            whole["fold"].to_numpy().astype(np.int64), weights=whole[name].to_numpy(), minlength=FOLDS
        )[chosen].astype(np.int64)
        for name in ("n", "wrong")
    ]
    lost_by, won_by = (table[chosen] for table in counts)
    z, passes = _tested(test, lost_by, won_by, *by_fold)
    # A step that keeps what the reference keeps is the reference, and loses nothing by construction.
    same = (positions == np.array([ground.start[name] for name in names])).all(axis=1)
    if test.margin is not None:
        passes |= same
    failed = np.flatnonzero(~passes)
    return Walk(
        categories=names,
        learned_on=learned_on,
        walked_on=walked_on,
        positions=positions,
        n=int(by_fold[0].sum()),
        lost=lost_by.sum(axis=0),
        won=won_by.sum(axis=0),
        z=z,
        passed=int(failed[0]) if failed.size else positions.shape[0],
        errors=int(by_fold[1].sum()),
        test=test,
    )


def _tested(
    test: Test, lost_by: Ints, won_by: Ints, n_by: Ints, wrong_by: Ints
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Statistic of each step, and whether it passes by itself."""
    lost, won, n = lost_by.sum(axis=0), won_by.sum(axis=0), int(n_by.sum())
    z = np.full(lost.size, np.nan)
    if n == 0:
        return z, np.zeros(lost.size, dtype=bool)
    if test.margin is not None:
        z = score(lost, won, np.full(lost.size, n), test.margin)
        with np.errstate(invalid="ignore"):
            passes = z <= critical_value(n, test.margin, test.error) + TOLERANCE
        excess = lost_by - won_by - test.margin * n_by[:, None]
        return z, passes & _spread_allows(test, excess)
    # The reference itself is the first hypothesis of a floor.
    floor = test.floor or 0.0
    errors = wrong_by[:, None] + np.hstack([np.zeros((n_by.size, 1), np.int64), lost_by - won_by])
    passes = floor_p_values(errors.sum(axis=0), np.full(errors.shape[1], n), floor) <= test.error
    passes &= _spread_allows(test, errors - (1 - floor) * n_by[:, None])
    return z, passes[1:] & passes[0]


def _spread_allows(test: Test, excess: Floats) -> npt.NDArray[np.bool_]:
    if not test.clustered:
        return np.ones(excess.shape[1], dtype=bool)
    return fold_p_values(excess) <= test.error
