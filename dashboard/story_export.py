"""What the Export page says: expected effect, what holds it up, how the file is used."""

from typing import TYPE_CHECKING

from dashboard import components, reasons, words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analytics.policy import CategoryPolicy, ThresholdPolicy
    from analytics.tuning.goals import Tuning


def answer(tuning: "Tuning", refused: "Mapping[str, CategoryPolicy]") -> str:
    """How many categories the file rules, and how many are left to its default."""
    rules = tuning.policy.categories
    ruled = len(rules) - len(refused)
    text = f"**{words.plural(ruled, 'category', 'categories')}** with a threshold or route of their own"
    if ruled == 1:
        text = "**1 category** with a threshold or route of its own"
    default = words.threshold(tuning.policy.default.threshold, route=tuning.policy.default.route)
    if not refused:
        return f"{text}; anything else follows the default, {default}."
    one = len(refused) == 1
    rest = (
        "is refused for want of evidence and follows"
        if one
        else "are refused for want of evidence and follow"
    )
    return f"{text}; {len(refused)} {rest} the default, {default}."


def cards(tuning: "Tuning") -> list[components.Card]:
    """The expected effect, on the rows that the policy's figures are of."""
    shown = tuning.figures.overall
    versus = tuning.vs_strong.get(None)
    rows = f"On {tuning.rows.reported_on}." if tuning.certified else "On held-out requests."
    return [
        components.card("Accuracy", shown.accuracy, "percent", hint=rows),
        components.card("Cost per request", shown.cost_per_request_usd, "money", hint=rows),
        components.card("Escalated", shown.escalation_rate, "percent", hint=rows),
        components.card("Vs always strong", None if versus is None else versus.accuracy, "points", hint=rows),
        components.card(
            "Saved vs strong", None if versus is None else versus.saved, "percent", digits=0, hint=rows
        ),
    ]


def said(tuning: "Tuning") -> str:
    """The outcome of tuning in its own words."""
    return reasons.said(tuning.sentence)


def snippet(policy: "ThresholdPolicy") -> str:
    """Three lines of Python that use the file."""
    category = next(iter(policy.categories), "law")
    return (
        "from analytics.policy import load\n\n"
        'policy = load("thresholds.yaml")\n'
        f'policy.route({category!r}, 0.9)  # "fast" or "strong"\n'
    )


def evidence(tuning: "Tuning") -> list[tuple[str, str]]:
    """What holds the figures up, for the expander."""
    found = tuning.policy.evidence
    facts = []
    if found is not None:
        facts.append(
            (
                "Rows",
                (
                    f"{words.count(found.requests)} requests; picked on {found.picked_on}, figures of "
                    f"{found.reported_on}{'' if tuning.certified else ', which had no say in the pick'}."
                ),
            )
        )
        if found.log_sha256:
            facts.append(("Log", f"SHA-256 of its files: {found.log_sha256[:16]}…"))
        if found.prices_as_of:
            facts.append(
                ("Prices", f"Price table of {words.plain(found.prices_as_of)}, where the log states no cost.")
            )
    if tuning.promise:
        facts.append(("Promise", reasons.said(tuning.promise)))
    facts += [("Note", reasons.said(note, limit=400)) for note in tuning.notes]
    return facts
