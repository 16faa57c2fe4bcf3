"""Entries of a list in YAML text, put there by position: every other byte of the text stays as it was.

ruamel.yaml's round-trip parser says where things stand. It does not write the whole file again, because even
a faithful writer moves indents and comments that nobody asked it to.
"""

from collections.abc import Callable, Sequence
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from analytics.errors import SchemaError

PREFIX = "# tiertune: "
"""Begins every comment line that an earlier export put above its entries."""
_INDENT = 2
_LAYOUT = (
    "The list {where} is needed in block form, one entry per dash, and its layout does not allow a change in "
    "place. Write it so"
)


def spliced(
    text: str,
    path: tuple[str, ...],
    entries: Sequence[Any],
    *,
    old: Callable[[int], bool],
    comments: Sequence[str] = (),
) -> str:
    """The text with entries in a list, in the place of the first old one, else at its end.

    Args:
        text: YAML without aliases and tags; a mapping at the top.
        path: Keys that lead to the list; what is missing on the way is added.
        entries: The new ones, plain data.
        old: Whether the entry at a place, from 0, is one that the new ones replace.
        comments: Lines above the new entries; those above the old ones go.

    Raises:
        SchemaError: The layout does not allow it.
    """
    if text and not text.endswith("\n"):
        text += "\n"
    try:
        root = YAML(typ="rt", pure=True).compose(text)
        found, parent, missing = _followed(root, path)
        if isinstance(found, SequenceNode) and found.value:
            change = _in_flow if found.flow_style else _in_block
            return change(text, found, entries, old, comments)
        if not entries:
            return text
        return _first(text, found, (*parent, missing), entries, comments)
    # A parser in pure Python fails in many ways on texts that another parser took.
    except (
        YAMLError,
        ValueError,
        TypeError,
        AttributeError,
        LookupError,
        RecursionError,
        NotImplementedError,
    ):
        raise SchemaError(_LAYOUT.format(where=".".join(path))) from None


def _followed(
    root: Node, path: tuple[str, ...]
) -> tuple[Node | None, tuple[Node, ScalarNode | None], list[str]]:
    """The node at a path; the mapping that is the last known on the way with its key; keys still missing.

    A value that is null counts as missing, with its key known.
    """
    at, key = root, None
    for depth, name in enumerate(path):
        pair = next((item for item in at.value if item[0].value == name), None)
        if pair is None:
            return None, (at, None), list(path[depth:])
        key, value = pair
        if isinstance(value, ScalarNode):
            return value, (at, key), list(path[depth + 1 :])
        if depth == len(path) - 1:
            return value, (at, key), []
        if not value.value:
            return value, (at, key), list(path[depth + 1 :])
        at = value
    return at, (at, key), []


def _in_block(
    text: str,
    sequence: SequenceNode,
    entries: Sequence[Any],
    old: Callable[[int], bool],
    comments: Sequence[str],
) -> str:
    column = sequence.start_mark.column
    spans = [_span(text, item, column) for item in sequence.value]
    gone = [place for place in range(len(spans)) if old(place)]
    at = spans[gone[0]][0] if gone else spans[-1][1]
    new = _block(entries, column, comments) if entries else ""
    pieces, done = [], 0
    for place in gone:
        start, end = spans[place]
        start = _above(text, start, column)
        at = start if place == gone[0] else at
        pieces.append((text[done:start], start))
        done = end
    pieces.append((text[done:], len(text)))
    if gone:
        return pieces[0][0] + new + "".join(piece for piece, _ in pieces[1:])
    return text[:at] + new + text[at:]


def _span(text: str, item: Node, column: int) -> tuple[int, int]:
    """From the start of the line with the dash to the end of the last line of content."""
    start = text.rfind("\n", 0, item.start_mark.index) + 1
    while not (text[start + column] == "-" and not text[start : start + column].strip()):
        start = text.rfind("\n", 0, start - 1) + 1
    return start, text.index("\n", _end(text, item) - 1) + 1


