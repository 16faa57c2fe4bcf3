"""Bootstrap resamples of a log from its cells: as drawing requests with replacement, without the requests.

Cells split by outcome hold requests that count exactly the same for accuracy, so how often each kind is
drawn is multinomial. Costs and grades between 0 and 1 vary within a cell; their totals get normal noise of
that variance.

References:
    Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapter 6; Kish (1965), Survey Sampling.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.estimate import Floats
from analytics.tuning.cells import KEYS, SUMS
from analytics.tuning.identification import CONTRIBUTIONS, contributions
from analytics.tuning.log import Selection
from analytics.tuning.sums import SUM_NAMES, Sums, whole_route

MOST_AT_ONCE = 2_000_000
_COUNTED = (
    "rows", "n", "pairs", "keep_sum", "keep_gap", "esc_sum", "esc_gap",
    "keep_cost_n", "keep_cost_sum", "esc_cost_n", "esc_cost_sum", "esc_cost_gap",
    "fast_cost_n", "fast_cost_sum", "strong_cost_n", "strong_cost_sum",
)  # fmt: skip

_APART = ("one_kept", "one_sent")
"""Where either answer was served at random one of each stands for a pair."""

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Kinds:
    """Kinds of requests that count the same, grouped by category and confidence.

    Attributes:
        share: Share of each kind among all requests, shape ``(kinds,)``.
        means: What one request of each kind contributes, by ``identification.CONTRIBUTIONS``.
        starts: First kind of each slot; a slot is a category's missing confidence or one of its confidences.
        slots: Slots of each category, first to last, the missing confidence first.
        grade_noise: Variance of what a slot's kept grades and gains add to one request, shape (3, slots):
            of the kept grade, of the gain, their covariance; times the slot's share.
        cost_noise: The same for the fast and the strong call's cost.
        clustered: Requests of one user stand for this many fewer of their own.
        predictive: Whether an escalated request pays the strong call alone.
    """

    share: Floats
    means: dict[str, Floats]
    starts: Ints
    slots: dict[str, slice]
    grade_noise: Floats
    cost_noise: Floats
    clustered: float
    predictive: bool


@dataclass(frozen=True, slots=True)
class Resampled:
    """Figures of every option of one category in several resamples; arrays of shape ``(draws, options)``.

    Attributes:
        sums: Totals of fast only, every threshold, escalate all, strong only, see ``every_option``.
        pairs: Graded pairs, shape ``(draws,)``.
    """

    sums: Sums
    pairs: Floats

    def of(self, draw: int) -> Sums:
        """The totals of one resample."""
        return Sums(*(getattr(self.sums, name)[draw] for name in SUM_NAMES))


def kinds(selection: Selection) -> Kinds:
    """The kinds of requests of a selection."""
    table = _with_missing(contributions(_split(selection.cells), selection.regimes), selection)
    # Positions of a slot's first kind, and of a category's first slot.
    slot = pl.struct("task_category", "confidence")
    new = table.select((slot != slot.shift()).fill_null(value=True).alias("new"))["new"]
    starts = np.flatnonzero(new.to_numpy())
    names = table["task_category"].gather(starts)
    firsts = {name: int(names.search_sorted(name, side="left")) for name in selection.categories}
    ends = [*list(firsts.values())[1:], len(starts)]
    rows_of = table["rows"].cast(pl.Float64).to_numpy()
    one = np.maximum(rows_of, 1.0)
    columns = {name: table[name].cast(pl.Float64).to_numpy() for name in (*CONTRIBUTIONS, *_APART)}
    total = float(rows_of.sum())
    predictive = selection.policy_kind == "predictive"
    return Kinds(
        share=rows_of / max(total, 1.0),
        means={name: columns[name] / one for name in (*_COUNTED, *_APART)},
        starts=starts,
        slots={name: slice(first, end) for (name, first), end in zip(firsts.items(), ends, strict=True)},
        grade_noise=np.add.reduceat(_grade_noise(columns), starts, axis=1) / max(total, 1.0),
        cost_noise=np.add.reduceat(_cost_noise(columns, predictive=predictive), starts, axis=1)
        / max(total, 1.0),
        clustered=max(selection.accuracy_inflation, 1.0),
        predictive=predictive,
    )


def resamples(
    found: Kinds, selection: Selection, *, draws: int, size: float, seed: int
) -> Iterator[dict[str, Resampled]]:
    """Resamples of ``size`` requests, some draws at a time.

    Users with several requests are allowed for by drawing fewer of them, by the design effect, each for as
    many: folds would keep users together, but twenty are too few to draw from.

    Args:
        found: The kinds of requests.
        selection: Where they are from.
        draws: Resamples in all.
        size: Requests in each.
        seed: Of the random numbers.
    """
    generator = np.random.default_rng(seed)
    drawn = max(round(size / found.clustered), 1)
    at_once = max(1, MOST_AT_ONCE // max(found.share.size, 1))
    for first in range(0, draws, at_once):
        some = min(at_once, draws - first)
        counts: Floats = generator.multinomial(drawn, found.share, size=some) * np.float64(found.clustered)
        totals = _totals(found, counts)
        _add_noise(found, totals, generator, size=size)
        yield {name: _options(selection, totals, place) for name, place in found.slots.items()}


def _split(cells: pl.DataFrame) -> pl.DataFrame:
    """Cells over all folds, those with grades of 0 and 1 only split by what was right.

    Where requests were routed at random folds stay: what is predicted of a request comes from other ones.
    """
    random = pl.col("propensity").is_not_null()
    cells = cells.with_columns(pl.when(random).then(pl.col("fold")).otherwise(0).alias("fold"))
    keys = [key for key in cells.columns if key in KEYS]
    whole = cells.group_by(keys).agg(pl.col(SUMS).sum())
    fast, strong, both = (pl.col(name) for name in ("fast_correct_sum", "strong_correct_sum", "correct_x"))
    graded = pl.col("fast_graded") & pl.col("strong_graded")
    binary = (fast - pl.col("fast_correct_sq")).abs() + (strong - pl.col("strong_correct_sq")).abs() < 1e-6  # noqa: PLR2004 - rounding
    n = pl.col("n")
    # Where one side alone is graded the other counts as wrong throughout, and sums to nothing.
    joint = pl.when(graded).then(both).otherwise(0.0)
    counts = {
        (1, 1): joint,
        (1, 0): fast - joint,
        (0, 1): strong - joint,
        (0, 0): n - fast - strong + joint,
    }
    parts = [whole.filter(~binary)]
    scaled = [name for name in SUMS if "cost" in name or name.startswith("router")]
    for (y_fast, y_strong), count in counts.items():
        part = whole.filter(binary).with_columns(count.round().alias("part")).filter(pl.col("part") > 0)
        share = pl.col("part") / n
        values = {
            "fast_correct_sum": y_fast, "fast_correct_sq": y_fast,
            "strong_correct_sum": y_strong, "strong_correct_sq": y_strong,
            "correct_x": y_fast * y_strong, "gain_sum": y_strong * (1 - y_fast),
            "gain_n": y_strong * (1 - y_fast),
        }  # fmt: skip
        part = part.with_columns(
            *(pl.col(name) * share for name in scaled),
            *((pl.col("part") * value).alias(name) for name, value in values.items()),
        )
        parts.append(part.with_columns(n=pl.col("part").cast(pl.Int64)).drop("part"))
    return pl.concat(parts, how="vertical_relaxed")


def _with_missing(rows: pl.DataFrame, selection: Selection) -> pl.DataFrame:
    """The kinds with one of no request for the missing confidence of every category, in order."""
    names = pl.DataFrame({"task_category": selection.categories}, schema={"task_category": pl.String})
    empty = names.with_columns(
        pl.lit(None, dtype=pl.Float64).alias("confidence"),
        *(pl.lit(0.0).alias(name) for name in (*CONTRIBUTIONS, *_APART)),
    )
    absent = [pl.lit(0.0).alias(name) for name in _APART if name not in rows.columns]
    kept = rows.with_columns(pl.col(CONTRIBUTIONS).cast(pl.Float64), *absent)
    # Numbers are drawn kind by kind, so that their order is part of the seed.
    every = pl.concat([empty, kept.select(empty.columns)])
    return every.sort("task_category", "confidence", *CONTRIBUTIONS, nulls_last=False)


def _grade_noise(columns: dict[str, Floats]) -> Floats:
    """Variance within kinds of kept grade and gain, and their covariance, times requests."""
    keep = _within(columns, "keep_sum", "keep_sq", columns["n"] - columns["keep_gap"])
    escalated = _within(columns, "esc_sum", "esc_sq", columns["n"] - columns["esc_gap"])
    gain = _within(columns, "gain_sum", "gain_sq", columns["pairs"])
    paired = columns["pairs"] > 0
    shared = np.where(paired, (escalated - keep - gain) / 2, 0.0)
    return np.stack([keep, np.where(paired, gain, escalated), shared])


def _cost_noise(columns: dict[str, Floats], *, predictive: bool) -> Floats:
    """Variance within kinds of the fast and the strong call's cost, and their covariance, times requests."""
    fast, escalated, strong = (
        _within(columns, f"{name}_cost_sum", f"{name}_cost_sq", columns[f"{name}_cost_n"])
        for name in ("fast", "esc", "strong")
    )
    both = (columns["esc_cost_n"] > 0) & (columns["strong_cost_n"] > 0) & (columns["fast_cost_n"] > 0)
    shared = np.where(both & (not predictive), (escalated - fast - strong) / 2, 0.0)
    return np.stack([fast, strong, shared])


