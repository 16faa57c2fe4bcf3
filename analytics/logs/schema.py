"""The columns of the tables that a log becomes, and the words for them.

``decisions`` has one row per request and ladder pair, both outcomes side by side, each null where it
was not observed. ``calls`` has one row per model call of a call-level log. ``grades`` are joined to either.
``cells`` are sums over a log whose rows are elsewhere (``collapse.parts``). Units are in the names.
"""

from dataclasses import dataclass
from typing import Literal

Form = Literal["decisions", "calls", "grades", "cells", "histograms"]

FOLDS = 20
PICK_FOLDS = tuple(range(10))
REPORT_FOLDS = tuple(range(10, 20))


@dataclass(frozen=True, slots=True)
class Column:
    """One canonical column.

    Attributes:
        name: Canonical name; the unit is its suffix.
        sql_type: Type in DuckDB.
        meaning: One line for people who map their own columns.
        mappable: Whether a file may give it; ``file_id`` and ``fold`` are ours.
    """

    name: str
    sql_type: str
    meaning: str
    mappable: bool = True


def _sides(*columns: Column) -> tuple[Column, ...]:
    return tuple(
        Column(f"{side}_{column.name}", column.sql_type, f"{word}: {column.meaning}")
        for side, word in (("fast", "fast answer"), ("strong", "strong answer"))
        for column in columns
    )


def _logged(*grades: str) -> tuple[Column, ...]:
    """What the log itself says of values that joined grades change; only there while some are joined."""
    kept = [Column(f"{name}_logged", "DOUBLE", "grade by the log itself", mappable=False) for name in grades]
    return (
        *kept,
        Column("correct_source_logged", "VARCHAR", "source of that grade", mappable=False),
        Column("sampling_probability_logged", "DOUBLE", "as the log itself has it", mappable=False),
        Column("grade_probability", "DOUBLE", "probability that its joined grade was drawn", mappable=False),
    )


def _logged_cost(side: str = "") -> Column:
    """The log's own cost, where a priced one stands in its place."""
    return Column(f"{side}cost_usd_logged", "DOUBLE", "cost by the log itself", mappable=False)


_OWN = (Column("file_id", "VARCHAR", "SHA-256 of the loaded file's content", mappable=False),)
_REQUEST = (
    Column("request_id", "VARCHAR", "identifies the request"),
    Column("ts", "TIMESTAMP", "when the request came, UTC"),
    Column("task_category", "VARCHAR", "kind of task; thresholds are tuned per category"),
    Column("segment", "VARCHAR", "customer tier or the like"),
)
_ROUTING = (
    Column("policy_kind", "VARCHAR", "cascade (fast model answers first) or predictive"),
    Column("confidence", "DOUBLE", "of the fast answer, 0 to 1"),
    Column("confidence_kind", "VARCHAR", "self_report, logprob, verifier or predictive"),
)
_ROUTER = (
    Column("router_cost_usd", "DOUBLE", "cost of a router or classifier, USD"),
    Column("router_latency_s", "DOUBLE", "latency of a router or classifier, seconds"),
)
_LOGGED = (
    Column("threshold", "DOUBLE", "threshold in force when the request was routed"),
    Column("propensity", "DOUBLE", "logged probability of the action taken (keep or escalate)"),
    Column("sampling_probability", "DOUBLE", "probability that the shadow answer or its grade was taken"),
)
_GROUPS = (
    Column("unit_id", "VARCHAR", "user or session; randomised and clustered by it"),
    Column("experiment", "VARCHAR", "name of the experiment"),
    Column("arm", "VARCHAR", "arm of the experiment"),
    Column("attributes", "VARCHAR", "anything else, as JSON text"),
    Column("prompt", "VARCHAR", "prompt text; loaded only if asked for"),
    Column("answer", "VARCHAR", "answer text; loaded only if asked for"),
)
_TOKENS = (
    Column("input_tokens", "BIGINT", "input tokens"),
    Column("output_tokens", "BIGINT", "output tokens, reasoning included"),
    Column("reasoning_tokens", "BIGINT", "reasoning tokens"),
    Column("cached_tokens", "BIGINT", "input tokens read from the provider's cache"),
    Column("cache_write_tokens", "BIGINT", "input tokens written to the provider's cache"),
    Column("cache_write_1h_tokens", "BIGINT", "of those, the ones written for an hour"),
    Column("service_tier", "VARCHAR", "standard, batch, flex or priority"),
)

