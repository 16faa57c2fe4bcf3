"""Which column is read as which field, what is asked, and what is refused."""

import dataclasses

import pytest
from staged_rows import bad_input, columns_of, propose

from analytics.errors import SchemaError
from analytics.logs.dialects import DIALECTS
from analytics.logs.meaning.mapping import Answers, Mapping, known_name, signature
from analytics.logs.schema import TABLES

PLAIN = "request_id timestamp category tier model confidence correct cost_usd latency_ms variant".split()  # noqa: SIM905


def flags(made):
    return [question.flag for question in made.questions]


def guess(made, field):
    return next(one for one in made.guesses if one.field == field)


def table(rows=20, **columns):
    """A call-level file in which every column repeats its values."""
    base = {"request_id": [f"r{at}" for at in range(rows)], "model": ["m"], "correct": ["1", "0"]}
    return {
        name: [values[at % len(values)] for at in range(rows)] for name, values in {**base, **columns}.items()
    }


def test_plain_foreign_columns_map_by_themselves_and_surely(tmp_path):
    made = propose(tmp_path, bad_input("ok_baseline.csv"))
    assert made.mapping.form == "calls"
    assert made.mapping.shown() == {
        "request_id": "request_id", "ts": "timestamp", "task_category": "category", "tier": "tier",
        "model": "model", "confidence": "confidence", "correct": "correct", "cost_usd": "cost_usd",
        "latency_s": "latency_ms", "arm": "variant",
    }  # fmt: skip
    assert made.mapping.units["latency_s"] == "ms"
    assert {one.certainty for one in made.guesses if one.sources} == {"sure"}
    assert (made.questions, made.notes, made.unused, made.refusal) == ([], [], [], None)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("requestId", "request_id"), ("Task Type", "task_category"), ("createdAt", "ts"),
        ("latencyMs", "latency_s"), ("prompt_tokens", "input_tokens"), ("is_correct", "correct"),
        ("reasoning_correct", "strong_correct"), ("cheap_cost", "fast_cost_usd"), ("bucket", "arm"),
        ("cost_strong", "strong_cost_usd"), ("fast.latency_ms", "fast_latency_s"), ("user", "unit_id"),
        ("reasoning_tokens", "reasoning_tokens"), ("reasoning_effort", "effort"),
        ("fast_self_verification", "confidence"), ("r000", None), ("0.05", None), ("small", None),
        ("2026-01-01T00:00:00Z", None), ("dataset_size", None), ("file_id", None), ("", None),
    ],
)  # fmt: skip
def test_names_are_known_whatever_their_spelling(name, field):
    assert known_name(name) == field


def test_every_name_of_a_table_stands_for_itself():
    for form, dialect in (("decisions", "wide"), ("calls", "call_level")):
        for column in TABLES[form]:
            if column.mappable and column.name != "escalated":
                assert DIALECTS[dialect].match(column.name) == (column.name, 0)


def test_a_strong_answers_own_confidence_is_never_read(tmp_path):
    columns = {"id": ["1", "2"], "fast_correct": ["1", "0"], "strong_confidence": ["0.5", "0.6"]}
    made = propose(tmp_path, columns)
    assert "confidence" not in made.mapping.columns
    assert made.unused == ["strong_confidence"]


def test_of_several_confidences_the_first_good_one_is_taken_and_the_others_named(tmp_path):
    columns = table(
        fast_correct=["1", "0"],
        fast_logit_confidence=["0.5", None],
        fast_verbal_confidence=["0.5"],
        fast_other_confidence=["0.6"],
    )
    made = propose(tmp_path, columns)
    # "verbal_confidence" is a name of its own, the two others are only alike.
    assert made.mapping.columns["confidence"] == ("fast_verbal_confidence",)
    assert made.mapping.constants["confidence_kind"] == "self_report"
    del columns["fast_verbal_confidence"]
    made = propose(tmp_path, columns)
    assert made.mapping.columns["confidence"] == ("fast_other_confidence",)
    assert guess(made, "confidence").certainty == "check"
    assert any("fast_logit_confidence" in note for note in made.notes)