def _end(text: str, node: Node) -> int:
    """Where the content of a node ends; marks of blocks stand behind what follows them."""
    if isinstance(node, ScalarNode):
        head = text[node.start_mark.index : node.end_mark.index].partition("\n")[0]
        if node.style in ("|", ">") and "+" in head.partition("#")[0]:
            return int(node.end_mark.index)  # blank lines are content here
        return len(text[: node.end_mark.index].rstrip())
    if not isinstance(node, MappingNode | SequenceNode) or node.flow_style or not node.value:
        return int(node.end_mark.index)
    if isinstance(node, SequenceNode):
        return _end(text, node.value[-1])
    key, value = node.value[-1]
    if isinstance(value, ScalarNode) and value.start_mark.index == value.end_mark.index:
        return int(key.end_mark.index) + 1
    return _end(text, value)


def _above(text: str, start: int, column: int) -> int:
    """The start of the comment lines of an earlier export directly above."""
    while start > 0:
        before = text.rfind("\n", 0, start - 1) + 1
        if not text.startswith(" " * column + PREFIX, before):
            break
        start = before
    return start


def _in_flow(
    text: str,
    sequence: SequenceNode,
    entries: Sequence[Any],
    old: Callable[[int], bool],
    _comments: Sequence[str],
) -> str:
    items = sequence.value
    kept = [place for place in range(len(items)) if not old(place)]
    cut = "".join(
        text[items[place].start_mark.index : items[place + 1].start_mark.index]
        for place in range(len(items) - 1)
        if place not in kept
    )
    if "#" in cut:
        raise ValueError("a comment would be lost")
    inside, end = "", sequence.end_mark.index - 1
    for place in kept:
        after = place + 1
        last = place == kept[-1]
        stop = items[place].end_mark.index if last or after >= len(items) else items[after].start_mark.index
        inside += text[items[place].start_mark.index : stop]
    new = ", ".join(_flow(entry) for entry in entries)
    joint = ", " if inside and new else ""
    head = text[: items[0].start_mark.index]
    tail = text[items[-1].end_mark.index : end].replace(",", "", 1)
    return head + inside + joint + new + tail + text[end:]


def _first(
    text: str,
    found: Node | None,
    parent: tuple[Node, ScalarNode | None, list[str]],
    entries: Sequence[Any],
    comments: Sequence[str],
) -> str:
    """The first entries of a list that is empty, null or missing."""
    mapping, key, missing = parent
    if not isinstance(mapping, MappingNode):
        raise TypeError("entries need a mapping")
    if mapping.flow_style:
        nested: Any = list(entries)
        for name in reversed(missing):
            nested = {name: nested}
        if found is not None:
            return text[: found.start_mark.index] + _flow(nested) + text[found.end_mark.index :]
        end = mapping.end_mark.index - 1
        joint = ", " if mapping.value else ""
        return text[:end].rstrip() + joint + _flow(nested)[1:-1] + text[end:]
    if found is not None and found.end_mark.index > found.start_mark.index:  # [] or null behind its key
        text = text[: found.start_mark.index].rstrip(" ") + text[found.end_mark.index :]
    if key is not None:
        column, at = key.start_mark.column, key.end_mark.index
        depth = column + _INDENT
    else:
        column = depth = mapping.value[0][0].start_mark.column
        at = _end(text, mapping) - 1
    at = text.index("\n", at) + 1
    head = ""
    for name in missing:
        head += f"{' ' * depth}{name}:\n"
        depth += _INDENT
    return text[:at] + head + _block(entries, depth, comments) + text[at:]


def _block(entries: Sequence[Any], column: int, comments: Sequence[str]) -> str:
    lines = [PREFIX + comment for comment in comments]
    for entry in entries:
        lines += yaml.safe_dump([entry], sort_keys=False, allow_unicode=True, width=100).splitlines()
    return "".join(f"{' ' * column}{line}\n" for line in lines)


def _flow(data: Any) -> str:
    return yaml.safe_dump(
        data, sort_keys=False, allow_unicode=True, width=10**9, default_flow_style=True
    ).strip()
