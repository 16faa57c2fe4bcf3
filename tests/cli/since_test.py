"""tiertune since: what it prints, and with which status it ends."""

import pytest
from shell import Shell

HEADER = "request_id,ts,task_category,fast_model,strong_model,confidence,escalated,threshold,fast_correct"
FILE = """schema: tiertune/thresholds/v1
policy_kind: cascade
default: {route: strong_only}
categories:
  "law":
    route: cascade
    threshold: 0.5
    n: 1000
    escalation_rate: {value: 0.3, low: 0.273, high: 0.329}
"""


def log(*, escalated: int, threshold: float = 0.5) -> str:
    """1,000 requests of law in ten days, of which some are escalated."""
    lines = [HEADER]
    for place in range(1000):
        sent = place % 10 < escalated
        confidence = 0.4 if sent else 0.6
        day = f"2026-11-{1 + place // 100:02d}T12:00:00Z"
        lines.append(f"r{place},{day},law,small,big,{confidence},{str(sent).lower()},{threshold},")
    return "\n".join(lines) + "\n"


@pytest.fixture
def files(shell: Shell) -> Shell:
    shell.write("thresholds.yaml", FILE)
    shell.write("same.csv", log(escalated=3))
    shell.write("more.csv", log(escalated=4))
    return shell


def test_a_log_as_expected_says_how_large_a_change_would_have_shown(files: Shell) -> None:
    document = files.json("since", "thresholds.yaml", "same.csv")
    assert (document["answer"], document["alarm"], document["requests"]) == ("as_expected", False, 1000)
    (whole, law) = [row for row in document["rows"] if row["p_value"] is not None]
    assert (whole["task_category"], law["task_category"]) == (None, "law")
    assert law["actual"]["value"] == 0.3
    # Two questions at once: (2.24 + .84) x sqrt(2 x .3 x .7 / 1000) = .063.
    assert law["detectable"] == pytest.approx(0.063, abs=1e-3)
    assert document["decisions"] == {"known": 1000, "share_obeyed": 1.0, "not_the_policys": []}
    assert len(document["periods"]) == 10
    text = files.text("since", "thresholds.yaml", "same.csv")
    assert "would have shown (4 of 5 such changes are found)" in text
    assert "Accuracy is not compared: not graded." in text


def test_ten_points_more_are_an_alarm_and_end_with_0(files: Shell) -> None:
    document = files.json("since", "thresholds.yaml", "more.csv")
    assert (document["answer"], document["alarm"]) == ("alarm", True)
    assert document["sentence"].startswith("Not as expected since the change. Escalated: 40.0%")
    assert "DEPARTS" in files.text("since", "thresholds.yaml", "more.csv")


def test_decisions_by_another_threshold_are_an_alarm_by_themselves(files: Shell) -> None:
    text = log(escalated=3).replace("0.6,false,0.5", "0.6,true,0.7", 20)
    files.write("other.csv", text)
    document = files.json("since", "thresholds.yaml", "other.csv")
    assert document["alarm"]
    assert not any(row["departs"] for row in document["rows"])
    assert document["decisions"]["not_the_policys"] == [
        {"task_category": "law", "reason": "other_threshold", "n": 20}
    ]


def test_a_log_that_cannot_tell_ends_with_1_and_a_bad_date_with_2(files: Shell) -> None:
    document = files.json("since", "thresholds.yaml", "same.csv", "--from", "2026-12-01", status=1)
    assert document["error"]["kind"] == "insufficient_data"
    files.write("few.csv", "\n".join(log(escalated=3).splitlines()[:20]))
    message = files.json("since", "thresholds.yaml", "few.csv", status=1)["error"]["message"]
    assert "19 requests, and 30 are needed" in message
    assert "All 19 decisions are the policy's." in message
    assert "no date of the form" in files.refused(
        "since", "thresholds.yaml", "same.csv", "--from", "1.12.2026"
    )
    assert files.json("since", "thresholds.yaml", "same.csv", "--from", "2026-11-06")["requests"] == 500
