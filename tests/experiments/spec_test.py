"""The experiment file: what it says reads back, and everything wrong with it is listed at once."""

import hashlib
import json
from datetime import UTC, datetime

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.errors import SchemaError
from analytics.experiments import spec
from analytics.experiments.spec import Arm, Experiment
from analytics.policy import CategoryPolicy, Default, ThresholdPolicy


def policy(**thresholds: float) -> ThresholdPolicy:
    rules = {name: CategoryPolicy("cascade", threshold) for name, threshold in thresholds.items()}
    return ThresholdPolicy("cascade", Default("strong_only"), rules)


def experiment(share: float = 0.5, **more: object) -> Experiment:
    arms = (Arm("control", 1 - share, policy(law=0.9)), Arm("treatment", share, policy(law=0.8)))
    return Experiment("lower-law", arms, margin=0.01, requests=1200, days=14.0, **more)  # type: ignore[arg-type]


names = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\u2028\u2029\ufeff\x85"),
    min_size=1,
)
rules = st.one_of(
    st.builds(
        CategoryPolicy,
        st.just("cascade"),
        st.floats(0, 1),
        on_missing=st.sampled_from(["escalate", "keep"]),
    ),
    st.builds(CategoryPolicy, st.sampled_from(["fast_only", "strong_only"])),
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(names, rules, max_size=4), st.sampled_from(["yaml", "json"]))
def test_every_policy_reads_back_equal(categories: dict[str, CategoryPolicy], form: spec.Format) -> None:
    tested = ThresholdPolicy("cascade", Default("fast_only"), categories)
    written = experiment()
    whole = Experiment("t", (written.arms[0], Arm("treatment", 0.5, tested)))
    assert spec.loads(spec.dumps(whole, file_format=form)) == whole


def test_every_key_reads_back() -> None:
    whole = experiment(
        0.2,
        starts=datetime(2026, 12, 1, tzinfo=UTC),
        ends=datetime(2026, 12, 15, tzinfo=UTC),
        created=datetime(2026, 11, 27, 22, tzinfo=UTC),
        rule="always-valid",
        unit="session",
    )
    assert spec.loads(spec.dumps(whole)) == whole


def test_a_user_is_in_the_arm_that_md5_says() -> None:
    # Anybody can compute it: eight hex digits of MD5 of "lower-law:user-17" over 2^32.
    place = int(hashlib.md5(b"lower-law:user-17", usedforsecurity=False).hexdigest()[:8], 16) / 2**32
    assert experiment().arm("user-17") == ("control" if place < 0.5 else "treatment")
    assert experiment(1 - place + 1e-9).arm("user-17") == "treatment"
    assert experiment(1 - place - 1e-9).arm("user-17") == "control"


def test_users_fall_into_arms_by_their_shares() -> None:
    counted = sum(experiment(0.2).arm(f"user-{place}") == "treatment" for place in range(10_000))
    # Binomial: 2,000 with a standard deviation of 40.
    assert abs(counted - 2000) < 4 * 40


def test_the_text_is_yaml_for_any_reader() -> None:
    document = yaml.safe_load(spec.dumps(experiment()))
    assert document["arms"]["treatment"]["policy"]["categories"]["law"] == {
        "route": "cascade",
        "threshold": 0.8,
        "on_missing": "escalate",
    }


def changed(**more: object) -> str:
    document = json.loads(spec.dumps(experiment(), file_format="json"))
    for path, value in more.items():
        *parents, key = path.split("__")
        part = document
        for parent in parents:
            part = part[parent]
        if value is None:
            del part[key]
        else:
            part[key] = value
    return json.dumps(document)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"schema": "tiertune/experiment/v2"}, "schema must be tiertune/experiment/v1"),
        ({"name": None}, "name is missing"),
        ({"surplus": 1}, "unknown key surplus"),
        ({"question__metric": "speed"}, "question.metric must be"),
        ({"question__margin": -1}, "question.margin must be"),
        ({"arms__treatment": None}, "an experiment needs two arms, found 1"),
        ({"arms__treatment__share": 0.6}, "the shares must add to 1, found 1.1"),
        ({"arms__control__share": 0}, "strictly between 0 and 1"),
        ({"assignment__hash": "random"}, "assignment.hash must be"),
        ({"arms__control__policy__default__route": "cascade"}, "route cascade needs a threshold"),
        ({"arms__control__policy__categories__law__route": "fast_only"}, "route fast_only has none"),
        (
            {"stop__starts": "2026-12-15T00:00:00Z", "stop__ends": "2026-12-01T00:00:00Z"},
            "the experiment ends (2026-12-01T00:00:00Z) before it begins (2026-12-15T00:00:00Z)",
        ),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_applied(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(SchemaError) as raised:
        spec.loads(changed(**changes))
    assert problem in str(raised.value)
    assert str(raised.value).endswith("Nothing was applied.")


def test_all_problems_are_listed_at_once() -> None:
    with pytest.raises(SchemaError, match="experiment file has 3 problems"):
        spec.loads(changed(name=None, surplus=1, question__aim="win"))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "schema: !!python/object:os.system x", "a: &x 1\nb: *x", b"\xff\xfe\x00", "x" * 300_000],
)
def test_what_is_no_experiment_file_is_refused(text: str | bytes) -> None:
    with pytest.raises(SchemaError, match=r"Nothing was applied\.$"):
        spec.loads(text)


def test_an_invalid_experiment_is_a_programming_mistake() -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        spec.dumps(Experiment("t", experiment().arms[:1]))