def _within(columns: dict[str, Floats], total: str, squares: str, n: Floats) -> Floats:
    found: Floats = np.maximum(columns[squares] - columns[total] ** 2 / np.maximum(n, 1.0), 0.0)
    # What is left of equal values is rounding.
    return np.where(found > 1e-9 * np.abs(columns[squares]), found, 0.0)


def _totals(found: Kinds, counts: Floats) -> dict[str, Floats]:
    """Totals of each slot, shape ``(draws, slots)``; many columns are the same, above all the counts."""
    known: dict[bytes, Floats] = {}
    totals = {}
    for name, mean in found.means.items():
        key = mean.tobytes()
        if key not in known:
            known[key] = np.add.reduceat(counts * mean, found.starts, axis=1)
        totals[name] = known[key]
    return totals


def _add_noise(
    found: Kinds, totals: dict[str, Floats], generator: np.random.Generator, *, size: float
) -> None:
    """Add what varies within kinds, of which a total of many requests has a normal share."""
    shape = totals["rows"].shape
    scale = size * found.clustered
    for noise, first, second in (
        (found.grade_noise, ("keep_sum", "esc_sum"), ("esc_sum",)),
        (
            found.cost_noise,
            ("fast_cost_sum", "keep_cost_sum", *(() if found.predictive else ("esc_cost_sum",))),
            ("strong_cost_sum", "esc_cost_sum"),
        ),
    ):
        if not noise.any():
            continue
        spread = np.sqrt(noise[0] * scale)
        slope = np.where(noise[0] > 0, noise[2] / np.where(noise[0] > 0, noise[0], 1.0), 0.0)
        rest = np.sqrt(np.maximum(noise[1] - slope * noise[2], 0.0) * scale)
        one = generator.standard_normal(shape) * spread
        other = one * slope + generator.standard_normal(shape) * rest
        for name in first:
            totals[name] = totals[name] + one
        for name in second:
            totals[name] = totals[name] + other


