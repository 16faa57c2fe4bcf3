"""Langfuse's scores as grades, in every layout that it exports. Expected values are by hand."""

import datetime as dt
import functools
import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.errors import SchemaError
from analytics.logs import intake
from analytics.logs.dialects import tool_of
from analytics.logs.dialects.dialect import Passed, plain
from analytics.logs.dialects.langfuse_scores import DIALECT
from analytics.logs.meaning.convert import TYPED
from analytics.logs.meaning.mapping import Answers
from analytics.logs.schema import TABLES
from analytics.logs.store import Store

FILES = Path(__file__).parents[2] / "fixtures" / "langfuse"
RECORDS = [json.loads(line) for line in (FILES / "scores.jsonl").read_text().splitlines()]
LAYOUTS = (
    "scores.jsonl", "scores.json", "scores.csv", "scores.parquet", "api_v2_scores.json", "api_v3_scores.json",
    "ui_scores.csv",
)  # fmt: skip
COLUMNS = ("call_id", "request_id", "unit_id", "grader", "correct", "correct_source")
GRADES = [
    ("g01", "t01", None, "correct", 1.0, "judge"),
    ("g02a", "t02", None, "correct", 0.0, "judge"),
    ("g02b", "t02", None, "correct", 1.0, "judge"),
    (None, "t03", None, "correct", 1.0, "human"),
    # The word counts, not its place in the list of categories, which is 1 for "pass" here and 0 for "fail".
    ("g04b", "t04", None, "verdict", 1.0, "human"),
    ("g08", "t08", None, "verdict", 0.0, "human"),
    # From 1 to 5: a 1 is the worst, not a correct answer. None of the three is a grade.
    ("g01", "t01", None, "helpfulness", None, "judge"),
    ("g02b", "t02", None, "helpfulness", None, "judge"),
    ("g03", "t03", None, "helpfulness", None, "judge"),
    (None, None, "s-1", "user-feedback", 1.0, "feedback"),
    ("g03", "t03", None, "relevance", 0.85, "judge"),
    ("g07c", "t07", None, "exact_match", 1.0, "exact"),
    (None, "t06", None, "tone", None, "judge"),  # formal
    (None, "t07", None, "tone", None, "judge"),  # casual
    ("g08", "t08", None, "quality-check", 0.0, None),
]

REMEDY = " Rescale it, or name another column for the grade."


def inspected(store: Store, path: Path, **answers) -> intake.Inspection:
    return intake.inspect(path, name=path.name, answers=Answers(**answers), workdir=store.staging)


def typed(inspection):
    """(typed rows, what the conversion reports) of a file as the child process gives them."""
    assert inspection.proposal.refusal is None
    assert inspection.proposal.questions == []
    report = intake.convert(inspection, inspection.proposal.mapping)
    return pl.read_parquet(inspection.folder / TYPED), report


@pytest.fixture(scope="module")
def layouts():
    """Inspection by name of a fixture, each read once."""
    with Store.open(None) as store:
        yield functools.cache(lambda name: inspected(store, FILES / name))


def lines(tmp_path, records):
    path = tmp_path / "scores.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def score(value, *, name="x", kind="NUMERIC", **more):
    return {**RECORDS[0], "name": name, "data_type": kind, "value": value, "string_value": None, **more}


def opened(**more):
    [found] = DIALECT.opened({**RECORDS[0], **more})
    return found


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_gives_the_same_grades(layouts, name):
    frame, report = typed(layouts(name))
    assert frame.select(COLUMNS).rows() == GRADES
    assert frame["ts"][0] == dt.datetime.fromisoformat("2026-05-30T14:00:00")
    assert (report.form, report.rows, report.rejected, report.problems) == ("grades", 15, 0, [])
    assert set(frame.columns) <= {"line", *(column.name for column in TABLES["grades"])}


@pytest.mark.parametrize("name", LAYOUTS)
def test_nothing_is_lost_without_a_word(layouts, name):
    staged, proposal = layouts(name).staged, layouts(name).proposal
    corrections = 1 if name == "api_v3_scores.json" else 0
    assert (staged.read, staged.rejected) == (15, 0)  # 15 + 2 = 17 scores, of the API's third version 18
    assert staged.passed == {"scores that are text": 1 + corrections, "scores of an experiment as a whole": 1}
    assert proposal.notes[:2] == [
        '"value.helpfulness" runs from 1 to 5: no grade from 0 to 1, so it is not read.' + REMEDY,
        '"value.tone" holds other words than grades, so it is not read.',
    ]
    assert proposal.mapping.columns["correct"] == (
        "value.correct", "value.verdict", "value.user-feedback", "value.relevance", "value.exact_match",
        "value.quality-check",
    )  # fmt: skip
    assert {guess.field: guess.certainty for guess in proposal.guesses}["correct"] == "check"