DECISIONS: tuple[Column, ...] = (
    *_OWN,
    *_REQUEST,
    Column("fast_model", "VARCHAR", "model that answers first, with its effort"),
    Column("strong_model", "VARCHAR", "model that a request is escalated to, with its effort"),
    *_ROUTING,
    *_sides(
        Column("correct", "DOUBLE", "grade from 0 (wrong) to 1 (correct)"),
        Column("cost_usd", "DOUBLE", "cost, USD"),
        Column("cost_source", "VARCHAR", "logged or priced"),
        Column("latency_s", "DOUBLE", "latency, seconds"),
        *_TOKENS,
    ),
    *_ROUTER,
    Column("escalated", "BOOLEAN", "whether the strong answer was served"),
    *_LOGGED,
    Column("cost_source", "VARCHAR", "logged or priced"),
    Column("correct_source", "VARCHAR", "human, judge, exact or feedback"),
    *_GROUPS,
    Column("fold", "UTINYINT", "stable hash of the unit, 0 to 19", mappable=False),
    *_logged("fast_correct", "strong_correct"),
    _logged_cost("fast_"),
    _logged_cost("strong_"),
)

CALLS: tuple[Column, ...] = (
    *_OWN,
    Column("request_id", "VARCHAR", "identifies the request; its calls share it"),
    Column("call_index", "BIGINT", "order of the call within its request"),
    Column("call_id", "VARCHAR", "the tool's own id of the call, to which grades can be joined"),
    *_REQUEST[1:],
    Column("model", "VARCHAR", "model called"),
    Column("tier", "VARCHAR", "small, standard, frontier or reasoning"),
    Column("tier_logged", "VARCHAR", "the log's own word for the tier"),
    Column("effort", "VARCHAR", "reasoning effort; becomes part of the model's label"),
    Column("served", "BOOLEAN", "whether this answer was served"),
    Column("shadow", "BOOLEAN", "whether the call was made for comparison only"),
    *_ROUTING[1:],
    Column("correct", "DOUBLE", "grade from 0 (wrong) to 1 (correct)"),
    Column("correct_source", "VARCHAR", "human, judge, exact or feedback"),
    *_TOKENS,
    Column("cost_usd", "DOUBLE", "cost of the call, USD"),
    Column("cost_source", "VARCHAR", "logged or priced"),
    Column("latency_s", "DOUBLE", "latency, seconds"),
    Column("ttft_s", "DOUBLE", "time to first token, seconds"),
    Column("cache_hit", "BOOLEAN", "whether the answer came from a cache"),
    Column("status", "VARCHAR", "success, error or timeout"),
    Column("policy_kind", "VARCHAR", "cascade or predictive"),
    *_LOGGED,
    *_ROUTER,
    *_GROUPS,
    *_logged("correct"),
    _logged_cost(),
)

GRADES: tuple[Column, ...] = (
    *_OWN,
    Column("request_id", "VARCHAR", "request that was graded"),
    Column("call_id", "VARCHAR", "call that was graded, by the tool's own id"),
    Column("unit_id", "VARCHAR", "user or session whose answers were graded"),
    Column("ts", "TIMESTAMP", "when the grade was given, UTC; of several the latest counts"),
    Column("model", "VARCHAR", "model whose answer was graded"),
    Column("side", "VARCHAR", "fast or strong: which of the two answers was graded"),
    Column("grader", "VARCHAR", "name of the score or of who graded"),
    Column("correct", "DOUBLE", "grade from 0 (wrong) to 1 (correct)"),
    Column("correct_source", "VARCHAR", "human, judge, exact or feedback"),
    Column("sampling_probability", "DOUBLE", "probability that the answer was graded"),
    Column("attributes", "VARCHAR", "anything else, as JSON text"),
)

