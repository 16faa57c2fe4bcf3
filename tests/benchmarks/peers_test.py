from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.benchmarks import peers, sweep, workload

COLUMNS = ["task_category", "confidence", *sweep.GRADES_AND_COSTS]
ROWS = [
    ("a", 0.2, 0.0, 1.0, 1.0, 10.0),
    ("a", 0.8, 1.0, 1.0, 1.0, 10.0),
    ("a", 0.8, 0.0, 1.0, 1.0, 10.0),
    ("a", None, 1.0, 0.0, 1.0, 10.0),
    ("b", 0.5, 1.0, 0.0, 1.0, 10.0),
    ("b", 0.9, 0.0, 1.0, 1.0, 10.0),
]
# Right answers and dollars of a: from 0.2 the row without a confidence escalates (0 + 0 + 1 + 0 of 4; 4 fast
# calls and 1 strong), from 0.8 the first one too, and then all do. b: none, its first one, both.
EXPECTED = {
    "a": [[1 / 4, 2 / 4, 3 / 4], [14 / 4, 24 / 4, 44 / 4]],
    "b": [[1 / 2, 0 / 2, 1 / 2], [2 / 2, 12 / 2, 22 / 2]],
}


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame(ROWS, columns=COLUMNS)


@pytest.mark.parametrize("tool", ["polars", "scikit-learn", "pandas"])
def test_a_peer_sweeps_as_by_hand(tool: str, frame: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    frame.to_parquet(path)
    found = {
        "polars": lambda: peers.by_polars(path),
        "scikit-learn": lambda: peers.by_scikit_learn(frame),
        "pandas": lambda: sweep.grouped(frame),
    }[tool]()
    assert found.keys() == EXPECTED.keys()
    for category, points in found.items():
        figures = 1 if tool == "scikit-learn" else 2  # it has no cost
        np.testing.assert_allclose(points, EXPECTED[category][:figures])


def test_a_peer_that_computes_something_else_is_not_timed() -> None:
    one = {"a": np.linspace(0.1, 0.9, len(sweep.THRESHOLDS))[None]}
    other = {"a": one["a"] * (1 + 1e-6)}
    with pytest.raises(AssertionError, match="b differs in a by 1"):
        sweep.assert_equal({"a": one, "b": other})
    with pytest.raises(AssertionError, match="other thresholds"):
        sweep.assert_equal({"a": one, "b": {"a": one["a"][:, :50]}})
    with pytest.raises(AssertionError, match="other thresholds"):  # a cost that is missing is no agreement
        sweep.assert_equal({"a": {"a": np.vstack([one["a"], one["a"]])}, "b": one})


def test_a_win_rate_of_the_strong_model_is_compared_at_the_same_policy() -> None:
    # Rates of 0.75 and more are confidences up to 0.25, which the threshold 0.26 escalates.
    accuracy = np.arange(1, len(sweep.THRESHOLDS) + 1) / 1000
    points = [(0.75, accuracy[26])] * peers.QUANTILES + [(1.0, 0.5)]
    assert peers.assert_as_routellm({"a": accuracy[None]}, {"a": points}) == 0
    points[3] = (0.75, accuracy[27])
    with pytest.raises(AssertionError, match="differs in a"):
        peers.assert_as_routellm({"a": accuracy[None]}, {"a": points})
    with pytest.raises(AssertionError, match="3 thresholds"):
        peers.assert_as_routellm({"a": accuracy[None]}, {"a": points[:3]})


def test_a_report_without_routellm_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "HOME", tmp_path / "nothing")
    path = tmp_path / "decisions.parquet"
    workload.write_decisions(path, rows=100_000)
    monkeypatch.setattr(sweep, "notebook", sweep.grouped)  # the loop takes its time
    found = sweep.section(path, rows=100_000, repeats=1, slow_repeats=1)
    assert not any("RouteLLM" in timing.name for timing in found.timings)
    assert any("RouteLLM is not installed and left out" in remark for remark in found.remarks)
