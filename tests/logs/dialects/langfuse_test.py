"""Langfuse's observations in every layout that it exports. Expected values are by hand, from the fixtures."""

import csv
import datetime as dt
import functools
import io
import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stores import decisions, rows

from analytics.errors import SchemaError
from analytics.logs import intake
from analytics.logs.dialects import DIALECTS, tool_of
from analytics.logs.dialects.dialect import Passed, plain, record_names
from analytics.logs.dialects.langfuse import DIALECT, TRACES
from analytics.logs.meaning.convert import TYPED
from analytics.logs.meaning.mapping import Answers
from analytics.logs.store import Store

FILES = Path(__file__).parents[2] / "fixtures" / "langfuse"
RECORDS = [json.loads(line) for line in (FILES / "observations_v2.jsonl").read_text().splitlines()]
WITH_TRACE = (
    "observations_v2.jsonl", "observations_v2.json", "observations_v2.csv", "observations_v2.parquet",
    "api_v2_observations.json",
)  # fmt: skip
WITHOUT_TRACE = ("observations.jsonl", "observations.csv", "api_v1_observations.json")
PASSED = {
    **{
        f"observations of type {kind}": 1
        for kind in (
            "SPAN",
            "EVENT",
            "AGENT",
            "TOOL",
            "CHAIN",
            "RETRIEVER",
            "EVALUATOR",
            "EMBEDDING",
            "GUARDRAIL",
        )
    },
    "calls that Langfuse made itself, such as its evaluators'": 1,
}
# Of the 13 generations: COLUMNS below, tokens being input, output, reasoning and cached.
CALLS = [
    # 300 + 512 cached = 812 in; 92 + 128 reasoning = 220 out; 21.100 - 19.963 = 1.137 s.
    ("g01", "t01", "gpt-5-mini", 812, 220, 128, 512, 0.0005278, 1.137, "success"),
    ("g02a", "t02", "gpt-5-mini", 400, 100, None, None, 0.0003, 1.5, "success"),
    ("g02b", "t02", "gpt-5.2@high", 400, 1000, 700, None, 0.0147, 6.0, "success"),
    ("g03", "t03", "gpt-5-mini", 1000, 200, None, None, 0.00065, 2.25, "success"),
    # Failed calls have no usage and no cost: unknown, although the export says a total cost of 0.
    ("g04a", "t04", "gpt-5-mini", None, None, None, None, None, 30.0, "timeout"),
    ("g04b", "t04", "gpt-5.2@high", 1000, 500, None, None, 0.00875, 10.0, "success"),
    ("g05", "t05", "gpt-5-mini", None, None, None, None, None, 0.2, "error"),
    # Anthropic's keys: 40 + 1000 read + 200 written = 1240 in, of which 1000 came from the cache. Not ended.
    ("g06", "t06", "claude-haiku-4-5", 1240, 500, None, 1000, 0.00289, None, None),
    ("g07a", "t07", "claude-haiku-4-5", None, None, None, None, None, 1.0, "error"),
    ("g07b", "t07", "claude-haiku-4-5", 100, 100, None, None, 0.0006, 2.0, "success"),
    ("g07c", "t07", "claude-opus-4-5", 100, 400, None, None, 0.0105, 5.0, "success"),
    # The total is 100 + 600, so the 500 reasoning tokens are inside the 600. No cost logged, so priced:
    # 100 x 0.25 + 600 x 2 = 1225 USD per million calls.
    ("g08", "t08", "gpt-5-mini", 100, 600, 500, None, 0.001225, 3.0, "success"),
    # OpenAI's own keys, stored as they came; nobody knows a price.
    ("g09", "t09", "acme-7b", 1200, 80, None, None, None, 0.8, "success"),
]
COLUMNS = (
    "call_id", "request_id", "model", "input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens",
    "cost_usd", "latency_s", "status",
)  # fmt: skip


