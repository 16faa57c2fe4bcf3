"""The thresholds file: what is read, what is refused and how it is said, and that writing reads back."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from analytics import policy_format, strict_text
from analytics.errors import SchemaError
from analytics.estimate import Estimate
from analytics.policy import (
    CategoryPolicy,
    Certificate,
    Default,
    Difference,
    Evidence,
    Goal,
    Overall,
    Score,
    ThresholdPolicy,
)
from analytics.policy_file import MAX_BYTES, dumps, load, loads

BAD = Path(__file__).parent / "badinputs"
SCHEMA = json.loads(
    (Path(__file__).parents[1] / "data" / "thresholds.schema.json").read_text(encoding="utf-8")
)
VALID = jsonschema.Draft202012Validator(SCHEMA)
HEAD = "schema: tiertune/thresholds/v1\npolicy_kind: cascade\ndefault: {route: strong_only}\n"

DESIGN = """
schema: tiertune/thresholds/v1
created: 2026-11-22T14:00:00Z
policy_kind: cascade
confidence: {kind: self_report, source: fast_verbal_numerical_confidence}
goal: {name: non-inferior, margin: 0.01, reference: strong, scope: overall, level: 0.95}
evidence: {log_sha256: "...", requests: 12005, picked_on: "folds 0-9", reported_on: "folds 10-19", from: null,
  to: null, prices_as_of: "..."}
default: {route: strong_only, reason: "no verdict for unseen categories"}
categories:
  "law":
    route: cascade            # or fast_only, strong_only
    threshold: 0.96
    interval: [0.95, 0.96]    # every threshold in (low, high] is the same policy
    on_missing: escalate      # or keep
    fast_model: qwen3-32b
    strong_model: qwen3-32b@think
    verdict: certified        # or estimated, pooled, insufficient_evidence, not_identified
    reason: "..."
    n: 551
    accuracy: {value: 0.47, low: 0.44, high: 0.50}
    cost_per_request_usd: {value: 0.0011, low: 0.0010, high: 0.0012}
    escalation_rate: {value: 0.82, low: 0.80, high: 0.84}