@pytest.mark.parametrize("name", LAYOUTS)
def test_scores_are_recognised_by_their_names(layouts, name):
    found = layouts(name)
    assert (found.staged.dialect, found.proposal.mapping.form) == ("langfuse_scores", "grades")


@pytest.mark.parametrize("name", LAYOUTS[2:5])
@pytest.mark.parametrize("dialect", ["grades", "langfuse_scores"])
def test_scores_are_recognised_where_grades_are_expected(store, name, dialect):
    found = inspected(store, FILES / name, dialect=dialect)
    assert (found.staged.dialect, found.proposal.mapping.form) == ("langfuse_scores", "grades")


def test_the_fewest_fields_are_recognised_and_a_plain_table_is_not():
    smallest = "id projectId name value dataType source timestamp environment createdAt updatedAt"
    assert tool_of(frozenset(map(plain, smallest.split()))) is DIALECT
    assert tool_of(frozenset({"trace_id", "name", "value", "source", "timestamp"})) is None
    assert (
        tool_of(
            frozenset(map(plain, ["id", "traceId", "type", "startTime", "level", "model", "usage"])),
            grades=True,
        )
        is None
    )


def test_pages_say_that_there_are_others(layouts):
    notes = {name: layouts(name).staged.notes for name in LAYOUTS[4:6]}
    assert notes["api_v2_scores.json"][1] == "This is page 2 of 3; load the other pages too."
    assert notes["api_v3_scores.json"][1] == "This is one page of an API answer; load the other pages too."


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([1, 2, 5, 4, 1, 3], '"value.x" runs from 1 to 5: no grade from 0 to 1, so it is not read.' + REMEDY),
        (
            [87, 12, 50.5, 99],
            '"value.x" runs from 12 to 99: no grade from 0 to 1, so it is not read.' + REMEDY,
        ),
        ([-1, 1, 1, -1], '"value.x" runs from -1 to 1: no grade from 0 to 1, so it is not read.' + REMEDY),
    ],
)
def test_other_scales_are_never_divided_into_grades(store, tmp_path, values, reason):
    records = [score(value, timestamp=f"2026-05-30 14:00:{at:02}.000000") for at, value in enumerate(values)]
    proposal = inspected(store, lines(tmp_path, records)).proposal
    assert proposal.refusal is not None
    assert reason in proposal.notes
    with pytest.raises(SchemaError, match=r"Missing: a grade from 0 to 1.*value\.x.*--map correct=COLUMN"):
        intake.load(store, "log", [lines(tmp_path, records)], Answers())


def test_a_scale_of_percent_is_read_if_the_user_says_so(store, tmp_path):
    path = lines(tmp_path, [score(87), score(50)])
    frame, _ = typed(inspected(store, path, map={"correct": ("value.x",)}, unit={"correct": "percent"}))
    assert frame["correct"].to_list() == [0.87, 0.5]


