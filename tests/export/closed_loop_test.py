"""Export, route 2,000 requests through LiteLLM, load both of its logs: every decision is the policy's.

Then the same with a router that runs another threshold: the alarm is raised.
"""

from pathlib import Path

import polars as pl
import pytest

from analytics.export import since_words
from analytics.policy import ThresholdPolicy
from tests.proofs import loop
from tests.proofs.loop import LOGS, OTHER, POLICY

REQUESTS, FEWER = 2000, 600


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> ThresholdPolicy:
    """The thresholds with what they did in an earlier run."""
    folder, sent = tmp_path_factory.mktemp("before"), loop.cases(FEWER, 10)
    loop.routed(POLICY, sent, folder)
    return loop.with_expectations(POLICY, loop.read_back(folder, "callback", POLICY, sent).rows)


def test_both_logs_of_the_exported_router_come_back_whole_and_raise_no_alarm(
    tmp_path: Path, file: ThresholdPolicy
) -> None:
    sent = loop.cases(REQUESTS, 11)
    loop.routed(POLICY, sent, tmp_path)
    for log in LOGS:
        found = loop.read_back(tmp_path, log, POLICY, sent)
        assert (found.read, found.loaded, found.recognised, found.obeyed) == (REQUESTS,) * 4
        result = loop.compared(tmp_path, log, file)
        assert (result.answer, result.obeyed, result.decided) == ("as_expected", 1.0, REQUESTS)
        compared = {(entry.category, entry.metric) for entry in result.compared if entry.p_value is not None}
        assert {("maths", "escalation_rate"), ("chat", "cost_per_request_usd")} < compared


def test_a_router_that_runs_another_threshold_raises_the_alarm_in_both_logs(
    tmp_path: Path, file: ThresholdPolicy
) -> None:
    sent = loop.cases(FEWER, 12)
    loop.routed(OTHER, sent, tmp_path)
    # Of maths, confidences from .6 to .84 are kept now; the callback says by which threshold.
    moved = sum(
        OTHER.route(case["category"], case["confidence"])
        != POLICY.route(case["category"], case["confidence"])
        for case in sent
    )
    for log, reason in (("callback", "other_threshold"), ("spend log", "kept_below")):
        assert loop.read_back(tmp_path, log, OTHER, sent).obeyed == FEWER
        result = loop.compared(tmp_path, log, file)
        assert result.answer == "alarm"
        assert ("maths", "escalation_rate") in {(entry.category, entry.metric) for entry in result.alarms}
        others = result.seen.decisions.filter(pl.col("reason").is_not_null())
        assert others.rows() == [("maths", reason, moved)]
        assert f"{moved} of {FEWER} decisions" in since_words.sentence(result)
