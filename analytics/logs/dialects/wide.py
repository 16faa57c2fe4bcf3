"""The wide table: one row per request, the fast and the strong outcome side by side."""

from analytics.logs.dialects.dialect import Dialect, Match
from analytics.logs.dialects.words import ANSWER, REQUEST, confidence_like

_SIDES = {
    "fast": ("fast", "cheap", "weak", "small", "light", "base"),
    "strong": ("strong", "reasoning", "large", "expensive", "big", "heavy"),
}
_SIDE_OF = {word: side for side, words in _SIDES.items() for word in words}


def side_of(name: str) -> tuple[str, str] | None:
    """Side and remaining name of a plain name that starts or ends with a side's word, else null."""
    first, _, rest = name.partition("_")
    if rest and first in _SIDE_OF:
        return _SIDE_OF[first], rest
    rest, _, last = name.rpartition("_")
    if rest and last in _SIDE_OF:
        return _SIDE_OF[last], rest
    return None


def match(name: str) -> Match | None:
    """Field and rank of a plain name; a bare ``cost`` means nothing where there are two answers.

    A strong answer's own confidence is no field: it is never compared with a threshold.
    """
    if name in REQUEST:
        return REQUEST[name]
    sided = side_of(name)
    if sided is None:
        return confidence_like(name)
    side, rest = sided
    if rest in ANSWER:
        field, rank = ANSWER[rest]
        return f"{side}_{field}", rank or int(not name.startswith(("fast_", "strong_")))
    found = REQUEST[rest] if rest in REQUEST else confidence_like(rest)
    return found if side == "fast" and found and found[0] == "confidence" else None


def _recognises(names: frozenset[str]) -> bool:
    sides = {name: side_of(name) for name in names}
    fields = {name: sided[0] for name, sided in sides.items() if sided and sided[1] in ANSWER}
    # `reasoning_tokens` alone is a call's own column, and so may be `large_model` beside a `model`.
    spelt = any(name.startswith(("fast_", "strong_")) for name in fields)
    return spelt or set(fields.values()) == {"fast", "strong"}


DIALECT = Dialect(
    name="wide",
    title="Wide table, one row per request",
    form="decisions",
    recognises=_recognises,
    match=match,
)
