"""The user's own router config: read as plain data, or refused with everything that is wrong with it.

What could be read in two ways, run code or grow without end is refused before anything else looks at it, so
that merging works on text whose meaning is certain.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from analytics import strict_text
from analytics.errors import SchemaError
from analytics.policy_checks import NOTHING_APPLIED, Problems, shown
from analytics.strict_text import Duplicate, Format

MAX_BYTES: dict[Format, int] = {"yaml": 256 * 1024, "json": 1024 * 1024}
"""A parser in pure Python that says where things stand takes seconds for more YAML."""
MAX_LISTED = 30
_REMEDY = {
    "alias": "Write the value out where it is used",
    "tag": "Leave the tag out",
}


@dataclass(frozen=True, slots=True)
class OwnConfig:
    """A config as the user has it.

    Attributes:
        text: Without byte order mark, lines ended by a line feed.
        data: What it says, plain data; a mapping.
        form: ``yaml`` or ``json``.
        newline: How its lines end.
        mark: Its byte order mark, or nothing.
    """

    text: str
    data: dict[str, Any]
    form: Format
    newline: str = "\n"
    mark: str = ""

    def restored(self, text: str) -> str:
        """A text with the line ends and the mark that the file had."""
        return self.mark + (text if self.newline == "\n" else text.replace("\n", self.newline))


def own_config(content: str | bytes, form: Format, *, problems: Problems | None = None) -> OwnConfig:
    """The config in a file.

    Args:
        content: UTF-8, at most 256 KiB of YAML or 1 MiB of JSON.
        form: What the router reads.
        problems: Takes what is wrong inside a mapping, for a caller that looks for more and then raises.

    Raises:
        SchemaError: It is none that can be merged into or read from; all problems are listed.
    """
    decoded = _decoded(content, MAX_BYTES[form])
    mark = "\ufeff" if decoded.startswith("\ufeff") else ""
    newline = "\r\n" if "\r\n" in decoded else "\n"
    text = decoded.removeprefix(mark).replace("\r\n", "\n")
    if "\r" in text or decoded.count("\r\n") not in (0, decoded.count("\n")):
        raise _refused("Lines that all end alike are needed, found carriage returns in some. Save it anew")
    noted: list[str] = []
    try:
        parsed = strict_text.plain_data(text, file_format=form, noted=noted)
    except SchemaError as error:
        wanted = "YAML" if form == "yaml" else "JSON"
        raise SchemaError(
            f"The router's config is needed as {wanted}. {error} Mend it and try again. {NOTHING_APPLIED}"
        ) from None
    listed = Problems("config") if problems is None else problems
    for item in noted[:MAX_LISTED]:
        what = "tag" if " tag " in item else "alias"
        listed.add((), None, f"Plain values are needed, and {item}. {_REMEDY[what]}")
    for duplicate in parsed.duplicates[:MAX_LISTED]:
        listed.add((), None, _twice(duplicate))
    if not isinstance(parsed.data, dict):
        found = "nothing" if parsed.data is None else shown(parsed.data)
        listed.add((), None, f"A mapping is needed at the top, found {found}. Take the router's whole config")
    elif form == "json" and any(not math.isfinite(number) for number in _floats(parsed.data)):
        listed.add((), None, "Finite numbers are needed, found NaN or an infinity. Write a number instead")
    if problems is None or not isinstance(parsed.data, dict):
        listed.raise_any()
    return OwnConfig(text, parsed.data, form, newline, mark)


def part(
    data: dict[str, Any], path: tuple[str, ...], kind: type, problems: Problems, *, required: bool = False
) -> Any:
    """The mapping or list at a path; an empty one where it is missing or null.

    Args:
        data: The config.
        path: Keys that lead there.
        kind: ``dict`` or ``list``.
        problems: Takes what is wrong on the way.
        required: Whether it must be there.
    """
    found: Any = data
    for depth, key in enumerate(path, start=1):
        wanted = kind if depth == len(path) else dict
        found = found.get(key)
        where = ".".join(path[:depth])
        name = "a list" if wanted is list else "a mapping"
        if found is None:
            if required:
                problems.add((), None, f"{where} is needed as {name}, found nothing. Add it")
            return kind()
        if not isinstance(found, wanted):
            problems.add((), None, f"{where} is needed as {name}, found {shown(found)}. Make it {name}")
            return kind()
    return found


def entries(items: list[Any], where: str, problems: Problems) -> list[dict[str, Any]]:
    """The entries of a list, of which each must be a mapping."""
    for place, item in enumerate(items, start=1):
        if not isinstance(item, dict):
            problems.add(
                (), None, f"Entry {place} of {where} is needed as a mapping, found {shown(item)}. Mend it"
            )
    return [item for item in items if isinstance(item, dict)]


def _decoded(content: str | bytes, most: int) -> str:
    size = len(content) if isinstance(content, bytes) else len(content.encode("utf-8", "surrogatepass"))
    if size > most:
        limit = f"at most {most // 1024:,} KiB"
        raise _refused(f"A config of {limit} is needed, found {size:,} bytes. Take the router's config alone")
    try:
        text = content if isinstance(content, str) else content.decode("utf-8")
        text.encode()
    except UnicodeError:
        raise _refused("A text in UTF-8 is needed, found something else. Save it as UTF-8") from None
    if "\0" in text:
        raise _refused("A text in UTF-8 is needed, found a binary file. Take the router's config")
    return text


def _refused(problem: str) -> SchemaError:
    return SchemaError(f"{problem}. {NOTHING_APPLIED}")


def _twice(duplicate: Duplicate) -> str:
    name = ".".join(shown(key, quoted=False) for key in (*duplicate.path, duplicate.key))
    first, second = duplicate.lines
    return f"Every key is needed once, and {name} stands in lines {first} and {second}. Keep one of them"


def _floats(data: Any) -> Iterator[float]:
    if isinstance(data, float):
        yield data
    elif isinstance(data, dict | list):
        for value in data.values() if isinstance(data, dict) else data:
            yield from _floats(value)
