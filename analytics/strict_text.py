"""YAML and JSON text as plain data: mappings with text keys, lists, texts, numbers, and nothing else.

Keys stay as written (``yes``, ``1`` and ``2026-01-01`` are texts), values follow YAML 1.2, and what
could run code, grow without end or be read in two ways is refused.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

from analytics.errors import SchemaError

Format = Literal["yaml", "json"]
MAX_DEPTH = 64
MAX_DIGITS = 400  # float64 ends at 309; Python refuses to parse integers beyond 4,300
_TOO_DEEP = f"Nested deeper than {MAX_DEPTH} levels."

_INTEGER = re.compile(rf"[-+]?[0-9]{{1,{MAX_DIGITS}}}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | float | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **{sign + word: float(sign + "inf") for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")},
}
# A string without its closing quote runs to the end: a second try at each escaped quote would be quadratic.
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.?)*(?:"|\Z)|[{}\[\]]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A key that stands twice in one mapping.

    Attributes:
        path: Keys that lead to the mapping.
        key: The key.
        lines: Where it stands first and again, counted from 1.
    """

    path: tuple[str, ...]
    key: str
    lines: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Parsed:
    """The data of a text, and the keys that stand twice in it."""

    data: Any
    duplicates: list[Duplicate]


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end was not reached yet; ``key`` waits for its value."""

    container: dict[str, Any] | list[Any]
    path: tuple[str, ...]
    key: str | None = None
    lines: dict[str, int] = field(default_factory=dict)


def plain_data(text: str, *, file_format: Format | None = None, noted: list[str] | None = None) -> Parsed:
    """The data that ``text`` holds.

    Args:
        text: YAML or JSON.
        file_format: None tries JSON where the text begins with a brace, else YAML.
        noted: Takes what is said of aliases, anchors and tags, with their lines, instead of an error at the
            first of them; a value that is an alias then reads as null, one with a tag as if it had none.

    Raises:
        SchemaError: The text is neither, or uses what is not allowed here: aliases, tags, several
            documents, keys that are no texts, more than 64 levels, half a surrogate pair.
    """
    parsed = None
    if file_format == "json" or (file_format is None and text.lstrip().startswith("{")):
        parsed = _json(text, required=file_format == "json")
    if parsed is None:
        parsed = _yaml(text, noted)
    refuse_half_characters(parsed.data)
    return parsed


def _yaml(text: str, noted: list[str] | None) -> Parsed:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _built(yaml.parse(text, Loader=loader), noted)
    except yaml.MarkedYAMLError as error:
        where = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise SchemaError(f"Not valid YAML{where}.") from None
    except yaml.YAMLError:
        raise SchemaError("Not valid YAML: it holds a character that YAML does not allow.") from None
    except (ValueError, OverflowError):  # an escape or a version number beyond what Python can hold
        raise SchemaError("Not valid YAML.") from None


def _built(events: Iterable[yaml.Event], noted: list[str] | None) -> Parsed:
    """The data that a stream of YAML events describes, without recursion."""
    stack: list[_Open] = [_Open([], ())]
    duplicates: list[Duplicate] = []
    for event in events:
        if noted is None:
            _refuse_event(event)
        else:
            _note_event(event, noted)
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            parent = stack[-1]
            if isinstance(parent.container, dict) and parent.key is None:
                raise SchemaError(f"Line {_line(event)}: a key must be a text.")
            if len(stack) > MAX_DEPTH:
                raise SchemaError(_TOO_DEEP)
            container: dict[str, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
            stack.append(_Open(container, _inner_path(parent)))
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            _deliver(stack[-2], stack.pop().container)
        elif isinstance(event, yaml.ScalarEvent | yaml.AliasEvent):
            _take(event, stack[-1], duplicates)
    documents = stack[0].container
    if len(documents) != 1:
        raise SchemaError("The file is empty." if not documents else "The file holds several documents.")
    return Parsed(next(iter(documents)), duplicates)


def _take(event: yaml.ScalarEvent | yaml.AliasEvent, top: _Open, duplicates: list[Duplicate]) -> None:
    """A scalar as the next key or value of what is open."""
    if isinstance(top.container, dict) and top.key is None:
        key = f"*{event.anchor}" if isinstance(event, yaml.AliasEvent) else event.value
        top.key = key
        first = top.lines.setdefault(key, _line(event))
        if key in top.container:
            duplicates.append(Duplicate(top.path, key, (first, _line(event))))
    elif isinstance(event, yaml.ScalarEvent):
        _deliver(top, _scalar(event.value) if event.implicit[0] else event.value)
    else:
        _deliver(top, None)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


def _inner_path(parent: _Open) -> tuple[str, ...]:
    return parent.path if parent.key is None else (*parent.path, parent.key)


def _refuse_event(event: yaml.Event) -> None:
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        raise SchemaError("YAML aliases are not allowed.")
    tag = getattr(event, "tag", None)
    if tag:
        raise SchemaError(f"Not a thresholds file: tag {_short(tag)} is not allowed.")


def _note_event(event: yaml.Event, noted: list[str]) -> None:
    tag, anchor = getattr(event, "tag", None), getattr(event, "anchor", None)
    if isinstance(event, yaml.AliasEvent):
        noted.append(f"line {_line(event)} has the alias *{str(anchor)[:40]}")
    elif anchor:
        noted.append(f"line {_line(event)} has the anchor &{anchor[:40]}")
    if tag:
        noted.append(f"line {_line(event)} has the tag {_short(tag)}")


def _short(tag: str) -> str:
    return "/".join(tag.replace("tag:yaml.org,2002:", "!!").split("/")[:2])[:60]


def _deliver(parent: _Open, value: Any) -> None:
    if isinstance(parent.container, list):
        parent.container.append(value)
    elif parent.key is not None:
        parent.container.setdefault(parent.key, value)
        parent.key = None


def _scalar(text: str) -> Any:
    """A plain YAML scalar by the YAML 1.2 core rules; ``yes``, dates and ``1:30`` are texts."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _json(text: str, *, required: bool) -> Parsed | None:
    """The data of a JSON text; None where it is none and need not be."""
    duplicates = _json_duplicates(text)
    try:
        data = json.loads(text, parse_constant=float, parse_int=_json_integer)
    except json.JSONDecodeError as error:
        if not required:
            return None
        raise SchemaError(
            f"Not valid JSON in line {error.lineno}." if text.strip() else "The file is empty."
        ) from None
    return Parsed(data, duplicates)