def inspected(store: Store, path: Path, **answers) -> intake.Inspection:
    return intake.inspect(path, name=path.name, answers=Answers(**answers), workdir=store.staging)


def typed(inspection):
    """Typed rows of a file as the child process gives them."""
    assert inspection.proposal.refusal is None
    assert inspection.proposal.questions == []
    intake.convert(inspection, inspection.proposal.mapping)
    return pl.read_parquet(inspection.folder / TYPED)


@pytest.fixture(scope="module")
def layouts():
    """Inspection and typed rows by name of a fixture, each read once."""
    with Store.open(None) as store:

        @functools.cache
        def read(name):
            inspection = inspected(store, FILES / name)
            return inspection, typed(inspection)

        yield read


def test_calls_have_the_tokens_costs_and_latencies_of_the_export(layouts):
    _, frame = layouts("observations_v2.jsonl")
    assert frame.select(COLUMNS).rows() == CALLS


def test_times_units_arms_and_efforts_come_from_the_observation_and_its_trace(layouts):
    frame = layouts("observations_v2.jsonl")[1].select(
        "call_id", "ts", "ttft_s", "unit_id", "arm", "effort", "task_category", "confidence", "segment"
    )
    first, kept, unfinished = (frame.row(at, named=True) for at in (0, 3, 7))
    assert first == {
        "call_id": "g01", "ts": dt.datetime.fromisoformat("2026-05-29T13:46:19.963"), "ttft_s": 0.5,
        "unit_id": "s-1", "arm": "A", "effort": None, "task_category": "math", "confidence": 0.93,
        "segment": "production",
    }  # fmt: skip
    assert (kept["unit_id"], kept["arm"]) == ("u-2", "B")  # no session: the user
    assert (unfinished["unit_id"], unfinished["arm"]) == (None, None)
    assert frame["effort"].drop_nulls().to_list() == ["high", "high"]


@pytest.mark.parametrize("name", WITH_TRACE[1:])
def test_every_layout_with_the_trace_s_fields_gives_equal_rows(layouts, name):
    (_, first), (inspection, other) = layouts(WITH_TRACE[0]), layouts(name)
    assert (inspection.staged.read, inspection.staged.passed) == (13, PASSED)  # 13 + 10 = 23 observations
    assert other.drop("line").equals(first.drop("line"))


@pytest.mark.parametrize("name", WITHOUT_TRACE)
def test_layouts_without_the_trace_s_fields_give_the_same_rows_but_for_those(layouts, name):
    (_, first), (inspection, other) = layouts(WITH_TRACE[0]), layouts(name)
    assert (inspection.staged.read, inspection.staged.passed) == (13, PASSED)  # 13 + 10 = 23 observations
    assert set(first.columns) - set(other.columns) == {"unit_id", "arm"}
    assert other.drop("line").equals(first.select(other.drop("line").columns))


@pytest.mark.parametrize("name", ["ui_observations.json", "ui_observations.csv"])
def test_the_export_from_the_ui_carries_grades_and_only_those_named_so_are_read(layouts, name):
    (_, first), (inspection, other) = layouts(WITH_TRACE[0]), layouts(name)
    assert (inspection.staged.read, inspection.staged.passed) == (13, PASSED)  # 13 + 10 = 23 observations
    assert other.drop("line", "correct").equals(first.drop("line", "correct"))
    # Graded are g01, g02a and g02b; the failed calls g04a, g05 and g07a were served and count as wrong.
    expected = [1.0, 0.0, 1.0, None, 0.0, None, 0.0, None, 0.0, None, None, None, None]
    assert other["correct"].to_list() == expected
    assert {"scores.helpfulness", "scores.relevance"} <= set(inspection.proposal.unused)


def test_a_trace_in_full_gives_its_calls_the_trace_s_fields(layouts):
    inspection, frame = layouts("api_traces_in_full.jsonl")
    first = layouts(WITH_TRACE[0])[1].head(3)
    assert frame.drop("line").equals(first.select(frame.drop("line").columns))
    assert inspection.staged.passed == {
        "observations of type SPAN": 1,
        "scores inside a trace: load the export of scores for them": 1,
    }


