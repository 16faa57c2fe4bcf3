"""Which requests to grade: how many of each category, spread evenly over its confidences.

More is drawn from large categories and from those whose answers are hard to foretell (Neyman). Within a
category every request is drawn with the same probability, so that the graded ones stand for all of them
without any weighting: estimates weigh categories by their requests, but not requests within one.

References:
    Neyman (1934), J. Royal Statistical Society 97; Cochran (1977), Sampling Techniques, sections 5.5 and 8.5.
"""

import hashlib
import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from analytics.errors import InsufficientDataError
from analytics.estimate import Floats
from analytics.tuning.log import Selection

LEAST_PER_CATEGORY = 20
BANDS = 4
_LEAST_SD, _UNKNOWN_SD, _LEAST_GRADED = 0.15, 0.5, 30
_HEX = 8

MOSTLY_GRADED = 0.5
NOTHING_TO_GRADE = (
    "Most requests of every category are graded already. Grade the rest of a category as a whole, or none of "
    "it: a sample would stand for less than what is there."
)

_STRATA = {
    "task_category": pl.String, "low": pl.Float64, "high": pl.Float64, "missing": pl.Boolean,
    "requests": pl.Int64, "graded": pl.Int64, "drawn": pl.Int64, "probability": pl.Float64,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class GradingPlan:
    """How many requests of which category and confidence are drawn.

    Attributes:
        strata: One row per ``task_category`` and band of confidence from ``low`` (inclusive) to ``high``
            (exclusive; null: no end), or of requests without one (``missing``), with ``requests``, those of
            them that are ``graded`` (at least one answer), how many are ``drawn`` and the ``probability``
            with which each was, one for a whole category.
        rows: Requests that are drawn.
        seed: What the draw is made from, besides the requests' ids.
        left_out: Categories of which none is drawn, since most of their requests are graded already.
    """

    strata: pl.DataFrame
    rows: int
    seed: int
    left_out: tuple[str, ...] = ()

    @property
    def given_up(self) -> int:
        """Graded requests outside the sample, on average: they do not count once it is joined."""
        outside = self.strata["graded"] * (1 - self.strata["probability"])
        return round(float(outside.sum()))


def grading_plan(selection: Selection, rows: int, *, seed: int = 0) -> GradingPlan:
    """A plan to draw some requests for grading.

    Categories of which most requests are graded are left out. Of the others all requests may be drawn, also
    graded ones: only so does the sample stand for the category.

    Args:
        selection: The requests in question.
        rows: How many to draw; all of them where there are no more.
        seed: Another one draws other requests.

    Raises:
        InsufficientDataError: There is no category to draw from.
        ValueError: There are more categories than ``rows``.
    """
    table = _levels(selection)
    if table.is_empty():
        raise InsufficientDataError(NOTHING_TO_GRADE)
    parts = table.partition_by("task_category", as_dict=True, maintain_order=True)
    strata = {name: _bands(part) for (name,), part in parts.items()}
    if rows < len(strata):
        raise ValueError(f"At least one request of each category is drawn, so {len(strata)} or more")
    sizes = np.array([part["requests"].sum() for part in strata.values()], dtype=np.float64)
    spreads = np.array([_spread(part) for part in strata.values()])
    drawn = allocated(sizes, spreads, rows)
    planned = [
        _drawn(part, name, int(number), seed)
        for (name, part), number in zip(strata.items(), drawn, strict=True)
    ]
    left_out = tuple(name for name in selection.categories if name not in strata)
    return GradingPlan(pl.concat(planned), int(drawn.sum()), seed, left_out)


def allocated(sizes: Floats, spreads: Floats, rows: int) -> Floats:
    """Requests to draw of each category: by size times standard deviation, a few of each, all at most.

    Args:
        sizes: Requests of each category, positive whole numbers.
        spreads: Standard deviation of its grades, positive.
        rows: How many to draw, at least one for each category.
    """
    total = int(min(rows, sizes.sum()))
    least = np.minimum(sizes, max(1, min(LEAST_PER_CATEGORY, total // sizes.size)))
    wanted = least.copy()
    free = np.ones(sizes.size, dtype=bool)
    # Categories that get less than the least, or more than they have, are set; the rest share what is left.
    while free.any():
        share = np.where(free, sizes * spreads, 0.0)
        room = total - wanted[~free].sum()
        found = share / share.sum() * room
        low, high = free & (found < least), free & (found > sizes)
        if not (low | high).any():
            wanted = np.where(free, found, wanted)
            break
        # Lifting some to the least leaves less for the others, so that is done first.
        fixed = low if low.any() else high
        wanted = np.where(fixed, least if low.any() else sizes, wanted)
        free &= ~fixed
    whole = np.floor(wanted + 1e-9)
    rest = np.where(whole < sizes, wanted - whole, -1.0)
    order = np.argsort(-rest, kind="stable")
    whole[order[: total - int(whole.sum())]] += 1
    return whole


def _levels(selection: Selection) -> pl.DataFrame:
    """Requests, graded ones and right fast answers by category and confidence, where most are ungraded."""
    graded = pl.col("fast_graded") | pl.col("strong_graded")
    table = (
        selection.cells.group_by("task_category", "confidence")
        .agg(
            pl.col("n").sum().alias("requests"),
            pl.col("n").filter(graded).sum().alias("graded"),
            pl.col("n").filter("fast_graded").sum().alias("judged"),
            pl.col("fast_correct_sum").filter("fast_graded").sum().alias("right"),
        )
        .sort("task_category", "confidence", nulls_last=False)
    )
    graded_rows, all_rows = (pl.col(name).sum().over("task_category") for name in ("graded", "requests"))
    return table.filter(graded_rows < MOSTLY_GRADED * all_rows)


def _bands(part: pl.DataFrame) -> pl.DataFrame:
    """Requests of one category in up to four bands of about equal size, and those without a confidence."""
    known = part.filter(pl.col("confidence").is_not_null())
    before = known["requests"].cum_sum() - known["requests"]
    band = (before * BANDS / max(int(known["requests"].sum()), 1)).floor().cast(pl.Int64)
    whole = pl.concat(
        [
            known.with_columns(band.alias("band")),
            part.filter(pl.col("confidence").is_null()).with_columns(pl.lit(-1, pl.Int64).alias("band")),
        ]
    )
    table = whole.group_by("band").agg(
        pl.col("confidence").min().alias("low"),
        pl.col("requests", "graded", "judged", "right").sum(),
        (pl.col("confidence") * pl.col("requests")).sum().alias("expected"),
    )
    table = table.sort("band").with_columns((pl.col("band") < 0).alias("missing"))
    return table.with_columns(pl.col("low").shift(-1).alias("high")).with_columns(
        pl.when("missing").then(None).otherwise(pl.col("high")).alias("high"),
        # The first band begins at 0, so that no request falls below it.
        pl.when(pl.col("band") == 0).then(0.0).otherwise(pl.col("low")).alias("low"),
    )


def _spread(bands: pl.DataFrame) -> float:
    """Standard deviation of a grade within a band, guessed from grades, else from the confidence."""
    n, judged = bands["requests"].to_numpy(), bands["judged"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        observed, stated = bands["right"].to_numpy() / judged, bands["expected"].to_numpy() / n
    known = judged >= _LEAST_GRADED
    p = np.clip(np.where(known, np.nan_to_num(observed), stated), 0.0, 1.0)
    sd = np.sqrt(p * (1 - p))
    sd = np.where(bands["missing"].to_numpy() & ~known, _UNKNOWN_SD, np.maximum(sd, _LEAST_SD))
    return math.sqrt(float((n * sd**2).sum() / n.sum()))


def _drawn(bands: pl.DataFrame, name: str, number: int, seed: int) -> pl.DataFrame:
    """The bands with how many are drawn: as even as whole numbers allow, rounded by chance.

    Rounding with one random start gives each band its exact share on average, so that every request of the
    category is drawn with the same probability.
    """
    n = bands["requests"].to_numpy()
    probability = number / n.sum()
    start = int(hashlib.md5(f"{seed}:{name}".encode()).hexdigest()[:_HEX], 16) / 16**_HEX  # noqa: S324 - a draw
    ends = np.floor(np.append(0, np.cumsum(n)) * number / n.sum() + start + 1e-9)
    return bands.with_columns(
        pl.lit(name).alias("task_category"),
        pl.Series("drawn", np.minimum(np.diff(ends), n).astype(np.int64)),
        pl.lit(probability).alias("probability"),
    ).select(pl.col(column).cast(kind) for column, kind in _STRATA.items())
