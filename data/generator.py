"""The simulated sample log: `python -m data.generator --out data/sample_log.csv.gz`.

The sample is a plain cascade log with a shadow share, `--benchmark` a fully paired one of the same
traffic. Everything comes from one bit generator and its uniform doubles, the part of NumPy whose stream
is promised not to change; the ground truth is in `data.truth`.
"""

import argparse
import csv
import gzip
import hashlib
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data import scenario
from data.scenario import CATEGORIES, DAYS, Category, Floats, Ints, Model

Columns = dict[str, npt.NDArray[Any]]
Row = dict[str, str]

SEED = 20261115
START = datetime(2026, 8, 18, tzinfo=UTC)
USERS = 4100
SHADOW_SHARE = 0.1
UNGRADED_SHARE = 0.02
SAME_LUCK_SHARE = 0.7
"""Share of requests whose two outcomes come from one draw: both models tend to fail together."""
FIRST_THRESHOLD = 0.85
TREATMENT_THRESHOLD = 0.95
TEST_DAYS = (30, 60)
"""First day of the experiment and the first day after it, when the final thresholds took over."""
EXPERIMENT = "threshold-0.95"
BENCHMARK_REQUESTS = 4000

_DRAWS = (
    "confidence",
    "luck",
    "fast_correct",
    "strong_correct",
    "input_tokens",
    "fast_output_tokens",
    "strong_output_tokens",
    "fast_latency",
    "strong_latency",
    "user",
    "graded",
)
_OBSERVED = (
    "request_id",
    "ts",
    "task_category",
    "segment",
    "unit_id",
    "fast_model",
    "strong_model",
    "policy_kind",
    "confidence",
    "confidence_kind",
    "fast_correct",
    "fast_cost_usd",
    "fast_latency_s",
    "fast_input_tokens",
    "fast_output_tokens",
    "strong_correct",
    "strong_cost_usd",
    "strong_latency_s",
    "strong_input_tokens",
    "strong_output_tokens",
    "strong_reasoning_tokens",
    "correct_source",
)


def sample_rows(*, seed: int = SEED, benchmark: bool = False) -> list[Row]:
    """The sample as text, one row per request in order of time; an unobserved value is empty.

    Args:
        seed: Of the one bit generator.
        benchmark: Both answers of every request, and no routing columns.
    """
    counts = _benchmark_counts() if benchmark else {key: c.requests for key, c in CATEGORIES.items()}
    columns = _drawn(np.random.Generator(np.random.PCG64(seed)), counts)
    rows: list[Row] = []
    for index, key in enumerate(columns["task_category"].tolist()):
        prefix = "bench" if benchmark else "req"
        values = {name: column[index] for name, column in columns.items()}
        row = _request(f"{prefix}-{index + 1:06d}", key, values, graded=benchmark or values["graded"])
        rows.append(row if benchmark else _routed(row, int(values["day"])))
    return rows


def main(arguments: list[str] | None = None) -> None:
    """Write the sample; `arguments` as in a shell, by default those of this process."""
    parser = argparse.ArgumentParser(prog="data.generator", description="Write the simulated sample log.")
    parser.add_argument("--out", type=Path, required=True, help="file to write; .gz is compressed")
    parser.add_argument("--benchmark", action="store_true", help="both answers of every request")
    parser.add_argument("--seed", type=int, default=SEED)
    chosen = parser.parse_args(arguments)
    write(sample_rows(seed=chosen.seed, benchmark=chosen.benchmark), chosen.out)


