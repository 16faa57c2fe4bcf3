"""What the Export page is built of: the file that is handed out, and how it differs from today's."""

import difflib
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
import streamlit as st

from analytics import expiry, policy_file
from analytics.errors import SchemaError
from analytics.policy import CategoryPolicy, Default, ThresholdPolicy
from dashboard import components, words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analytics.tuning.goals import Tuning

FILE = "thresholds"
AS_DEFAULT = "as default"
NEVER = "never"
EXPIRIES = {
    NEVER: "No date", "30d": "In 30 days", "90d": "In 90 days", "180d": "In 180 days", "365d": "In a year",
}  # fmt: skip
MIME = {"yaml": "application/yaml", "json": "application/json"}
CHANGES = {"new": "New", "changed": "Changed", "gone": "Gone", "same": "Same"}
CHIPS = {"New": "#2563A833", "Changed": "#C2570C33", "Gone": "#AD1F1F33", "Same": "#7A819033"}
RULE = {
    "cascade": "Keep the fast answer if its confidence is at least the threshold, escalate if it is below. "
    "Equal keeps. A missing confidence escalates unless the category says `on_missing: keep`.",
    "predictive": "Ask the fast model if the router's confidence is at least the threshold, else the strong "
    "one. Equal stays with the fast model. A missing confidence goes to the strong one unless the category "
    "says `on_missing: keep`.",
}


def refused_table(rules: "Mapping[str, CategoryPolicy]", default: Default) -> None:
    """Which categories are left out and why; they follow the default."""
    frame = pl.DataFrame(
        [(name, [words.verdict(rule.verdict).word], rule.reason) for name, rule in rules.items()],
        schema={"category": pl.String, "verdict": pl.List(pl.String), "reason": pl.String},
        orient="row",
    )
    components.table(
        frame,
        {
            "category": components.text_column("Category", 200),
            "verdict": components.verdict_column(width=120),
            "reason": components.text_column("Why", 620),
        },
        key="refused",
        alt="Categories that are left out of the file, with the reason",
    )
    route = words.threshold(default.threshold, route=default.route)
    st.caption(f"Left out or not, these categories follow the default of the file: {route}.")


def downloads(policy: ThresholdPolicy) -> None:
    """The file as YAML and as JSON."""
    with st.container(horizontal=True, gap="small"):
        for ending in ("yaml", "json"):
            st.download_button(
                f"Download {FILE}.{ending}",
                data=policy_file.dumps(policy, format=ending).encode(),
                file_name=f"{FILE}.{ending}",
                mime=MIME[ending],
                key=f"download-{ending}",
                on_click="ignore",
                icon=":material/download:",
            )


def uploaded_policy() -> ThresholdPolicy | None:
    """The file in force today if the user uploads it; all its problems at once if it is not valid."""
    upload = st.file_uploader(
        "Compare with the file in force today",
        type=["yaml", "yml", "json"],
        key="current",
        max_upload_size=1,
        help="It is read strictly and only compared. Nothing of it is applied.",
    )
    if upload is None:
        return None
    try:
        found = policy_file.loads(upload.getvalue(), format="json" if upload.name.endswith(".json") else None)
    except SchemaError as error:
        not_used(error)
        return None
    late = expiry.warning(found)
    if late is not None:
        st.warning(words.plain(late, limit=300), icon=":material/event_busy:")
    return found


def not_used(error: SchemaError) -> None:
    """Why a file that the user gave is not used."""
    st.error("This file is not valid. Nothing of it is used.", icon=":material/error:")
    st.text(str(error))


def with_expiry(tuning: "Tuning") -> "Tuning":
    """The tuning with the date that the user sets for its policy."""
    days = st.selectbox(
        "Tune again",
        list(EXPIRIES),
        format_func=EXPIRIES.__getitem__,
        key="expires",
        bind="query-params",
        width=220,
        help="The date goes into every file. After it the router warns once and routes as before.",
    )
    if days == NEVER:
        return tuning
    return replace(tuning, policy=replace(tuning.policy, expires=expiry.moment(days)))


def comparison(old: ThresholdPolicy, new: ThresholdPolicy, *, key: str = "changes") -> None:
    """Which rules change, as a table and as a diff of the two files' rules."""
    frame = changes(old, new)
    components.table(
        frame.with_columns(pl.col("before", "after").fill_null(AS_DEFAULT)),
        {
            "category": components.text_column("Category", 260),
            "change": components.chip_column("Change", 110, CHIPS),
            "before": components.text_column("Today", 270),
            "after": components.text_column("New", 270),
        },
        key=key,
        alt="Rules of the uploaded file and of the new one, by category",
        file="thresholds-changes",
    )
    text = diff(old, new)
    if text:
        st.code(text, language="diff")
    else:
        st.caption("Both files decide every request alike.")


def changes(old: ThresholdPolicy, new: ThresholdPolicy) -> pl.DataFrame:
    """One row per category of either file and one for the default, changes first.

    Returns:
        ``category``, ``change`` (one-element list), ``before`` and ``after`` as text, null where the file has
        no rule of its own.
    """
    names = [*dict.fromkeys((*old.categories, *new.categories))]
    before = {name: old.categories.get(name) for name in names}
    after = {name: new.categories.get(name) for name in names}
    rows = [(name, *_change(before[name], after[name])) for name in sorted(names)]
    rows.append(("(default)", *_change(old.default, new.default)))
    frame = pl.DataFrame(
        [
            (name, [CHANGES[kind]], first, second, list(CHANGES).index(kind))
            for name, kind, first, second in rows
        ],
        schema={
            "category": pl.String,
            "change": pl.List(pl.String),
            "before": pl.String,
            "after": pl.String,
            "order": pl.Int64,
        },
        orient="row",
    )
    return frame.sort("order", maintain_order=True).drop("order")


def diff(old: ThresholdPolicy, new: ThresholdPolicy) -> str:
    """Unified diff of what decides in both files, evidence left out; empty where nothing differs."""
    before, after = (policy_file.dumps(rules_only(policy)).splitlines() for policy in (old, new))
    return "\n".join(difflib.unified_diff(before, after, "today", "new", lineterm="", n=2))


def rules_only(policy: ThresholdPolicy) -> ThresholdPolicy:
    """The parts of a policy that decide, in an order of their own: by category name."""
    categories = {
        name: CategoryPolicy(
            rule.route,
            rule.threshold,
            on_missing=rule.on_missing,
            verdict=rule.verdict if rule.threshold is None and rule.route == "cascade" else None,
        )
        for name, rule in sorted(policy.categories.items())
    }
    return ThresholdPolicy(policy.policy_kind, replace(policy.default, reason=None), categories)


def rule_text(rule: CategoryPolicy | Default) -> str:
    """A rule in words: ``threshold 0.96``, ``never escalate``, ``always strong``, ``as default``."""
    if rule.route == "cascade" and rule.threshold is None:
        return AS_DEFAULT
    text = words.threshold(rule.threshold, route=rule.route)
    if rule.route != "cascade":
        return text
    return f"threshold {text}" + (", keeps missing" if rule.on_missing == "keep" else "")


def command(dataset: str) -> str:
    """The command that checks the downloaded file against the log it came from."""
    return f"tiertune evaluate {FILE}.yaml {shlex.quote(dataset)}"


def _change(
    before: CategoryPolicy | Default | None, after: CategoryPolicy | Default | None
) -> tuple[str, str | None, str | None]:
    first, second = (None if rule is None else rule_text(rule) for rule in (before, after))
    if first == second:
        return "same", first, second
    return ("new" if before is None else "gone" if after is None else "changed"), first, second