def _json_integer(text: str) -> int | float:
    return int(text) if len(text) <= MAX_DIGITS else float(text)


def _json_duplicates(text: str) -> list[Duplicate]:
    """Keys that stand twice in one object; also the check of depth, before anything recurses."""
    stack: list[_Open] = []
    duplicates: list[Duplicate] = []
    line, counted = 1, 0
    for token in _JSON_TOKEN.finditer(text):
        line, counted = line + text.count("\n", counted, token.start()), token.start()
        word = token.group()
        if word in "{[":
            stack.append(_Open({} if word == "{" else [], _inner_path(stack[-1]) if stack else ()))
            if len(stack) > MAX_DEPTH:
                raise SchemaError(_TOO_DEEP)
        elif word in "}]":
            del stack[-1:]
        elif stack and isinstance(stack[-1].container, dict) and _is_key(text, token.end()):
            key = _unescaped(word)
            first = stack[-1].lines.setdefault(key, line)
            if stack[-1].container.setdefault(key, token.start()) != token.start():
                duplicates.append(Duplicate(stack[-1].path, key, (first, line)))
            stack[-1].key = key
    return duplicates


def _is_key(text: str, end: int) -> bool:
    while end < len(text) and text[end] in " \t\r\n":
        end += 1
    return text[end : end + 1] == ":"


def _unescaped(word: str) -> str:
    try:
        return str(json.loads(word))
    except json.JSONDecodeError:  # the text as a whole is refused later, with its line
        return word


def refuse_half_characters(data: Any) -> None:
    """Raise a ``SchemaError`` if a text in ``data`` holds half a surrogate pair, which UTF-8 cannot write."""
    if isinstance(data, str):
        try:
            data.encode()
        except UnicodeEncodeError:
            raise SchemaError("A text holds half a character (a lone surrogate).") from None
    elif isinstance(data, dict):
        for key, value in data.items():
            refuse_half_characters(key)
            refuse_half_characters(value)
    elif isinstance(data, list):
        for value in data:
            refuse_half_characters(value)
