"""A log drawn with replacement from real pairs of answers, whose truth is therefore known exactly."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import polars as pl

from analytics.estimate import Floats
from analytics.logs.schema import DECISIONS, FOLDS
from analytics.logs.storage.facts import Facts
from analytics.tuning.cells import KEYS, SUMS
from analytics.tuning.latency import latency_cells
from analytics.tuning.log import Log, Selection, select

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Population:
    """Pairs of answers of one fast and one strong model.

    Attributes:
        name: Of the pair.
        categories: Names by number.
        category: Number of each row's category.
        confidence: Of each row; NaN where missing.
        fast: Whether the fast answer is right, 0 or 1.
        strong: The same of the strong answer.
    """

    name: str
    categories: tuple[str, ...]
    category: Ints
    confidence: Floats
    fast: Ints
    strong: Ints

    @property
    def loss(self) -> Ints:
        """What keeping each answer loses: 1, 0 or -1."""
        return self.strong - self.fast

    def drawn(self, n: int, generator: np.random.Generator) -> "Population":
        """``n`` rows with replacement."""
        rows = generator.integers(0, self.fast.size, n)
        return Population(
            self.name,
            self.categories,
            self.category[rows],
            self.confidence[rows],
            self.fast[rows],
            self.strong[rows],
        )


def mmlu_pro() -> Iterator[Population]:
    """The ten pairs of mmlu_pro_calibration by self-reported confidence."""
    folder = os.environ.get("TIERTUNE_DATASETS")
    if not folder:
        raise SystemExit("Set TIERTUNE_DATASETS to the folder of the public data sets.")
    table = pl.read_parquet(Path(folder) / "mmlu_pro_calibration" / "pairs.parquet")
    stated = pl.col("fast_verbal_numerical_confidence").cast(pl.Float64)
    frame = table.select(
        "fast_model",
        "reasoning_model",
        "category",
        pl.when(stated.is_between(0, 1)).then(stated).alias("confidence"),
        pl.col("fast_correct", "reasoning_correct").cast(pl.Int64),
    ).drop_nulls(["fast_correct", "reasoning_correct"])
    for (fast, strong), part in sorted(
        frame.partition_by("fast_model", "reasoning_model", as_dict=True).items()
    ):
        names = tuple(sorted(part["category"].unique()))
        yield Population(
            name=f"{fast} > {strong}",
            categories=names,
            category=np.searchsorted(np.array(names), part["category"].to_numpy()),
            confidence=part["confidence"].fill_null(np.nan).to_numpy(),
            fast=part["fast_correct"].to_numpy(),
            strong=part["reasoning_correct"].to_numpy(),
        )


class Logs:
    """Makes selections of populations, with folds at random; no database is scanned."""

    def __init__(self) -> None:
        columns = ", ".join(f"{column.name} {column.sql_type}" for column in DECISIONS)
        with duckdb.connect() as connection:
            connection.execute(f"CREATE TABLE decisions ({columns})")
            self._latency = latency_cells(connection.cursor(), "decisions")
        self._in_force = pl.DataFrame(
            schema={
                "task_category": pl.String,
                "fast_model": pl.String,
                "strong_model": pl.String,
                "threshold": pl.Float64,
            }
        )

    def selection(self, drawn: Population, generator: np.random.Generator) -> Selection:
        """The log of these rows; every row is a user of its own."""
        n = drawn.fast.size
        rows = pl.DataFrame(
            {
                "task_category": np.array(drawn.categories)[drawn.category],
                "confidence": drawn.confidence,
                "fold": generator.integers(0, FOLDS, n),
                "fast": drawn.fast,
                "strong": drawn.strong,
            },
            nan_to_null=True,
        )
        facts = Facts(
            requests=n, rows=n, units=None, first_ts=None, last_ts=None, categories=(), pairs=(), arms=(),
            experiments=(), files=1, log_sha256="0" * 64, confidence_kinds=(), confidence_sources=(),
        )  # fmt: skip
        return select(Log("drawn", _cells(rows), self._latency, self._in_force, facts))


def _cells(rows: pl.DataFrame) -> pl.DataFrame:
    """What ``tuning.cells`` gives for fully graded pairs without costs."""
    both, gain = pl.col("fast") * pl.col("strong"), pl.col("strong") > pl.col("fast")
    known = {
        "n": pl.len().cast(pl.Int64),
        **{f"{side}_correct_{name}": pl.col(side).sum().cast(pl.Float64)
           for side in ("fast", "strong") for name in ("sum", "sq")},
        "correct_x": both.sum().cast(pl.Float64),
        "gain_sum": gain.sum().cast(pl.Float64),
        "gain_n": gain.sum().cast(pl.Int64),
        "rounded_fast": pl.col("fast").sum(),
        "rounded_strong": pl.col("strong").sum(),
        "rounded_both": both.sum(),
    }  # fmt: skip
    none = {"fast_latency_n": pl.lit(0), "strong_latency_n": pl.lit(0)}
    table = rows.group_by("task_category", "fold", "confidence").agg(
        *(expression.alias(name) for name, expression in known.items())
    )
    keys = {
        "fast_model": pl.lit("fast"),
        "strong_model": pl.lit("strong"),
        "policy_kind": pl.lit("cascade"),
        **dict.fromkeys(("confidence_kind", "experiment", "arm"), pl.lit(None, pl.String)),
        **dict.fromkeys(
            ("propensity", "sampling_probability", "grade_probability"), pl.lit(None, pl.Float64)
        ),
        **dict.fromkeys(("fast_graded", "strong_graded"), pl.lit(value=True)),
        **dict.fromkeys(("fast_cost_known", "strong_cost_known"), pl.lit(value=False)),
        "escalated": pl.lit(None, pl.Boolean),
    }
    empty = {name: none.get(name, pl.lit(0.0)) for name in SUMS if name not in known}
    return table.with_columns(
        *(expression.alias(name) for name, expression in (keys | empty).items())
    ).select(*KEYS, *SUMS)
