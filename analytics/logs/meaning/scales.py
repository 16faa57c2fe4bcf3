"""Units, decimal mark and order of dates, decided once per column from all of its values, or asked."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from analytics.errors import SchemaError
from analytics.logs.dialects.dialect import Dialect, name_unit, plain
from analytics.logs.meaning.profile import ColumnProfile
from analytics.logs.meaning.value_tests import FEW, grade_scale, span
from analytics.logs.reading.staging import Question

EPOCHS = ("epoch_s", "epoch_ms", "epoch_us", "epoch_ns")
UNITS: dict[str, tuple[str, ...]] = {
    "share": ("fraction", "percent", "logprob"),
    "grade": ("fraction", "percent"),
    "money": ("usd", "cents"),
    "duration": ("s", "ms", "us", "ns"),
    "time": (*EPOCHS, "iso"),
}
_HALF = 0.5
_MOSTLY = 0.9
_TEN = 10.0


@dataclass(slots=True)
class Scales:
    """What was decided about numbers and times.

    Attributes:
        units: Canonical field -> unit of its source.
        decimal: Decimal mark.
        dates: Order of day and month, null where no column needs it.
        questions: What the values leave open.
        guessed: Canonical field -> reason (at most 30 characters) to look again.
    """

    units: dict[str, str] = field(default_factory=dict)
    decimal: str = "."
    dates: str | None = None
    questions: list[Question] = field(default_factory=list)
    guessed: dict[str, str] = field(default_factory=dict)


def bare(canonical: str) -> str:
    """A field without its side: ``fast_cost_usd`` is a ``cost_usd``."""
    return canonical.removeprefix("fast_").removeprefix("strong_")


def kind_of(canonical: str) -> str | None:
    """Which sort of unit a field has; null for texts, flags and counts."""
    base = bare(canonical)
    if base in {"confidence", "correct", "ts"}:
        return {"confidence": "share", "correct": "grade", "ts": "time"}[base]
    if base.endswith("cost_usd"):
        return "money"
    return "duration" if base.endswith("latency_s") or base == "ttft_s" else None


def scales(
    columns: Mapping[str, Sequence[str]],
    profiles: Mapping[str, ColumnProfile],
    dialect: Dialect,
    *,
    stated: Mapping[str, str],
    confirmed: Mapping[str, str] | None = None,
    decimal: str | None = None,
    dates: str | None = None,
    delimiter: str | None = None,
) -> Scales:
    """Decisions for the mapped columns, with a question wherever the values allow two readings.

    Args:
        columns: Canonical field -> source columns.
        profiles: By source column.
        dialect: Shape of the file, which may fix units.
        stated: Canonical field or source column -> unit that the user gave.
        confirmed: Canonical field -> unit that was confirmed before.
        decimal: Decimal mark that the user gave.
        dates: Order of dates that the user gave.
        delimiter: Of a CSV, for the wording of the question.

    Raises:
        SchemaError: A stated unit does not fit its field.
    """
    found = Scales(decimal=decimal or ".", dates=dates)
    for canonical, sources in columns.items():
        kind = kind_of(canonical)
        if kind is None:
            continue
        for source in sources[:1] if kind != "share" else sources:
            profile = profiles[source]
            asked = _stated(canonical, source, kind, stated) or (confirmed or {}).get(canonical)
            fixed = dialect.units.get(plain(source)) or dialect.units.get(canonical)
            unit = asked or name_unit(plain(source), canonical) or fixed
            if kind == "money" and asked is None:
                _money(found, canonical, profile, stated=unit is not None)
            if unit is None:
                unit = _DECIDED[kind](found, canonical, profile)
            if kind == "time" and unit in {None, "iso"}:
                _dates(found, profile)
            if unit is not None:
                found.units[canonical] = unit
    if decimal is None:
        _decimal(found, columns, profiles, delimiter)
    found.questions = list({(q.kind, q.column): q for q in found.questions}.values())
    return found


def _stated(canonical: str, source: str, kind: str, stated: Mapping[str, str]) -> str | None:
    base = bare(canonical)
    unit = next((stated[name] for name in (source, canonical, base) if name in stated), None)
    if unit is not None and unit not in UNITS[kind]:
        raise SchemaError(f"{canonical} cannot be in {unit}. Units for it: {', '.join(UNITS[kind])}.")
    return unit


def _ask(found: Scales, profile: ColumnProfile, text: str, options: list[str], *, kind: str = "unit") -> None:
    flag = f"--unit {shlex.quote(profile.name)}={options[0]}" if kind == "unit" else f"--{kind} {options[0]}"
    sentence = f"{text} ({flag}). Nothing was loaded yet."
    found.questions.append(Question(kind, profile.name, sentence, options, flag))


def _share(found: Scales, canonical: str, profile: ColumnProfile) -> str | None:
    """Unit of a confidence, null where it is a fraction or where that was asked."""
    numbers = profile.numbers
    if profile.percent_signs and profile.percent_signs == numbers:
        return "percent"
    if numbers and profile.negative >= _MOSTLY * numbers:
        found.guessed[canonical] = "Negative: read as log-prob."
        return "logprob"
    fractions, percents = profile.inner > FEW * numbers, profile.hundred > FEW * numbers
    if not percents and not profile.percent_signs:
        return None
    if fractions or profile.percent_signs or (profile.high or 0) <= _TEN or profile.hundred < _HALF * numbers:
        text = f"{profile.name} has values in 0-1 and in 0-100 ({span(profile)}): say which"
        _ask(found, profile, text, ["percent", "fraction"])
        return None
    found.guessed[canonical] = "0 to 100: read as percent"
    return "percent"


def _grade(found: Scales, canonical: str, profile: ColumnProfile) -> str | None:
    """Unit of a grade, null for fractions; other scales are never divided into one."""
    scale = grade_scale(profile) if profile.numbers else "grade"
    if profile.percent_signs and profile.percent_signs == profile.numbers:
        return "percent"
    if scale == "percent":
        found.guessed[canonical] = "0 to 100: read as percent"
        return "percent"
    if scale != "grade":
        text = (
            f"{profile.name} runs from {span(profile)}, a grade from 0 to 1: "
            "say if it is in percent, or leave it out"
        )
        _ask(found, profile, text, ["percent", "fraction"])
    return None


def _money(found: Scales, canonical: str, profile: ColumnProfile, *, stated: bool) -> None:
    if profile.currency:
        signs = f"{profile.name} carries currency signs ({', '.join(profile.samples)})"
        text = f"{signs}: say the unit and the decimal mark"
        _ask(found, profile, text, ["usd", "cents"])
    elif not stated:
        found.guessed[canonical] = "US dollars assumed"


def _usd(_found: Scales, _canonical: str, _profile: ColumnProfile) -> str | None:
    return None


def _duration(found: Scales, canonical: str, profile: ColumnProfile) -> str | None:
    """Seconds or milliseconds by size: no model answers for minutes, none within 20 milliseconds."""
    numbers = profile.numbers
    if not numbers or profile.high == 0:
        return None
    if profile.over_120 > _HALF * numbers:
        found.guessed[canonical] = "Mostly 120 or more: ms"
        return "ms"
    if profile.under_20 > _HALF * numbers and profile.whole < _MOSTLY * numbers:
        found.guessed[canonical] = "Mostly under 20: seconds"
        return "s"
    _ask(
        found, profile, f"{profile.name} does not say its unit ({span(profile)}): seconds or ms", ["s", "ms"]
    )
    return None


def _time(found: Scales, _canonical: str, profile: ColumnProfile) -> str | None:
    """The one unit that the times have; a question where they have several."""
    counts = {"iso": profile.iso + profile.named_month + profile.slashed, **profile.epochs}
    total = sum(counts.values())
    present = sorted((unit for unit, n in counts.items() if n > FEW * total), key=lambda unit: -counts[unit])
    if len(present) > 1:
        names = ", ".join("dates" if unit == "iso" else unit for unit in present)
        epochs_first = sorted(present, key=lambda unit: unit == "iso")
        _ask(found, profile, f"{profile.name} mixes {names}: choose one", epochs_first)
        return None
    return present[0] if present else None


def _dates(found: Scales, profile: ColumnProfile) -> None:
    if not profile.slashed or found.dates is not None:
        return
    if profile.first_over_12 and not profile.second_over_12:
        found.dates = "dmy"
    elif profile.second_over_12 and not profile.first_over_12:
        found.dates = "mdy"
    elif profile.dotted == profile.slashed:
        found.dates = "dmy"
    else:
        unclear = f"{profile.name}: day and month cannot be told apart ({profile.samples[0]})"
        text = f"{unclear}. Choose dd/mm or mm/dd"
        _ask(found, profile, text, ["dmy", "mdy"], kind="dates")


def _decimal(
    found: Scales,
    columns: Mapping[str, Sequence[str]],
    profiles: Mapping[str, ColumnProfile],
    delimiter: str | None,
) -> None:
    for canonical, sources in columns.items():
        kind = kind_of(canonical)
        if kind in {None, "time"} and canonical not in {"threshold", "propensity", "sampling_probability"}:
            continue
        profile = profiles[sources[0]] if sources else None
        if profile and profile.commas + profile.grouped > FEW * profile.filled:
            sample = next((value for value in profile.samples if value.replace(",", "", 1).isdigit()), None)
            before = f'Delimiter "{delimiter}" and decimal' if delimiter == ";" else "Decimal"
            text = f"{before} comma detected in {profile.name}: say whether commas are decimal marks"
            if sample and "," in sample:
                read = f'{profile.name} "{sample}" read as {sample.replace(",", ".")}'
                text = f"{before} comma detected: {read}. Confirm"
            likely = [",", "."] if profile.commas else [".", ","]
            _ask(found, profile, text, likely, kind="decimal")
            return


_DECIDED = {"share": _share, "grade": _grade, "money": _usd, "duration": _duration, "time": _time}