@pytest.mark.parametrize("name", [*WITH_TRACE, "observations.csv"])
def test_every_call_loads_without_a_question(store, name):
    [report] = intake.load(store, "log", [FILES / name], Answers())
    assert (report.read, report.loaded, report.rejected, report.duplicates) == (13, 13, 0, 0)


def test_decisions_stand_row_by_row(store):
    intake.load(store, "d", [FILES / "observations_v2.parquet"], Answers())
    found = decisions(
        store,
        "request_id, fast_model, strong_model, task_category, confidence, escalated, fast_correct,"
        " strong_correct, fast_cost_usd, strong_cost_usd, fast_latency_s, strong_latency_s, unit_id, arm,"
        " cost_source",
    )
    mini, large = "gpt-5-mini", "gpt-5.2@high"
    haiku, opus = "claude-haiku-4-5", "claude-opus-4-5"
    none = (None, None)
    assert found == [
        ("t01", mini, large, "math", 0.93, False, *none, 0.0005278, None, 1.137, None, "s-1", "A", "logged"),
        ("t02", mini, large, "math", 0.41, True, *none, 0.0003, 0.0147, 1.5, 6.0, "s-1", "A", "logged"),
        ("t03", mini, large, "code", 0.88, False, *none, 0.00065, None, 2.25, None, "u-2", "B", "logged"),
        # The fast call ran into a timeout, which is a wrong answer, and has no confidence.
        ("t04", mini, large, "code", None, True, 0.0, None, None, 0.00875, 30.0, 10.0, "s-2", "B", "logged"),
        ("t05", mini, large, "code", None, False, 0.0, None, None, None, 0.2, None, "s-3", "A", None),
        ("t06", haiku, opus, "writing", None, False, *none, 0.00289, None, None, None, None, None, "logged"),
        # Two calls of the fast model: latencies add, 1 + 2 s; the first call's cost is unknown, so theirs is.
        ("t07", haiku, opus, "writing", 0.3, True, *none, None, 0.0105, 3.0, 5.0, "s-4", "B", "logged"),
        ("t08", mini, large, "code", 0.75, False, *none, 0.001225, None, 3.0, None, "s-3", "A", "priced"),
    ]  # fmt: skip
    assert store.ladder("d").confirmed


def test_two_calls_of_one_model_in_a_trace_are_both_loaded_and_known_by_their_ids(store):
    intake.load(store, "d", [FILES / "observations_v2.jsonl"], Answers())
    query = "SELECT call_id FROM calls WHERE request_id = 't07' AND model LIKE '%haiku%' ORDER BY call_id"
    found = rows(store, query)
    assert found == [("g07a",), ("g07b",)]
    [again] = intake.load(store, "d", [FILES / "observations_v2.csv"], Answers())
    assert (again.loaded, again.duplicates) == (0, 13)


def test_prompts_and_answers_are_loaded_only_if_asked_for(store, layouts):
    assert "prompt" not in layouts("observations_v2.csv")[1].columns
    frame = typed(inspected(store, FILES / "observations_v2.csv", keep_text=True))
    assert frame["prompt"][0] == '{"messages": [{"role": "user", "content": "What is 17 times 23?"}]}'
    assert frame["answer"][0] == '{"role": "assistant", "content": "391"}'
    objects = typed(inspected(store, FILES / "api_v1_observations.json", keep_text=True))
    assert objects["prompt"][0] == frame["prompt"][0]


# Pages


def test_a_page_says_that_there_are_others(layouts):
    by_number = layouts("api_v1_observations.json")[0].staged.notes
    by_cursor = layouts("api_v2_observations.json")[0].staged.notes
    assert by_number == ['Rows found under "data".', "This is page 1 of 3; load the other pages too."]
    assert by_cursor == [
        'Rows found under "data".',
        "This is one page of an API answer; load the other pages too.",
    ]


