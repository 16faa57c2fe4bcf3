"""The JSON documents of the command line: plain data, estimates as objects, no NaN."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from analytics import policy_document
from analytics.estimate import Estimate, rounded, undefined
from analytics.logs.intake import FileReport
from analytics.logs.schema import REPORT_FOLDS
from analytics.tuning import halves
from analytics.tuning.baselines import random_point
from analytics.tuning.curve import Curve, Point
from analytics.tuning.evaluation import NO_IN_FORCE, Evaluation
from analytics.tuning.goals import Tuning

POINT_KEYS = (
    "threshold",
    "escalation_rate",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "cost_per_request_usd",
    "cost_low",
    "cost_high",
    "cost_per_correct_usd",
    "latency_p95_s",
    "identified",
)
EXACT = ("threshold", "identified")
FIGURES = ("accuracy", "cost_per_request_usd", "escalation_rate", "latency_p95_s")
TIER_N = {
    "accuracy": "graded",
    "cost_usd": "cost_n",
    "cost_per_call_usd": "cost_n",
    "cost_per_correct_usd": "both_n",
    "latency_p50_s": "latency_n",
    "latency_p95_s": "latency_n",
}
TIER_METHODS = {
    "accuracy": "Wilson; normal for fractional grades",
    "cost_usd": "sum of the known costs",
    "cost_per_call_usd": "normal",
    "cost_per_correct_usd": "log-scale delta",
    "latency_p50_s": "linear quantile",
    "latency_p95_s": "linear quantile",
}
NO_HELD_OUT = "A certified policy has its promise instead; evidence.reported_on says what its figures are of."
NO_RANDOM = "Needs the outcomes and costs of both models."


def load_document(dataset: str, reports: Iterable[FileReport]) -> dict[str, Any]:
    """What became of each file."""
    keys = (
        "file",
        "format",
        "read",
        "loaded",
        "rejected",
        "duplicates",
        "confidence_set_null",
        "mapping",
        "passed",
    )
    files = [
        {
            **{key: getattr(report, key) for key in keys},
            "problems": [asdict(problem) for problem in report.problems],
            "problems_total": report.problems_total,
        }
        for report in reports
    ]
    return {"dataset": dataset, "files": files}


def datasets_document(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The catalogue of datasets."""
    return {"datasets": [{key: _plain(value) for key, value in row.items()} for row in rows]}


def tiers_document(estimates: pl.DataFrame, keys: Sequence[str]) -> dict[str, Any]:
    """The rows of ``measure.tiers.tier_estimates`` under the columns of their grouping."""
    names = (
        "accuracy",
        "cost_usd",
        "cost_per_call_usd",
        "cost_per_correct_usd",
        "latency_p50_s",
        "latency_p95_s",
    )
    return {
        "rows": [
            {key: None if row[key] is None else str(row[key]) for key in keys}
            | {"calls": row["calls"]}
            | {name: tier_estimate(row, name).as_json() for name in names}
            for row in estimates.iter_rows(named=True)
        ]
    }


def tier_estimate(row: Mapping[str, Any], name: str) -> Estimate:
    """One figure of a row of ``measure.tiers.tier_estimates``."""
    n, method = row[TIER_N[name]], TIER_METHODS[name]
    if row[name] is None:
        return undefined(row.get(f"{name}_reason") or "no call has a latency", n=n, method=method)
    return Estimate(row[name], row.get(f"{name}_low"), row.get(f"{name}_high"), n, method)


def curve_document(curve: Curve, *, thresholds: Sequence[float] | None = None) -> dict[str, Any]:
    """A curve with its controls.

    Args:
        curve: Of one category, or of all.
        thresholds: Finite numbers to give points at; None for every threshold.
    """
    points = curve.points if thresholds is None else points_at(curve, thresholds)
    document: dict[str, Any] = {
        name: getattr(curve, name)
        for name in (
            "task_category",
            "fast_model",
            "strong_model",
            "policy_kind",
            "estimator",
            "n",
            "missing_confidence",
        )
    }
    document["points"] = [
        {key: value if key in EXACT else _plain(value) for key, value in row.items()}
        for row in points.select(POINT_KEYS).iter_rows(named=True)
    ]
    document |= {name: figures(getattr(curve, name)) for name in ("fast_only", "strong_only")}
    document["random"] = [_random(curve, row) for row in points.iter_rows(named=True)]
    document |= {name: figures(getattr(curve, name)) for name in ("oracle", "in_force")}
    document |= {
        name: rounded(getattr(curve, name)) for name in ("apgr", "cpt50", "cpt80", "aiq", "auroc", "ece")
    }
    return document | ({"reasons": dict(curve.reasons)} if curve.reasons else {})