"""


def refusal(text: str | bytes, **options: str) -> str:
    with pytest.raises(SchemaError) as caught:
        loads(text, **options)
    return str(caught.value)


def categories(body: str) -> str:
    return HEAD + "categories:\n" + body


def full_policy() -> ThresholdPolicy:
    accuracy = Estimate(0.47, 0.44, 0.5, 551, "paired", 0.95)
    law = CategoryPolicy(
        "cascade",
        threshold=0.96,
        interval=(0.95, 0.96),
        on_missing="keep",
        fast_model="qwen3-32b",
        strong_model="qwen3-32b@think",
        verdict="certified",
        reason='because "we" measured: yes',
        n=551,
        accuracy=accuracy,
        cost_per_request_usd=Estimate(1e-05, -1e-07, 0.0012, 551, "stated", 0.9),
        escalation_rate=Estimate(None, None, None, 0, "none", 0.9, "nothing graded"),
        latency_p95_s=Estimate(12.5, None, None, 600, "histogram", 0.9),
        difference_to_in_force=Difference(accuracy=Estimate(-0.01, -0.02, 0.0, 551, "paired", 0.9)),
        max_latency_s=30.0,
        certificate=Certificate("A", None, "all rows", 551, 3, 1, -2.1, -1.66, 0.4, False),
        extra={"x-owner": {"name": "yes", "route": [1, 2.5, None, True, "on"]}},
    )
    return ThresholdPolicy(
        "cascade",
        Default("cascade", threshold=0.5, on_missing="keep", reason="stated"),
        {
            "law": law,
            "rare": CategoryPolicy("strong_only", verdict="insufficient_evidence", reason="12 graded pairs"),
            "unseen": CategoryPolicy("cascade", verdict="not_identified"),
            "easy": CategoryPolicy("fast_only", verdict="pooled"),
        },
        created=datetime(2026, 11, 22, 14, tzinfo=UTC),
        confidence=Score("self_report", "fast_confidence"),
        goal=Goal(
            "budget",
            margin=0.01,
            reference="in-force",
            scope="category",
            budget_usd=1e-07,
            level=0.9,
            pool=True,
        ),
        evidence=Evidence("ab" * 32, 12005, "folds 0-9", "folds 10-19", datetime(2026, 1, 1, tzinfo=UTC)),
        overall=Overall("estimated", "folds 10-19 meet the goal", 12005, accuracy, None, None),
        certificate=Certificate(),
        latency_p95_s=Estimate(9.0, 8.0, 10.0, 12005, "stated", 0.9),
        difference_to_in_force=Difference(
            cost_per_request_usd=Estimate(-0.5, None, None, 12005, "stated", 0.9)
        ),
        max_latency_s=60.0,
        expires=datetime(2027, 2, 22, tzinfo=UTC),
        versions={"tiertune": "0.1.0", "yes": "no"},
        extra={"x-ticket": "T-1"},
    )


def test_the_example_of_the_design_is_read():
    policy = loads(DESIGN)
    law = policy.categories["law"]
    assert (law.threshold, law.interval, law.verdict, law.n) == (0.96, (0.95, 0.96), "certified", 551)
    assert law.accuracy == Estimate(0.47, 0.44, 0.5, 551, "stated", 0.95)
    assert policy.created == datetime(2026, 11, 22, 14, tzinfo=UTC)
    assert policy.goal == Goal("non-inferior", margin=0.01, reference="strong")
    assert policy.route("law", 0.96) == "fast"
    assert loads(dumps(policy)) == policy


# The ideal messages of the collection of bad files, word for word where it gives one.
@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "cfg_python_object.yaml",
            "Not a thresholds file: tag !!python/object is not allowed. Nothing was applied.",
        ),
        (
            "cfg_unknown_keys.yaml",
            (
                "categories.a: unknown key treshold (did you mean threshold?); threshold is missing. "
                "Nothing was applied."
            ),
        ),
        ("cfg_dup_keys.yaml", "Category a stands twice (lines 5 and 6). Nothing was applied."),
        ("cfg_future.yaml", "This file is thresholds/v9; this version reads v1. Nothing was applied."),
        ("cfg_no_version.json", "The key schema is missing (tiertune/thresholds/v1). Nothing was applied."),
        ("cfg_billion_laughs.yaml", "YAML aliases are not allowed. Nothing was applied."),
        ("cfg_binary.yaml", "Not a text file. Nothing was applied."),
    ],
)
def test_a_bad_file_is_refused_with_the_ideal_message(name, message):
    with pytest.raises(SchemaError) as caught:
        load(BAD / name)
    assert str(caught.value) == message


def test_all_ten_problems_are_listed_at_once_each_with_its_key():
    with pytest.raises(SchemaError) as caught:
        load(BAD / "cfg_out_of_range.yaml")
    lines = str(caught.value).splitlines()
    assert lines[0] == "The thresholds file has 10 problems:"
    keys = ["goal.budget ", "goal.level ", *(f"categories.{name}: " for name in "abcdefgh")]
    assert [line.startswith(f"- {key}") for line, key in zip(lines[1:-1], keys, strict=True)] == [True] * 10
    assert lines[-1] == "Nothing was applied."


@pytest.mark.parametrize("name", [path.name for path in sorted(BAD.glob("cfg_*"))])
def test_the_schema_refuses_what_the_reader_refuses(name):
    if name in {"cfg_binary.yaml", "cfg_python_object.yaml", "cfg_dup_keys.yaml"}:
        return  # no data to check: not text, not plain data, or gone once parsed
    assert not VALID.is_valid(yaml.safe_load((BAD / name).read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('  "a": {route: cascade, threshold: null}', "categories.a: threshold is null; only verdicts"),
        ('  "a": {route: cascade, threshold: null, verdict: estimated}', "threshold is null"),
        ('  "a": {route: strong_only, threshold: 0.5}', "threshold stands with route strong_only"),
        ('  "a": {threshold: 0.5}', "categories.a: route is missing"),
        ('  "a": 0.5', "categories.a must be a mapping, found 0.5"),
        ('  "a": {route: cascade, threshold: 0.5, interval: [0.6, 0.4]}', "interval must be [low, high]"),
        ('  "a": {route: cascade, threshold: 0.5, interval: [0.5, 0.6]}', "outside its interval (0.5, 0.6]"),
        ('  "a": {route: cascade, threshold: 0.5, interval: [0.1]}', "interval must be [low, high]"),
        ('  "a": {route: fast_only, interval: [0, 1]}', "interval stands without a threshold"),
        ('  "a": {route: fast_only, verdict: sure}', "verdict must be certified, estimated,"),
        ('  "a": {route: fast_only, n: -1}', "n must be a whole number of at least 0, found -1"),
        ('  "a": {route: fast_only, n: 1.5}', "n must be a whole number"),
        (
            '  "a": {route: fast_only, accuracy: {value: 47, low: 44, high: 50}}',
            "accuracy.value must be a number from 0 to 1",
        ),
        ('  "a": {route: fast_only, accuracy: {value: 0.4, low: 0.5, high: 0.6}}', "low <= value <= high"),
        ('  "a": {route: fast_only, accuracy: {low: 0.5}}', "accuracy: value is missing"),
        ('  "a": {route: fast_only, fast_model: 4}', "fast_model must be a text, found 4; put it in quotes"),
        ('  "a": {route: fast_only, x-note: .inf}', "x-note must be finite"),
        (
            '  "a": {route: fast_only, certificate: {lost: yes}}',
            'certificate.lost must be a whole number of at least 0, found "yes"',
        ),
    ],
)
def test_a_category_is_checked_key_by_key(body, message):
    assert message in refusal(categories(body))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The file is empty."),
        ("# only a comment\n", "The file is empty."),
        ("- 1\n", "Not a thresholds file: expected keys such as schema, found a list"),
        ("just words", 'found "just words"'),
        (HEAD, "categories is missing"),
        (
            HEAD.replace("cascade", "both") + "categories: {}",
            "policy_kind must be cascade or predictive, found both",
        ),
        (HEAD.replace("strong_only", "cascade") + "categories: {}", "default: threshold is missing"),
        (
            HEAD.replace("v1", "v1.1") + "categories: {}",
            "This file is thresholds/v1.1; this version reads v1.",
        ),
        (HEAD.replace("tiertune/thresholds/v1", "router/v1"), "schema must be tiertune/thresholds/v1"),
        (
            HEAD + "categories: {}\ngoal: {name: fast, margin: -0.01, pool: yes}",
            "goal.margin must be a number from 0 to 1",
        ),
        (
            HEAD + "categories: {}\ngoal: {level: 1}",
            "goal.level must be a number strictly between 0 and 1, found 1",
        ),
        (HEAD + "categories: {}\ncreated: yesterday", "created must be an ISO 8601 time"),
        (HEAD + "categories: {}\nversions: {tiertune: 1}", "versions.tiertune must be a text"),
        (HEAD + "categories: {}\n---\na: 1", "The file holds several documents."),
        (HEAD + "categories: {}\n? [1]\n: 2", "Line 5: a key must be a text."),
        (HEAD + "categories: {", "Not valid YAML in line"),
        (HEAD + "default: {route: fast_only}\ncategories: {}", "Key default stands twice (lines 3 and 4)"),
        (
            HEAD + "categories: {1: {route: fast_only}, '1': {route: fast_only}}",
            "Category 1 stands twice (lines 4 and 4)",
        ),
        (HEAD + "categories: {}\n<<: {a: 1}", "unknown key <<"),
        (HEAD + "categories: {}\nx-a: !!binary aGk=", "tag !!binary is not allowed"),
        (HEAD + "categories: {}\nx-a: ! text", "tag ! is not allowed"),
        (HEAD + "categories: {}\nx-a: " + "9" * 5000 + "\n\0", "Not a text file."),
        (
            HEAD + "categories: {}\nmax_latency_s: " + "9" * 5000,
            "max_latency_s must be a number of at least 0",
        ),
        (
            HEAD + "categories: {}\nmax_latency_s: " + "9" * 399,
            "max_latency_s must be a number of at least 0",
        ),
        (HEAD + "categories: {}\nx-a: \x07", "a character that YAML does not allow"),
        ("%YAML " + "9" * 5000 + ".1\n---\na: 1", "Not valid YAML"),
        ('"\\Uffffffff": 1', "Not valid YAML"),
        ("[" * 5000, "Nested deeper than 64 levels."),
        ("{a: " * 5000, "Nested deeper than 64 levels."),
        ('{"a":' * 5000, "Nested deeper than 64 levels."),
        (b"\xff\xfes\x00c\x00", "Not a text file."),
        ("\ud800", "Not a text file."),
        (" " * (MAX_BYTES + 1), "The file is larger than 256 KiB."),
    ],
)
@pytest.mark.parametrize("parser", ["C", "Python"])
def test_what_is_no_thresholds_file_is_refused(text, message, parser, monkeypatch):
    if parser == "Python":  # PyYAML comes without its C parser on some machines
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    got = refusal(text)
    assert message in got
    assert got.endswith("Nothing was applied.")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The file is empty."),
        ('{"schema": 1,}', "Not valid JSON in line 1."),
        ('{\n"a": 1,\n"b": {"a": 2},\n"a": 3}', "Key a stands twice (lines 2 and 4)"),
        (
            '{"categories": {"\\u0061":\n1,\n"x": [{"a": 1}], "a": 2}}',
            "Category a stands twice (lines 1 and 3)",
        ),
        ('{"x-a": NaN}', "x-a must be finite"),
        ('{"max_latency_s": 1e999}', "max_latency_s must be a number of at least 0"),
        ('{"max_latency_s": ' + "9" * 5000 + "}", "max_latency_s must be a number of at least 0"),
        ('{"categories": {"\\ud800": {}}}', "half a character"),
        ("[" * 5000, "Nested deeper than 64 levels."),
        ('"' + '\\"' * 100_000, "Not valid JSON in line 1."),
    ],
)
def test_what_is_no_json_file_is_refused(text, message):
    assert message in refusal(text, format="json")


@pytest.mark.parametrize("parser", ["C", "Python"])
def test_half_a_surrogate_pair_is_refused(parser, monkeypatch):
    if parser == "Python":  # only this one lets the escape through to our own check
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    got = refusal(HEAD + 'categories: {"\\ud800": {route: fast_only}}')
    assert got.startswith(("A text holds half a character", "Not valid YAML in line 4."))


def test_keys_stay_as_written_and_never_merge():
    body = "".join(
        f"  {key}: {{route: fast_only}}\n" for key in ("yes", "no", "1", "2026-01-01", "~", "1.0", "on")
    )
    assert list(loads(categories(body)).categories) == ["yes", "no", "1", "2026-01-01", "~", "1.0", "on"]


def test_plain_numbers_follow_yaml_1_2():
    body = "".join(f"  {n}: {{route: cascade, threshold: {n}}}\n" for n in ("5e-1", "+.5", "1", "0.5"))
    assert [entry.threshold for entry in loads(categories(body)).categories.values()] == [0.5, 0.5, 1.0, 0.5]
    assert 'found "1:30"' in refusal(categories("  a: {route: cascade, threshold: 1:30}"))


def test_null_is_the_same_as_absent_where_a_key_is_optional():
    body = '  "a": {route: strong_only, threshold: null, interval: null, n: null, accuracy: , on_missing: ~}'
    assert loads(categories(body) + "\ngoal: null\n").categories["a"] == CategoryPolicy("strong_only")


def test_a_threshold_of_zero_stands_in_the_closed_first_interval():
    body = '  "a": {route: cascade, threshold: 0, interval: [0, 0.3]}'
    assert loads(categories(body)).categories["a"].interval == (0.0, 0.3)


def test_times_without_a_zone_are_utc_and_others_are_converted():
    policy = loads(HEAD + "categories: {}\ncreated: 2026-11-22 14:00\nexpires: '2026-11-22T14:00:00+02:00'\n")
    assert policy.created == datetime(2026, 11, 22, 14, tzinfo=UTC)
    assert policy.expires == datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_json_with_tabs_and_flow_yaml_are_told_apart_by_content():
    document = {
        "schema": "tiertune/thresholds/v1",
        "policy_kind": "predictive",
        "default": {"route": "fast_only"},
    }
    text = json.dumps(document | {"categories": {"\U0001f600/": {"route": "fast_only"}}}, indent="\t")
    assert list(loads(text).categories) == ["\U0001f600/"]
    flow = "{" + HEAD.replace("cascade", "predictive").strip().replace("\n", ", ") + ", categories: {}}"
    assert loads(flow).policy_kind == "predictive"
    assert loads(("\ufeff" + flow).encode()) == loads(flow)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "none.yaml", "There is no file none.yaml."),
        (lambda folder: folder, "a thresholds file ends in"),
        (lambda folder: folder / "a\0.yaml", "There is no file|cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_without_its_folder(make, message, tmp_path):
    with pytest.raises(SchemaError, match=message) as caught:
        load(make(tmp_path))
    assert str(tmp_path.parent) not in str(caught.value)


@pytest.mark.parametrize("file_format", ["yaml", "json"])
def test_every_field_survives_writing_and_reading(file_format):
    policy = full_policy()
    text = dumps(policy, format=file_format)
    assert loads(text) == policy
    assert loads(text, format=file_format) == policy


def test_the_written_file_is_plain_yaml_and_valid_under_the_schema():
    text = dumps(full_policy())
    VALID.validate(yaml.safe_load(text))
    assert yaml.safe_load(text) == json.loads(dumps(full_policy(), format="json"))


def test_the_written_file_reads_like_the_design():
    law = CategoryPolicy("cascade", threshold=0.96, interval=(0.95, 0.96), verdict="estimated", n=551)
    law = replace(law, accuracy=Estimate(0.47, 0.44, 0.5, 551, "stated"))
    policy = ThresholdPolicy(
        "cascade",
        Default("strong_only", reason="no verdict"),
        {"law": law},
        goal=Goal(margin=0.01, reference="strong"),
    )
    assert dumps(policy) == (
        "# The rule: keep the fast answer if confidence >= threshold, else escalate to the strong model.\n"
        "# Equality keeps. A missing confidence escalates unless on_missing is keep.\n"
        "# Every threshold in an interval (low, high] is the same policy on the log.\n"
        "schema: tiertune/thresholds/v1\n"
        "policy_kind: cascade\n"
        "goal: {name: non-inferior, margin: 0.01, reference: strong, scope: overall, level: 0.95}\n"
        'default: {route: strong_only, reason: "no verdict"}\n'
        "categories:\n"
        '  "law":\n'
        "    route: cascade\n"
        "    threshold: 0.96\n"
        "    interval: [0.95, 0.96]\n"
        "    on_missing: escalate\n"
        "    verdict: estimated\n"
        "    n: 551\n"
        "    accuracy: {value: 0.47, low: 0.44, high: 0.5}\n"
    )


def test_an_interval_of_width_zero_may_differ_from_its_value_in_the_last_bit():
    rule = CategoryPolicy("fast_only", accuracy=Estimate(0.1 + 0.2, 0.3, 0.3, 5, "paired"))
    policy = ThresholdPolicy("cascade", Default("fast_only"), {"a": rule})
    assert loads(dumps(policy)) == policy


def test_a_category_without_a_verdict_of_its_own_writes_a_null_threshold():
    text = dumps(full_policy())
    assert '  "rare":\n    route: strong_only\n    threshold: null\n' in text
    assert '  "easy":\n    route: fast_only\n    verdict: pooled\n' in text


NASTY = st.one_of(
    st.text(),
    st.text(
        "\x85\u2028\u2029\ufeff\x00\x07\x1b\x7f\ufffe\u202e \t\r\n\"'\\:#-?{}[]&*!|>%@`~,<=😀", max_size=12
    ),
    st.sampled_from(
        ["<<", "=", "yes", "1", "null", "~", "", " ", "a: b", "- a", "x-a", "schema", "'", "é" * 1200, "a.b"]
    ),
)


@given(st.dictionaries(NASTY, st.floats(0, 1), max_size=4), NASTY)
@example({"\x85": 5e-324, "\u2028": 1e-05, "<<": 0.1 + 0.2, "yes": 1.0, "1": 0.0, "😀": 0.5}, "\x00")
@example({"k" * 5000: 0.5}, "v" * 5000)
def test_any_category_text_survives_and_is_plain_yaml(thresholds, words):
    rules = {
        name: CategoryPolicy(
            "cascade", threshold=value, fast_model=words, extra={"x-" + words: {words: words}}
        )
        for name, value in thresholds.items()
    }
    policy = ThresholdPolicy("cascade", Default("fast_only", reason=words), rules, versions={words: words})
    text = dumps(policy)
    assert loads(text) == policy
    assert loads(dumps(policy, format="json"), format="json") == policy
    for loader in (yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        document = yaml.load(text, Loader=loader)  # noqa: S506 - both are safe loaders
        assert {name: rule["threshold"] for name, rule in document["categories"].items()} == thresholds
    VALID.validate(document)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.integers(0, 10**12), st.text(max_size=5))
def test_any_estimate_survives(one, two, three, n, method):
    low, value, high = sorted((one, two, three))
    rule = CategoryPolicy("fast_only", accuracy=Estimate(value, low, high, n, method, 0.9), n=n)
    policy = ThresholdPolicy("predictive", Default("fast_only"), {"a": rule})
    assert loads(dumps(policy)) == policy


@given(st.one_of(st.text(max_size=60), st.binary(max_size=60)))
def test_any_text_is_read_or_refused_never_anything_else(text):
    for file_format in (None, "yaml", "json"):
        with pytest.raises(SchemaError, match="Nothing was applied"):
            loads(text, format=file_format)


@given(st.integers(0, len(DESIGN) - 1), st.text(max_size=3))
def test_a_damaged_file_is_read_or_refused_never_anything_else(place, damage):
    try:
        loads(DESIGN[:place] + damage + DESIGN[place + 1 :])
    except SchemaError as error:
        assert str(error).endswith("Nothing was applied.")  # noqa: PT017 - either way is right


@pytest.mark.parametrize(
    "rule",
    [
        CategoryPolicy("cascade"),
        CategoryPolicy("cascade", threshold=math.nan),
        CategoryPolicy("fast_only", threshold=0.5),
        CategoryPolicy("fast_only", n=-1),
        CategoryPolicy("fast_only", fast_model="\ud800"),
        CategoryPolicy("fast_only", accuracy=Estimate(1.5, None, None, 1, "ips")),
        CategoryPolicy("fast_only", extra={"note": 1}),
        CategoryPolicy("fast_only", extra={"x-note": (1, 2)}),
    ],
)
def test_an_impossible_policy_is_not_written(rule):
    with pytest.raises(ValueError, match="the policy cannot be written"):
        dumps(ThresholdPolicy("cascade", Default("fast_only"), {"a": rule}))


def test_a_file_too_large_to_be_read_is_not_written():
    rules = {f"category {index}": CategoryPolicy("fast_only", reason="x" * 200) for index in range(2000)}
    with pytest.raises(SchemaError, match="Leave out categories that follow the default"):
        dumps(ThresholdPolicy("cascade", Default("fast_only"), rules))


def test_the_schema_and_the_reader_know_the_same_keys():
    own, shared = SCHEMA["properties"], SCHEMA["$defs"]
    assert set(own) == set(policy_format.DOCUMENT)
    assert set(shared["category"]["properties"]) == set(policy_format.CATEGORY)
    for name, expected in {
        "goal": Goal, "evidence": Evidence, "confidence": Score, "overall": Overall, "default": Default
    }.items():  # fmt: skip
        renamed = {"budget": "budget_usd", "value": "value_usd", "from": "since", "to": "until"}
        assert {renamed.get(key, key) for key in own[name]["properties"]} == set(expected.__slots__)
    assert set(shared["certificate"]["properties"]) == set(Certificate.__slots__)
    assert set(shared["difference"]["properties"]) == set(Difference.__slots__)
    assert set(shared["estimate"]["properties"]) == set(Estimate.__slots__)


def test_the_schema_is_itself_valid():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_largest_file_is_refused_or_read_quickly_whatever_it_holds():
    # Each of these once is quadratic for a careless reader; 256 KiB of it must not be.
    for unit in ('"\\"', "[", "{a: ", "? ", "- ", "&a ", "a: b\n", "'", "%", '{"a":', "\\"):
        assert refusal((unit * MAX_BYTES)[:MAX_BYTES])


def test_duplicates_are_found_by_both_parsers():
    text = '{"a": {"b": 1,\n"b": 2},\n"a": 3}'
    for file_format in ("json", "yaml"):
        found = [
            (d.path, d.key, d.lines) for d in strict_text.plain_data(text, file_format=file_format).duplicates
        ]
        assert found == [(("a",), "b", (1, 2)), ((), "a", (1, 3))]
