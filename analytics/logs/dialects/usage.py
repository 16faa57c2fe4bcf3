"""Token counts put together as the table means them: parts are among their whole, each counted once.

Tools and providers differ in whether a prompt's count has the tokens in it that a cache had a part in, and
an answer's those of reasoning. Their total says so where there is one, and no part is more than its whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from analytics.logs.dialects.dialect import Record
from analytics.logs.dialects.span_values import count


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts as a tool tells them; unknown ones are null.

    Attributes:
        sent: Input tokens.
        made: Output tokens.
        total: Of the call.
        cached: Input tokens read from the provider's cache.
        written: Input tokens written to it.
        hour: Of those, the ones written for an hour.
        thought: Reasoning tokens.
    """

    sent: int | None = None
    made: int | None = None
    total: int | None = None
    cached: int | None = None
    written: int | None = None
    hour: int | None = None
    thought: int | None = None


def counts(found: Mapping[str, Any]) -> Counts:
    """Counts by the names of ``Counts``, from numbers or texts; what is no count is unknown."""
    return Counts(**{name: count(value) for name, value in found.items()})


def columns(told: Counts) -> Record:
    """The columns of a call's tokens; input has what was cached in it and output what was reasoned."""
    return _columns(told, _beside(told))


def apart(told: Counts) -> Record:
    """The columns of a call's tokens where the input leaves out what a cache had a part in: Anthropic's."""
    return _columns(told, (_cache(told), 0))


def _beside(told: Counts) -> tuple[int, int]:
    """Tokens that stand beside those of the input and beside those of the output.

    The total tells. Without one that fits, parts are inside unless they are more than their whole; any one
    of them being more tells even against the total, which some tools sum up without a cache's tokens. A call
    of no tokens at all, such as one that failed, used none.
    """
    if not told.sent and not told.made:
        return 0, 0
    parts, wholes = (_cache(told), told.thought or 0), (told.sent, told.made)
    ways = product((0, parts[0]), (0, parts[1]))
    known = None if told.sent is None or told.made is None else told.sent + told.made
    fitting = None if known is None else next((way for way in ways if known + sum(way) == told.total), None)
    if fitting is None:
        return _more(parts[0], told.sent), _more(parts[1], told.made)
    largest = max(told.cached or 0, told.written or 0), parts[1]
    over = (_more(one, whole) > 0 for one, whole in zip(largest, wholes, strict=True))
    found = (part if more else fit for part, fit, more in zip(parts, fitting, over, strict=True))
    return next(found), next(found)


def _cache(told: Counts) -> int:
    return (told.cached or 0) + max(told.written or 0, told.hour or 0)


def _more(part: int, whole: int | None) -> int:
    """The part if it is more than its whole, else 0."""
    return part if whole is not None and part > whole else 0


def _columns(told: Counts, beside: tuple[int, int]) -> Record:
    written = told.written if told.hour is None else max(told.written or 0, told.hour)
    return {
        "input_tokens": None if told.sent is None else told.sent + beside[0],
        "output_tokens": None if told.made is None else told.made + beside[1],
        "cached_tokens": told.cached,
        "cache_write_tokens": written,
        "cache_write_1h_tokens": told.hour,
        "reasoning_tokens": told.thought,
    }