def test_success_beside_a_grade_is_a_status_and_alone_a_grade(tmp_path):
    beside = propose(tmp_path, {"score": ["0.5", "1"], "success": ["true", "false"], "model": ["a", "b"]})
    assert beside.mapping.columns["correct"] == ("score",)
    assert beside.mapping.columns["status"] == ("success",)
    alone = propose(tmp_path, {"success": ["true", "false"], "model": ["a", "b"]})
    assert alone.mapping.columns["correct"] == ("success",)
    assert guess(alone, "correct").certainty == "check"


def test_mixed_scale_is_asked_and_the_answer_counts_under_either_name(tmp_path):
    columns = bad_input("conf_mixed_scale.csv")
    assert flags(propose(tmp_path, columns)) == ["--unit confidence=percent"]
    columns["certainty"] = columns.pop("confidence")
    assert flags(propose(tmp_path, columns)) == ["--unit certainty=percent"]
    for name in ("certainty", "confidence"):
        answered = propose(tmp_path, columns, unit={name: "percent"})
        assert (answered.questions, answered.mapping.units["confidence"]) == ([], "percent")


def test_percent_and_log_probability_show_in_the_values(tmp_path):
    percent = propose(tmp_path, table(confidence=["12", "87", "100"]))
    assert (percent.questions, percent.mapping.units["confidence"]) == ([], "percent")
    assert guess(percent, "confidence").certainty == "check"
    logprob = propose(tmp_path, table(mean_logprob=["-0.1", "-2"]))
    assert logprob.mapping.units["confidence"] == "logprob"
    assert logprob.mapping.constants["confidence_kind"] == "logprob"
    assert flags(propose(tmp_path, table(confidence=["1", "7", "10"]))) == ["--unit confidence=percent"]


def test_a_few_values_out_of_range_are_dirt_and_no_other_scale(tmp_path):
    made = propose(tmp_path, table(rows=1000, confidence=[*["0.5"] * 999, "56.97"]))
    assert (made.questions, made.mapping.units.get("confidence")) == ([], None)


def test_a_score_from_1_to_10_is_no_grade(tmp_path):
    made = propose(tmp_path, {"model": ["a"] * 3, "score": ["1", "7", "10"], "cost_usd": ["1", "1", "1"]})
    assert "correct" not in made.mapping.columns
    [note] = [note for note in made.notes if "score" in note]
    assert note == (
        '"score" runs from 1 to 10: no grade from 0 to 1, so it is not read. '
        "Rescale it, or name another column for the grade."
    )
    asked = propose(tmp_path, {"model": ["a"] * 3, "score": ["1", "7", "10"]}, map={"correct": ("score",)})
    assert flags(asked) == ["--unit score=percent"]


@pytest.mark.parametrize(
    ("values", "unit", "flag"),
    [
        (["850", "1200"], "ms", []),
        (["0.9", "1.25"], "s", []),
        (["30", "60"], None, ["--unit latency=s"]),
        (["1", "2"], None, ["--unit latency=s"]),
    ],
)
def test_a_bare_latency_is_seconds_or_milliseconds_by_size_or_asked(tmp_path, values, unit, flag):
    made = propose(tmp_path, table(latency=values))
    assert (made.mapping.units.get("latency_s"), flags(made)) == (unit, flag)


@pytest.mark.parametrize(
    ("file", "answers", "asked"),
    [
        ("ts_mixed.csv", {"unit": {"timestamp": "epoch_s"}}, "--unit timestamp=epoch_s"),
        ("ts_ambiguous_ddmm.csv", {"dates": "dmy"}, "--dates dmy"),
        ("cost_money.csv", {"unit": {"cost_usd": "usd"}, "decimal": "."}, "--unit cost_usd=usd"),
    ],
)
def test_what_may_not_be_guessed_is_asked_until_it_is_answered(tmp_path, file, answers, asked):
    assert asked in flags(propose(tmp_path, bad_input(file)))
    assert flags(propose(tmp_path, bad_input(file), **answers)) == []


def test_a_decimal_comma_is_asked_with_an_example(tmp_path):
    columns = bad_input("semicolon_decimal_comma.csv", delimiter=";")
    (question,) = propose(tmp_path, columns, delimiter=";").questions
    assert question.flag == "--decimal ,"
    assert question.text.startswith('Delimiter ";" and decimal comma detected: confidence "0,0" read as 0.0.')
    assert propose(tmp_path, columns, delimiter=";", decimal=",").questions == []


