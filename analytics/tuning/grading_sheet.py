"""The sheet of a grading plan: the drawn requests, a line for each answer, with an empty grade to fill in.

It is loaded back by ``tiertune join`` (see ``logs.dialects.grading_sheet``).
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import duckdb
import polars as pl

from analytics.logs.dialects.grading_sheet import SHEET
from analytics.logs.schema import UNCATEGORISED
from analytics.logs.storage import tables
from analytics.tuning.grading_plan import GradingPlan
from analytics.tuning.log import Selection

_HALF = "8"  # of the hexadecimal digits
_MADE = ("correct", "cost_usd", "latency_s", "output_tokens")


def _answered(side: str) -> str:
    return " OR ".join(f"{side}_{name} IS NOT NULL" for name in _MADE)


# The draw is a hash of the id, so that it can be checked and does not depend on any order of rows.
_DRAWN = f"""
    WITH strata AS (
        SELECT unnest($stratum) AS stratum, unnest($category) AS category, unnest($fast) AS fast,
            unnest($strong) AS strong, unnest($low) AS low, unnest($high) AS high,
            unnest($missing) AS missing, unnest($take) AS take, unnest($probability) AS probability),
    log AS (
        SELECT *, coalesce(task_category, $uncategorised) AS category, md5($seed || request_id) AS draw
        FROM {tables.DECISIONS}
        WHERE ($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)
            AND coalesce(policy_kind, 'cascade') = $kind AND ($arm IS NULL OR arm = $arm)),
    placed AS (
        SELECT log.*, probability, take, row_number() OVER (
            PARTITION BY stratum ORDER BY draw, request_id) AS place
        FROM log JOIN strata ON log.category = strata.category AND fast_model = fast AND strong_model = strong
            AND CASE WHEN confidence IS NULL THEN missing
                ELSE NOT missing AND confidence >= low AND (high IS NULL OR confidence < high) END)
    SELECT request_id, category AS task_category, confidence, fast_model, strong_model, escalated,
        fast_correct, strong_correct, prompt, answer, probability AS sampling_probability, draw,
        policy_kind IS DISTINCT FROM 'predictive' OR escalated IS FALSE OR {_answered("fast")} AS fast_made,
        coalesce(escalated, false) OR {_answered("strong")} AS strong_made
    FROM placed WHERE place <= take ORDER BY draw, request_id"""  # noqa: S608 - our own names only


@dataclass(frozen=True, slots=True)
class GradingSheet:
    """Drawn requests as a table for people.

    Attributes:
        frame: One row per answer: request_id, task_category, confidence, model, prompt and answer (where the
            log has them), correct (to be filled in; what is known already stands there),
            sampling_probability and ``SHEET``, in the order of the draw.
        requests: Drawn requests.
        to_grade: Answers without a grade.
    """

    frame: pl.DataFrame
    requests: int
    to_grade: int


def grading_sheet(
    cursor: duckdb.DuckDBPyConnection,
    dataset: str,
    selection: Selection,
    plan: GradingPlan,
    *,
    since: date | datetime | None = None,
    until: date | datetime | None = None,
) -> GradingSheet:
    """Draw the requests of a plan; one query.

    Args:
        cursor: A cursor of its own for this call.
        dataset: Name of the dataset that the selection is of.
        selection: What the plan was made for.
        plan: How many of which.
        since: First moment of the selection, UTC.
        until: First moment that is no longer in it, UTC.
    """
    strata = plan.strata
    pairs = [selection.pairs[name] for name in strata["task_category"]]
    parameters: dict[str, Any] = {
        "decisions": tables.of(cursor, dataset, "decisions"),
        "stratum": list(range(strata.height)),
        "category": strata["task_category"].to_list(),
        "fast": [fast for fast, _ in pairs],
        "strong": [strong for _, strong in pairs],
        "low": strata["low"].to_list(),
        "high": strata["high"].to_list(),
        "missing": strata["missing"].to_list(),
        "take": strata["drawn"].to_list(),
        "probability": strata["probability"].to_list(),
        "uncategorised": UNCATEGORISED,
        "seed": f"tiertune-grading:{plan.seed}:",
        "since": since,
        "until": until,
        "kind": selection.policy_kind,
        "arm": selection.arm,
    }
    drawn = cursor.sql(_DRAWN, params=parameters).pl()
    sides = [
        drawn.filter(pl.col(f"{side}_made")).select(
            "request_id",
            "task_category",
            "confidence",
            pl.col(f"{side}_model").alias("model"),
            "prompt",
            # A log holds the text of the answer that was served.
            pl.when(pl.col("escalated").fill_null(value=False) == served).then("answer").alias("answer"),
            pl.col(f"{side}_correct").alias("correct"),
            "sampling_probability",
            ((pl.col("draw").str.tail(1) < _HALF) ^ pl.lit(served)).alias("swapped"),
            pl.lit(f"seed {plan.seed}, {plan.rows} requests").alias(SHEET),
            "draw",
        )
        for side, served in (("fast", False), ("strong", True))
    ]
    # Both answers of a request stand together, in an order that tells nothing of who wrote them.
    frame = pl.concat(sides).sort("draw", "request_id", "swapped").drop("draw", "swapped")
    empty = [name for name in ("prompt", "answer") if frame[name].null_count() == frame.height]
    return GradingSheet(frame.drop(empty), drawn.height, frame["correct"].null_count())
