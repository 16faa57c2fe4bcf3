"""Random decisions with everything that a log can have, clean or with values that loading would not keep."""

import numpy as np
import polars as pl

CATEGORIES = (None, "math", "it's", 'say "hi"', "a;DROP TABLE log--", "Ünïcödé 猫", "=1+1", "back\\slash")


def feature_rows(rows: int, *, seed: int = 0, sampled: int = 7, dirty: bool = False) -> pl.DataFrame:
    """Columns of ``decisions`` that a file can give.

    Args:
        rows: How many.
        seed: Of the generator.
        sampled: How many different probabilities there are; above 100 they are binned.
        dirty: Whether some values are outside of what loading keeps.
    """
    draw = np.random.default_rng(seed)

    def some(values: np.ndarray, share: float) -> list[object]:
        gone = draw.random(rows) >= share
        return [None if out else value for value, out in zip(values.tolist(), gone, strict=True)]

    def one_of(*values: object) -> list[object]:
        return [values[at] for at in draw.integers(len(values), size=rows)]

    grades = np.array([0.0, 1.0, 0.25, 0.5, 0.9])
    probabilities = draw.uniform(0.02, 1.0, sampled)
    columns: dict[str, object] = {
        "request_id": [f"r{seed}-{at}" for at in range(rows)],
        "task_category": one_of(*CATEGORIES),
        "fast_model": one_of("small", "small", "tiny@low"),
        "strong_model": one_of("big", "big", "huge"),
        "policy_kind": one_of("cascade", "predictive", None),
        "confidence": some(draw.integers(0, 41, rows) / 40, 0.9),
        "confidence_kind": one_of("self_report", "logprob", None),
        "escalated": one_of(True, False, None),
        "threshold": one_of(None, 0.5, 0.75),
        "propensity": some(draw.choice(probabilities, rows), 0.5),
        "sampling_probability": some(draw.choice(probabilities, rows), 0.5),
        "unit_id": some(np.char.add(f"u{seed}-", draw.integers(0, rows // 3 + 1, rows).astype(str)), 0.8),
        "experiment": one_of(None, "e"),
        "arm": one_of(None, "control", "treatment"),
        "router_cost_usd": some(draw.uniform(0, 1e-4, rows), 0.5),
        "router_latency_s": some(draw.uniform(0, 0.1, rows), 0.5),
    }
    for side in ("fast", "strong"):
        columns |= {
            f"{side}_correct": some(draw.choice(grades, rows), 0.8),
            f"{side}_cost_usd": some(draw.uniform(0, 0.01, rows), 0.9),
            f"{side}_latency_s": some(draw.exponential(2, rows), 0.9),
            f"{side}_input_tokens": some(draw.integers(0, 900, rows), 0.7),
            f"{side}_output_tokens": some(draw.integers(0, 900, rows), 0.7),
        }
    schema = {
        name: pl.String if name.endswith(("_id", "_model", "_kind", "category", "experiment", "arm"))
        else pl.Boolean if name == "escalated" else pl.Int64 if name.endswith("tokens") else pl.Float64
        for name in columns
    }  # fmt: skip
    moments = pl.Series(draw.integers(1_760_000_000_000_000, 1_765_000_000_000_000, rows), dtype=pl.Int64)
    frame = pl.DataFrame(columns, schema=schema, strict=False).with_columns(
        ts=pl.when(pl.Series(draw.random(rows) < 0.9)).then(moments.cast(pl.Datetime("us")))
    )
    return _dirtied(frame, draw) if dirty else frame


def _dirtied(frame: pl.DataFrame, draw: np.random.Generator) -> pl.DataFrame:
    """Some values of each kind replaced by others that count as unknown."""
    bad = {
        "confidence": (float("nan"), -0.1, 1.5), "correct": (2.0, -1.0, float("nan")),
        "cost_usd": (-1.0, 10_001.0, float("inf")), "latency_s": (-2.0, float("nan"), float("inf")),
        "propensity": (0.0, 1.2, float("nan")), "sampling_probability": (0.0, -1.0, 3.0),
        "threshold": (float("nan"), float("inf"), float("-inf")),
    }  # fmt: skip
    for name, values in bad.items():
        for column in [name, *(f"{side}_{name}" for side in ("fast", "strong", "router"))]:
            if column in frame.columns:
                hit = pl.Series(draw.random(frame.height) < 0.05)
                value = pl.Series(draw.choice(np.array(values), frame.height))
                frame = frame.with_columns(pl.when(hit).then(value).otherwise(column).alias(column))
    return frame


def kept(frame: pl.DataFrame) -> pl.DataFrame:
    """The same rows with what loading would keep of their values, worked out by Polars."""

    def within(name: str, low: float, high: float, *, open_low: bool = False) -> pl.Expr:
        value = pl.col(name)
        above = value > low if open_low else value >= low
        return pl.when(value.is_finite() & above & (value <= high)).then(value).alias(name)

    cleaned = [within(name, 0, 1) for name in ("confidence", "fast_correct", "strong_correct")]
    cleaned += [within(name, 0, 1, open_low=True) for name in ("propensity", "sampling_probability")]
    cleaned += [within(f"{side}_cost_usd", 0, 10_000) for side in ("fast", "strong", "router")]
    cleaned += [within(f"{side}_latency_s", 0, 1e300) for side in ("fast", "strong", "router")]
    return frame.with_columns(*cleaned, within("threshold", -1e300, 1e300))
