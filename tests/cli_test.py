"""The command line as a shell sees it: figures, exit status, machine output, refusals."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from app import free_port

from analytics import policy
from analytics.cli import main
from analytics.commands import serve
from analytics.commands.outcome import fitted, money
from analytics.logs.store import Store

# Four requests, both answers known. confidence: 0.2 0.4 0.4 0.9; fast right: 0 0 1 1; strong right: 1 1 0 1.
HEADER = (
    "request_id,task_category,fast_model,strong_model,confidence,fast_correct,strong_correct,"
    "fast_cost_usd,strong_cost_usd,fast_latency_s,strong_latency_s\n"
)
FOUR = HEADER + (
    "a,law,small,big,0.2,0,1,0.001,0.010,1,5\n"
    "b,law,small,big,0.4,0,1,0.001,0.010,1,5\n"
    "c,law,small,big,0.4,1,0,0.001,0.010,1,5\n"
    "d,law,small,big,0.9,1,1,0.001,0.010,1,5\n"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one command did."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The only thing on standard output, strictly JSON."""

        def refuse(text: str) -> None:
            raise AssertionError(f"{text} is no JSON")

        return json.loads(self.out, parse_constant=refuse)


Shell = Callable[..., Answer]


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Runs a command in a private folder with a database of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIERTUNE_DB", str(tmp_path / "logs.duckdb"))

    def run(*words: str) -> Answer:
        status = main(words)
        printed = capsys.readouterr()
        return Answer(status, printed.out, printed.err)

    return run


@pytest.fixture
def four(tmp_path: Path) -> str:
    (tmp_path / "four.csv").write_text(FOUR, encoding="utf-8")
    return "four.csv"


