"""The tab that compares a log written since a change with what the thresholds file led to expect."""

import datetime as dt
from typing import TYPE_CHECKING

import polars as pl
import streamlit as st

from analytics import policy_file
from analytics.errors import SchemaError, TiertuneError
from dashboard import components, since_data, state, words

if TYPE_CHECKING:
    from analytics.export.observed import Metric
    from analytics.export.since import Compared, Since
    from analytics.policy import ThresholdPolicy

UPLOAD = "Upload a file"
_KEPT = "_handed_out"
CHIPS = {"Departs": "#AD1F1F33", "Within chance": "#7A819033", "Not compared": "#7A819033"}
ROWS = 15
READ = (
    "Expected: the file's figures; over all requests at this log's mix of categories. Difference: actual "
    "less expected, of costs in percent of the expected. p allows for the uncertainty of both and for all "
    "rows of this table at once (Holm): below 0.05 a figure departs."
)
BAND = (
    "Dots are this log with 95% intervals; the band is where 19 of 20 {periods} lie if nothing changed, so "
    "one in twenty lies outside by chance (an open diamond). The answer above rests on the whole log, not on "
    "single {periods}."
)
INTRODUCTION = (
    "Load what your router logged since the thresholds are in force, open it in the sidebar, and say which "
    "file that was. The sidebar's dates and categories do not count here."
)


def keep(dataset: str, policy: "ThresholdPolicy") -> None:
    """Remember the thresholds that this session tuned on a log, to compare another log with."""
    st.session_state.setdefault(_KEPT, {})[dataset] = policy_file.dumps(policy)


def since_tab() -> None:
    """Draw the pickers, the answer, the table, the chart and the decisions that were not the policy's."""
    components.caption(INTRODUCTION)
    with components.row():
        policy = _file()
        start = _first_day(policy)
    if policy is None:
        components.caption(
            "This will then say whether escalations, cost and accuracy are what the file led to expect."
        )
        return
    try:
        found = since_data.since(policy, start)
    except TiertuneError as error:
        components.explain(error)
        return
    _answer(found)
    _table(found)
    _periods(found)
    _decisions(found, policy, start)


def _file() -> "ThresholdPolicy | None":
    kept: dict[str, str] = st.session_state.get(_KEPT, {})
    names = [UPLOAD, *kept]
    chosen = st.selectbox(
        "Thresholds in force",
        names,
        format_func=lambda name: (
            name if name == UPLOAD else f"Tuned in this session on {words.one_line(name, limit=40)}"
        ),
        key="since-file",
        width=320,
    )
    if chosen != UPLOAD:
        return policy_file.loads(kept[chosen])
    upload = st.file_uploader(
        "Thresholds file in force",
        type=["yaml", "yml", "json"],
        key="since-upload",
        max_upload_size=1,
        help="As it was exported, with its figures. It is read strictly and only compared.",
    )
    if upload is None:
        return None
    try:
        return policy_file.loads(upload.getvalue(), format="json" if upload.name.endswith(".json") else None)
    except SchemaError as error:
        st.error("This file is not valid. Nothing of it is used.", icon=":material/error:")
        st.text(str(error))
        return None


def _first_day(policy: "ThresholdPolicy | None") -> dt.date | None:
    facts = state.facts(state.required().dataset)
    first, last = facts["first_ts"], facts["last_ts"]
    if first is None or last is None:
        return None
    low, high = first.date(), last.date()
    made = None if policy is None or policy.created is None else policy.created.date()
    usual = made if made is not None and low <= made <= high else low
    chosen = st.date_input("From", usual, min_value=low, max_value=high, key=f"since-from-{usual}", width=150)
    return chosen if isinstance(chosen, dt.date) and chosen > low else None


def _answer(found: "Since") -> None:
    from analytics.export import since_words  # noqa: PLC0415 - only while the tab is open

    said = words.plain(since_words.sentence(found), limit=1500)
    icons = {"as_expected": ":material/check_circle:", "cannot_tell": ":material/help:"}
    if found.answer == "alarm":
        st.warning(said, icon=":material/warning:")
    else:
        st.info(said, icon=icons[found.answer])
    for note in found.notes:
        st.markdown(f"- {words.plain(note, limit=400)}")


