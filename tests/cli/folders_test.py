"""tiertune open: a folder as a log, its sentences, its statuses, and what follows in other commands."""

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from shell import Shell

from analytics.collapse.parts import NOT_KEPT, PARTS
from tests.collapse.wide_logs import wide_log, written


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIERTUNE_DB", str(tmp_path / "logs.duckdb"))
    return Shell(tmp_path, capsys)


def folder(shell: Shell, *, files: int = 2, rows: int = 500) -> pl.DataFrame:
    frames = [
        wide_log(rows, seed=place, first=rows * place).with_columns(
            pl.col("strong_correct", "fast_correct").fill_null(1.0), sampling_probability=None
        )
        for place in range(files)
    ]
    for place, frame in enumerate(frames):
        written(frame, shell.folder / "prod" / f"{place}.parquet")
    return pl.concat(frames)


def test_folder_is_opened_and_looked_into_again(shell: Shell) -> None:
    folder(shell)
    assert shell.text("open", "prod") == "prod: 2 files, 2 read, 1,000 rows.\n"
    assert shell.text("open", "prod") == "prod: 2 files, none is new.\n"
    written(
        wide_log(50, first=5000).with_columns(
            fast_cost_usd=pl.Series([-1.0, *[0.1] * 49]), sampling_probability=None
        ),
        Path("prod/n.parquet"),
    )
    found = shell.json("open", "prod")
    assert found == {
        "dataset": "prod", "files": 3, "new": 1, "copies": 0, "gone": 0, "read": 50, "rejected": 1,
        "reasons": {"fast_cost_usd: cost below 0, above 10,000 USD, or no number": 1},
    }  # fmt: skip
    assert shell.json("datasets")["datasets"][0]["requests"] == 1049
    written(wide_log(10, first=9000), Path("prod/sampled.parquet"))
    assert shell.json("open", "prod")["read"] == 1060  # a column that was empty has a type now


def test_commands_answer_as_on_loaded_rows(shell: Shell) -> None:
    frame = folder(shell)
    written(frame, Path("all.parquet"))
    shell.text("open", "prod", "--dataset", "there")
    shell.text("load", "all.parquet", "--dataset", "here")
    pair = ("--fast", "small", "--strong", "large@high")
    for command in (("tune", *pair), ("curve", *pair), ("tiers",)):
        name, *flags = command
        ours, theirs = (shell.json(name, log, *flags) for log in ("here", "there"))
        assert same(ours, theirs), name


def same(ours: object, theirs: object) -> bool:
    """Equal but for the last digits of sums, what names the log, and percentiles, which bins round."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        left_out = {"created", "log_sha256", "versions", "latency_p50_s", "latency_p95_s"}
        keys = set(ours) - left_out
        return keys == set(theirs) - left_out and all(same(ours[one], theirs[one]) for one in keys)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(same(a, b) for a, b in zip(ours, theirs, strict=True))
    if isinstance(ours, float) and isinstance(theirs, float):
        return abs(ours - theirs) <= 1e-9 * max(1.0, abs(ours))
    return ours == theirs


def test_cells_of_a_folder_are_those_of_its_rows(shell: Shell) -> None:
    frame = folder(shell)
    written(frame, Path("all.parquet"))
    shell.text("open", "prod")
    shell.text("cells", "prod", "--out", "a.parquet")
    shell.text("cells", "all.parquet", "--out", "b.parquet")
    ours, theirs = (pl.read_parquet(f"{name}.parquet") for name in "ab")
    assert ours["part"].value_counts(sort=True).equals(theirs["part"].value_counts(sort=True))
    assert ours.filter(part="log").equals(theirs.filter(part="log"))
    for name in NOT_KEPT:
        keys, values = PARTS[name].keys, PARTS[name].values
        made, expected = (frame.filter(part=name).select(*keys, *values) for frame in (ours, theirs))
        assert expected.height > 1
        assert_frame_equal(made.sort(keys), expected.sort(keys), rel_tol=1e-12)


def test_what_cannot_be_a_folder_is_refused(shell: Shell) -> None:
    assert "There is no folder" in shell.refused("open", "nowhere")
    Path("empty").mkdir()
    assert "no Parquet file" in shell.refused("open", "empty")
    written(wide_log(5), Path("one/a.parquet"))
    shell.text("load", "one/a.parquet", "--dataset", "one")
    assert "rows of its own" in shell.refused("open", "one")
    Path("bad").mkdir()
    Path("bad/a.parquet").write_bytes(b"no parquet")
    assert "cannot be read as Parquet" in shell.refused("open", "bad")


def test_sums_alone_end_with_status_1_where_rows_are_asked_for(shell: Shell) -> None:
    folder(shell)
    shell.text("cells", "prod/0.parquet", "--out", "c.parquet")
    shell.text("load", "c.parquet")
    assert "only sums of this log" in shell.json("reprice", "c", status=1)["error"]["message"]
    assert shell.json("tiers", "c")["rows"]
