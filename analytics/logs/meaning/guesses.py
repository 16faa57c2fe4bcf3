"""The lines of the mapping table: what each field is read from, how sure that is, and why."""

from collections.abc import Mapping

from analytics.logs.meaning import units
from analytics.logs.meaning.answers import Guess
from analytics.logs.meaning.choice import AGAIN, SAID, Certainty, Choice
from analytics.logs.meaning.profile import ColumnProfile
from analytics.logs.meaning.scales import bare
from analytics.logs.schema import TABLES, Form

_LACKED: dict[Form, tuple[str, ...]] = {
    "decisions": (
        "request_id", "ts", "task_category", "confidence", "fast_correct", "strong_correct",
        "fast_cost_usd", "strong_cost_usd", "fast_latency_s", "strong_latency_s",
    ),
    "calls": ("request_id", "ts", "task_category", "model", "confidence", "correct", "cost_usd", "latency_s"),
    "grades": ("request_id", "call_id", "grader", "correct", "ts"),
}  # fmt: skip
_SOUGHT = {"ts": "a time", "latency_s": "a duration", "correct": "a grade", "cost_usd": "a cost"}


def guesses(
    form: Form,
    chosen: Mapping[str, Choice],
    constants: Mapping[str, str],
    guessed: Mapping[str, str],
    profiles: Mapping[str, ColumnProfile],
) -> list[Guess]:
    """One line per field read or lacked, in the order of the table.

    Args:
        form: Table that the rows become.
        chosen: Canonical field -> what it is read from.
        constants: Canonical field -> text.
        guessed: Canonical field -> reason to look again at its unit.
        profiles: By source column.
    """
    order = {column.name: place for place, column in enumerate(TABLES[form])}
    lines: dict[str, Guess] = {}
    for name, text in constants.items():
        lines[name] = Guess(name, (), "sure", (text,), "Same on every row")
    for name, made in chosen.items():
        if not made.sources:
            continue
        look = name in guessed and made.why not in {SAID, AGAIN}
        certainty: Certainty = "check" if look else made.certainty
        samples = profiles[made.sources[0]].samples
        lines[name] = Guess(name, made.sources, certainty, samples, guessed[name] if look else made.why)
    if form != "grades":
        said = Guess("policy_kind", (), "check", ("cascade",), "Cascade unless said")
        lines.setdefault("policy_kind", said)
    for name in _LACKED[form]:
        sought = _SOUGHT.get(bare(name))
        why = f"Nothing looks like {sought}" if sought else "No column of that name"
        if name == "request_id" and form != "grades":
            why = "File and row number"
        lines.setdefault(name, Guess(name, (), "missing", (), why))
    return sorted(lines.values(), key=lambda guess: order[guess.field])


def graded_words(columns: Mapping[str, tuple[str, ...]], profiles: Mapping[str, ColumnProfile]) -> list[str]:
    """How grades in words are read, column by column."""
    notes = []
    for name, sources in columns.items():
        profile = profiles[sources[0]]
        if bare(name) != "correct" or not profile.words_yes_no:
            continue
        lower = {value: value.strip().lower() for value in profile.values}
        right = [value for value, word in lower.items() if word in units.CORRECT_WORDS]
        wrong = [value for value, word in lower.items() if word in units.WRONG_WORDS]
        said = [
            f"{', '.join(words)} as {how}" for words, how in ((right, "correct"), (wrong, "wrong")) if words
        ]
        notes.append(f"{profile.name}: {'; '.join(said).replace(' as ', ' count as ', 1)}.")
    return notes
