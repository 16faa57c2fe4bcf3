"""The thresholds file: a policy as YAML or JSON text, read strictly and written so that it reads back.

Example:
    >>> from analytics.policy import CategoryPolicy, Default, ThresholdPolicy
    >>> rule = CategoryPolicy("cascade", threshold=0.8)
    >>> policy = ThresholdPolicy("cascade", Default("strong_only"), {"law": rule})
    >>> loads(dumps(policy)).route("law", 0.8)
    'fast'
"""

import json
from pathlib import Path
from typing import Any

from analytics import policy_document, strict_text
from analytics.errors import SchemaError
from analytics.policy import ThresholdPolicy
from analytics.policy_checks import NOTHING_APPLIED
from analytics.policy_format import KEYS, WORDS
from analytics.strict_text import Format

MAX_BYTES = 256 * 1024
SUFFIXES = (".yaml", ".yml", ".json")
_SIMPLE_KEY = 1000  # YAML readers give up on a key of 1,024 characters unless it is marked by "?"
_RULE = {
    "cascade": "keep the fast answer if confidence >= threshold, else escalate to the strong model.",
    "predictive": "use the fast model if confidence >= threshold, else the strong model.",
}


def load(path: Path | str) -> ThresholdPolicy:
    """The policy in the thresholds file at ``path``.

    Args:
        path: A file of at most 256 KiB whose name ends in ``.yaml``, ``.yml`` or ``.json``. Other names
            are refused unopened: closing DuckDB's own file would drop the lock that guards it.

    Raises:
        SchemaError: The file is no valid thresholds file; the message lists all problems.
    """
    file = Path(path)
    if file.suffix.lower() not in SUFFIXES:
        raise SchemaError(f"{file.name}: a thresholds file ends in {', '.join(SUFFIXES)}. {NOTHING_APPLIED}")
    try:
        if not file.is_file():
            raise SchemaError(f"There is no file {file.name}. {NOTHING_APPLIED}")
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError):
        raise SchemaError(f"The file {file.name} cannot be read. {NOTHING_APPLIED}") from None
    return loads(content, format="json" if file.suffix.lower() == ".json" else None)


def loads(text: str | bytes, *, format: Format | None = None) -> ThresholdPolicy:  # noqa: A002 - json's own word
    """The policy in the text of a thresholds file.

    Args:
        text: YAML or JSON, as text or as UTF-8 bytes, at most 256 KiB.
        format: None tries JSON where the text begins with a brace, else YAML.

    Raises:
        SchemaError: The text is no valid thresholds file; the message lists all problems.
    """
    try:
        parsed = strict_text.plain_data(_decoded(text), file_format=format)
    except SchemaError as error:
        raise SchemaError(f"{error} {NOTHING_APPLIED}") from None
    return policy_document.policy_of(parsed.data, duplicates=parsed.duplicates)


def dumps(policy: ThresholdPolicy, *, format: Format = "yaml") -> str:  # noqa: A002 - the same
    """The thresholds file of a policy; reading it gives an equal policy.

    Numbers are the shortest that read back the same; in YAML every category name is quoted.

    Raises:
        SchemaError: The file would be larger than the 256 KiB that are read.
        ValueError: The policy is not valid, such as a cascade without a threshold; a programming mistake.
    """
    document = policy_document.document_of(policy)
    try:
        policy_document.policy_of(document)
        strict_text.refuse_half_characters(document)
        if format == "json":
            text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2) + "\n"
        else:
            text = _yaml(document)
    except SchemaError as error:
        raise ValueError(f"the policy cannot be written: {error}") from error
    size = len(text.encode())
    if size > MAX_BYTES:
        raise SchemaError(
            f"The thresholds file would have {size:,} bytes, more than the {MAX_BYTES:,} that are read. "
            f"Leave out categories that follow the default."
        )
    return text


def _decoded(text: str | bytes) -> str:
    try:
        content = text.encode() if isinstance(text, str) else text
        if len(content) > MAX_BYTES:
            raise SchemaError(f"The file is larger than {MAX_BYTES // 1024} KiB.")
        decoded = content.decode("utf-8-sig")
    except UnicodeError:
        raise SchemaError("Not a text file.") from None
    if "\0" in decoded:
        raise SchemaError("Not a text file.")
    return decoded


def _yaml(document: dict[str, Any]) -> str:
    lines = [
        f"# The rule: {_RULE[document['policy_kind']]}",
        "# Equality keeps. A missing confidence escalates unless on_missing is keep.",
        "# Every threshold in an interval (low, high] is the same policy on the log.",
    ]
    for key, value in document.items():
        if key == "categories" and value:
            lines.append("categories:")
            for name, entry in value.items():
                lines.extend(_category(name, entry))
        else:
            lines.append(_pair(key, value))
    return "\n".join(lines) + "\n"


def _category(name: str, entry: dict[str, Any]) -> list[str]:
    quoted = _quoted(name)
    head = [f"  {quoted}:"] if len(quoted) <= _SIMPLE_KEY else [f"  ? {quoted}", "  :"]
    return [*head, *(_pair(key, value, indent="    ") for key, value in entry.items())]


def _pair(key: str, value: Any, *, indent: str = "") -> str:
    """A key with its value in a block; on two lines where the key is too long for one."""
    name = _key(key)
    joint = f"\n{indent}: " if len(name) > _SIMPLE_KEY else ": "
    return f"{indent}{name}{joint}{_value(value)}"


def _key(key: str) -> str:
    """A key without its colon: plain where it is one of ours, else quoted."""
    name = key if key in KEYS else _quoted(key)
    return f"? {name}" if len(name) > _SIMPLE_KEY else name


def _value(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, str):
        return value if value in WORDS else _quoted(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(name)}: {_value(part)}" for name, part in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(part) for part in value) + "]"
    if isinstance(value, float):
        number = repr(float(value))
        # YAML 1.1 readers take 1e-05 for a text; they want a point before the exponent.
        return number.replace("e", ".0e") if "e" in number and "." not in number else number
    return json.dumps(value)


def _quoted(text: str) -> str:
    """A double-quoted YAML scalar; what could be invisible or end a line is escaped."""
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    code = ord(character)
    if code <= 0xFF:  # noqa: PLR2004 - the three lengths of YAML's escapes
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004
