"""The cells file: one flat table of sums that says everything that pages ask of a log, without a row of it.

Each part is one GROUP BY over the log; columns that a part does not have are null. Parts of several sources
are one part when rows with equal keys are merged, each column as ``MERGED`` says. It holds no prompt and no
request id; a cell may describe a single request.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from analytics.logs.schema import CELLS
from analytics.tuning.cells import KEYS, SUMS

PartName = Literal[
    "sweep", "latency", "calls", "call_latency", "day_latency", "thresholds", "dearest", "log",
    "confidence_days", "arms", "arm_sizes", "arm_days", "arm_pairs", "arm_units",
]  # fmt: skip

_CALL_SUMS = (
    "graded", "correct_sum", "correct_sq", "cost_n", "cost_sum", "cost_sq", "both_n", "both_cost_sum",
    "both_cost_sq", "both_correct_sum", "both_correct_sq", "cost_x_correct", "latency_n", "input_tokens",
    "output_tokens",
)  # fmt: skip
_PAIR = ("task_category", "fast_model", "strong_model")


@dataclass(frozen=True, slots=True)
class Part:
    """One GROUP BY.

    Attributes:
        keys: What its rows are told apart by.
        values: What is merged.
        about: One line for people.
    """

    keys: tuple[str, ...]
    values: tuple[str, ...]
    about: str


PARTS: dict[PartName, Part] = {
    "sweep": Part(KEYS, SUMS, "sufficient statistics of every threshold"),
    "latency": Part(
        (*_PAIR, "policy_kind", "arm", "step", "route", "bin"),
        ("n", "weight"),
        "latency if kept and if escalated by confidence, in bins 1% wide",
    ),
    "calls": Part(("task_category", "model", "day"), ("n", *_CALL_SUMS), "calls of each model by day"),
    "call_latency": Part(("task_category", "model", "bin"), ("n",), "latency of calls, in bins 1% wide"),
    "day_latency": Part(("model", "day", "bin"), ("n",), "the same by day"),
    "thresholds": Part(
        (*_PAIR, "threshold"),
        ("n", "last_ts", "known_n", "agree_n"),
        "thresholds in force, and how often they were obeyed",
    ),
    "dearest": Part(_PAIR, ("dearest",), "dearest strong call"),
    "log": Part(
        (),
        ("n", "requests", "units", "unit_rows", "largest_unit", "first_ts", "last_ts"),
        "size and period",
    ),
    "confidence_days": Part(
        (*_PAIR, "policy_kind", "arm", "day", "step"),
        (
            "n",
            "confidence_sum",
            "confidence_low",
            "confidence_high",
            "correct_sum",
            "correct_sq",
            "residual_sq",
            "residual_fourth",
        ),
        "graded fast answers by day and confidence in steps of 1/128",
    ),
    "arms": Part(
        ("experiment", "arm", "task_category", "route", "moment"),
        ("total",),
        "moments of each arm, over requests and over users",
    ),
    "arm_sizes": Part(
        ("experiment", "arm"), ("n", "requests", "units", "first_ts", "last_ts"), "size of each arm"
    ),
    "arm_days": Part(("experiment", "arm", "day"), ("n", "first_ts", "last_ts"), "the same by day"),
    "arm_pairs": Part(
        ("experiment", "arm", "fast_model", "strong_model"),
        ("n", "units", "first_ts", "last_ts"),
        "the same by pair of models",
    ),
    "arm_units": Part(
        ("experiment", "arm", "unit_arms", "unit_requests"),
        ("units",),
        "users by their requests and the number of their arms",
    ),
}

OF_ARMS: tuple[PartName, ...] = ("arms", "arm_sizes", "arm_days", "arm_pairs", "arm_units")
NOT_KEPT: tuple[PartName, ...] = ("confidence_days", *OF_ARMS)
"""Parts of which a dataset whose rows are in reach keeps none: pages read its rows, and an export makes them.

Those of arms could not be kept by addition either, since users come back in later files."""

TYPES: dict[str, str] = {column.name: column.sql_type for column in CELLS if column.mappable}
"""Column -> type in DuckDB, in the order of the file."""

POLARS: dict[str, Any] = {
    name: {
        "VARCHAR": pl.String(), "DOUBLE": pl.Float64(), "BOOLEAN": pl.Boolean(), "BIGINT": pl.Int64(),
        "DATE": pl.Date(), "TIMESTAMP": pl.Datetime("us"),
    }[kind]
    for name, kind in TYPES.items()
}  # fmt: skip
"""Column -> type in Polars."""

MERGED: Mapping[str, str] = {
    **{value: "sum" for part in PARTS.values() for value in part.values},
    **dict.fromkeys(("first_ts", "confidence_low"), "min"),
    **dict.fromkeys(("last_ts", "dearest", "largest_unit", "confidence_high"), "max"),
}
"""Value -> how it merges. Units add up only where no two sources share one."""