def test_a_value_that_falls_out_of_its_scale_is_told_with_its_line(store, tmp_path):
    records = [score(at % 2) for at in range(200)]
    frame, report = typed(inspected(store, lines(tmp_path, [*records, score(1.5)])))
    assert frame["correct"].null_count() == 1
    assert [(problem.line, problem.reason) for problem in report.problems] == [(201, "grade outside 0 to 1")]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"data_type": "BOOLEAN", "value": 1, "string_value": "True"}, 1),
        ({"data_type": "BOOLEAN", "value": False}, False),
        ({"data_type": "BOOLEAN", "value": None, "string_value": "False"}, "False"),
        ({"data_type": "NUMERIC", "value": "0.5"}, "0.5"),
        ({"data_type": "CATEGORICAL", "value": 3, "string_value": "correct"}, "correct"),
        ({"data_type": "CATEGORICAL", "value": "correct", "string_value": None}, "correct"),
        ({"data_type": "categorical", "value": 0, "string_value": "fail"}, "fail"),
        ({"data_type": None, "value": 0, "string_value": "fail"}, "fail"),
        ({"data_type": None, "value": 0.5, "string_value": None}, 0.5),
    ],
)
def test_the_value_follows_the_data_type(more, expected):
    assert opened(**more)["value.correct"] == expected


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"data_type": "TEXT", "value": 0, "string_value": "fine"}, "scores that are text"),
        ({"data_type": "CORRECTION", "value": "391."}, "scores that are text"),
        ({"data_type": "CATEGORICAL", "value": 1, "string_value": None}, "categories without their word"),
        ({"data_type": "NUMERIC", "value": None, "string_value": None}, "scores without a value"),
        ({"data_type": "NUMERIC", "value": [1], "string_value": None}, "scores without a value"),
        ({"observation_id": None, "trace_id": None}, "scores that name no trace, observation or session"),
        (
            {"observation_id": None, "trace_id": None, "dataset_run_id": "r"},
            "scores of an experiment as a whole",
        ),
        (
            {"observation_id": "", "trace_id": "", "subject": {"kind": "experiment", "id": "r"}},
            "scores of an experiment as a whole",
        ),
    ],
)
def test_what_is_no_grade_is_passed_over_with_its_reason(more, reason):
    assert opened(**more) == Passed(reason)


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ({"kind": "observation", "id": "o", "traceId": "t"}, {"observation_id": "o", "trace_id": "t"}),
        ({"kind": "observation", "id": "o"}, {"observation_id": "o"}),
        ({"kind": "trace", "id": "t"}, {"trace_id": "t"}),
        ({"kind": "session", "id": "s"}, {"session_id": "s"}),
        ('{"kind": "trace", "id": "t"}', {"trace_id": "t"}),
    ],
)
def test_the_subject_says_what_was_graded(subject, expected):
    row = opened(observation_id=None, trace_id=None, subject=subject)
    assert {name: value for name, value in row.items() if name.endswith("_id")} == expected


@pytest.mark.parametrize(
    ("source", "name", "expected"),
    [
        ("ANNOTATION", "exact_match", "human"),
        ("EVAL", "Answer Correctness", "judge"),
        ("EVAL", "exact-match", "exact"),
        ("API", "user-feedback", "feedback"),
        ("API", "thumbs", "feedback"),
        ("API", "llm_judge_correct", "judge"),
        ("API", "exact_match", "exact"),
        ("API", "correct", None),
        ("", "correct", None),
    ],
)
def test_the_source_says_who_graded_and_an_unknown_one_stays_unknown(source, name, expected):
    assert opened(source=source, name=name).get("correct_source") == expected


def test_a_score_s_metadata_may_say_how_it_was_sampled(store, tmp_path):
    records = [
        score(1, metadata={"sampling_probability": 0.1, "value": 0, "correct": 0, "by": "x"}),
        score(0),
    ]
    frame, _ = typed(inspected(store, lines(tmp_path, records)))
    assert frame["sampling_probability"].to_list() == [0.1, None]
    assert frame["correct"].to_list() == [1.0, 0.0]


def test_score_names_of_any_script_are_columns(store, tmp_path):
    records = [score(1, name="正しさ"), score(0, name="value"), score(1, name=None), score(0, name="a.b c")]
    frame, _ = typed(inspected(store, lines(tmp_path, records)))
    assert frame["correct"].to_list() == [1.0, 0.0, 1.0, 0.0]
    assert frame["grader"].to_list() == ["正しさ", "value", None, "a.b c"]


def junk():
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10)
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner, max_size=2),
        max_leaves=6,
    )


@st.composite
def mutated(draw):
    record = dict(draw(st.sampled_from(RECORDS)))
    for name in draw(st.lists(st.sampled_from(sorted(record)), max_size=5)):
        record.pop(name, None)
    for name in draw(st.lists(st.sampled_from([*sorted(RECORDS[0]), "subject", "metadata"]), max_size=4)):
        record[name] = draw(junk())
    return record


@given(mutated())
def test_any_record_gives_a_grade_or_a_reason_or_is_rejected(record):
    try:
        found = list(DIALECT.opened(record))
    except (TypeError, ValueError, KeyError, AttributeError):
        return
    assert len(found) == 1
    assert isinstance(found[0], dict | Passed)


@given(st.lists(mutated(), min_size=1, max_size=30))
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_is_converted_or_refused(tmp_path, records):
    path = tmp_path / "any"
    text = "".join(json.dumps(record) + "\n" for record in [RECORDS[0], *records])
    path.write_bytes(text.encode(errors="surrogatepass"))
    with Store.open(None) as store:
        try:
            inspection = inspected(store, path)
            if inspection.proposal.refusal or inspection.proposal.questions:
                return
            report = intake.convert(inspection, inspection.proposal.mapping)
        except SchemaError as refusal:
            assert "reference" not in str(refusal)  # noqa: PT017 - refused for a reason, no crash of the child
            return
        assert inspection.staged.read - inspection.staged.rejected == report.rows + report.rejected