@pytest.fixture
def replay(tmp_path: Path) -> str:
    """240 paired requests of two categories: right where confident, strong right nine times in ten."""
    rows = [
        {
            "request_id": f"r{place}",
            "task_category": ("law", "math")[place % 2],
            "fast_model": "small",
            "strong_model": "big",
            "confidence": (place // 2 % 20) / 20,
            "fast_correct": int(place // 2 % 20 >= 8),
            "strong_correct": int(place % 10 != 3),
            "fast_cost_usd": 0.001,
            "strong_cost_usd": 0.02,
        }
        for place in range(240)
    ]
    pl.DataFrame(rows).write_csv(tmp_path / "replay.csv")
    return "replay.csv"


def test_a_curve_has_the_figures_worked_by_hand(shell: Shell, four: str) -> None:
    points = shell("curve", four, "--category", "law", "--json").document["points"]
    # Keep at 0.2: nobody escalates, 2 of 4 right, 0.001 each. At 0.4: a goes, 3 of 4 right, + 0.010 / 4.
    # At 0.9: a, b and c go: strong 1 1 0 and d fast 1, 3 of 4. Escalate all: 1 1 0 1, 0.001 + 0.010 each.
    assert [point["threshold"] for point in points] == [0.2, 0.4, 0.9, None]
    assert [point["escalation_rate"] for point in points] == [0, 0.25, 0.75, 1]
    assert [point["accuracy"] for point in points] == [0.5, 0.75, 0.75, 0.75]
    costs = [point["cost_per_request_usd"] for point in points]
    assert costs == pytest.approx([0.001, 0.0035, 0.0085, 0.011], rel=1e-12)
    # Cost per correct: 4 x 0.0035 / 3.
    assert points[1]["cost_per_correct_usd"] == pytest.approx(0.014 / 3, rel=1e-12)


def test_always_strong_pays_one_call_and_the_oracle_escalates_where_it_helps(shell: Shell, four: str) -> None:
    found = shell("curve", four, "--json").document
    assert found["task_category"] is None
    assert found["strong_only"]["cost_per_request_usd"]["value"] == pytest.approx(0.010)
    assert found["strong_only"]["accuracy"]["value"] == 0.75
    # The oracle escalates a and b: all four are right for (4 x 0.001 + 2 x 0.010) / 4.
    assert found["oracle"]["accuracy"]["value"] == 1
    assert found["oracle"]["cost_per_request_usd"]["value"] == pytest.approx(0.006)
    assert found["oracle"]["escalation_rate"]["value"] is None
    assert found["oracle"]["escalation_rate"]["reason"]


def test_random_escalation_costs_what_each_threshold_costs(shell: Shell, four: str) -> None:
    found = shell("curve", four, "--json", "--thresholds", "0.4").document
    # 0.0035 = 0.001 + s x 0.010: a quarter is escalated, which gets 0.5 + 0.25 x (0.75 - 0.5) right.
    assert found["random"][0]["escalation_rate"] == pytest.approx(0.25)
    assert found["random"][0]["accuracy"] == pytest.approx(0.5625)


def test_any_finite_threshold_has_a_point(shell: Shell, four: str) -> None:
    escalated = {-3: 0, 0: 0, 0.2: 0, 0.25: 1, 0.4: 1, 0.41: 3, 0.9: 3, 0.91: 4, 7: 4}
    asked = ",".join(str(threshold) for threshold in escalated)
    points = shell("curve", four, "--json", f"--thresholds={asked}").document["points"]
    assert {point["threshold"]: point["escalation_rate"] * 4 for point in points} == escalated


def test_by_category_gives_one_curve_each(shell: Shell, replay: str) -> None:
    curves = shell("curve", replay, "--by", "category", "--json").document["curves"]
    assert [(curve["task_category"], curve["n"]) for curve in curves] == [("law", 120), ("math", 120)]


def test_loading_reports_every_record_and_twice_changes_nothing(shell: Shell, four: str) -> None:
    first = shell("load", four, "--dataset", "mine", "--json").document
    assert first["dataset"] == "mine"
    assert [first["files"][0][key] for key in ("read", "loaded", "rejected", "duplicates")] == [4, 4, 0, 0]
    assert first["files"][0]["mapping"]["confidence"] == "confidence"
    again = shell("load", four, "--dataset", "mine", "--json").document["files"][0]
    assert [again[key] for key in ("read", "loaded", "rejected", "duplicates")] == [4, 0, 0, 4]
    listed = shell("datasets", "--json").document["datasets"]
    assert [(row["name"], row["requests"]) for row in listed] == [("mine", 4)]


def test_a_dataset_and_its_file_give_the_same_curve(shell: Shell, four: str) -> None:
    shell("load", four)
    assert shell("curve", "four", "--json").document == shell("curve", four, "--json").document


def test_a_file_named_as_log_is_not_stored(shell: Shell, four: str, tmp_path: Path) -> None:
    assert shell("curve", four).status == 0
    assert not (tmp_path / "logs.duckdb").exists()


def test_a_deleted_dataset_is_gone(shell: Shell, four: str) -> None:
    shell("load", four)
    assert shell("delete", "four", "--json").document == {"deleted": "four"}
    assert shell("datasets", "--json").document == {"datasets": []}
    refused = shell("delete", "four", "--json")
    assert refused.status == 2
    assert refused.document["error"]["kind"] == "schema"


def test_tiers_count_each_observed_side(shell: Shell, four: str) -> None:
    rows = shell("tiers", four, "--by", "model", "--json").document["rows"]
    small = next(row for row in rows if row["model"] == "small")
    assert small["calls"] == 4
    assert small["accuracy"]["value"] == 0.5
    assert small["cost_usd"]["value"] == pytest.approx(0.004)
    assert set(small) == {
        *("model", "calls", "accuracy", "cost_usd", "cost_per_call_usd", "cost_per_correct_usd"),
        *("latency_p50_s", "latency_p95_s"),
    }


def test_what_tune_writes_evaluates_to_the_figures_in_the_file(shell: Shell, replay: str) -> None:
    tuned = shell("tune", replay, "--goal", "value", "--value", "0.1", "--out", "th.yaml", "--json").document
    written = policy.load("th.yaml")
    held_out = shell("evaluate", "th.yaml", replay, "--json").document
    assert held_out["rows"] == "held-out"
    assert held_out["overall"] == {key: tuned["held_out"]["overall"][key] for key in held_out["overall"]}
    for name, entry in written.categories.items():
        for figure in ("accuracy", "cost_per_request_usd", "escalation_rate"):
            stated = getattr(entry, figure)
            assert (stated.value, stated.low, stated.high) == tuple(
                held_out["categories"][name][figure][key] for key in ("value", "low", "high")
            )


def test_evaluate_on_all_rows_equals_the_curve(shell: Shell, replay: str) -> None:
    shell("tune", replay, "--out", "th.yaml")
    on_all = shell("evaluate", "th.yaml", replay, "--rows", "all", "--json").document
    for name, entry in policy.load("th.yaml").categories.items():
        words = ("curve", replay, "--category", name, "--json")
        if entry.route == "cascade":
            (point,) = shell(*words, "--thresholds", repr(entry.threshold)).document["points"]
            expected = [point["accuracy"], point["cost_per_request_usd"], point["escalation_rate"]]
        else:
            control = shell(*words).document[entry.route]
            expected = [
                control[key]["value"] for key in ("accuracy", "cost_per_request_usd", "escalation_rate")
            ]
        got = on_all["categories"][name]
        keys = ("accuracy", "cost_per_request_usd", "escalation_rate")
        assert [got[key]["value"] for key in keys] == expected


def test_evaluate_takes_all_rows_of_a_log_that_the_file_was_not_tuned_on(
    shell: Shell, replay: str, four: str
) -> None:
    shell("tune", replay, "--out", "th.yaml")
    assert shell("evaluate", "th.yaml", four, "--json").document["rows"] == "all"


def test_unknown_controls_are_null_with_a_reason(shell: Shell, replay: str) -> None:
    shell("tune", replay, "--out", "th.json")
    controls = shell("evaluate", "th.json", replay, "--json").document["controls"]
    assert set(controls) == {"fast_only", "strong_only", "random", "oracle", "in_force"}
    assert controls["in_force"]["accuracy"]["value"] is None
    assert "threshold" in controls["in_force"]["accuracy"]["reason"]


def test_a_question_without_an_answer_in_the_data_exits_1(shell: Shell, four: str) -> None:
    few = shell("tune", four, "--json")
    assert few.status == 1
    assert few.document["error"]["kind"] in ("insufficient_data", "not_identified")
    assert few.err


def test_a_goal_that_needs_costs_exits_1_without_them(shell: Shell, replay: str, tmp_path: Path) -> None:
    pl.read_csv(tmp_path / replay).drop("fast_cost_usd", "strong_cost_usd").write_csv(tmp_path / "free.csv")
    found = shell("tune", "free.csv", "--goal", "budget", "--budget", "0.01", "--json")
    assert found.status == 1
    assert "cost" in found.document["error"]["message"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("curve",), "LOG"),
        (("conquer", "four.csv"), "conquer"),
        (("curve", "nowhere.csv"), "nowhere.csv"),
        (("curve", "four.csv", "--thresholds", "0.5,nan"), "finite"),
        (("curve", "four.csv", "--category", "cooking"), "law"),
        (("curve", "four.csv", "--set", "flavour=1"), "flavour"),
        (("curve", "four.csv", "--unit", "confidence=stones"), "percent"),
        (("curve", "four.csv", "--encoding", "klingon"), "klingon"),
        (("curve", "four.csv", "--price", "small=1"), "MODEL=IN,OUT"),
        (("curve", "four.csv", "--ladder", "small"), "FAST>STRONG"),
        (("tune", "four.csv", "--goal", "budget"), "--budget"),
        (("tune", "four.csv", "--budget", "1"), "--goal budget"),
        (("tune", "four.csv", "--margin", "2"), "one point"),
        (("tune", "four.csv", "--out", "th.duckdb"), ".yaml"),
        (("evaluate", "absent.yaml", "four.csv"), "absent.yaml"),
        (("load", "absent.csv"), "absent.csv"),
    ],
)
@pytest.mark.usefixtures("four")
def test_wrong_input_exits_2_and_says_which(shell: Shell, words: tuple[str, ...], said: str) -> None:
    plain = shell(*words)
    assert (plain.status, plain.out) == (2, "")
    assert said in plain.err
    machine = shell(*words, "--json")
    assert machine.status == 2
    assert machine.document["error"]["kind"] in ("input", "schema")
    assert said in machine.document["error"]["message"]


