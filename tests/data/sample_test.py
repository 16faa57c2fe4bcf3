"""The committed sample: what it says of itself, and that an outside estimator finds the truth in it."""

import gzip
import io
import json
import re
from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

import data
from analytics.logs.prices import price, tier_of
from analytics.logs.schema import DECISIONS
from data import generator, scenario, truth

MAPPABLE = {column.name for column in DECISIONS if column.mappable}
THRESHOLDS = (0.65, 0.8, 0.9, 0.95, 1.0, None)


@pytest.fixture(scope="module")
def sample() -> pl.DataFrame:
    return pl.read_csv(data.sample_log(), infer_schema_length=None)


@pytest.fixture(scope="module")
def benchmark() -> pl.DataFrame:
    return pl.read_csv(data.sample_benchmark(), infer_schema_length=None)


def _escalated_at(frame: pl.DataFrame, threshold: float | None) -> np.ndarray[Any, Any]:
    confidence = frame["confidence"].cast(pl.Float64).fill_null(-1).to_numpy()
    return np.ones(len(confidence), bool) if threshold is None else confidence < threshold


def _within_four_standard_errors(values: np.ndarray[Any, Any], expected: float) -> None:
    assert abs(values.mean() - expected) <= 4 * values.std(ddof=1) / np.sqrt(len(values))


@pytest.mark.parametrize("benchmark_too", [False, True])
def test_the_committed_file_is_what_the_generator_writes(benchmark_too: bool) -> None:  # noqa: FBT001
    path = data.sample_benchmark() if benchmark_too else data.sample_log()
    written = io.StringIO(gzip.decompress(path.read_bytes()).decode())
    rows = generator.sample_rows(benchmark=benchmark_too)
    assert next(written).rstrip("\n").split(",") == list(rows[0])
    # zlib versions compress differently, so the text is compared and not the file
    assert [line.rstrip("\n") for line in written] == [",".join(row.values()) for row in rows]


def test_the_files_are_small_enough_to_commit() -> None:
    assert data.sample_log().stat().st_size < 1_400_000
    assert data.sample_benchmark().stat().st_size < 600_000


def test_every_column_is_a_canonical_one(sample: pl.DataFrame, benchmark: pl.DataFrame) -> None:
    assert set(sample.columns) <= MAPPABLE
    assert set(benchmark.columns) <= MAPPABLE
    assert not {"escalated", "threshold", "sampling_probability"} & set(benchmark.columns)


def test_the_sample_spans_ninety_days_and_twenty_thousand_requests(sample: pl.DataFrame) -> None:
    days = sample["ts"].str.slice(0, 10)
    assert sample.height == sample["request_id"].n_unique() == 20_000
    assert (days.min(), days.max(), days.n_unique()) == ("2026-08-18", "2026-11-15", 90)
    assert 3_800 < sample["unit_id"].n_unique() < 4_200
    assert sample["ts"].is_sorted()


def test_categories_are_from_the_taxonomy_and_one_is_rare(sample: pl.DataFrame) -> None:
    counts = Counter(sample["task_category"])
    assert set(counts) <= set(data.taxonomy())
    assert 8 <= len(counts) <= 12
    assert [n for n in counts.values() if n < 100] == [52]


def test_escalation_follows_the_threshold_in_force(sample: pl.DataFrame) -> None:
    due = sample["confidence"].is_null() | (sample["confidence"] < sample["threshold"])
    assert sample["escalated"].to_list() == due.to_list()


def test_strong_answers_are_observed_where_escalated_or_shadowed_and_nowhere_else(
    sample: pl.DataFrame,
) -> None:
    strong = [c for c in sample.columns if c.startswith("strong_") and c != "strong_model"]
    observed = sample["strong_cost_usd"].is_not_null()
    assert observed.filter(sample["escalated"]).all()
    kept = sample.filter(~sample["escalated"])
    shadowed = [generator.share_of("shadow", request) < 0.1 for request in kept["request_id"]]
    assert kept["strong_cost_usd"].is_not_null().to_list() == shadowed
    assert sample.filter(~observed).select(pl.all_horizontal(pl.col(strong).is_null().all())).item()
    assert set(kept["sampling_probability"]) == {0.1}
    assert set(sample.filter("escalated")["sampling_probability"]) == {1.0}


def test_about_two_percent_are_ungraded_with_their_cost_kept(sample: pl.DataFrame) -> None:
    ungraded = sample.filter(pl.col("fast_correct").is_null())
    assert 0.015 < ungraded.height / sample.height < 0.025
    assert ungraded["strong_correct"].null_count() == ungraded.height
    assert sample["fast_cost_usd"].null_count() == 0