@pytest.mark.parametrize("meta", [{"cursor": None}, {}, {"page": 1, "limit": 50, "totalPages": 1}])
def test_the_only_page_says_nothing(store, tmp_path, meta):
    document = json.loads((FILES / "api_v2_observations.json").read_text())
    path = tmp_path / "page.json"
    path.write_text(json.dumps({**document, "meta": meta}))
    assert inspected(store, path).staged.notes == ['Rows found under "data".']


# Files that hold no calls


@pytest.mark.parametrize(
    ("name", "sense"),
    [
        ("traces.jsonl", r"list of traces or sessions.*Load the export of observations instead"),
        ("api_traces.json", r"2 traces that only name their observations: export the observations instead"),
    ],
)
def test_traces_alone_are_refused_with_what_to_load_instead(store, name, sense):
    with pytest.raises(SchemaError, match=sense) as caught:
        intake.load(store, "log", [FILES / name], Answers())
    assert "Nothing was loaded" in str(caught.value)


def test_a_file_without_a_generation_is_refused_with_what_it_holds(store, tmp_path):
    path = tmp_path / "spans.jsonl"
    spans = [record for record in RECORDS if record["type"] in {"SPAN", "TOOL"}]
    path.write_text("".join(json.dumps(record) + "\n" for record in spans))
    with pytest.raises(SchemaError, match="1 observations of type SPAN; 1 observations of type TOOL"):
        intake.load(store, "log", [path], Answers())


# Recognition


@pytest.mark.parametrize(
    "name", [*WITH_TRACE, *WITHOUT_TRACE, "ui_observations.csv", "api_traces_in_full.jsonl"]
)
def test_observations_are_recognised_by_their_names(layouts, name):
    assert layouts(name)[0].staged.dialect == "langfuse"


@pytest.mark.parametrize(
    "names",
    [
        # The fields that the API always gives.
        "id traceId startTime endTime projectId parentObservationId type",
        "id trace_id type start_time end_time provided_model_name usage_details total_cost",
        # The example of the UI's JSON in Langfuse's documentation.
        "id traceId name type model startTime endTime input output usage totalCost level metadata tags",
    ],
)
def test_fewer_fields_are_recognised_too(names):
    assert tool_of(frozenset(map(plain, names.split()))) is DIALECT


@pytest.mark.parametrize(
    "names",
    [
        # LiteLLM, LangSmith, OpenRouter, Phoenix, MLflow, Helicone, TensorZero and plain tables.
        "request_id call_type spend startTime endTime model metadata request_tags session_id status",
        "id trace_id call_type response_cost startTime endTime model metadata status_fields",
        "id trace_id run_type start_time end_time name status parent_run_id dotted_order total_cost tags",
        "id created_at model native_tokens_prompt native_tokens_completion total_cost latency",
        "name span_kind parent_id start_time end_time context.trace_id attributes.llm.model_name",
        "trace_id request_time execution_duration state trace_metadata tags assessments",
        "request_id request_created_at response_status model prompt_tokens latency cost request_properties",
        "id function_name variant_name episode_id processing_time_ms timestamp tags",
        "request_id category model confidence correct cost_usd latency_s",
        "trace_id name value source timestamp",
        "resourceSpans",
    ],
)
def test_others_are_not_taken_for_langfuse(names):
    tool = tool_of(frozenset(map(plain, names.split())))
    assert tool is None or not tool.name.startswith("langfuse")


def test_sessions_are_refused_as_traces_are():
    sessions = "id userIds countTraces sessionDuration inputCost totalCost traceTags bookmarked public"
    assert tool_of(frozenset(map(plain, sessions.split()))) is TRACES
    assert set(DIALECTS) >= {"langfuse", "langfuse_scores", "langfuse_traces"}


# Guesses


