"""A look at the staged rows of a file: what its columns hold, and the rows converted as that suggests.

The mapping that the first rows suggest is nearly always the one that is confirmed, so rows are converted
under it while all of them are looked at. It counts only if in the end the same mapping is proposed.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from analytics.errors import SchemaError
from analytics.logs.dialects import DIALECTS
from analytics.logs.meaning.convert import THREADS, Conversion, Converted
from analytics.logs.meaning.mapping import Answers, Mapping, proposal
from analytics.logs.meaning.profile import ColumnProfile, Profiles
from analytics.logs.reading import staged_rows
from analytics.logs.reading.staging import Staged


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at all rows gave.

    Attributes:
        profiles: Of every column, in the order of the file.
        mapping: Under which ``typed.parquet`` was written; null where it was not.
        converted: What that gave.
    """

    profiles: list[ColumnProfile]
    mapping: Mapping | None = None
    converted: Converted | None = None


def look(
    folder: Path,
    staged: Staged,
    answers: Answers,
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> Look:
    """Look at all rows once. Runs in the child process.

    Args:
        folder: The private folder.
        staged: As the file was read.
        answers: What the user said so far.
        progress: Called with the rows looked at.

    Raises:
        SchemaError: The file is damaged, which shows only now where its own columns are the staged rows.
        NotPlainError: They cannot be.
    """
    profiles = Profiles(folder, staged)
    conversion: Conversion | None = None
    mapping: Mapping | None = None
    done = 0
    with ThreadPoolExecutor(THREADS) as pool, ExitStack() as closing:
        for rows in staged_rows.batches(folder, staged, profiles.positions, checked=True):
            profiles.add(rows, pool)
            if not done:
                mapping = _suggested(staged, profiles, answers)
                if mapping is not None:
                    with suppress(SchemaError):
                        conversion = closing.enter_context(
                            Conversion(folder, staged, mapping, prices=answers.prices)
                        )
            if conversion is not None:
                conversion.add(rows, pool)
            done += rows.height
            progress(done)
        found = profiles.found()
        if conversion is None or _proposed(staged, found, answers) != mapping:
            return Look(found)
        return Look(found, mapping, conversion.converted(id_alone=profiles.id_alone))


def _suggested(staged: Staged, profiles: Profiles, answers: Answers) -> Mapping | None:
    """The mapping that the first rows suggest, if all that it reads is looked at anyway, once."""
    if staged.questions or DIALECTS[staged.dialect].one_side:
        return None
    mapping = _proposed(staged, profiles.so_far(), answers)
    looked_at = {staged.columns[position] for position in profiles.positions}
    if mapping is None or not {name for names in mapping.columns.values() for name in names} <= looked_at:
        return None
    return mapping


def _proposed(staged: Staged, profiles: list[ColumnProfile], answers: Answers) -> Mapping | None:
    """The mapping that these profiles propose; None while something is open or wrong."""
    try:
        found = proposal(staged, profiles, overrides=answers)
    except SchemaError:
        return None
    return None if found.questions or found.refusal else found.mapping
