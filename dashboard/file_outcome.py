"""What became of one file: the sum that must come out, the rejects with their reasons, what is missing."""

from collections.abc import Callable, Mapping, Sequence

import polars as pl
import streamlit as st

from analytics.logs import intake, rejects
from analytics.logs.intake import FileReport
from analytics.logs.reading.staging import PLACES, Problem
from dashboard import components, joining_box, mapping_editor, reasons, state, tall, words
from dashboard.charts import intake as intake_chart
from dashboard.downloads import downloads
from dashboard.loading import Task

OVERVIEW_PAGE = "views/overview.py"
SHOWN_PROBLEMS = 1000
_COSTS = ("fast_cost_usd", "strong_cost_usd", "cost_usd")
_TOKENS = ("fast_output_tokens", "strong_output_tokens", "output_tokens")
GAINS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("confidence", ("confidence",), "what every threshold would have done: the Thresholds page"),
    ("grades", ("fast_correct", "strong_correct", "correct"), "accuracy and cost per correct answer"),
    ("task_category", ("task_category",), "a threshold per kind of task instead of one for all"),
    (
        "costs or tokens",
        (*_COSTS, *_TOKENS),
        "what each strategy costs, savings, goals about money",
    ),
    (
        "latencies",
        ("fast_latency_s", "strong_latency_s", "latency_s"),
        "p50 and p95 by tier, a latency limit when tuning",
    ),
    ("ts", ("ts",), "lines over time, a filter by date, holding out a later period"),
    ("threshold", ("threshold",), "the policy in force as the thing to compare with"),
    (
        "sampling_probability",
        ("sampling_probability",),
        "judging higher thresholds than today's, from a small share of shadow answers",
    ),
    ("unit_id", ("unit_id",), "intervals that allow for several requests of one user"),
    ("experiment and arm", ("experiment", "arm"), "comparing arms of a test"),
)


def outcome(report: FileReport, task: Task) -> None:
    """The sum that must come out, the bar, and behind tabs the mapping, the rejects and what is missing."""
    view = state.view()
    shown = None if view is None else view.dataset
    st.markdown(sentence(report))
    parts = {"loaded": report.loaded, "rejected": report.rejected, "duplicates": report.duplicates}
    components.bare_chart(
        intake_chart.intake(**parts), key=f"intake-{task.key}", alt=intake_chart.alt(**parts)
    )
    if report.loaded and shown == task.dataset:
        st.page_link(OVERVIEW_PAGE, label="See what this log says", icon=":material/arrow_forward:")
    if task.grades:
        st.markdown(joining_box.joined(task))
    if report.passed:
        st.caption(passed_over(report.passed))
    for note in report.notes:
        st.caption(reasons.said(note, limit=400))
    changed = report.problems_total > report.rejected
    listed = f"{'Rejected or changed' if changed else 'Rejected'} ({words.count(report.problems_total)})"
    mapping, rejected, *missing = st.tabs(
        ["Column mapping", listed, *([] if task.grades else ["What is missing"])]
    )
    with mapping:
        if task.inspection is not None:
            mapping_editor.mapping_table(task.inspection, key=f"done-{task.key}", found=task.found)
    with rejected:
        problem_table(
            report.problems,
            total=report.problems_total,
            format=report.format,
            whole=_whole(task, report.problems, rejected=report.rejected),
            key=task.key,
        )
    for tab in missing:
        with tab:
            gains_table(report.mapping, key=task.key)


def sentence(report: FileReport) -> str:
    """``12,214 read = 12,005 loaded + 27 rejected + 182 duplicates``, and what became of confidences."""
    duplicate = "duplicate" if report.duplicates == 1 else "duplicates"
    text = (
        f"**{words.count(report.read)} read** = {words.count(report.loaded)} loaded + "
        f"{words.count(report.rejected)} rejected + {words.count(report.duplicates)} {duplicate}"
    )
    if report.confidence_set_null:
        rows = words.plural(report.confidence_set_null, "row")
        verb = "has" if report.confidence_set_null == 1 else "have"
        text += f". {rows} {verb} no confidence that is a number from 0 to 1."
    return text


def passed_over(passed: Mapping[str, int]) -> str:
    """Records that are no model call of the user's, with the reasons, most frequent first."""
    total = sum(passed.values())
    parts = [
        f"{words.count(number)} {words.plain(reason, limit=160)}"
        for reason, number in sorted(passed.items(), key=lambda item: -item[1])
    ]
    verb = "was" if total == 1 else "were"
    return f"Beside these, {words.plural(total, 'record')} {verb} passed over: {'; '.join(parts)}."


def rejects_table(task: Task) -> None:
    """What would be rejected of a file that waits for the user's word."""
    if task.inspection is None or task.converted is None:
        return
    staged, converted = task.inspection.staged, task.converted
    rejected, changed = intake.problems(staged, converted)
    problem_table(
        [*rejected, *changed],
        total=staged.problems_total + converted.problems_total,
        format=staged.format,
        whole=_whole(task, [*rejected, *changed], rejected=len(rejected)),
        key=f"rejects-{task.key}",
    )


def _whole(task: Task, problems: Sequence[Problem], *, rejected: int) -> Callable[[], pl.DataFrame]:
    """Makes the table to take away, with the lines as they stand in the file where it has any."""
    store, staged = state.store(), task.inspection.staged  # type: ignore[union-attr]
    kept, encoding = store.kept(staged.file_id), task.answers.encoding

    def made() -> pl.DataFrame:
        path = kept or task.path
        lines: dict[int, str] = {}
        if PLACES[staged.format] == rejects.LINE and path.is_file():
            lines = rejects.originals(
                path, problems, encoding=encoding, workdir=store.staging, trusted=kept is not None
            )
        return rejects.rejects(staged.file_name, problems, rejected=rejected, originals=lines)

    return made


def problem_table(
    problems: Sequence[Problem],
    *,
    total: int,
    format: str,  # noqa: A002 - of the file
    whole: Callable[[], pl.DataFrame],
    key: str,
) -> None:
    """Lines, rows or records with their reasons; all of them to take away, as they stand in the file."""
    if not problems:
        st.markdown("Every record could be read.")
        return
    frame = pl.DataFrame(
        [(problem.line, problem.column, problem.reason) for problem in problems],
        schema={"line": pl.Int64, "column": pl.String, "reason": pl.String},
        orient="row",
    )
    with tall.box(frame.height):
        components.table(
            frame.head(SHOWN_PROBLEMS),
            {
                "line": components.number_column(PLACES.get(format, "line").capitalize(), 90),
                "column": components.text_column("Column", 220),
                "reason": components.text_column("Reason", 620),
            },
            key=f"rejected-{key}",
            alt="Rejected or changed records with line, column and reason",
        )
    downloads(whole, file="rejected", key=f"rejected-{key}")
    shown = min(len(problems), SHOWN_PROBLEMS)
    if total > shown:
        held = words.count(len(problems))
        st.caption(f"{words.count(total)} in all; the table shows {words.count(shown)}, the download {held}.")


def gains_table(mapping: Mapping[str, str], *, key: str) -> None:
    """What each column that this file lacks would make possible."""
    lacking = [(name, gain) for name, fields, gain in GAINS if not any(field in mapping for field in fields)]
    if not lacking:
        st.markdown("This file has every column that these pages use.")
        return
    components.table(
        pl.DataFrame(lacking, schema=["column", "gain"], orient="row"),
        {
            "column": components.text_column("Missing", 220),
            "gain": components.text_column("It would make possible", 620),
        },
        key=f"missing-{key}",
        alt="Columns that the file lacks and what each would make possible",
    )