def test_arms_are_split_by_user_and_only_in_the_middle_month(sample: pl.DataFrame) -> None:
    tested = sample.filter(pl.col("arm").is_not_null())
    assert tested["ts"].str.slice(0, 10).min() == "2026-09-17"
    assert tested["ts"].str.slice(0, 10).max() == "2026-10-16"
    assert tested.group_by("unit_id").agg(pl.col("arm").n_unique())["arm"].max() == 1
    # 4 standard errors of a fair coin over users
    users = tested.unique("unit_id")
    assert abs((users["arm"] == "treatment").mean() - 0.5) < 2 / np.sqrt(users.height)  # type: ignore[operator]
    assert set(tested.group_by("arm", "threshold").len().drop("len").rows()) == {
        ("control", 0.85),
        ("treatment", 0.95),
    }


def test_the_policy_in_force_is_constant_per_category_at_the_end(sample: pl.DataFrame) -> None:
    last = sample.filter(pl.col("ts") >= "2026-10-17")
    assert last.group_by("task_category").agg(pl.col("threshold").n_unique())["threshold"].max() == 1
    assert last["threshold"].n_unique() > 1


def test_costs_are_tokens_times_the_price_in_force(sample: pl.DataFrame) -> None:
    # USD per million tokens, from the price map of LiteLLM 1.106; gpt-6-sol became cheaper on 2026-10-02
    now = {
        "gpt-5-nano": (0.05, 0.4),
        "gemini-3.5-flash-lite": (0.3, 2.5),
        "gpt-5-mini": (0.25, 2.0),
        "gpt-4.1": (2.0, 8.0),
        "gpt-6-sol": (2.0, 10.0),
        "claude-opus-5-5": (4.0, 20.0),
    }
    for side in ("fast", "strong"):
        seen = sample.filter(pl.col(f"{side}_cost_usd").is_not_null())
        old = (seen[f"{side}_model"] == "gpt-6-sol") & (seen["ts"] < "2026-10-02")
        factor = np.where(old.to_numpy(), 1.25, 1.0)
        price = np.array([now[model] for model in seen[f"{side}_model"]])
        tokens = seen.select(f"{side}_input_tokens", f"{side}_output_tokens").to_numpy()
        expected = (tokens * price).sum(axis=1) * factor / 1e6
        np.testing.assert_allclose(seen[f"{side}_cost_usd"].to_numpy(), expected, rtol=1e-12)


def test_the_models_fall_into_all_four_tiers_at_their_list_prices() -> None:
    # as in MISSION's tiers table
    expected = {
        scenario.SMALL: "small",
        scenario.STANDARD: "standard",
        scenario.COMPACT: "standard",
        scenario.FRONTIER: "frontier",
        scenario.REASONING: "reasoning",
        scenario.DEEP: "reasoning",
    }
    for model, tier in expected.items():
        listed = price(model.name)
        assert listed is not None, model.name
        assert (listed.input_usd * 1e6, listed.output_usd * 1e6) == pytest.approx(model.prices), model.name
        assert tier_of(listed, None) == tier


@pytest.mark.parametrize("category", scenario.CATEGORIES)
def test_the_difference_estimator_finds_the_true_accuracy_and_cost(
    sample: pl.DataFrame, category: str
) -> None:
    # mean of y_f + a (e / p) (y_s - y_f); for cost of k_f + a (e / p) k_s
    rows = sample.filter(pl.col("task_category") == category)
    graded = rows.filter(pl.col("fast_correct").is_not_null())
    for threshold in THRESHOLDS:
        weight = graded["strong_correct"].is_not_null().to_numpy() / graded["sampling_probability"].to_numpy()
        fast = graded["fast_correct"].to_numpy()
        gain = graded["strong_correct"].fill_null(0).to_numpy() - fast
        served = fast + _escalated_at(graded, threshold) * weight * gain
        _within_four_standard_errors(served, truth.true_accuracy(category, threshold))

        weight = rows["strong_cost_usd"].is_not_null().to_numpy() / rows["sampling_probability"].to_numpy()
        strong = rows["strong_cost_usd"].fill_null(0).to_numpy()
        paid = rows["fast_cost_usd"].to_numpy() + _escalated_at(rows, threshold) * weight * strong
        _within_four_standard_errors(paid, truth.true_cost(category, threshold))

        rate = truth.true_escalation_rate(category, threshold)
        spread = np.sqrt(rate * (1 - rate) / rows.height)
        assert abs(_escalated_at(rows, threshold).mean() - rate) <= 4 * spread + 1e-12