def points_at(curve: Curve, thresholds: Sequence[float]) -> pl.DataFrame:
    """Rows of ``curve.points`` that hold at any finite thresholds, which stand in ``threshold``.

    Every number in a region between neighbouring confidences is the same policy; above all of them is
    the last row, which escalates everything.
    """
    observed = curve.points["threshold"].to_numpy()[:-1]
    rows = np.searchsorted(observed, np.asarray(thresholds, dtype=np.float64), side="left")
    points: pl.DataFrame = curve.points[rows.tolist()]
    return points.with_columns(threshold=pl.Series(thresholds, dtype=pl.Float64))


def tune_document(tuning: Tuning) -> dict[str, Any]:
    """The thresholds document, the held-out evaluation, the optimism of picking and what is promised."""
    held_out: dict[str, Any] = {"held_out": None, "held_out_reason": NO_HELD_OUT}
    if not tuning.certified:
        held_out = {"held_out": {**_evaluation(tuning.figures), "folds": list(REPORT_FOLDS)}}
    if tuning.cut is not None and not tuning.certified:
        held_out["held_out"] |= {"folds": None, "from": halves.written(tuning.cut)}
    return {
        **policy_document.document_of(tuning.policy),
        **held_out,
        "promise": tuning.promise,
        "optimism": {name: _pair(pair) for name, pair in tuning.optimism.items()},
    }


def evaluate_document(
    evaluation: Evaluation, controls: Mapping[str, Point | None], *, rows: str
) -> dict[str, Any]:
    """A policy's figures beside the permanent controls on the same rows."""
    reasons = {"in_force": NO_IN_FORCE, "random": NO_RANDOM}
    return {
        "rows": rows,
        **_evaluation(evaluation),
        "controls": {
            name: figures(controls.get(name), reason=reasons.get(name, NO_RANDOM))
            for name in ("fast_only", "strong_only", "random", "oracle", "in_force")
        },
    }


def figures(point: Point | None, *, reason: str = NO_IN_FORCE) -> dict[str, Any]:
    """The estimates of one policy; all undefined where it is not known."""
    if point is None:
        return {name: undefined(reason).as_json() for name in FIGURES}
    return {name: getattr(point, name).as_json() for name in FIGURES}


def _evaluation(evaluation: Evaluation) -> dict[str, Any]:
    def one(name: str | None, point: Point) -> dict[str, Any]:
        shown = figures(point)
        shown["cost_per_correct_usd"] = evaluation.cost_per_correct_usd[name].as_json()
        return shown | {"n": point.escalation_rate.n}

    return {
        "overall": one(None, evaluation.overall),
        "categories": {name: one(name, point) for name, point in evaluation.categories.items()},
    }


def _random(curve: Curve, row: Mapping[str, Any]) -> dict[str, float | None]:
    """Escalating at random for the same mean cost as one threshold."""
    cost = row["cost_per_request_usd"]
    found = random_point(curve.fast_only, curve.strong_only, cost=cost, kind=curve.policy_kind)
    share, accuracy = found or (None, None)
    return {
        "threshold": row["threshold"],
        "escalation_rate": rounded(share),
        "accuracy": rounded(accuracy),
        "cost_per_request_usd": rounded(cost),
    }


def _pair(pair: Mapping[str, Estimate] | None) -> dict[str, Any] | None:
    return None if pair is None else {name: estimate.as_json() for name, estimate in pair.items()}


def plain_rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as JSON has them."""
    return [{key: _plain(value) for key, value in row.items()} for row in frame.iter_rows(named=True)]


def _plain(value: Any) -> Any:
    """``value`` as JSON has it: times as ISO text in UTC, floats to twelve digits, NaN as null."""
    if isinstance(value, float):
        return rounded(value)
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value
