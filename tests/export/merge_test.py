"""Fragments merged into the user's config: what is theirs stays byte for byte, what is ours is replaced."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.export.fragment import RefusedError
from analytics.export.merge import FORMS, Merged, merged
from analytics.export.targets import exported
from analytics.policy import CategoryPolicy, Default, Score, ThresholdPolicy

PROGRAM = Path(__file__).parents[1] / "fixtures" / "litellm" / "merged_configs.py"
SOURCES = {
    "litellm-capability": "p_solve", "litellm-heuristic": "heuristic_v2_forecast", "vllm-sr": "hybrid",
}  # fmt: skip
LITELLM = """\
# The team's proxy.
model_list:   # three models
    # the cheap one
    - model_name: swift      # do not rename
      litellm_params: {model:  openai/gpt-5-mini, mock_response: "swift", api_key: 'x'}

    - model_name: "deep"
      litellm_params:
        model: openai/gpt-5
        mock_response: deep
        api_key: x
        extra: |
            two
            lines

    # a judge
    -
      model_name: fast-model
      litellm_params: {model: openai/judge, mock_response: judge, api_key: x}
    # nothing follows

litellm_settings:
   drop_params:   yes
   octal: 0o17     # and a number as it was written
general_settings: {master_key: os.environ/KEY}
"""
VLLM = """\
version: v0.3
# providers as they are
providers:
  models: [ {name: swift}, {name: deep} ]
routing:
  signals:
    domains:
      - name: "law"     # ours for years
        mmlu_categories: [law, jurisprudence]
  decisions:
    - name: urgent
      priority: 900
