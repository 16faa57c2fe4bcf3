"""The public logs that tiertune must handle, through the command line, against their published figures."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from analytics.cli import main
from analytics.logs import intake
from analytics.logs.meaning.mapping import Answers
from analytics.logs.storage import tables
from analytics.logs.store import Store
from analytics.policy import CategoryPolicy, Default, ThresholdPolicy

# The references are rounded to ten decimals.
NEAR = {"rel": 0, "abs": 1e-9}
AUTOMIX = (
    *("--set", "fast_cost_usd=5", "--set", "strong_cost_usd=20"),
    *("--map", "task_category=dataset", "--map", "request_id=dataset+row_idx"),
)
PAIRS = {
    "gpt-4o-mini-2024-07-18 -> o4-mini-2025-04-16 | fast_verbal_numerical_confidence": (
        "gpt-4o-mini-2024-07-18",
        "o4-mini-2025-04-16",
    ),
    "Qwen3-32B -> Qwen3-32B-think | fast_verbal_numerical_confidence": ("Qwen3-32B", "Qwen3-32B-think"),
}
Machine = Callable[..., Any]


@pytest.fixture
def machine(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The JSON document that a command prints, with its exit status checked."""
    monkeypatch.setenv("TIERTUNE_DB", str(tmp_path / "logs.duckdb"))

    def run(*words: str, status: int = 0) -> Any:
        assert main([*words, "--json"]) == status
        return json.loads(capsys.readouterr().out)

    return run


def reference(folder: Path) -> Any:
    """The published figures beside a data set."""
    return json.loads((folder / "reference.json").read_text(encoding="utf-8"))


def test_automix_means_and_costs_are_the_published_ones(machine: Machine, datasets: Path) -> None:
    folder = datasets / "automix_llama_gpt5"
    words = (
        "curve",
        str(folder / "pairs.parquet"),
        *AUTOMIX,
        "--by",
        "category",
        "--thresholds",
        "0.25,0.5,0.75",
    )
    found = {
        (curve["task_category"], point["threshold"]): (point, curve["n"])
        for curve in machine(*words)["curves"]
        for point in curve["points"]
    }
    published = reference(folder)["published_check"]["rows"]
    assert len(published) == len(found) == 12
    for row in published:
        point, n = found[row["dataset"], row["threshold"]]
        assert round(point["escalation_rate"] * n, 6) == row["published_routed"]
        assert point["accuracy"] == pytest.approx(row["published_mean_perf"], **NEAR)
        assert point["cost_per_request_usd"] == row["published_mean_cost"]


def test_automix_actions_are_the_published_12000(datasets: Path, tmp_path: Path) -> None:
    path = datasets / "automix_llama_gpt5" / "pairs.parquet"
    answers = Answers(map={"task_category": ("dataset",), "request_id": ("dataset", "row_idx")})
    with Store.open(tmp_path / "automix.duckdb") as store:
        (report,) = intake.load(store, "automix", [path], answers)
        assert (report.read, report.loaded) == (4000, 4000)
        with store.cursor() as cursor:
            stored = cursor.execute(
                "SELECT request_id, task_category, confidence FROM query_table($table)",
                {"table": tables.of(cursor, "automix", "decisions")},
            ).fetchall()
    raw = pl.read_parquet(path)
    published = {
        f"{row['dataset']}/{row['row_idx']}": [row[f"action_t{t:03d}"] for t in (25, 50, 75)]
        for row in raw.iter_rows(named=True)
    }
    agreed = 0
    for place, threshold in enumerate((0.25, 0.5, 0.75)):
        rule = CategoryPolicy("cascade", threshold=threshold)
        categories = dict.fromkeys(raw["dataset"].unique(), rule)
        policy = ThresholdPolicy("cascade", Default("strong_only"), categories)
        for request, category, confidence in stored:
            action = {"fast": "keep", "strong": "route"}[policy.route(category, confidence)]
            agreed += action == published[request][place]
    assert agreed == 12_000


@pytest.mark.parametrize("pair", PAIRS)
def test_mmlu_pro_has_the_reference_figures(machine: Machine, datasets: Path, pair: str) -> None:
    folder = datasets / "mmlu_pro_calibration"
    expected = reference(folder)["pairs"][pair]
    fast, strong = PAIRS[pair]
    thresholds = ",".join(repr(row["threshold"]) for row in expected["sweep"])
    found = machine(
        *("curve", str(folder / "pairs.parquet"), "--fast", fast, "--strong", strong),
        *(
            "--map",
            "confidence=fast_verbal_numerical_confidence",
            "--missing",
            "exclude",
            "--thresholds",
            thresholds,
        ),
    )
    assert found["n"] == expected["n_scored"]
    for name, wanted in (("auroc", "auroc"), ("ece", "ece_10_left"), ("apgr", "apgr")):
        assert found[name] == pytest.approx(expected[wanted], **NEAR), name
    assert found["fast_only"]["accuracy"]["value"] == pytest.approx(expected["fast_accuracy"], **NEAR)
    assert found["strong_only"]["accuracy"]["value"] == pytest.approx(expected["reasoning_accuracy"], **NEAR)
    for point, row in zip(found["points"], expected["sweep"], strict=True):
        assert point["threshold"] == row["threshold"]
        assert point["escalation_rate"] == pytest.approx(row["escalation_rate"], **NEAR)
        assert point["accuracy"] == pytest.approx(row["accuracy"], **NEAR)


