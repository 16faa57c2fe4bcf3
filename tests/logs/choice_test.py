"""What a tool's dialect may say about its columns beyond their names."""

import dataclasses

import pytest
from staged_rows import profiled, propose, stage

from analytics.logs.dialects import DIALECTS, call_level
from analytics.logs.dialects.dialect import Dialect
from analytics.logs.meaning import choice, scales
from analytics.logs.meaning.mapping import Answers, proposal
from analytics.logs.meaning.profile import ColumnProfile

NAMES = {
    "request": ("request_id", 1),
    "model": ("model", 0),
    "forecast": ("confidence", 1),
    "stated": ("confidence", 2),
    "forecast_limit": ("threshold", 1),
    "stated_limit": ("threshold", 2),
    "stated_kind": ("confidence_kind", 1),
}
TOOL = Dialect(
    name="a_tool",
    title="A tool",
    form="calls",
    recognises=lambda _: False,
    match=NAMES.get,
    opened=lambda record: [record],
    tails=False,
    kinds={"forecast": "predictive"},
    units={"forecast": "fraction", "stated": "logprob", "cost_usd": "usd"},
    fits=lambda leader, name: name.startswith(leader),
)


def column(name, *values, numbers=True):
    count = len(values)
    figures = {"numbers": count, "inner": count, "low": 0.1, "high": 0.9} if numbers else {}
    texts = tuple(map(str, values))
    return ColumnProfile(
        *(name, 0, count, count, len(set(texts)), texts), longest=max(map(len, texts)), **figures
    )


def sources(made):
    return {field: one.sources for field, one in made.items()}


def test_a_threshold_and_a_kind_are_those_of_the_confidence_that_is_read():
    columns = [column(name, 0.1, 0.9) for name in ("forecast", "stated", "forecast_limit", "stated_limit")]
    columns.append(column("stated_kind", "self_report", numbers=False))
    made, notes = choice.choices(TOOL, columns)
    assert sources(made) == {"confidence": ("forecast",), "threshold": ("forecast_limit",)}
    assert notes == []
    made, _ = choice.choices(TOOL, columns, said={"confidence": ("stated",)})
    assert sources(made)["threshold"] == ("stated_limit",)
    assert sources(made)["confidence_kind"] == ("stated_kind",)
    made, _ = choice.choices(TOOL, columns, said={"confidence": ()})
    assert sources(made)["threshold"] == ("forecast_limit",)


def test_a_dialect_may_rank_its_columns_by_what_others_hold():
    ranked = dataclasses.replace(
        TOOL, ranks=lambda values: {"stated": ("confidence", 0)} if values["mode"] == ("own",) else {}
    )
    for mode, chosen in (("own", "stated"), ("other", "forecast")):
        columns = [column("forecast", 0.1), column("stated", 0.2), column("mode", mode, numbers=False)]
        made, _ = choice.choices(ranked, columns)
        assert sources(made)["confidence"] == (chosen,)


def test_unknown_columns_of_a_tool_are_no_categories():
    kinds = column("kind", *["chat", "vision"] * 10, numbers=False)
    assert choice.choices(TOOL, [kinds])[0] == {}
    assert sources(choice.choices(call_level.DIALECT, [kinds])[0]) == {"task_category": ("kind",)}


@pytest.mark.parametrize(("name", "unit"), [("forecast", "fraction"), ("stated", "logprob")])
def test_a_dialect_fixes_the_unit_of_one_column_among_several(name, unit):
    # From 0.1 to 87 this would be asked.
    profiles = {name: dataclasses.replace(column(name, 0.1, 87), hundred=1, inner=1, high=87.0)}
    found = scales.scales({"confidence": (name,)}, profiles, TOOL, stated={})
    assert (found.units, found.questions) == ({"confidence": unit}, [])


def test_a_cost_whose_unit_the_tool_fixes_needs_no_second_look():
    profiles = {"spend": column("spend", 0.1, 0.2)}
    for dialect, guessed in ((TOOL, {}), (call_level.DIALECT, {"cost_usd": "US dollars assumed"})):
        assert scales.scales({"cost_usd": ("spend",)}, profiles, dialect, stated={}).guessed == guessed


def test_a_predictive_confidence_makes_a_predictive_policy_unless_the_file_says_otherwise(tmp_path):
    columns = {"model": ["a", "b"], "router_confidence": ["0.1", "0.9"]}
    assert propose(tmp_path, columns).mapping.constants == {
        "confidence_kind": "predictive",
        "policy_kind": "predictive",
    }
    assert propose(tmp_path, columns, set={"policy_kind": "cascade"}).mapping.constants == {
        "confidence_kind": "predictive",
        "policy_kind": "cascade",
    }
    columns["policy_kind"] = ["cascade", "predictive"]
    assert propose(tmp_path, columns).mapping.constants == {"confidence_kind": "predictive"}
    del columns["router_confidence"]
    columns["self_confidence"] = ["0.1", "0.9"]
    assert "policy_kind" not in propose(tmp_path, columns).mapping.constants


def test_a_tools_request_id_stays_one_though_a_row_repeats_with_other_values(tmp_path, monkeypatch):
    monkeypatch.setitem(DIALECTS, TOOL.name, TOOL)
    columns = {
        "request": ["r1", "r1", "r2", "r2"],
        "model": ["fast", "strong", "fast", "fast"],
        "forecast": ["0.1", "0.2", "0.3", "0.4"],
        "line_id": ["1", "2", "3", "4"],
    }
    staged = dataclasses.replace(stage(tmp_path, columns), dialect=TOOL.name)
    made = proposal(staged, profiled(tmp_path, staged), overrides=Answers())
    assert made.mapping.columns["request_id"] == ("request",)
    [note] = [note for note in made.notes if note.startswith("request repeats")]
    assert "on 1 rows" in note