def write(rows: list[Row], path: Path) -> None:
    """Write ``rows`` as CSV, gzipped where the name ends in ``.gz``, the same bytes every time."""
    buffer = io.StringIO(newline="")
    table = csv.DictWriter(buffer, fieldnames=list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    content = buffer.getvalue().encode()
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def share_of(salt: str, text: str) -> float:
    """A number in [0, 1) that is always the same for the same text, independent between salts."""
    return int(hashlib.md5(f"{salt}:{text}".encode(), usedforsecurity=False).hexdigest()[:8], 16) / 2**32


def _benchmark_counts() -> dict[str, int]:
    total = sum(spec.requests for spec in CATEGORIES.values())
    return {
        key: min(spec.requests, max(50, round(BENCHMARK_REQUESTS * spec.requests / total)))
        for key, spec in CATEGORIES.items()
    }


def _drawn(random: np.random.Generator, counts: dict[str, int]) -> Columns:
    """Every quantity of every request, as arrays in order of time, observed or not."""
    total = sum(counts.values())
    moment = _moments(np.sort(random.random(total)))
    shuffled = np.argsort(random.random(total), kind="stable")
    key = np.repeat(np.array(list(counts)), list(counts.values()))[shuffled]
    draw = dict(zip(_DRAWS, random.random((total, len(_DRAWS))).T, strict=True))
    user = (USERS * draw["user"] ** 1.6).astype(np.int64)
    effect = np.where(random.random(USERS) < 0.5, -1.0, 1.0)[user] * scenario.UNIT_EFFECT  # noqa: PLR2004
    day = (moment // 86400).astype(np.int64)
    columns: Columns = {
        "task_category": key,
        "moment": moment,
        "day": day,
        "user": user,
        "graded": draw["graded"] >= UNGRADED_SHARE,
    }
    for name in counts:
        rows = np.flatnonzero(key == name)
        of = {field: column[rows] for field, column in draw.items()}
        for field, values in _outcomes(name, of, effect[rows], day[rows]).items():
            columns.setdefault(field, np.zeros(total, dtype=values.dtype))[rows] = values
    return columns


def _moments(uniform: Floats) -> Ints:
    """Whole seconds since the start, by the inverse of the traffic's distribution."""
    end = np.cumsum(scenario.traffic())
    hour = np.minimum(np.searchsorted(end, uniform, side="right"), len(end) - 1)
    within = 1 - (end[hour] - uniform) / scenario.traffic()[hour]
    seconds = (hour + np.clip(within, 0, 1)) * 3600
    return np.asarray(np.minimum(seconds, DAYS * 86400 - 1), dtype=np.int64)


def _outcomes(key: str, draw: Columns, effect: Floats, day: Ints) -> Columns:
    """Confidence, grades, tokens, costs (1e-9 USD) and latencies (ms) of one category's requests."""
    spec = CATEGORIES[key]
    values, probability = scenario.confidence_distribution(key)
    place = np.searchsorted(np.cumsum(probability), draw["confidence"], side="right")
    confidence = values[np.minimum(place, len(values) - 1)]
    fast, strong = scenario.correct_given_confidence(key, confidence)
    same = draw["luck"] < SAME_LUCK_SHARE
    strong_luck = np.where(same, draw["fast_correct"], draw["strong_correct"])
    into, fast_out, easy, hard = scenario.token_tables(key)
    tokens_in = _picked(into, draw["input_tokens"])
    tokens_fast = _picked(fast_out, draw["fast_output_tokens"])
    tokens_strong = np.where(
        scenario.is_hard(confidence),
        _picked(hard, draw["strong_output_tokens"]),
        _picked(easy, draw["strong_output_tokens"]),
    )
    return {
        "confidence": confidence,
        "fast_correct": draw["fast_correct"] < fast + effect,
        "strong_correct": strong_luck < strong + effect,
        "input_tokens": tokens_in,
        "fast_output_tokens": tokens_fast,
        "strong_output_tokens": tokens_strong,
        "fast_cost": _nano_usd(spec.fast, tokens_in, tokens_fast, day),
        "strong_cost": _nano_usd(spec.strong, tokens_in, tokens_strong, day),
        "fast_ms": _picked(scenario.log_normal(*spec.fast.latency, unit=0.001), draw["fast_latency"]),
        "strong_ms": _picked(scenario.log_normal(*spec.strong.latency, unit=0.001), draw["strong_latency"]),
    }


def _picked(table: Ints, uniform: npt.NDArray[Any]) -> Ints:
    return table[(uniform * scenario.ATOMS).astype(np.int64)]


def _nano_usd(model: Model, tokens_in: Ints, tokens_out: Ints, day: Ints) -> Ints:
    """Cost in 1e-9 USD, in integers so that a logged cost is tokens times price to the last digit."""
    total = np.zeros(len(day), dtype=np.int64)
    earlier = model.earlier_prices or model.prices
    for tokens, now, then in zip((tokens_in, tokens_out), model.prices, earlier, strict=True):
        total += tokens * np.where(day < scenario.PRICE_CHANGE_DAY, round(then * 1000), round(now * 1000))
    return total


def _request(request_id: str, key: str, values: dict[str, Any], *, graded: bool) -> Row:
    spec = CATEGORIES[key]
    user = f"user-{int(values['user']):04d}"
    row = dict.fromkeys(_OBSERVED, "")
    row |= {
        "request_id": request_id,
        "ts": (START + timedelta(seconds=int(values["moment"]))).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "task_category": key,
        "segment": _segment(user),
        "unit_id": user,
        "fast_model": spec.fast.name,
        "strong_model": spec.strong.name,
        "policy_kind": "cascade",
        "confidence": "" if np.isnan(values["confidence"]) else f"{values['confidence']:g}",
        "confidence_kind": "self_report",
    }
    for side, model in (("fast", spec.fast), ("strong", spec.strong)):
        output = int(values[f"{side}_output_tokens"])
        row[f"{side}_cost_usd"] = _decimal(int(values[f"{side}_cost"]), 9)
        row[f"{side}_latency_s"] = _decimal(int(values[f"{side}_ms"]), 3)
        row[f"{side}_input_tokens"] = str(int(values["input_tokens"]))
        row[f"{side}_output_tokens"] = str(output)
        if model.reasoning_share:
            row[f"{side}_reasoning_tokens"] = str(int(output * model.reasoning_share))
        if graded:
            row[f"{side}_correct"] = str(int(values[f"{side}_correct"]))
            row["correct_source"] = "judge"
    return row


def _routed(row: Row, day: int) -> Row:
    """The row as a cascade would have logged it: a strong answer that was not asked for is empty."""
    tested = TEST_DAYS[0] <= day < TEST_DAYS[1]
    arm = "treatment" if share_of(EXPERIMENT, row["unit_id"]) < 0.5 else "control"  # noqa: PLR2004
    threshold = _threshold(CATEGORIES[row["task_category"]], day, arm)
    escalated = row["confidence"] == "" or float(row["confidence"]) < threshold
    if not escalated and share_of("shadow", row["request_id"]) >= SHADOW_SHARE:
        row |= {name: "" for name in row if name.startswith("strong_") and name != "strong_model"}
    return row | {
        "escalated": "true" if escalated else "false",
        "threshold": f"{threshold:g}",
        "sampling_probability": "1" if escalated else f"{SHADOW_SHARE:g}",
        "experiment": EXPERIMENT if tested else "",
        "arm": arm if tested else "",
    }


def _threshold(spec: Category, day: int, arm: str) -> float:
    if day >= TEST_DAYS[1]:
        return spec.threshold
    return TREATMENT_THRESHOLD if day >= TEST_DAYS[0] and arm == "treatment" else FIRST_THRESHOLD


def _segment(user: str) -> str:
    share = share_of("segment", user)
    return "free" if share < 0.6 else "pro" if share < 0.9 else "enterprise"  # noqa: PLR2004


def _decimal(count: int, places: int) -> str:
    """``count`` times ten to the minus ``places``, exactly, without trailing zeros."""
    whole, rest = divmod(count, 10**places)
    return f"{whole}.{rest:0{places}d}".rstrip("0").rstrip(".")


if __name__ == "__main__":
    main()
