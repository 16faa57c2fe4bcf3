"""The rule of the policy: keep iff confidence >= threshold, and what happens around it."""

import math
import pickle
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics import policy as policies
from analytics.errors import SchemaError
from analytics.policy import CategoryPolicy, Default, ThresholdPolicy

MISSING = [
    None,
    math.nan,
    -0.01,
    1.01,
    math.inf,
    -math.inf,
    "0.9",
    True,
    False,
    [0.9],
    10**400,
    Decimal("sNaN"),
]


def law(rule: CategoryPolicy, default: Default | None = None) -> ThresholdPolicy:
    return ThresholdPolicy("cascade", default or Default("strong_only"), {"law": rule})


def test_equal_confidence_keeps_the_fast_answer():
    policy = law(CategoryPolicy("cascade", threshold=0.8))
    assert policy.route("law", 0.8) == "fast"
    assert policy.route("law", math.nextafter(0.8, 0)) == "strong"


@pytest.mark.parametrize(("threshold", "confidence"), [(0.0, 0.0), (0.0, -0.0), (1.0, 1.0), (0.0, 1.0)])
def test_the_ends_of_the_scale_are_confidences(threshold, confidence):
    assert law(CategoryPolicy("cascade", threshold=threshold)).route("law", confidence) == "fast"


@pytest.mark.parametrize("confidence", MISSING)
def test_a_missing_confidence_escalates_even_at_threshold_zero(confidence):
    assert law(CategoryPolicy("cascade", threshold=0.0)).route("law", confidence) == "strong"


@pytest.mark.parametrize("confidence", MISSING)
def test_a_missing_confidence_keeps_where_the_policy_says_so(confidence):
    policy = law(CategoryPolicy("cascade", threshold=1.0, on_missing="keep"))
    assert policy.route("law", confidence) == "fast"


@pytest.mark.parametrize("confidence", [0.0, 1.0, *MISSING])
def test_fast_only_and_strong_only_never_look_at_the_confidence(confidence):
    assert law(CategoryPolicy("fast_only")).route("law", confidence) == "fast"
    assert law(CategoryPolicy("strong_only", on_missing="keep")).route("law", confidence) == "strong"


@pytest.mark.parametrize("confidence", [np.float64(0.7), np.float32(0.75), Decimal("0.7"), np.int64(1), 1])
def test_numbers_of_other_libraries_are_confidences(confidence):
    assert law(CategoryPolicy("cascade", threshold=0.7)).route("law", confidence) == "fast"


def test_single_precision_is_widened_not_rounded():
    # float32(0.7) = 0.699999988..., which is below 0.7
    assert law(CategoryPolicy("cascade", threshold=0.7)).route("law", np.float32(0.7)) == "strong"


def test_an_unknown_category_and_none_follow_the_default():
    default = Default("cascade", threshold=0.5)
    policy = law(CategoryPolicy("fast_only"), default)
    for category in ("Law", "law ", "", "math", None):
        assert policy.route(category, 0.5) == "fast"
        assert policy.route(category, 0.49) == "strong"
        assert policy.route(category, None) == "strong"
    assert policy.rule(None) is default


def test_a_category_without_a_threshold_follows_the_default():
    rule = CategoryPolicy("cascade", verdict="insufficient_evidence", on_missing="keep")
    assert law(rule, Default("fast_only")).route("law", 0.1) == "fast"
    assert law(rule, Default("strong_only")).route("law", 0.99) == "strong"
    assert law(rule, Default("cascade", threshold=0.5)).route("law", None) == "strong"


def test_a_default_can_keep_a_missing_confidence():
    policy = ThresholdPolicy("cascade", Default("cascade", threshold=0.5, on_missing="keep"))
    assert policy.route("anything", None) == "fast"


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_raising_the_threshold_never_brings_a_request_back(confidence, one, other):
    low, high = sorted((one, other))
    if law(CategoryPolicy("cascade", threshold=low)).route("law", confidence) == "strong":
        assert law(CategoryPolicy("cascade", threshold=high)).route("law", confidence) == "strong"


def test_a_policy_survives_pickling():
    policy = law(CategoryPolicy("cascade", threshold=0.8, extra={"x-owner": "me"}))
    assert pickle.loads(pickle.dumps(policy)) == policy  # noqa: S301 - our own bytes


def test_a_file_is_loaded_and_routed_in_one_line(tmp_path: Path):
    path = tmp_path / "thresholds.yaml"
    path.write_text(
        "schema: tiertune/thresholds/v1\npolicy_kind: cascade\ndefault: {route: strong_only}\n"
        "categories: {law: {route: cascade, threshold: 0.96}}\n",
        encoding="utf-8",
    )
    assert policies.load(path).route("law", 0.96) == "fast"
    assert policies.load(str(path)).route("law", 0.95) == "strong"


def test_a_database_is_never_opened_as_a_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "tiertune.duckdb"
    path.write_bytes(b"schema: tiertune/thresholds/v1")
    opened = []
    monkeypatch.setattr(Path, "open", lambda self, *_args, **_options: opened.append(self))
    with pytest.raises(SchemaError, match=r"tiertune.duckdb: a thresholds file ends in \.yaml"):
        policies.load(path)
    assert opened == []