def test_all_ten_mmlu_pro_pairs_load_into_one_dataset_and_tune(machine: Machine, datasets: Path) -> None:
    path = str(datasets / "mmlu_pro_calibration" / "pairs.parquet")
    (loaded,) = machine("load", path, "--dataset", "mmlu")["files"]
    assert [loaded[key] for key in ("read", "loaded", "rejected", "duplicates")] == [120_320, 120_320, 0, 0]
    refused = machine("tune", "mmlu", status=2)
    assert refused["error"]["message"].count(" > ") == 10
    tuned = machine("tune", "mmlu", "--fast", "Qwen3-32B", "--strong", "Qwen3-32B-think", "--margin", "0.02")
    assert len(tuned["categories"]) == 14
    assert tuned["evidence"]["requests"] == 12_032
    assert {entry["verdict"] for entry in tuned["categories"].values()} == {"certified"}


def test_routellm_has_accuracies_and_says_that_it_lacks_a_confidence(
    machine: Machine, datasets: Path
) -> None:
    folder = datasets / "routellm"
    path = str(folder / "mmlu_gsm8k.parquet")
    benchmarks = reference(folder)["benchmarks"]
    n, fast, strong = (
        [benchmarks[name][key] for name in ("mmlu/all", "gsm8k/all")]
        for key in ("n", "fast_accuracy", "reasoning_accuracy")
    )
    rows = machine("tiers", path, "--by", "model")["rows"]
    found = {row["model"]: row["accuracy"]["value"] for row in rows}
    for model, shares in (("mistralai/Mixtral-8x7B-Instruct-v0.1", fast), ("gpt-4-1106-preview", strong)):
        pooled = sum(count * share for count, share in zip(n, shares, strict=True)) / sum(n)
        assert found[model] == pytest.approx(pooled, **NEAR)
    anatomy = benchmarks["mmlu/all"]["per_category"]["anatomy"]
    curve = machine("curve", path, "--category", "anatomy")
    assert curve["n"] == curve["missing_confidence"] == anatomy["n"]
    assert curve["fast_only"]["accuracy"]["value"] == pytest.approx(anatomy["fast_accuracy"], **NEAR)
    assert curve["strong_only"]["accuracy"]["value"] == pytest.approx(anatomy["reasoning_accuracy"], **NEAR)
    refused = machine("tune", path, status=1)
    assert "confidence" in refused["error"]["message"]


def test_routerarena_calls_have_the_reference_means_and_costs(machine: Machine, datasets: Path) -> None:
    folder = datasets / "routerarena"
    path = folder / "long.parquet"
    models = reference(folder)["models"]
    rows = machine("tiers", str(path), "--by", "model")["rows"]
    assert {row["model"] for row in rows} == set(models)
    raw = pl.read_parquet(path)
    for row in rows:
        expected = models[row["model"]]
        assert row["calls"] == expected["n"] == 809
        assert row["cost_usd"]["value"] == pytest.approx(expected["total_cost_usd"], rel=1e-9)
        assert row["cost_per_call_usd"]["value"] == pytest.approx(expected["mean_cost_usd"], abs=1e-12)
        # One METEOR score is below 0 and so no grade: it counts in the reference and not here.
        below = raw.filter((pl.col("model") == row["model"]) & (pl.col("score") < 0))["score"]
        graded = 809 - below.len()
        mean = (809 * expected["mean_score"] - math.fsum(below)) / graded
        assert row["accuracy"]["n"] == graded
        assert row["accuracy"]["value"] == pytest.approx(mean, **NEAR)


def test_routerarena_has_78_small_categories(machine: Machine, datasets: Path) -> None:
    folder = datasets / "routerarena"
    rows = machine("tiers", str(folder / "long.parquet"))["rows"]
    models = reference(folder)["models"].values()
    names = {name for model in models for name in model["per_dataset"]}
    assert {row["task_category"] for row in rows} == names
    assert len(names) == 78
    for row in rows:
        assert row["calls"] == sum(model["per_dataset"][row["task_category"]]["n"] for model in models)