_SINCE_FIRST: dict[str, tuple[str, ...]] = {
    "DOUBLE": (
        "confidence_sum", "confidence_low", "confidence_high", "residual_sq", "residual_fourth", "total",
    ),
    "VARCHAR": ("moment",),
    "BIGINT": ("unit_arms", "unit_requests"),
}  # fmt: skip
_CELL_TYPES: dict[str, tuple[str, ...]] = {
    "VARCHAR": (
        "part", "task_category", "fast_model", "strong_model", "policy_kind", "confidence_kind", "experiment",
        "arm", "model", "route", *_SINCE_FIRST["VARCHAR"],
    ),
    "DOUBLE": (
        "confidence", "propensity", "sampling_probability", "grade_probability", "threshold", "weight",
        "dearest", *(
            f"{side}_{measure}_{power}"
            for side in ("fast", "strong")
            for measure in ("correct", "cost", "latency")
            for power in ("sum", "sq")
        ), "correct_x", "fast_correct_x_cost", "strong_correct_x_cost", "strong_correct_x_fast_cost",
        "cost_x", "latency_x", "router_cost_sum", "router_latency_sum", "gain_sum", "gain_cost_sum",
        "gain_latency_sum", "correct_sum", "correct_sq", "cost_sum", "cost_sq", "both_cost_sum",
        "both_cost_sq", "both_correct_sum", "both_correct_sq", "cost_x_correct", *_SINCE_FIRST["DOUBLE"],
    ),
    "BOOLEAN": ("fast_graded", "strong_graded", "fast_cost_known", "strong_cost_known", "escalated"),
    "BIGINT": (
        "tiertune_cells", "fold", "step", "bin", "n", "fast_latency_n", "strong_latency_n", "gain_n",
        "rounded_fast", "rounded_strong", "rounded_both", "graded", "cost_n", "both_n", "latency_n",
        "input_tokens", "output_tokens", "known_n", "agree_n", "requests", "units", "unit_rows",
        "largest_unit", *_SINCE_FIRST["BIGINT"],
    ),
    "DATE": ("day",),
    "TIMESTAMP": ("first_ts", "last_ts"),
}  # fmt: skip
CELL_LAYOUT = 1
"""Value of ``tiertune_cells``, by which a cells file is recognised."""
CELL_PARTS = (
    "sweep", "latency", "calls", "call_latency", "day_latency", "thresholds", "dearest", "log",
    "confidence_days", "arms", "arm_sizes", "arm_days", "arm_pairs", "arm_units",
)  # fmt: skip
LATER_CELLS = frozenset(name for names in _SINCE_FIRST.values() for name in names)
"""Columns of parts that the first cells files did not have: a file has all of them or none."""
CELLS: tuple[Column, ...] = (
    *_OWN,
    *(
        Column(name, kind, "of a cells file", mappable=True)
        for kind, names in _CELL_TYPES.items()
        for name in names
    ),
)

HISTOGRAMS: tuple[Column, ...] = tuple(
    column
    for column in CELLS
    if column.name
    in {
        *("file_id", "part", "task_category", "fast_model", "strong_model", "policy_kind", "arm", "step"),
        *("route", "bin", "n", "weight"),
    }
)
"""The part ``latency`` of cells, which has many rows and few columns, in a table of its own."""

TABLES: dict[Form, tuple[Column, ...]] = {
    "decisions": DECISIONS,
    "calls": CALLS,
    "grades": GRADES,
    "cells": CELLS,
    "histograms": HISTOGRAMS,
}
LOGS: tuple[Form, ...] = ("decisions", "calls", "grades")
"""The forms whose rows are read from a log, field by field."""
SIDES = ("fast", "strong")
TIERS = ("small", "standard", "frontier", "reasoning")
UNCATEGORISED = "Uncategorised"