def test_a_day_beyond_12_settles_the_order_of_dates(tmp_path):
    made = propose(tmp_path, table(date=["01/02/2026", "13/02/2026"]))
    assert (made.questions, made.mapping.dates) == ([], "dmy")


def test_grades_in_words_are_shown(tmp_path):
    made = propose(tmp_path, bad_input("correct_words.csv"))
    assert made.notes == ["correct: yes, Y, TRUE, 1, pass count as correct; no, N, false, 0, fail as wrong."]


def test_nothing_to_know_about_tiers_is_refused(tmp_path):
    made = propose(tmp_path, bad_input("missing_required.csv"))
    assert made.refusal is not None
    assert made.refusal.startswith(
        "Missing: category, confidence, correct, cost. Found: request_id, timestamp, model. Map a column?"
    )
    made = propose(tmp_path, bad_input("no_header.csv"))
    assert made.refusal is not None
    assert made.refusal.startswith("No known column names in line 1. Expected at least request_id, category,")


def test_no_request_id_is_said(tmp_path):
    made = propose(tmp_path, bad_input("no_request_id.csv"))
    (note,) = made.notes
    assert note == (
        "No request_id: rows identified by file hash + row number; re-upload of this file is recognised, "
        "overlap with other files is not."
    )


def test_overrides_lie_over_guesses(tmp_path):
    made = propose(
        tmp_path,
        bad_input("ok_baseline.csv"),
        map={"confidence": (), "segment": ("tier", "variant")},
        set={"cost_usd": "0.5"},
    )
    assert "confidence" not in made.mapping.columns
    assert made.mapping.columns["segment"] == ("tier", "variant")
    assert "cost_usd" not in made.mapping.columns
    assert made.mapping.constants == {"cost_usd": "0.5"}


def test_an_override_of_the_other_table_changes_the_form(tmp_path):
    made = propose(tmp_path, bad_input("ok_baseline.csv"), map={"fast_correct": ("correct",)})
    assert made.mapping.form == "decisions"
    assert made.mapping.constants == {"fast_model": "fast", "strong_model": "strong"}


@pytest.mark.parametrize(
    "answers",
    [
        {"map": {"confidence": ("nowhere",)}},
        {"map": {"nothing": ("model",)}},
        {"map": {"fold": ("model",)}},
        {"set": {"nothing": "1"}},
        {"unit": {"nothing": "ms"}},
        {"unit": {"confidence": "ms"}},
        {"map": {"fast_correct": ("correct",), "served": ("correct",)}},
    ],
)
def test_overrides_of_what_does_not_exist_are_refused(tmp_path, answers):
    with pytest.raises(SchemaError):
        propose(tmp_path, bad_input("ok_baseline.csv"), **answers)


def test_a_confirmed_mapping_is_used_again(tmp_path):
    columns = bad_input("conf_mixed_scale.csv")
    first = propose(
        tmp_path, columns, unit={"confidence": "percent"}, map={"arm": ()}, set={"experiment": "e"}
    )
    saved = Mapping.from_json(first.mapping.to_json())
    assert saved == first.mapping
    again = propose(tmp_path, columns, saved=saved)
    assert again.mapping == first.mapping
    assert again.questions == []


def test_a_signature_is_of_the_names_and_not_of_their_order():
    assert signature(["a", "b"]) == signature(["b", "a"])
    assert signature(["a", "b"]) != signature(["a,b"])


def test_answers_survive_json():
    answers = Answers(map={"ts": ("a", "b")}, prices={"m": (1.0, 2.5)}, accept_rejects=True)
    assert Answers.from_json(answers.to_json()) == answers


def test_reasons_fit_their_column(tmp_path):
    for columns in (bad_input("ok_baseline.csv"), bad_input("cost_money.csv"), table(mean_logprob=["-0.1"])):
        for one in propose(tmp_path, columns).guesses:
            assert 0 < len(one.why) <= 30
            assert len(one.samples) <= 3


def test_a_column_of_short_repeated_texts_is_a_category_to_check(tmp_path):
    made = propose(tmp_path, table(area=["law", "math"], provider=["x", "y"]))
    assert made.mapping.columns["task_category"] == ("area",)
    assert guess(made, "task_category").certainty == "check"