def _options(selection: Selection, totals: dict[str, Floats], place: slice) -> Resampled:
    """Totals of every option of one category, as ``candidates.every_option`` has them."""
    at = {name: column[:, place] for name, column in totals.items()}
    keeps_missing = selection.missing == "keep"
    zero = np.zeros_like(at["rows"])

    def swept(keep: Floats | None, esc: Floats | None) -> Floats:
        kept, sent = (zero if column is None else column for column in (keep, esc))
        total = np.zeros((kept.shape[0], kept.shape[1]))
        total[:, :-1] = np.cumsum(kept[:, :0:-1], axis=1)[:, ::-1]
        total[:, 1:] += np.cumsum(sent[:, 1:], axis=1)
        return total + (kept if keeps_missing else sent)[:, :1]

    def ends(fast: Floats | None, middle: Floats, strong: Floats | None) -> Floats:
        """Fast only, the thresholds, strong only."""
        outer = [(zero if column is None else column).sum(axis=1, keepdims=True) for column in (fast, strong)]
        return np.concatenate([outer[0], middle, outer[1]], axis=1)

    def accuracy(keep: str, esc: str) -> Floats:
        return ends(at[keep], swept(at[keep], at[esc]), at[esc])

    rows = ends(at["rows"], swept(at["rows"], at["rows"]), at["rows"])
    escalated = ends(None, swept(None, at["rows"]), at["rows"])
    kept_n, kept, sent_n, sent = (
        ends(fast, swept(keep, esc), strong)
        for fast, keep, esc, strong in (
            (at["fast_cost_n"], at["keep_cost_n"], None, None),
            (at["fast_cost_sum"], at["keep_cost_sum"], None, None),
            (None, None, at["esc_cost_n"], at["strong_cost_n"]),
            (None, None, at["esc_cost_sum"], at["strong_cost_sum"]),
        )
    )
    kept_cost, _, kept_unknown = whole_route(kept_n, kept, kept, rows - escalated)
    sent_cost, _, sent_unknown = whole_route(sent_n, sent, sent, escalated)
    never = ends(None, swept(None, at["esc_cost_gap"]), at["esc_cost_gap"])
    unknown = np.full_like(rows, np.nan)
    sums = Sums(
        n=ends(at["n"], swept(at["n"], at["n"]), at["n"]),
        total=accuracy("keep_sum", "esc_sum"),
        squares=unknown,
        gap=accuracy("keep_gap", "esc_gap"),
        cost_n=kept_n + sent_n,
        cost=kept_cost + sent_cost,
        cost_squares=unknown,
        cost_gap=never + kept_unknown + sent_unknown,
        rows=rows,
        escalated=escalated,
    )
    apart = np.minimum(at["one_kept"].sum(axis=1), at["one_sent"].sum(axis=1))
    return Resampled(sums, at["pairs"].sum(axis=1) + apart)