@pytest.mark.parametrize("category", scenario.CATEGORIES)
def test_a_plain_mean_of_the_benchmark_finds_the_true_accuracy_and_cost(
    benchmark: pl.DataFrame, category: str
) -> None:
    rows = benchmark.filter(pl.col("task_category") == category)
    for threshold in THRESHOLDS:
        escalated = _escalated_at(rows, threshold)
        served = np.where(escalated, rows["strong_correct"].to_numpy(), rows["fast_correct"].to_numpy())
        paid = rows["fast_cost_usd"].to_numpy() + escalated * rows["strong_cost_usd"].to_numpy()
        _within_four_standard_errors(served, truth.true_accuracy(category, threshold))
        _within_four_standard_errors(paid, truth.true_cost(category, threshold))


def test_rows_with_both_answers_alone_would_mislead(sample: pl.DataFrame) -> None:
    # escalated requests are the hard ones: averaging them as if they were all rows is off by points
    both = sample.filter(pl.col("strong_correct").is_not_null())
    always_strong = truth.overall([truth.true_accuracy(c, None) for c in scenario.CATEGORIES])
    shortfall = always_strong - float(both["strong_correct"].mean())  # type: ignore[arg-type]
    assert shortfall > 0.02


def test_every_row_of_the_benchmark_is_graded_on_both_sides(benchmark: pl.DataFrame) -> None:
    assert 3_000 <= benchmark.height <= 6_000
    assert benchmark["fast_correct"].null_count() == benchmark["strong_correct"].null_count() == 0


def test_the_taxonomy_has_the_three_opinions_and_titles() -> None:
    kinds = data.taxonomy()
    assert {kind.prior for kind in kinds.values()} == {"reasoning_wins", "helps_but_dear", "do_not_overpay"}
    assert all(key == kind.key and kind.title and kind.sentence.endswith(".") for key, kind in kinds.items())


def test_the_template_has_only_columns_that_load_and_agrees_with_the_rule() -> None:
    template = pl.read_csv(data.log_template())
    assert set(template.columns) <= MAPPABLE
    due = template["confidence"].is_null() | (template["confidence"] < template["threshold"])
    assert template["escalated"].to_list() == due.to_list()
    # gpt-4.1-mini 0.40 / 1.60 and o3 2 / 8 USD per million tokens
    for side, into, out in (("fast", 0.4, 1.6), ("strong", 2, 8)):
        seen = template.filter(pl.col(f"{side}_cost_usd").is_not_null())
        expected = (seen[f"{side}_input_tokens"] * into + seen[f"{side}_output_tokens"] * out) / 1e6
        np.testing.assert_allclose(seen[f"{side}_cost_usd"].to_numpy(), expected.to_numpy(), rtol=1e-12)


def test_the_snippet_of_the_guide_writes_records_that_load() -> None:
    guide = data.logging_guide().read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", guide, re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {}
    exec(compile(code.group(1), "logging.md", "exec"), names)  # noqa: S102
    log = io.StringIO()

    def call(model: str, _prompt: str) -> SimpleNamespace:
        used = {"cost_usd": 0.01, "latency_s": 1.5, "input_tokens": 100, "output_tokens": 50}
        return SimpleNamespace(text=model, confidence=0.8, **used)

    for number in range(4000):
        threshold = 0.9 if number % 2 else 0.8
        served = names["answer"](
            *(f"r{number}", "tax", "u1", "prompt"),
            threshold=threshold,
            call=call,
            grade=lambda _prompt, _text: 1,
            log=log,
        )
        assert served == (names["STRONG"] if number % 2 else names["FAST"])
    records = [json.loads(line) for line in log.getvalue().splitlines()]
    assert set().union(*records) <= MAPPABLE
    kept = [record for record in records if not record["escalated"]]
    assert len(kept) == 2000
    shadowed = sum("strong_correct" in record for record in kept) / len(kept)
    assert abs(shadowed - 0.1) < 4 * np.sqrt(0.1 * 0.9 / 2000)
    assert all("strong_cost_usd" in record for record in records if record["escalated"])
    assert {record["sampling_probability"] for record in kept} == {0.1}


def test_the_guide_names_only_columns_that_exist() -> None:
    guide = data.logging_guide().read_text(encoding="utf-8")
    table = guide.split("## Columns")[1].split("## Why")[0]
    named = set(re.findall(r"`([a-z_]+)`", "".join(re.findall(r"^\| (.*?) \|", table, re.MULTILINE))))
    assert named - {"fast_", "strong_"} <= MAPPABLE