def test_what_differs_between_the_calls_of_a_request_is_no_category(tmp_path):
    calls = {"request_id": [f"r{at // 2}" for at in range(20)], "model": ["small", "large"] * 10}
    steps = {"step name": ["ask", "ask again"] * 10, "type": ["first", "second"] * 10}
    found = propose(tmp_path, {**calls, **steps, "correct": [1] * 20})
    assert "task_category" not in found.mapping.columns
    assert found.notes == [
        '"type" differs between the calls of one request, so task_category is not read from it.'
    ]
    found = propose(tmp_path, {**calls, **steps, "topics": ["law"] * 10 + ["code"] * 10, "correct": [1] * 20})
    assert found.mapping.columns["task_category"] == ("topics",)


def test_a_weak_name_with_a_text_of_its_own_in_every_row_is_no_category(tmp_path):
    columns = {"request_id": range(30), "correct": [1] * 30}
    found = propose(tmp_path, {**columns, "type": [f"chat {at}" for at in range(30)]})
    assert "task_category" not in found.mapping.columns
    assert found.notes[0] == '"type" holds too many different texts for categories, so it is not read.'
    found = propose(tmp_path, {**columns, "type": [f"chat {at % 15}" for at in range(30)]})
    assert found.mapping.columns["task_category"] == ("type",)


def test_nested_names_count_by_their_last_step_unless_a_whole_name_is_there(tmp_path):
    made = propose(tmp_path, table(**{"metadata.category": ["law", "math"]}))
    assert made.mapping.columns["task_category"] == ("metadata.category",)
    made = propose(tmp_path, table(**{"metadata.category": ["law", "math"], "topic": ["a", "b"]}))
    assert made.mapping.columns["task_category"] == ("topic",)


def test_prompts_are_read_only_if_asked_for(tmp_path):
    columns = table(prompt=["why"], response=["so"])
    assert not {"prompt", "answer"} & set(propose(tmp_path, columns).mapping.columns)
    assert {"prompt", "answer"} <= set(propose(tmp_path, columns, keep_text=True).mapping.columns)


def test_public_logs_get_sensible_proposals_by_themselves(tmp_path, datasets):
    automix = propose(tmp_path, columns_of(datasets / "automix_llama_gpt5" / "pairs.parquet"))
    assert automix.questions == []
    assert automix.mapping.shown() == {
        "request_id": "dataset+row_idx", "task_category": "dataset", "confidence": "fast_confidence",
        "fast_correct": "fast_perf", "strong_correct": "reasoning_perf",
        "fast_model": "fast_model", "strong_model": "reasoning_model",
    }  # fmt: skip
    mmlu = propose(tmp_path, columns_of(datasets / "mmlu_pro_calibration" / "pairs.parquet"))
    assert mmlu.questions == []
    assert mmlu.mapping.shown() == {
        "request_id": "question_idx", "task_category": "category", "fast_model": "fast_model",
        "strong_model": "reasoning_model", "confidence": "fast_verbal_numerical_confidence",
        "fast_correct": "fast_correct", "strong_correct": "reasoning_correct",
        "fast_output_tokens": "fast_token_length", "strong_output_tokens": "reasoning_token_length",
    }  # fmt: skip
    assert guess(mmlu, "confidence").certainty == "check"
    routellm = propose(tmp_path, columns_of(datasets / "routellm" / "mmlu_gsm8k.parquet"))
    assert routellm.mapping.shown()["task_category"] == "category"
    assert guess(routellm, "confidence").certainty == "missing"
    arena = propose(tmp_path, columns_of(datasets / "routerarena" / "long.parquet"))
    assert arena.mapping.shown() == {
        "request_id": "global_index", "task_category": "dataset", "model": "model", "correct": "score",
        "input_tokens": "input_tokens", "output_tokens": "output_tokens", "cost_usd": "inference_cost",
        "status": "success",
    }  # fmt: skip
    bench = propose(tmp_path, columns_of(datasets / "routellm" / "mt_bench.parquet"))
    assert bench.refusal is not None


def test_records_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Answers().decimal = ","  # type: ignore[misc]
