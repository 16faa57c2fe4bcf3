"""A changed JSON document in the text of the old one: what stays is copied, layout and numbers included."""

import json
import re
from dataclasses import dataclass
from typing import Any

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()
_STEP = "  "


@dataclass(frozen=True, slots=True)
class _Node:
    """A value and where it stands.

    Attributes:
        data: The value.
        start: Where its text begins.
        end: Where it ends.
        parts: Its members by key, or its items by place.
        heads: Where each member or item begins, a member with its key.
    """

    data: Any
    start: int
    end: int
    parts: dict[Any, "_Node"]
    heads: dict[Any, int]


def rewritten(text: str, after: Any) -> str:
    """The text with what differs from ``after`` changed.

    Args:
        text: Valid JSON without a key that stands twice.
        after: What it is to say, plain data.
    """
    node = _node(text, _skipped(text, 0))
    as_ascii = text.isascii()
    return text[: node.start] + _changed(text, node, after, as_ascii=as_ascii) + text[node.end :]


def _node(text: str, start: int) -> _Node:
    """The value that begins at a place."""
    if text[start] not in "{[":
        data, end = _DECODER.raw_decode(text, start)
        return _Node(data, start, end, {}, {})
    mapping = text[start] == "{"
    parts: dict[Any, _Node] = {}
    heads: dict[Any, int] = {}
    at = _skipped(text, start + 1)
    while text[at] not in "}]":
        head, key = at, len(parts)
        if mapping:
            key, at = _DECODER.raw_decode(text, at)
            at = _skipped(text, _skipped(text, at) + 1)
        parts[key] = _node(text, at)
        heads[key] = head
        at = _skipped(text, parts[key].end)
        if text[at] == ",":
            at = _skipped(text, at + 1)
    inner = {key: part.data for key, part in parts.items()}
    return _Node(inner if mapping else list(inner.values()), start, at + 1, parts, heads)


def _skipped(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _changed(text: str, node: _Node, after: Any, *, as_ascii: bool) -> str:
    """The text of a node, with what differs changed."""
    if _same(node.data, after):
        return text[node.start : node.end]
    if (
        type(node.data) is not type(after)
        or not node.parts
        or not isinstance(after, dict | list)
        or not after
    ):
        return _written(after, _indent(text, node.start), as_ascii=as_ascii)
    first = min(node.heads.values())
    gap = text[node.start + 1 : first]
    indent = gap.rpartition("\n")[2] if "\n" in gap else None
    members = _members(text, node, after, indent, as_ascii=as_ascii)
    last = max(part.end for part in node.parts.values())
    joint = "," + (gap if indent is not None else " ")
    return text[node.start : first] + joint.join(members) + text[last : node.end]


def _members(
    text: str, node: _Node, after: dict[str, Any] | list[Any], indent: str | None, *, as_ascii: bool
) -> list[str]:
    """The text of every member or item, in the new order."""
    found = []
    if not any("\n" in text[part.start : part.end] for part in node.parts.values()):
        indent = None  # a line for each, as those that are there
    if isinstance(after, dict):
        for key, value in after.items():
            if key in node.parts:
                part = node.parts[key]
                head = text[node.heads[key] : part.start]
                found.append(head + _changed(text, part, value, as_ascii=as_ascii))
            else:
                name = json.dumps(key, ensure_ascii=as_ascii)
                found.append(f"{name}: {_written(value, indent, as_ascii=as_ascii)}")
        return found
    left: dict[str, list[_Node]] = {}
    for part in node.parts.values():
        left.setdefault(json.dumps(part.data), []).append(part)
    for value in after:
        alike = left.get(json.dumps(value))
        if alike:
            part = alike.pop(0)
            found.append(text[part.start : part.end])
        else:
            found.append(_written(value, indent, as_ascii=as_ascii))
    return found


def _written(value: Any, indent: str | None, *, as_ascii: bool) -> str:
    """A new value: on lines of their own below an indent, else on one line."""
    if indent is None:
        return json.dumps(value, ensure_ascii=as_ascii)
    step = "\t" if indent.startswith("\t") else _STEP
    return json.dumps(value, ensure_ascii=as_ascii, indent=step).replace("\n", "\n" + indent)


def _indent(text: str, at: int) -> str | None:
    """The indent of the line at a place; None where the whole text is one line."""
    if "\n" not in text.strip():
        return None
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip())]


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one) == json.dumps(other)
