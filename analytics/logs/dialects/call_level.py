"""The call-level table: one row per model call, the answer's columns without a side."""

from analytics.logs.dialects.dialect import Dialect, Match
from analytics.logs.dialects.words import ANSWER, CALL, REQUEST, confidence_like

# A call has no fast side, and whether it was escalated follows from the request's other calls.
_REQUEST = {name: found for name, found in REQUEST.items() if found[0] != "escalated"}
_NAMES = {**_REQUEST, **ANSWER, **CALL}


def match(name: str) -> Match | None:
    """Field and rank of a plain name."""
    return _NAMES[name] if name in _NAMES else confidence_like(name)


DIALECT = Dialect(
    name="call_level",
    title="Call-level table, one row per model call",
    form="calls",
    recognises=lambda _: True,
    match=match,
)