def _table(found: "Since") -> None:
    from analytics.export import since_words  # noqa: PLC0415 - only while the tab is open

    def row(entry: "Compared") -> dict[str, object]:
        return {
            "category": "All, at this mix" if entry.category is None else entry.category,
            "figure": since_words.TITLES[entry.metric],
            "expected": since_words.with_interval(entry.metric, entry.expected),
            "actual": since_words.with_interval(entry.metric, entry.actual),
            "difference": since_words.changed(entry) if entry.reason is None else "-",
            "p": since_words.p_value(entry.p_adjusted),
            "reading": [_reading(entry)],
            "would": since_words.size(entry.metric, entry.detectable),
            "why": entry.reason,
        }

    frame = pl.DataFrame(
        [row(entry) for entry in found.compared],
        schema_overrides={"reading": pl.List(pl.String), "why": pl.String},
    )
    components.table(
        frame,
        {
            "category": components.text_column("Category", 120),
            "figure": components.text_column("Figure", 118),
            "reading": components.chip_column("Reading", 118, CHIPS),
            "expected": components.text_column("Expected", 176, right=True),
            "actual": components.text_column("Actual", 176, right=True),
            "difference": components.text_column("Difference", 184, right=True),
            "p": components.text_column("p (Holm)", 84, right=True),
            "would": components.text_column(
                "Would show",
                110,
                right=True,
                hint="Size of a change that this comparison finds in 4 of 5 logs.",
            ),
            "why": components.text_column("Why not", 320),
        },
        key="since",
        alt="Expected and actual figures of every category, with the reading of each",
        file="tiertune-since",
    )
    components.caption(READ)
    mixed = since_words.mix_words(found)
    if mixed:
        with st.expander("What of it is another mix of categories?"):
            for line in mixed:
                st.markdown(words.plain(line, limit=300))


def _reading(entry: "Compared") -> str:
    if entry.reason is not None:
        return "Not compared"
    return "Departs" if entry.departs else "Within chance"


def _periods(found: "Since") -> None:
    from analytics.export import since_words  # noqa: PLC0415 - only while the tab is open
    from dashboard.charts import since as charts  # noqa: PLC0415

    metrics = found.periods["metric"].unique(maintain_order=True).to_list()
    shown = [metric for metric in since_words.TITLES if metric in metrics]
    if not shown:
        components.caption("By day: no day of this log has enough requests with a time and an expectation.")
        return
    metric: Metric = st.segmented_control(
        "Figure",
        shown,
        default=shown[0],
        required=True,
        format_func=lambda name: since_words.TITLES[name],
        key="since-metric",
    )
    rows = found.periods.filter(pl.col("metric") == metric)
    components.chart(
        charts.by_period(rows, metric),
        key=f"since-{metric}",
        alt=charts.described(rows, metric),
        note=BAND.format(periods=f"{found.seen.period}s"),
    )


def _decisions(found: "Since", policy: "ThresholdPolicy", start: dt.date | None) -> None:
    from analytics.export import since_words  # noqa: PLC0415 - only while the tab is open
    from analytics.export.observed import REASONS  # noqa: PLC0415

    reasons = since_words.reason_rows(found)
    if not reasons:
        return
    components.section("Decisions that are not the policy's")
    components.table(
        pl.DataFrame(reasons).select("category", "n", "why"),
        {
            "category": components.text_column("Category", 200),
            "n": components.number_column("Requests", 100),
            "why": components.text_column("Why", 520),
        },
        key="since-reasons",
        alt="Requests that went another way than the policy says, by category and reason",
    )
    rows = since_data.departures(policy, start)
    frame = rows.select(
        "request_id",
        "ts",
        "category",
        "confidence",
        pl.col("threshold_in_force"),
        pl.col("logged_threshold"),
        pl.when("taken").then(pl.lit("strong")).otherwise(pl.lit("fast")).alias("went"),
        pl.col("reason").replace_strict(REASONS, return_dtype=pl.String).alias("why"),
    )
    components.table(
        frame.head(ROWS),
        {
            "request_id": components.text_column("Request", 170),
            "ts": st.column_config.DatetimeColumn("Time (UTC)", width=150),
            "category": components.text_column("Category", 140),
            "confidence": components.number_column("Confidence", 100, "%.4g"),
            "threshold_in_force": components.number_column("Threshold", 100, "%.4g"),
            "logged_threshold": components.number_column("Logged", 90, "%.4g"),
            "went": components.text_column("Went to", 90),
            "why": components.text_column("Why", 420),
        },
        key="since-rows",
        alt="The first requests whose decision is not the policy's",
        file="tiertune-not-the-policys",
        export=frame,
    )
    if rows.height > ROWS:
        components.caption(f"The first {ROWS} by time; the download has the first {rows.height}.")