"""
PORTKEY = """\
{
    "retry": {"attempts": 3, "on_status_codes": [429, 529]},
    "strategy": {
        "mode": "conditional",
        "conditions": [
            {"query": {"metadata.user": {"$eq": "vip"}}, "then": "deep"},
            {"query": {"metadata.category": {"$eq": "law"}}, "then": "deep"}
        ],
        "default": "swift"
    },
    "targets": [
        {"name": "swift", "provider": "@openai", "override_params": {"model": "gpt-5-mini"}},
        {"name": "deep", "provider": "@openai", "weight": 1.50}
    ]
}
"""
FLAGD = """\
{
  "$schema": "https://flagd.dev/schema/v0/flags.json",
  "flags": {
    "dark": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off"}
  },
  "$evaluators": {"x": {"in": [1, [1]]}}
}
"""
OWN = {name: LITELLM for name in FORMS if name.startswith("litellm")} | {
    "vllm-sr": VLLM, "portkey": PORTKEY, "flagd": FLAGD,
}  # fmt: skip


def policy(
    target: str, threshold: float = 0.8, *, names: tuple[str, ...] = ("law", "maths")
) -> ThresholdPolicy:
    pair = {"fast_model": "swift", "strong_model": "deep"}
    return ThresholdPolicy(
        "cascade" if target in ("vllm-sr", "portkey", "flagd") else "predictive",
        Default("strong_only"),
        {name: CategoryPolicy("cascade", threshold, **pair) for name in names},  # type: ignore[arg-type]
        confidence=Score(None, SOURCES.get(target)),
    )


def put(target: str, text: str, threshold: float = 0.8, **more: Any) -> Merged:
    return merged(text, target, exported(policy(target, threshold, **more), target))


def read(target: str, text: str) -> Any:
    return json.loads(text) if FORMS[target] == "json" else yaml.safe_load(text)


@pytest.mark.parametrize("target", list(FORMS))
def test_every_line_of_the_users_file_stays_where_it_was(target: str) -> None:
    found = put(target, OWN[target])
    assert found.before == OWN[target]
    gone = [line[1:] for line in found.diff.splitlines()[2:] if line.startswith("-")]
    if FORMS[target] == "yaml":
        assert gone == []
        return
    # In JSON a comma is added behind what was last; Portkey's default is a key of the fragment.
    added = [line[1:] for line in found.diff.splitlines()[2:] if line.startswith("+")]
    assert [line for line in gone if f"{line}," not in added] in ([], ['        "default": "swift"'])


@pytest.mark.parametrize("target", list(FORMS))
def test_a_second_export_replaces_the_first(target: str) -> None:
    first = put(target, OWN[target], names=("law", "maths", "gone"))
    again = put(target, first.text, names=("law", "maths", "gone"))
    assert (again.text, again.diff) == (first.text, "")
    other = put(target, first.text, 0.6)
    assert other.text == put(target, OWN[target], 0.6).text or target == "vllm-sr"
    if target == "vllm-sr":  # a domain may be used by decisions of the user's since
        assert (
            read(target, other.text)["routing"]["decisions"]
            == (read(target, put(target, OWN[target], 0.6).text)["routing"]["decisions"])
        )
        return
    assert "0.8" not in other.text.replace("0.85", "")
    assert "gone" not in other.text


@pytest.mark.parametrize("target", ["litellm-plugin", "litellm-heuristic", "litellm-capability"])
def test_one_litellm_target_takes_the_place_of_another(target: str) -> None:
    before = put("litellm-plugin", LITELLM).text
    names = [entry["model_name"] for entry in yaml.safe_load(put(target, before).text)["model_list"]]
    assert names[:3] == ["swift", "deep", "fast-model"]
    assert put(target, before).text == put(target, LITELLM).text


def test_what_the_user_has_stays_as_data_in_every_target() -> None:
    flags = json.loads(put("flagd", FLAGD).text)
    assert flags["flags"]["dark"] == json.loads(FLAGD)["flags"]["dark"]
    assert flags["$evaluators"] == {"x": {"in": [1, [1]]}}
    assert list(flags["flags"]) == ["dark", "tiertune-route"]
    portkey = json.loads(put("portkey", PORTKEY).text)
    assert portkey["strategy"]["conditions"][:2] == json.loads(PORTKEY)["strategy"]["conditions"]
    assert portkey["targets"] == json.loads(PORTKEY)["targets"]
    assert portkey["retry"] == json.loads(PORTKEY)["retry"]
    assert any("went to swift and now go to deep" in note for note in put("portkey", PORTKEY).notes)
    decisions = yaml.safe_load(put("vllm-sr", VLLM).text)["routing"]
    assert [entry["name"] for entry in decisions["decisions"]] == [
        "urgent", "law_tiertune", "maths_tiertune", "default_tiertune",
    ]  # fmt: skip
    assert decisions["signals"]["domains"][0]["mmlu_categories"] == ["law", "jurisprudence"]
    assert [entry["name"] for entry in decisions["signals"]["domains"]] == ["law", "maths"]


def test_line_ends_and_byte_order_mark_stay() -> None:
    text = "\ufeff" + LITELLM.replace("\n", "\r\n")
    found = merged(text.encode(), "litellm-plugin", exported(policy("litellm-plugin"), "litellm-plugin"))
    assert found.text == "\ufeff" + put("litellm-plugin", LITELLM).text.replace("\n", "\r\n")
    assert found.before == text


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\n", "a: 1", "model_list:\n", "model_list: []  # none yet\nb: 2\n", "{a: 1}", "{}\n",
        "model_list: [{model_name: a, litellm_params: {}}]\n", "{model_list: [], a: [1, 2]}\n",
        "a:\n  b: |+\n    x\n\n\n# end\n", "model_list:\n- model_name: a\n  litellm_params:\n    model: x",
        '{"model_list": [], "a": 1}\n', "model_list: null\na:\n", "a: &\n".replace("&", "b"),
    ],
)  # fmt: skip
def test_a_list_that_is_missing_empty_or_in_a_row_takes_the_entries(text: str) -> None:
    found = put("litellm-plugin", text)
    data = yaml.safe_load(found.text)
    before = yaml.safe_load(text)
    assert data["model_list"][:-1] == (before.get("model_list") or [])
    assert data["model_list"][-1]["model_name"] == "smart"
    assert {key: value for key, value in data.items() if key != "model_list"} == {
        key: value for key, value in before.items() if key != "model_list"
    }
    assert put("litellm-plugin", found.text).diff == ""
    if text.startswith('{"'):
        json.loads(found.text)


plain = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-9, 99), st.text("ab: -#'\"\n{}", max_size=6), st.just(1.5)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, max_size=3),
    ),
    max_leaves=8,
)
entry = st.fixed_dictionaries(
    {"model_name": st.sampled_from(["a", "b c", "yes"]), "litellm_params": st.just({"model": "x"})},
    optional={"model_info": plain},
)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=3), plain, max_size=3),
    st.lists(entry, max_size=3),
    st.sampled_from([None, True, False]),
    st.sampled_from([2, 4]),
    st.booleans(),
)
def test_any_config_keeps_its_data(
    more: dict[str, Any],
    models: list[Any],
    flow: bool | None,  # noqa: FBT001 - drawn
    indent: int,
    last: bool,  # noqa: FBT001 - drawn
) -> None:
    models, more = json.loads(json.dumps([models, more]))  # no object twice, which would be an alias
    document = {**more, "model_list": models} if last else {"model_list": models, **more}
    text = yaml.safe_dump(document, default_flow_style=flow, indent=indent, sort_keys=False)
    found = put("litellm-heuristic", text)
    data = yaml.safe_load(found.text)
    assert data["model_list"][: len(models)] == models
    assert len(data["model_list"]) == len(models) + 3
    assert {**data, "model_list": 0} == {**document, "model_list": 0}
    assert put("litellm-heuristic", found.text).text == found.text


def test_merged_configs_route_as_the_policy_in_litellm(tmp_path: Path) -> None:
    cases = [
        {"category": name, "confidence": confidence, "tags": [f"cat:{name}"]}
        for name in ("law", "maths", "new")
        for confidence in (0.79, 0.8, 0.95)
    ]
    (tmp_path / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
    # The judge of the capability target says .85 of everything.
    forecast = {"crux": "x", "primary_rule": "SUP-1", "capability_boundary": "supported", "p_solve": 0.85}
    judged = LITELLM.replace("mock_response: judge", f"mock_response: {json.dumps(json.dumps(forecast))}")
    for target in ("litellm-plugin", "litellm-heuristic", "litellm-capability"):
        folder = tmp_path / target
        folder.mkdir()
        fragment = exported(policy(target), target)
        for name, text in fragment.files.items():
            (folder / name).write_text(text, encoding="utf-8")
        text = put(target, put(target, judged, 0.1).text).text
        (folder / "config.yaml").write_text(text, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, str(PROGRAM), str(tmp_path), str(tmp_path / "cases.json")],
        capture_output=True, text=True, timeout=200, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]
    answered = json.loads(ran.stdout.splitlines()[-1])
    wanted = ["deep", "swift", "swift", "deep", "swift", "swift", "deep", "deep", "deep"]
    assert answered == {
        "litellm-plugin": wanted,
        "litellm-heuristic": wanted,
        "litellm-capability": ["swift"] * 6 + ["deep"] * 3,
    }


LAUGHS = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nmodel_list: []\n"
BROKEN: list[tuple[str, str | bytes, tuple[str, ...]]] = [
    ("litellm-plugin", "a: [1\nb: 2\n", ("Not valid YAML in line",)),
    ("litellm-plugin", "- model_name: a\n", ("A mapping is needed at the top, found a list",)),
    ("litellm-plugin", "", ("The file is empty",)),
    ("litellm-plugin", "just words\n", ('found "just words"',)),
    ("litellm-plugin", "model_list: {a: 1}\n", ("model_list is needed as a list, found a mapping",)),
    ("litellm-plugin", "model_list: [a, 3]\n", ('found "a"', "Entry 2 of model_list", "2 problems")),
    ("litellm-plugin", LAUGHS, ("line 1 has the anchor &a", "line 3 has the alias *b", "problems")),
    ("litellm-plugin", "a: &x 1\n<<: *x\n", ("anchor &x", "alias *x")),
    ("litellm-plugin", "a: !!python/object/apply:os.system [id]\n", ("the tag !!python/object", "tag out")),
    ("litellm-plugin", "a: 1\na: 2\n", ("a stands in lines 1 and 2",)),
    (
        "litellm-plugin",
        "model_list: 3\nb: !x 1\nc: 1\nc: 2\n",
        ("3 problems", "the tag !x", "c stands in lines 3 and 4", "model_list is needed as a list, found 3"),
    ),
    ("litellm-plugin", "a: 1\n---\nb: 2\n", ("several documents",)),
    ("litellm-plugin", "? [a, b]\n: 1\n", ("a key must be a text",)),
    ("litellm-plugin", "a: " + "[" * 100 + "]" * 100, ("Nested deeper than 64",)),
    ("litellm-plugin", "a: 1\n" * 60_000, ("at most 256 KiB is needed, found 300,000 bytes",)),
    ("flagd", " " * 2_000_000, ("at most 1,024 KiB is needed, found 2,000,000 bytes",)),
    ("litellm-plugin", b"\xff\xfe\x00a", ("UTF-8",)),
    ("litellm-plugin", b"a: \x00", ("UTF-8",)),
    ("litellm-plugin", "a: 1\rb: 2", ("carriage return",)),
    ("litellm-plugin", "a: 1\r\nb: 2\n", ("Lines that all end alike",)),
    (
        "litellm-plugin",
        "model_list:\n- model_name: smart\n  litellm_params: {model: openai/x}\n",
        ("The name smart is needed", "another name"),
    ),
    (
        "litellm-plugin",
        "model_list:\n- {model_name: a, litellm_params: [1]}\n",
        ("litellm_params of entry 1",),
    ),
    ("vllm-sr", "routing: []\n", ("routing is needed as a mapping, found a list",)),
    ("vllm-sr", "routing: {decisions: {a: 1}, signals: 1}\n", ("2 problems", "routing.decisions", "found 1")),
    ("portkey", '{"strategy": {"mode": "fallback"}, "targets": []}', ("found fallback",)),
    (
        "portkey",
        '{"targets": {}, "strategy": {"conditions": 1}}',
        ("2 problems", "targets is needed as a list"),
    ),
    ("portkey", '{"a": 1,}', ("Not valid JSON in line 1",)),
    ("portkey", "[]", ("A mapping is needed at the top, found a list",)),
    ("flagd", '{"flags": []}', ("flags is needed as a mapping, found a list",)),
    ("flagd", '{"flags": {"a": 1, "a": 2}}', ("flags.a stands in lines 1 and 1",)),
    ("flagd", '{"flags": {}, "b": NaN}', ("Finite numbers are needed",)),
]


@pytest.mark.parametrize(("target", "text", "said"), BROKEN)
def test_a_broken_config_is_refused_with_all_that_is_wrong(
    target: str, text: str | bytes, said: tuple[str, ...]
) -> None:
    fragment = exported(policy(target), target)
    with pytest.raises(Exception, match="Nothing was applied") as refused:
        merged(text, target, fragment)
    assert type(refused.value).__name__ == "SchemaError"
    message = str(refused.value)
    for part in said:
        assert part in message
    assert "/" not in message.replace("!!python/object", "")
    assert "Error" not in message


@settings(max_examples=300, deadline=None)
@given(st.text("a:-[]{}&*!|>#'\" \n,?%@\t", max_size=40))
def test_no_text_whatever_ends_otherwise_than_merged_or_refused(text: str) -> None:
    from analytics.errors import SchemaError  # noqa: PLC0415 - for this test

    for target in ("litellm-plugin", "flagd"):
        try:
            found = put(target, text)
        except SchemaError:
            continue
        assert "smart" in found.text or "tiertune-route" in found.text


def test_a_target_without_a_config_says_which_have_one() -> None:
    with pytest.raises(RefusedError, match="python has no config to merge into"):
        merged("", "python", exported(policy("python"), "python"))
