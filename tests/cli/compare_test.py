"""tiertune compare and tiertune plan: what they print, write and refuse."""

from pathlib import Path

import pytest
from shell import Shell

import data
from analytics.experiments import spec

HEADER = "request_id,ts,task_category,fast_model,strong_model,confidence,escalated,fast_correct,fast_cost_usd"


def two_arms(*, arms: tuple[str, ...] = ("control", "treatment"), experiment: str = "cheaper") -> str:
    """2,000 requests by turns: 8 of 10 right in every arm, and those after the first arm cost half."""
    lines = [f"{HEADER},experiment,arm"]
    for place in range(2000):
        arm = place % len(arms)
        right = int(place // len(arms) % 10 < 8)
        cost = 0.002 if arm == 0 else 0.001
        day = f"2026-10-{1 + place // 100:02d}T12:00:00Z"
        line = f"r{place},{day},law,small,big,0.5,false,{right},{cost + place % 7 * 1e-5},{experiment}"
        lines.append(f"{line},{arms[arm]}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def log(shell: Shell) -> Shell:
    shell.write("log.csv", two_arms())
    return shell


def test_the_comparison_says_what_to_do(log: Shell) -> None:
    # The standard error of the difference is sqrt(2 x .8 x .2 / 1000) = .018: 2 points cannot be told, 5 can.
    assert log.json("compare", "log.csv")["answer"]["choice"] == "run_on"
    found = log.json("compare", "log.csv", "--margin", "0.05")
    assert found["answer"]["choice"] == "adopt"
    # 800 of 1,000 right in both arms.
    accuracy = found["effects"]["accuracy"]
    assert (accuracy["control"]["value"], accuracy["treatment"]["value"]) == (0.8, 0.8)
    assert accuracy["effect"]["value"] == 0
    assert found["arms"] == [
        {"arm": "control", "assigned": 1000, "requests": 1000, "planned": 0.5},
        {"arm": "treatment", "assigned": 1000, "requests": 1000, "planned": 0.5},
    ]
    printed = log.text("compare", "log.csv", "--margin", "0.05", "--by", "category")
    assert "Adopt treatment: it costs" in printed
    assert "law" in printed


def test_cells_compare_as_their_log(log: Shell) -> None:
    log.text("cells", "log.csv", "--out", "cells.parquet")
    ours, theirs = (log.json("compare", name, "--margin", "0.05") for name in ("log.csv", "cells.parquet"))
    for name in ("accuracy", "cost_usd", "cost_per_correct_usd"):
        assert theirs["effects"][name] == ours["effects"][name], name
    assert theirs["arms"] == ours["arms"]
    assert theirs["answer"]["choice"] == "adopt"
    printed = log.text("compare", "cells.parquet", "--margin", "0.05")
    assert "Only sums of this log are here" in printed
    error = log.json("compare", "cells.parquet", "--read", "any-time", status=1)["error"]
    assert "need the requests in their order" in error["message"]


def test_a_running_experiment_is_not_to_be_read_every_day(log: Shell) -> None:
    # 20 days: Armitage, McPherson & Rowe (1969) have 24.8% for 20 looks at 5%.
    log.text("compare", "log.csv")
    assert "wrong in 25% of tests without a difference: add --read any-time" in log.err
    log.text("compare", "log.csv", "--read", "any-time")
    assert "may still be running" not in log.err
    log.text("compare", str(data.sample_log()))
    assert "may still be running" not in log.err


def test_a_metric_is_shown_alone(log: Shell) -> None:
    printed = log.text("compare", "log.csv", "--metric", "cost_usd")
    assert "Cost per request" in printed
    assert "Accuracy" not in printed.split("metric", 1)[1]


def test_the_sample_is_decided_by_what_an_answer_is_worth(shell: Shell) -> None:
    sample = str(data.sample_log())
    assert shell.json("compare", sample)["answer"]["because"] == "price"
    assert shell.json("compare", sample, "--value", "5")["answer"]["because"] == "worth"
    assert shell.json("compare", sample, "--read", "any-time")["any_time"]["accuracy"]["low"] is not None


@pytest.mark.parametrize("name", ["report.md", "report.html"])
def test_the_report_is_one_small_file(log: Shell, name: str) -> None:
    log.text("compare", "log.csv", "--margin", "0.05", "--report", name)
    text = (log.folder / name).read_text(encoding="utf-8")
    assert "Adopt treatment" in text
    assert len(text.encode()) < 1_000_000


def test_names_in_a_report_are_text(log: Shell) -> None:
    log.write("bad.csv", two_arms(arms=("control", "<img src=x onerror=alert(1)>|[a](http://x.test)")))
    log.text("compare", "bad.csv", "--report", "bad.html")
    log.text("compare", "bad.csv", "--report", "bad.md")
    assert "<img" not in (log.folder / "bad.html").read_text(encoding="utf-8")
    written = (log.folder / "bad.md").read_text(encoding="utf-8")
    assert "[a](http" not in written.replace("\\[", "").replace("\\]", "")
    assert "<img" not in written.replace("\\<", "")


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("--experiment", "other"), 1, "There is no experiment other. Experiments: cheaper."),
        (("--treatment", "x"), 2, "There is no arm x. Arms: control, treatment."),
        (("--treatment", "control"), 2, "compared with another one"),
        (("--split", "control=1,x=1"), 2, "--split names control, x, but the arms are control, treatment"),
        (("--split", "control"), 2, "is not of the form"),
        (("--report", "report.pdf"), 2, "ends in .md or .html"),
        (("--margin", "3"), 2, "no share from 0 to 1"),
    ],
)
def test_a_wrong_word_is_explained(log: Shell, words: tuple[str, ...], status: int, message: str) -> None:
    log.text("compare", "log.csv", *words, status=status)
    assert message in log.err


