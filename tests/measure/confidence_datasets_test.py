"""The confidence figures of a public log against its published ones."""

import json
from pathlib import Path

import pytest

from analytics.logs import intake
from analytics.logs.meaning.mapping import Answers
from analytics.logs.store import Store
from analytics.measure.reliability import equal_width, reliability_table
from analytics.measure.trust import trust
from analytics.tuning.benefit import benefits
from analytics.tuning.log import Log, read_log, select

PAIRS = {
    "gpt-4o-mini-2024-07-18 -> o4-mini-2025-04-16 | fast_verbal_numerical_confidence": (
        "gpt-4o-mini-2024-07-18",
        "o4-mini-2025-04-16",
    ),
    "Qwen3-32B -> Qwen3-32B-think | fast_verbal_numerical_confidence": ("Qwen3-32B", "Qwen3-32B-think"),
}
# The references are rounded to ten decimals.
NEAR = {"rel": 0, "abs": 1e-9}


@pytest.fixture
def log(datasets: Path, tmp_path: Path) -> Log:
    answers = Answers(map={"confidence": ("fast_verbal_numerical_confidence",)})
    with Store.open(tmp_path / "mmlu.duckdb") as store:
        intake.load(store, "mmlu", [datasets / "mmlu_pro_calibration" / "pairs.parquet"], answers)
        return read_log(store, "mmlu")


def test_mmlu_pro_has_the_reference_calibration(log: Log, datasets: Path) -> None:
    text = (datasets / "mmlu_pro_calibration" / "reference.json").read_text(encoding="utf-8")
    for name, pair in PAIRS.items():
        expected = json.loads(text)["pairs"][name]
        selection = select(log, pair=pair)
        found = trust(selection.rows)
        whole = found[None]
        assert whole.answers.rows == expected["n_scored"]
        assert whole.answers.confidence.size == expected["n_distinct_confidence"]
        assert whole.signal.auroc.value == pytest.approx(expected["auroc"], **NEAR)
        assert whole.ece == pytest.approx(expected["ece_10_left"], **NEAR)
        assert whole.brier.value == pytest.approx(expected["brier"], **NEAR)
        bins = reliability_table(whole.answers, equal_width(whole.answers))
        published = [row for row in expected["reliability_bins_left"] if row["n"]]
        assert bins["bin"].to_list() == [row["bin"] for row in published]
        assert bins["n"].to_list() == [row["n"] for row in published]
        assert bins["confidence"].to_list() == pytest.approx([row["mean_conf"] for row in published], **NEAR)
        assert bins["accuracy"].to_list() == pytest.approx([row["accuracy"] for row in published], **NEAR)
        for category, row in expected["per_category"].items():
            assert found[category].answers.rows == row["n"]
            assert found[category].signal.auroc.value == pytest.approx(row["auroc"], **NEAR)
            assert found[category].ece == pytest.approx(row["ece_10_left"], **NEAR)
        gain = benefits(selection)[None]
        won = (expected["reasoning_only"] - expected["fast_only"]) / expected["n_scored"]
        assert gain.n == expected["n_scored"]
        assert gain.mean.value == pytest.approx(won, **NEAR)
        assert gain.word == "falls"