def log(tmp_path, records):
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def cascade(**more):
    """Ten traces, every second one escalated; names and versions differ between fast and strong."""
    for at in range(10):
        for step, model in enumerate(("gpt-5-mini", "gpt-5.2")[: 1 + at % 2]):
            yield {
                "id": f"g{at}{step}", "trace_id": f"t{at}", "type": "GENERATION", "level": "DEFAULT",
                "start_time": f"2026-05-29 10:{at:02}:0{step}.000000", "provided_model_name": model,
                "usage_details": {"input": 10, "output": 5}, "name": ("ask-fast", "ask-strong")[step],
                "prompt_version": 3 + step, "release": ("v1", "v2")[at // 5],
                **{name: value(at, step) for name, value in more.items()},
            }  # fmt: skip


def test_a_name_that_differs_between_fast_and_strong_is_no_category(store, tmp_path):
    proposal = inspected(store, log(tmp_path, cascade())).proposal
    assert "task_category" not in proposal.mapping.columns
    assert proposal.mapping.columns["arm"] == ("release",)  # weak: to be looked at
    assert {guess.field: guess.certainty for guess in proposal.guesses}["arm"] == "check"
    assert (
        '"name" differs between the calls of one request, so task_category is not read from it.'
        in proposal.notes
    )


def test_the_trace_s_name_is_a_weak_hint_at_the_category(store, tmp_path):
    records = cascade(trace_name=lambda at, _: ("summary", "answer")[at // 5])
    proposal = inspected(store, log(tmp_path, records)).proposal
    assert proposal.mapping.columns["task_category"] == ("trace_name",)
    assert {guess.field: guess.certainty for guess in proposal.guesses}["task_category"] == "check"


# Anything


def junk():
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
    numbers = st.sampled_from([10**400, -1, 1e308, "1e999", "NaN", "9" * 400, 0, 2**70])
    texts = st.sampled_from(
        ['{"a": "\\u0000"}', '{"a": "\\ud800"}', "{not json", "[[[[1]]]]", '{"input": {"input": 1}}']
    )
    return st.recursive(
        scalars | numbers | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
        max_leaves=8,
    )


@st.composite
def mutated(draw):
    record = dict(draw(st.sampled_from(RECORDS)))
    for name in draw(st.lists(st.sampled_from(sorted(record)), max_size=6)):
        record.pop(name, None)
    for name in draw(st.lists(st.sampled_from(sorted(RECORDS[0])), max_size=5)):
        record[name] = draw(junk())
    return record


@given(mutated())
def test_any_record_gives_rows_or_reasons_or_is_rejected(record):
    try:
        found = list(DIALECT.opened(record))
    except (TypeError, ValueError, KeyError, AttributeError):
        return
    assert found
    assert all(isinstance(item, dict | Passed) for item in found)


@given(st.lists(mutated(), min_size=1, max_size=40), st.booleans())
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_loads_or_is_refused(tmp_path, records, as_csv):
    whole = [RECORDS[1], *records]
    text = "".join(json.dumps(record) + "\n" for record in whole)
    if as_csv:
        names = list(dict.fromkeys(name for record in whole for name in record))
        sheet = io.StringIO(newline="")
        writer = csv.DictWriter(sheet, names)
        writer.writeheader()
        writer.writerows(
            {name: value if isinstance(value, str) else json.dumps(value) for name, value in record.items()}
            for record in whole
        )
        text = sheet.getvalue()
    path = tmp_path / "any"
    path.write_bytes(text.encode(errors="surrogatepass"))
    with Store.open(None) as store:
        try:
            [report] = intake.load(store, "log", [path], Answers(accept_rejects=True))
        except SchemaError as refusal:
            assert "reference" not in str(refusal)  # noqa: PT017 - a refusal for good reason, no crash of the child
            return
        assert report.read == report.loaded + report.rejected + report.duplicates


def test_names_of_records_are_looked_at_plain():
    assert {"trace_id", "usage_details", "usage_details_input"} <= record_names(RECORDS[1])