def test_an_unplanned_ratio_forbids_the_reading(log: Shell) -> None:
    found = log.json("compare", "log.csv", "--split", "control=60,treatment=40")
    assert found["valid"] is False
    assert found["answer"] is None
    assert found["effects"] is None


def test_several_experiments_must_be_named(log: Shell) -> None:
    second = two_arms(experiment="second").replace("\nr", "\nx")
    log.write("two.csv", two_arms() + second.partition("\n")[2])
    assert "Name one with --experiment" in log.refused("compare", "two.csv")
    assert log.json("compare", "two.csv", "--experiment", "second")["experiment"] == "second"


def test_a_plan_follows_the_formula_for_two_proportions(log: Shell) -> None:
    found = log.json("plan", "log.csv", "--margin", "0.02")
    # R: 2 * .8 * .2 * ((qnorm(.975) + qnorm(.8)) / .02)^2 * 2000 / 1999 per arm = 6282.2 (variance by n - 1).
    assert found["plan"]["requests"] == pytest.approx(2 * 6282.2, rel=1e-4)
    # 2,000 requests in 19 days.
    assert found["plan"]["days"] == pytest.approx(found["plan"]["requests"] / (2000 / 19), rel=1e-3)
    assert 0.78 <= found["power_simulated"] <= 0.84


def test_a_larger_share_costs_more_and_takes_less_time(log: Shell) -> None:
    found = log.json("plan", "log.csv", "--extra-cost", "0.001")
    days = [way["days"] for way in found["splits"]]
    assert days == sorted(days)
    extra = [way["extra_usd"] for way in found["splits"]]
    assert extra == sorted(extra, reverse=True)


def test_the_experiment_file_has_both_policies(shell: Shell) -> None:
    sample = str(data.sample_log())
    shell.text("tune", sample, "--out", "new.yaml")
    shell.text("plan", sample, "--thresholds", "new.yaml", "--out", "test.yaml", "--name", "next")
    test = spec.loads((shell.folder / "test.yaml").read_text(encoding="utf-8"))
    assert [arm.name for arm in test.arms] == ["control", "treatment"]
    assert test.name == "next"
    control, treatment = (arm.policy for arm in test.arms)
    assert control.categories["law" if "law" in control.categories else "support"].route == "cascade"
    assert control.categories != treatment.categories
    assert test.requests is not None


def test_a_plan_without_times_is_refused(shell: Shell) -> None:
    text = "\n".join(
        ",".join(part for place, part in enumerate(line.split(",")) if place != 1)
        for line in two_arms().splitlines()
    )
    shell.write("untimed.csv", text + "\n")
    shell.text("plan", "untimed.csv", status=1)
    assert "log ts" in shell.err


def test_an_experiment_file_needs_thresholds(log: Shell) -> None:
    assert "needs --thresholds" in log.refused("plan", "log.csv", "--out", "test.yaml")
    assert not Path(log.folder / "test.yaml").exists()
