"""Which values of a JSON document are to be rows: elements, wrapped ones, those deep inside, or the whole."""

from collections.abc import Iterator
from typing import Any

from analytics.logs.reading.json_stream import JsonRecord, JsonStream
from analytics.logs.reading.unfolding import FOLDED, unfolded

_WRAPPERS = frozenset(
    {
        "data",
        "rows",
        "items",
        "results",
        "records",
        "logs",
        "entries",
        "observations",
        "traces",
        "runs",
        "requests",
        "inferences",
    }
)


def json_records(stream: JsonStream, notes: list[str]) -> Iterator[JsonRecord]:
    """The values of a document that are to be rows.

    Args:
        stream: Stands before the document.
        notes: Takes sentences on where they were found and what may be missing.
    """
    if stream.opens(FOLDED):
        while stream.opens(FOLDED):  # documents over several lines may follow one another
            yield from unfolded(stream, notes)
    elif stream.peek() == "[":
        yield from _elements(stream, notes)
    elif stream.peek() == "{":
        yield from _members(stream, notes)
    else:
        yield stream.value()
    stream.finish()


def _elements(stream: JsonStream, notes: list[str]) -> Iterator[JsonRecord]:
    """The values of the array that begins here, or the records in those that are documents with many."""
    stream.take("[")
    while stream.peek() != "]":
        if stream.opens(FOLDED):
            yield from unfolded(stream, notes)
        else:
            yield stream.value()
        if not stream.more("]"):
            break
    stream.take("]")


def _members(stream: JsonStream, notes: list[str]) -> Iterator[JsonRecord]:
    """The rows under a member such as "data", else the object itself as one row."""
    others: dict[str, Any] = {}
    wrapper, texts, repeated = None, [], []
    stream.take("{")
    while stream.peek() != "}":
        key = str(stream.value().value)
        stream.take(":")
        if wrapper is None and key.lower() in _WRAPPERS and stream.peek() == "[":
            wrapper = key
            yield from _elements(stream, notes)
        else:
            member = stream.value()
            texts.append(member.text)
            repeated += [*member.repeated, *([key] if key in others else [])]
            others[key] = member.value
        if not stream.more("}"):
            break
    stream.take("}")
    if wrapper is None:
        yield JsonRecord(others, "{" + ",".join(texts) + "}", repeated)
    else:
        notes.append(f'Rows found under "{wrapper}".')
        notes.extend(_page_notes(others))


def _page_notes(others: dict[str, Any]) -> list[str]:
    """A warning if the document is one page of several, by the members beside the rows."""
    flat = {key.lower().replace("_", ""): item for key, item in others.items()}
    for name in ("meta", "pagination", "paging", "page", "links", "cursors"):
        if isinstance(flat.get(name), dict):
            flat |= {key.lower().replace("_", ""): item for key, item in flat.pop(name).items()}
    page, pages = flat.get("page", flat.get("currentpage")), flat.get("totalpages", flat.get("pages"))
    if isinstance(page, int) and isinstance(pages, int):
        return [f"This is page {page} of {pages}; load the other pages too."] if pages > 1 else []
    if isinstance(page, int):
        return [f"This is page {page} of an API answer; there may be more pages to load."]
    following = ("hasmore", "next", "cursor", "nextcursor", "nextpage", "nextpagetoken")
    more = any(flat.get(key) for key in following)
    return ["This is one page of an API answer; load the other pages too."] if more else []
