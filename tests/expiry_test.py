"""Expired thresholds: what is said and logged, and that no route changes."""

import asyncio
import json
import logging
from dataclasses import replace
from datetime import UTC, datetime
from types import ModuleType, SimpleNamespace

import pytest
import yaml

from analytics import expiry
from analytics.errors import SchemaError
from analytics.export import golden
from analytics.export.fragment import MARK, WITHOUT_SUPPORT
from analytics.export.targets import TARGETS, exported
from analytics.policy import CategoryPolicy, Default, Score, ThresholdPolicy

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
POLICY = ThresholdPolicy(
    "cascade",
    Default("strong_only"),
    {"law": CategoryPolicy("cascade", 0.8)},
    expires=datetime(2026, 1, 31, tzinfo=UTC),
)


def test_a_date_is_its_start_and_days_count_from_today() -> None:
    assert expiry.moment("2027-02-22", now=NOON) == datetime(2027, 2, 22, tzinfo=UTC)
    assert expiry.moment("3d", now=NOON) == datetime(2026, 12, 1, tzinfo=UTC)
    assert expiry.moment("2027-02-22T10:00:00+02:00", now=NOON) == datetime(2027, 2, 22, 8, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-11-28", "0d", "-3d", "3 days", "4000d", "2099-01-01", "٣d", "nan"])
def test_other_expiries_are_refused(text: str) -> None:
    with pytest.raises(SchemaError, match="such as 2027-02-22, or a number of days"):
        expiry.moment(text, now=NOON)


def test_the_moment_itself_is_past() -> None:
    moment = POLICY.expires
    assert moment is not None
    assert expiry.expired(POLICY, now=moment)
    assert not expiry.expired(POLICY, now=moment.replace(year=2025))
    assert not expiry.expired(replace(POLICY, expires=None), now=NOON)
    assert expiry.warning(replace(POLICY, expires=NOON.replace(year=2027)), now=NOON) is None
    assert "expired on 31 Jan 2026" in (expiry.warning(POLICY, now=NOON) or "")


def module(text: str) -> ModuleType:
    found = ModuleType("exported")
    exec(compile(text, "exported.py", "exec"), found.__dict__)  # noqa: S102 - our own export, under test
    return found


@pytest.mark.parametrize(
    ("target", "name"), [("python", "tiertune_route.py"), ("litellm-plugin", "tiertune_classifier.py")]
)
def test_after_its_date_a_module_routes_as_before_and_warns_once(
    target: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    late = module(exported(POLICY, target).files[name])
    timeless = module(exported(replace(POLICY, expires=None), target).files[name])
    with caplog.at_level(logging.WARNING, "tiertune"):
        for case in golden.cases(POLICY):
            assert late.route(case.category, case.confidence) == case.route
            assert timeless.route(case.category, case.confidence) == case.route
    assert [record.getMessage() for record in caplog.records] == [
        "The escalation thresholds expired on 31 Jan 2026. They route as before: tune again."
    ]
    if target == "litellm-plugin":
        context = SimpleNamespace(metadata={"category": "law", "confidence": 0.8})
        assert asyncio.run(late.classifier.classify(context)) == "SIMPLE"
    caplog.clear()
    future = module(exported(replace(POLICY, expires=datetime(2099, 1, 1, tzinfo=UTC)), target).files[name])
    assert future.route("law", 0.8) == "fast"
    assert caplog.records == []


SOURCES = {
    "litellm-capability": "p_solve", "litellm-heuristic": "heuristic_v2_forecast", "vllm-sr": "hybrid",
    "routellm": "win_rate",
}  # fmt: skip


@pytest.mark.parametrize("target", list(TARGETS))
def test_every_format_carries_the_date_and_the_mark_of_what_no_verdict_supports(target: str) -> None:
    unsupported = CategoryPolicy("strong_only", verdict="insufficient_evidence", reason="few")
    policy = replace(
        POLICY,
        policy_kind="predictive" if target in SOURCES and target != "vllm-sr" else "cascade",
        categories={**POLICY.categories, "rare, odd": unsupported},
        confidence=Score(None, SOURCES.get(target)),
    )
    first = next(iter(exported(policy, target, include_unsupported=True).files.values()))
    plain = next(iter(exported(policy, target).files.values()))
    assert "rare, odd" not in plain
    if target == "csv":  # a column of its own says it
        assert "insufficient_evidence" in first
        return
    if target == "flagd":
        metadata = json.loads(first)["flags"]["tiertune-route"]["metadata"]
        assert json.loads(metadata[MARK]) == ["rare, odd"]
        assert metadata["x-expires"] == "2026-01-31T00:00:00Z"
    elif target in ("portkey", "routellm"):
        assert json.loads(first)[MARK] == ["rare, odd"]
        assert json.loads(first)["x-expires"] == "2026-01-31T00:00:00Z"
    elif target == "json":
        assert json.loads(first)["categories"]["rare, odd"][MARK] is True
        assert json.loads(first)["expires"] == "2026-01-31T00:00:00Z"
    else:
        comments = [line for line in first.splitlines() if line.startswith("#")]
        assert any(line.startswith(f"# rare, odd: {WITHOUT_SUPPORT}") for line in comments)
        assert any("Tune again by 31 Jan 2026" in line for line in comments)
        if target != "python":
            yaml.safe_load(first)