def test_several_pairs_in_one_category_are_named(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "two.csv").write_text(FOUR + "a,law,tiny,big,0.2,0,1,0.001,0.010,1,5\n", encoding="utf-8")
    asked = shell("curve", "two.csv", "--json")
    assert asked.status == 2
    assert "tiny > big" in asked.document["error"]["message"]
    assert shell("curve", "two.csv", "--fast", "small", "--json").document["n"] == 4
    absent = shell("curve", "two.csv", "--fast", "huge", "--json")
    assert (absent.status, absent.document["error"]["kind"]) == (2, "input")


def test_a_missing_confidence_escalates_is_kept_or_left_out(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "gap.csv").write_text(FOUR + "e,law,small,big,,1,1,0.001,0.010,1,5\n", encoding="utf-8")

    def asked(missing: str) -> tuple[int, float]:
        words = ("curve", "gap.csv", "--json", "--thresholds", "0", "--missing", missing)
        found = shell(*words).document
        return found["n"], found["points"][0]["escalation_rate"]

    assert asked("escalate") == (5, 0.2)
    assert asked("keep") == (5, 0)
    assert asked("exclude") == (4, 0)


def test_a_unit_that_nobody_may_guess_is_asked_for(shell: Shell, tmp_path: Path) -> None:
    # Half of the values are fractions and half percent: no unit fits all of them.
    rows = [f"m{n},law,small,big,{n % 2 * 70 + 0.5},1,1,0.001,0.01,1,5\n" for n in range(100)]
    (tmp_path / "mixed.csv").write_text(HEADER + "".join(rows), encoding="utf-8")
    asked = shell("load", "mixed.csv", "--json")
    assert (asked.status, asked.document["error"]["kind"]) == (2, "schema")
    assert "--unit" in asked.document["error"]["message"]
    assert shell("datasets", "--json").document["datasets"] == []
    assert shell("load", "mixed.csv", "--unit", "confidence=percent").status == 0


