"""The evidence sheet: one page for the person who approves a change and never saw the dashboard."""

from datetime import UTC, datetime
from importlib.metadata import version
from typing import Literal

from analytics import expiry
from analytics.estimate import Estimate
from analytics.experiments import saying
from analytics.export.change import Change, rule_words
from analytics.export.fragment import refused
from analytics.paper import Section, Table, markdown, page
from analytics.policy import ThresholdPolicy
from analytics.tuning.goals import Tuning
from analytics.tuning.log import Selection

VERDICTS = {
    "certified": "Certified: passed a test that holds although it was chosen on the same rows.",
    "estimated": "Estimated: picked on one half of the log, reported on the other.",
    "pooled": "Pooled: too few rows of its own, takes the pooled threshold.",
}
DRIFT = (
    "The log is of the past: other traffic, models or prices may change every figure. Tune again when one of "
    "them does, and compare what the router does with the figures here."
)
WRONG = (
    DRIFT,
    "Grades are taken as they are: where a judge or feedback is wrong, so is accuracy.",
)


def evidence_sheet(
    tuning: Tuning,
    selection: Selection,
    *,
    against: Change | None = None,
    made: datetime | None = None,
) -> dict[Literal["markdown", "html"], str]:
    """The sheet as Markdown and as HTML that needs nothing else.

    Args:
        tuning: The recommended policy with its evidence.
        selection: The rows that it was tuned on.
        against: What it changes against the policy in force, where that is known.
        made: When the sheet is made; None for now.
    """
    moment = made or datetime.now(UTC)
    sections = [
        _what_changes(tuning, against),
        _what_it_does(tuning, against),
        _what_could_go_wrong(tuning),
        _basis(tuning, selection, moment),
    ]
    title = f"Thresholds for {selection.log.name}"
    return {
        "markdown": markdown(title, tuning.sentence, sections),
        "html": page(title, tuning.sentence, sections),
    }


def _what_changes(tuning: Tuning, against: Change | None) -> Section:
    policy = tuning.policy
    if against is None:
        rows = [
            [name, rule_words(policy.rule(name)), str(rule.verdict or "-"), _count(rule.n)]
            for name, rule in policy.categories.items()
        ]
        rows.append(["anything else", rule_words(policy.default), "-", "-"])
        return Section("What is proposed", [Table(["Category", "rule", "verdict", "n"], rows)])
    moved = saying.percent(against.moved[None])
    rows = [
        [
            "anything else" if name is None else name,
            before,
            after,
            saying.percent(against.moved[name]) if name in against.moved and name is not None else "-",
            _verdict(policy, name),
        ]
        for name, before, after in against.rules
    ]
    text = f"{len(rows)} rules change, and {moved} of the requests in this log would be routed differently."
    header = ["Category", "today", "proposed", "routed differently", "verdict"]
    return Section("What changes", [text, *([Table(header, rows)] if rows else [])])


def _what_it_does(tuning: Tuning, against: Change | None) -> Section:
    shown = tuning.figures.overall
    lines: list[str | Table] = []
    rows = [
        ["Accuracy", saying.with_interval("accuracy", shown.accuracy)],
        ["Cost per request", saying.with_interval("cost_usd", shown.cost_per_request_usd)],
        ["Escalated", saying.with_interval("escalation_rate", shown.escalation_rate)],
    ]
    lines.append(Table(["Expected", ""], rows))
    versus = [("always strong", tuning.vs_strong.get(None))]
    versus.append(("today", against.differences.get(None) if against else tuning.vs_in_force.get(None)))
    rows = [
        [
            name,
            saying.with_interval("accuracy", found.accuracy, difference=True),
            _saved(found.saved),
            saying.with_interval("cost_usd", found.saved_usd, difference=True),
        ]
        for name, found in versus
        if found is not None
    ]
    if rows:
        lines.append(Table(["Against", "accuracy", "cost saved", "saved per request"], rows))
    of, on = tuning.rows.reported_on, tuning.rows.picked_on
    if tuning.certified:
        lines.append(f"The promise is certified; the point figures are of {of}.")
    else:
        lines.append(f"Figures are of {of}; the rules were picked on {on}.")
    if tuning.promise:
        lines.append(tuning.promise)
    return Section("What it does", lines)


def _what_could_go_wrong(tuning: Tuning) -> Section:
    lines: list[str | Table] = []
    if not tuning.certified:
        lines.append(
            "Nothing is certified: the figures are estimates, and their intervals hold for one policy."
        )
    if tuning.left_out:
        names = ", ".join(tuning.left_out[:6])
        share = saying.percent(tuning.left_out_share)
        lines.append(f"No overall figure is about {names} ({share} of requests), which this log cannot tell.")
    held = refused(tuning.policy)
    if held:
        lines.append(
            f"{', '.join(list(held)[:6])}: no verdict supports a rule of their own, so they follow the "
            f"default, {rule_words(tuning.policy.default)}."
        )
    lines += [*tuning.notes, *WRONG]
    return Section("What could go wrong", lines)


def _basis(tuning: Tuning, selection: Selection, made: datetime) -> Section:
    policy, facts = tuning.policy, selection.log.facts
    evidence = policy.evidence
    rows = [["Log", facts.log_sha256], ["Requests", f"{facts.requests:,}"]]
    if facts.first_ts is not None and facts.last_ts is not None:
        rows.append(["Period", f"{_day(facts.first_ts)} to {_day(facts.last_ts)}"])
    if evidence is not None and evidence.prices_as_of:
        rows.append(["Prices as of", evidence.prices_as_of])
    if policy.goal is not None:
        rows.append(["Goal", _goal(policy)])
    if policy.confidence is not None and policy.confidence.source:
        rows.append(
            ["Confidence", f"{policy.confidence.source} ({policy.confidence.kind or 'unknown kind'})"]
        )
    if policy.expires is not None:
        rows.append(["Tune again by", f"{expiry.day(policy.expires)}; after it they route as before"])
    rows.append(["Made", f"{_day(made)} by tiertune {version('tiertune')}"])
    used = dict.fromkeys(rule.verdict for rule in policy.categories.values() if rule.verdict in VERDICTS)
    meant = [VERDICTS[str(name)] for name in used]
    rule = "Keep the fast answer if its confidence is at least the threshold; equal keeps; missing escalates."
    return Section("What it rests on", [Table(["", ""], rows), *meant, rule])


def _goal(policy: ThresholdPolicy) -> str:
    goal = policy.goal
    if goal is None:
        return "-"
    parts: list[str] = [goal.name]
    if goal.margin is not None:
        parts.append(f"margin {100 * goal.margin:g} points of {goal.reference or 'the reference'}")
    if goal.min_accuracy is not None:
        parts.append(f"at least {saying.percent(goal.min_accuracy)}")
    where = "in each category " if goal.scope == "category" else ""
    parts.append(f"{where}with {goal.level:.0%}")
    return ", ".join(parts)


def _verdict(policy: ThresholdPolicy, name: str | None) -> str:
    rule = None if name is None else policy.categories.get(name)
    return "-" if rule is None or rule.verdict is None else rule.verdict.replace("_", " ")


def _saved(found: Estimate) -> str:
    if found.value is None:
        return saying.UNKNOWN
    ends = ""
    if found.low is not None and found.high is not None:
        ends = f" ({saying.percent(found.low, digits=0)} to {saying.percent(found.high, digits=0)})"
    return f"{saying.percent(found.value, digits=0)}{ends}"


def _count(n: int | None) -> str:
    return "-" if n is None else f"{n:,}"


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%b %Y}"
