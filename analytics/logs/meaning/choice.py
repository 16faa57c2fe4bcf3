"""Which column a field is read from: by name, then by how well the values fit."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from analytics.logs.dialects.dialect import WEAK, Dialect, plain
from analytics.logs.meaning import value_tests
from analytics.logs.meaning.keys import OF_REQUEST, field_of
from analytics.logs.meaning.profile import ColumnProfile
from analytics.logs.meaning.value_tests import FEW, WHY, grade_scale, kind, shortened, span
from analytics.logs.schema import TABLES

Certainty = Literal["sure", "check", "missing"]

SAID, AGAIN = "You said so", "Confirmed before"
_DIFFERENT = (20, 200)
_HALF = 0.5
_TEXTS = ("prompt", "answer")
_FOLLOWERS = {
    "confidence": ("threshold", "confidence_kind", "policy_kind"),
    "correct": ("correct_source",),
    "arm": ("experiment",),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """What one field is read from.

    Attributes:
        sources: Columns of the file.
        certainty: sure or check; missing where no column is left.
        why: At most 30 characters.
    """

    sources: tuple[str, ...]
    certainty: Certainty
    why: str


def choices(
    dialect: Dialect,
    profiles: Sequence[ColumnProfile],
    *,
    keep_text: bool = False,
    said: Mapping[str, Sequence[str]] | None = None,
) -> tuple[dict[str, Choice], list[str]]:
    """One choice per field that some column stands for, and notes on what was decided.

    Args:
        dialect: Shape of the file.
        profiles: Of its columns.
        keep_text: Whether prompts and answers are wanted.
        said: Canonical field -> columns that the user named for it.
    """
    candidates, notes = _candidates(dialect, profiles, keep_text=keep_text)
    _follow(dialect, candidates, said or {})
    chosen: dict[str, Choice] = {}
    for field, found in candidates.items():
        pooled = field in dialect.pooled
        chosen[field] = _pooled(found, notes) if pooled else _best(field, found, notes)
    _extra(dialect, chosen, profiles)
    _identify(chosen, [profile for _, profile in candidates.get("request_id", [])], notes)
    _by_values(dialect, chosen, profiles, notes)
    return chosen, notes


def drop_unfit(dialect: Dialect, chosen: dict[str, Choice], *, kept: Container[str]) -> None:
    """Leave out columns that speak of another score than the one that is read, but for fields in ``kept``."""
    for leader, field in _followers(dialect):
        lead, sources = chosen.get(leader), chosen[field].sources if field in chosen else ()
        if lead and lead.sources and field not in kept and not _fit(dialect, lead.sources[0], sources):
            del chosen[field]


Found = list[tuple[int, ColumnProfile]]


def _candidates(
    dialect: Dialect, profiles: Sequence[ColumnProfile], *, keep_text: bool
) -> tuple[dict[str, Found], list[str]]:
    mappable = {column.name for column in TABLES[dialect.form] if column.mappable}
    candidates: dict[str, Found] = {}
    notes: list[str] = []
    ranks = dialect.ranks({plain(one.name): one.values for one in profiles}) if dialect.ranks else {}
    for profile in profiles:
        found = ranks.get(plain(profile.name)) or field_of(dialect, profile.name)
        if not found or found[0] not in mappable or (found[0] in _TEXTS and not keep_text):
            continue
        field, rank = found
        reason = _unfit(field, rank, profile) or (_no_hint(field, profile) if rank >= WEAK else None)
        if reason:
            notes.append(reason)
        else:
            candidates.setdefault(field, []).append((rank, profile))
    _success_is_status(candidates, mappable)
    return candidates, notes


def _followers(dialect: Dialect) -> list[tuple[str, str]]:
    """Pairs of a field and one that is read only from columns that speak of it."""
    if dialect.fits is None:
        return []
    return [(leader, field) for leader, fields in _FOLLOWERS.items() for field in fields]


def _fit(dialect: Dialect, leader: str, sources: Sequence[str]) -> bool:
    return dialect.fits is None or all(dialect.fits(plain(leader), plain(source)) for source in sources)


def _follow(dialect: Dialect, candidates: dict[str, Found], said: Mapping[str, Sequence[str]]) -> None:
    """Leave only the candidates that speak of the confidence and the grade that will be read."""
    for leader, field in _followers(dialect):
        best = _ordered(leader, candidates.get(leader, []))[:1]
        named = said[leader] if leader in said else [profile.name for _, profile in best]
        if named and field in candidates:
            fitting = [item for item in candidates.pop(field) if _fit(dialect, named[0], [item[1].name])]
            candidates |= {field: fitting} if fitting else {}


def _success_is_status(candidates: dict[str, Found], mappable: set[str]) -> None:
    """A "success" beside a grade says how the call ended, not whether the answer was right."""
    grades = candidates.get("correct", [])
    success = [found for found in grades if plain(found[1].name) == "success"]
    if success and len(grades) > len(success) and "status" in mappable:
        candidates["correct"] = [found for found in grades if found not in success]
        candidates.setdefault("status", []).extend((WEAK + 1, profile) for _, profile in success)


def _unfit(field: str, rank: int, profile: ColumnProfile) -> str | None:
    """Why a column of this name cannot be this field; null if it can."""
    name = f'"{profile.name}"'
    if profile.filled == 0:
        return None if rank < WEAK else f"{name} is empty and not read."
    base = field.removeprefix("fast_").removeprefix("strong_")
    if base == "correct":
        if profile.numbers and grade_scale(profile) == "other":
            return _no_grade(profile)
        graded = profile.numbers + profile.words_yes_no
        if rank and graded < (profile.filled * (1 - FEW) if rank >= WEAK else 1):
            return f"{name} holds other words than grades, so it is not read."
    if base == "ts" and rank > 1 and profile.numbers == profile.filled and not any(profile.epochs.values()):
        return f"{name} holds numbers that are no time of 2015 to 2100, so it is not read."
    numeric = base.endswith(("_usd", "_s", "_tokens")) or base == "confidence"
    if numeric and rank and not profile.numbers:
        return f"{name} holds no numbers, so {field} is not read from it."
    return None


def _no_hint(field: str, profile: ColumnProfile) -> str | None:
    """Why a weak hint at something of the request is none; null where it may be one."""
    if field in OF_REQUEST and profile.varies:
        return f'"{profile.name}" differs between the calls of one request, so {field} is not read from it.'
    several, many = _DIFFERENT
    mostly = profile.distinct > several and profile.distinct > _HALF * profile.filled
    if field == "task_category" and (profile.distinct > many or mostly):
        return f'"{profile.name}" holds too many different texts for categories, so it is not read.'
    return None


def _best(field: str, found: Found, notes: list[str]) -> Choice:
    ordered = _ordered(field, found)
    rank, best = ordered[0]
    rivals = [profile for other, profile in ordered[1:] if other == rank or (rank >= WEAK and other >= WEAK)]
    if rivals and field != "request_id":
        others = ", ".join(profile.name for profile in rivals)
        notes.append(f"{field} is read from {best.name}; it could also be {others} (--map {field}=COLUMN).")
        return Choice((best.name,), "check", shortened(f"{kind(best)}; first of {len(rivals) + 1}"))
    if best.filled == 0:
        return Choice((best.name,), "check", "Empty column")
    if rank >= WEAK:
        return Choice((best.name,), "check", kind(best))
    return Choice((best.name,), "sure", _why(field, best.name, rank))


def _ordered(field: str, found: Found) -> Found:
    return sorted(found, key=lambda item: (item[0], -round(_usable(field, item[1]), 2), item[1].position))


def _no_grade(profile: ColumnProfile) -> str:
    return (
        f'"{profile.name}" runs from {span(profile)}: no grade from 0 to 1, so it is not read. '
        "Rescale it, or name another column for the grade."
    )


def _pooled(found: Found, notes: list[str]) -> Choice:
    """All columns that hold grades from 0 to 1; a row has a value in one of them."""
    fitting: list[ColumnProfile] = []
    for _, profile in sorted(found, key=lambda item: (item[0], item[1].position)):
        if grade_scale(profile) == "grade":
            fitting.append(profile)
        else:
            notes.append(_no_grade(profile))
    if len(fitting) == 1:
        return Choice((fitting[0].name,), "check", kind(fitting[0]))
    sources = tuple(profile.name for profile in fitting)
    return Choice(sources, "check" if sources else "missing", f"{len(sources)} columns of grades")


def _usable(field: str, profile: ColumnProfile) -> float:
    """Share of rows with a value that the field can use."""
    if not profile.rows:
        return 0.0
    if field == "confidence" and profile.negative < profile.numbers:
        return max(profile.inner + profile.ends, profile.hundred) / profile.rows
    return profile.filled / profile.rows


def _why(field: str, name: str, rank: int) -> str:
    words = plain(name)
    if rank == 0 or words == field:
        return "Name says it"
    if words.startswith("reasoning_") and field == words.replace("reasoning_", "strong_", 1):
        return "reasoning_ is read as strong_"
    said = f"{words} is read as {field}"
    return said if len(said) <= WHY else "Known name of this field"


def _extra(dialect: Dialect, chosen: dict[str, Choice], profiles: Sequence[ColumnProfile]) -> None:
    """Fields that this shape reads from columns which give another field already."""
    by_name = {plain(profile.name): profile.name for profile in reversed(profiles)}
    for field, names in dialect.extra.items():
        source = next((by_name[name] for name in names if name in by_name), None)
        if source is None:
            continue
        first = chosen.get(field, Choice((), "sure", "Known record"))
        sources = first.sources if source in first.sources else (*first.sources, source)
        chosen[field] = Choice(sources, "sure", "Known record")


def _identify(chosen: dict[str, Choice], ids: list[ColumnProfile], notes: list[str]) -> None:
    """The request id, as the keys of the whole file allow."""
    keyed = next((profile for profile in ids if profile.key is not None), None)
    if keyed is None or keyed.key is None:
        return
    if keyed.ordered_by:
        chosen["call_index"] = Choice((keyed.ordered_by,), "check", "Calls of a request by time")
        notes.append(
            f"A request calls a model more than once; its calls are told apart by {keyed.ordered_by}."
        )
    if keyed.key == (keyed.name,):
        if keyed.repeats:
            notes.append(
                f"{keyed.name} repeats with other values on {keyed.repeats:,} rows: the first counts, the "
                "others are listed as conflicts."
            )
            chosen["request_id"] = Choice(keyed.key, "check", "Repeats with other values")
        return
    if keyed.key:
        joined = " + ".join(keyed.key)
        notes.append(f"{keyed.name} alone repeats; rows are identified by {joined}.")
        chosen["request_id"] = Choice(keyed.key, "check", "Unique only so")
        return
    notes.append(
        f"{keyed.name} repeats and no further column makes it unique: "
        "rows are identified by file hash + row number."
    )
    chosen["request_id"] = Choice((), "check", "File and row number")


def _by_values(
    dialect: Dialect, chosen: dict[str, Choice], profiles: Sequence[ColumnProfile], notes: list[str]
) -> None:
    """Fields that no name gave, where values alone say enough for a guess; a tool's columns are known."""
    if dialect.opened:
        return
    unknown = [profile for profile in profiles if profile.filled and field_of(dialect, profile.name) is None]
    tests: list[tuple[str, Callable[[ColumnProfile], str | None]]] = [("ts", value_tests.like_times)]
    if dialect.form == "grades":
        tests.append(("correct", value_tests.like_grades))
    else:
        tests.append(("confidence", value_tests.like_confidences))
    if dialect.form == "calls":
        tests += [("correct", value_tests.like_verdicts), ("model", value_tests.like_models)]
    if dialect.form != "grades":
        tests.append(("task_category", value_tests.like_categories))
    named = any(choice.sources for choice in chosen.values())  # if not, line 1 may be no header at all
    for field, test in tests:
        if field in chosen or not (named or field in _FIRST_WILL_DO):
            continue
        taken = {source for choice in chosen.values() for source in choice.sources}
        found = [
            (profile.name, why) for profile in unknown if profile.name not in taken and (why := test(profile))
        ]
        if found and (len(found) == 1 or field in _FIRST_WILL_DO):
            name, why = found[0]
            chosen[field] = Choice((name,), "check", why)
            if field not in _FIRST_WILL_DO:
                notes.append(f'{field} is read from "{name}" for its values alone (--map {field}=COLUMN).')


_FIRST_WILL_DO = frozenset({"model", "task_category"})
"""Guessed from values although several columns would do; of the others only one may."""