CALLS = "request_id,task_category,model,confidence,correct,cost_usd\n" + "".join(
    f"s{n},law,{('small', 'big')[n % 2]},0.{n % 9 + 1},{n % 3 % 2},0.00{n % 2 + 1}\n" for n in range(60)
)


def test_a_ladder_that_no_request_shows_must_be_confirmed(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "calls.csv").write_text(CALLS, encoding="utf-8")
    loaded = shell("load", "calls.csv", "--json")
    assert (loaded.status, loaded.document["files"][0]["loaded"]) == (0, 60)
    assert shell("tiers", "calls", "--json").status == 0
    for log in ("calls", "calls.csv"):
        asked = shell("curve", log, "--json")
        assert asked.status == 2
        assert "--ladder 'small>big'" in asked.document["error"]["message"]
    assert shell("curve", "calls", "--ladder", "small>big", "--json").status == 0
    with Store.open(tmp_path / "logs.duckdb") as store:
        assert store.ladder("calls").confirmed


def test_flags_about_files_are_refused_for_a_loaded_dataset(shell: Shell, four: str) -> None:
    shell("load", four)
    refused = shell("curve", "four", "--unit", "confidence=percent", "--json")
    assert refused.status == 2
    assert "--unit" in refused.document["error"]["message"]


def test_while_another_process_has_the_database_open_files_work(
    shell: Shell, four: str, tmp_path: Path
) -> None:
    shell("load", four)
    hold = "import sys; from pathlib import Path; from analytics.logs.store import Store\n"
    hold += "with Store.open(Path(sys.argv[1])):\n    print('open', flush=True); sys.stdin.read()"
    other = subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path / "logs.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert other.stdin is not None
    assert other.stdout is not None
    with other:
        other.stdout.readline()
        busy = shell("curve", "four", "--json")
        assert busy.status == 2
        assert str(other.pid) in busy.document["error"]["message"]
        assert "--db" in busy.document["error"]["message"]
        assert shell("curve", four, "--json").status == 0
        other.stdin.close()
    assert shell("curve", "four", "--json").status == 0


def test_the_module_is_the_command_line(four: str, tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-P", "-m", "analytics", "curve", four, "--json"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert len(json.loads(found.stdout)["points"]) == 4


def test_names_from_a_log_cannot_steer_the_terminal(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "evil.csv").write_text(FOUR.replace("law", "\x1b[2Jlaw"), encoding="utf-8")
    assert "\x1b" not in shell("curve", "evil.csv", "--by", "category").out
    assert "\x1b" not in shell("tiers", "evil.csv").out


def test_text_fits_the_terminal_it_is_written_to() -> None:
    assert fitted("−1 – 2 ≥ ü", "ascii") == "-1 - 2 >= \\xfc"
    assert fitted("−1", "utf-8") == "−1"
    assert fitted("−1", None) == "-1"


def test_money_has_no_exponent() -> None:
    assert [money(usd) for usd in (0.0000123, 0.00456, 1.5, 1234.5, 0, None)] == [
        *("$0.0000123", "$0.00456", "$1.50", "$1,234.50", "$0.00", "-"),
    ]


def test_the_dashboard_gets_every_setting_of_the_project_as_a_flag() -> None:
    given = serve.settings()
    assert "--server.address=127.0.0.1" in given
    assert "--server.allowedHosts=localhost" in given
    assert "--browser.gatherUsageStats=false" in given
    assert "--theme.headingFontWeights=[650, 400, 600, 600, 600, 600]" in given
    assert any(flag.startswith("--theme.dark.sidebar.backgroundColor=#") for flag in given)


def test_the_dashboard_says_which_port_is_taken(shell: Shell) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused = shell("serve", "--port", port, "--json")
    assert (refused.status, refused.document["error"]["kind"]) == (2, "input")
    assert port in refused.document["error"]["message"]


def test_the_dashboard_refuses_a_log_that_is_not_there(shell: Shell) -> None:
    assert shell("serve", "absent.csv", "--port", str(free_port()), "--json").status == 2


def test_evaluate_finds_the_filter_that_the_file_was_tuned_under(
    shell: Shell, replay: str, tmp_path: Path
) -> None:
    gaps = pl.read_csv(tmp_path / replay).with_columns(
        confidence=pl.when(pl.col("confidence") < 0.1).then(None).otherwise("confidence")
    )
    gaps.write_csv(tmp_path / "gaps.csv")
    tuned = shell("tune", "gaps.csv", "--missing", "exclude", "--out", "th.yaml", "--json").document
    found = shell("evaluate", "th.yaml", "gaps.csv", "--json")
    assert found.document["overall"] == tuned["held_out"]["overall"]
    assert "only requests with a confidence count" in found.err
