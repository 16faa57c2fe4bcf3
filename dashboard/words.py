"""How numbers, verdicts and names are written, and the two ways in which untrusted text is made harmless."""

import datetime as dt
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from analytics.estimate import Estimate

UNKNOWN = "Unknown"
NOT_IN_LOG = "not in this log"
UNCATEGORISED = "Uncategorised"
NEVER = "never escalate"
STRONG_ONLY = "always strong"
MINUS = "\u2212"
KILO, MEGA = 1e3, 1e6
NBSP = "\u00a0"
DASH = "\u2013"
POINT = 100.0  # percentage points in one
MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~<>$:^=@/&])")
AUTOLINK = re.compile(r"(?i)(https?|www|ftp|mailto|xmpp)(?=[:.])|(?=@)")
REPLACED = re.compile(r":(?=[\w+/-]+:)|[-<>~](?=[-=>])")  # emoji and icons by name, arrows from signs
JOINER = "\u2060"
BREAKS = re.compile(r"[ \x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]+")


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one verdict is shown: never by colour alone.

    Attributes:
        word: The word on the chip.
        icon: Material icon beside it.
        badge: Streamlit's name of the badge colour.
        chip: Colour of the chip in a table, with alpha, readable in both themes.
        meaning: One sentence for help texts.
    """

    word: str
    icon: str
    badge: str
    chip: str
    meaning: str


VERDICTS = {
    "certified": Verdict(
        "Certified",
        ":material/verified:",
        "green",
        "#0F9D7433",
        "Passed a test that holds although it was chosen on the same rows.",
    ),
    "estimated": Verdict(
        "Estimated",
        ":material/query_stats:",
        "blue",
        "#2563A833",
        "Picked on one half of the log, reported on the other half.",
    ),
    "pooled": Verdict(
        "Pooled",
        ":material/join:",
        "violet",
        "#6D3FC033",
        "Too few rows of its own; takes the pooled threshold.",
    ),
    "insufficient_evidence": Verdict(
        "Too little data",
        ":material/hourglass_empty:",
        "orange",
        "#C2570C33",
        "Too few graded requests for a verdict of its own.",
    ),
    "not_identified": Verdict(
        "Cannot tell",
        ":material/help:",
        "gray",
        "#7A819033",
        "This log does not observe what would be needed.",
    ),
}

ESTIMATORS = {
    "paired": "paired, both answers graded",
    "cascade": "strong answer seen for escalated requests only",
    "shadow_difference": "escalated requests and a sample of shadow answers",
    "exploration_difference": "requests escalated at random, weighted by their propensity",
    "doubly_robust": "one answer per request, chosen at random; doubly robust",
    "bounds": "bounds only",
    "ungraded": "no grades",
    "mixed": "observed in different ways",
}


def verdict(name: str | None) -> Verdict:
    """How the verdict ``name`` of a policy is shown; None and unknown names read as "Cannot tell"."""
    return VERDICTS.get(name or "", VERDICTS["not_identified"])


def estimator(name: str) -> str:
    """The estimator of a curve in words."""
    return ESTIMATORS.get(name, name.replace("_", " "))


def label(text: str | None, *, limit: int = 48) -> str:
    """Untrusted text for Plotly, which reads HTML tags, entities, LaTeX between dollars and ``%{...}``."""
    safe = one_line(text, limit=limit).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return safe.replace("$", "&#36;").replace("%{", f"%{JOINER}{{")


def plain(text: str | None, *, limit: int = 120) -> str:
    """Untrusted text where Streamlit reads markdown: no link, image, icon or formula is left in it."""
    # Addresses become links and names of emoji pictures even where every sign is escaped, unless an invisible
    # joiner stands in them.
    still = AUTOLINK.sub(lambda found: found.group(0) + JOINER, one_line(text, limit=limit))
    return MARKDOWN.sub(r"\\\1", REPLACED.sub(lambda found: found.group(0) + JOINER, still))


def one_line(text: str | None, *, limit: int) -> str:
    """Untrusted text where nothing is read into it: no line breaks, no signs that turn text round, cut."""
    flat = BREAKS.sub(" ", category(text)).strip()
    return flat if len(flat) <= limit else flat[: limit - 1].rstrip() + "\u2026"


def dollars(text: str) -> str:
    """Our own markdown with every dollar sign escaped, so that two amounts do not make a formula."""
    return re.sub(r"(?<!\\)\$", r"\\$", text)


def category(name: str | None) -> str:
    """A category as shown: null is "Uncategorised"."""
    return UNCATEGORISED if name is None else str(name)


def count(value: float | None) -> str:
    """A whole number with thousands commas."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def amount(value: float | None) -> str:
    """A number without a unit: whole from ten on, below that with two significant digits."""
    return count(value) if value is None or abs(value) >= 10 else f"{value:.2g}"  # noqa: PLR2004


def plural(value: int, noun: str, many: str | None = None) -> str:
    """``3 categories``: the number and the noun in the right form."""
    return f"{count(value)}{NBSP}{noun if value == 1 else many or noun + 's'}"


def size(content: int) -> str:
    """Bytes as ``12.3 MB`` or ``4.5 kB``."""
    if content >= MEGA / 10:
        return f"{content / MEGA:,.1f}{NBSP}MB"
    return f"{content / KILO:,.1f}{NBSP}kB"


def signed(text: str) -> str:
    """A formatted number with a real minus sign instead of a hyphen."""
    return text.replace("-", MINUS)


def percent(value: float | None, *, digits: int = 1) -> str:
    """A share in percent: one decimal in cards and tables, none in sentences."""
    return UNKNOWN if value is None else signed(f"{_unzero(value * POINT, digits):.{digits}f}%")


def percent_interval(low: float | None, high: float | None, *, digits: int = 1) -> str:
    """``73.2 to 74.7%``, which a sign cannot confuse."""
    if low is None or high is None:
        return NOT_IN_LOG
    ends = [signed(f"{_unzero(end * POINT, digits):.{digits}f}") for end in (low, high)]
    return f"{ends[0]}{NBSP}to{NBSP}{ends[1]}%"


def between(low: float, high: float) -> str:
    """Bounds as the figure itself: ``81–84%``."""
    return f"{low * POINT:.0f}{DASH}{high * POINT:.0f}%"


def points(value: float | None, *, digits: int = 1, plus: bool = False) -> str:
    """A difference of two shares in points: ``−1.8 pt``."""
    if value is None:
        return UNKNOWN
    sign = "+" if plus and round(value * POINT, digits) else ""
    return signed(f"{_unzero(value * POINT, digits):{sign}.{digits}f}{NBSP}pt")


def points_interval(low: float | None, high: float | None, *, digits: int = 1) -> str:
    """``−3.0 to −0.6 pt``."""
    if low is None or high is None:
        return NOT_IN_LOG
    ends = [signed(f"{_unzero(end * POINT, digits):.{digits}f}") for end in (low, high)]
    return f"{ends[0]}{NBSP}to{NBSP}{ends[1]}{NBSP}pt"


def change(value: float | None, *, digits: int = 0) -> str:
    """A relative change: ``+115%``, ``−60%``."""
    return UNKNOWN if value is None else signed(f"{_unzero(value * POINT, digits):+.{digits}f}%")


def money_decimals(value: float | None) -> int:
    """Decimals that give an amount two significant digits, at least 2 below ten dollars and at most 8."""
    if value is None or value == 0 or not math.isfinite(value):
        return 2
    size = abs(value)
    if size >= 10:  # noqa: PLR2004 - cents say nothing above ten dollars
        return 0
    return min(max(2, 1 - math.floor(math.log10(size) + 1e-9)), 8)


def money(value: float | None, *, decimals: int | None = None) -> str:
    """An amount in USD with two significant digits: ``$0.0021``, ``$0.00092``."""
    if value is None:
        return UNKNOWN
    places = money_decimals(value) if decimals is None else decimals
    return f"{MINUS if value < 0 else ''}${abs(value):,.{places}f}"


def money_interval(low: float | None, high: float | None) -> str:
    """``$0.0020–0.0022`` with the decimals of the upper end; ``to`` where an end is negative."""
    if low is None or high is None:
        return NOT_IN_LOG
    places = money_decimals(max(abs(low), abs(high)))
    if low < 0 or high < 0:
        return f"{money(low, decimals=places)}{NBSP}to{NBSP}{money(high, decimals=places)}"
    return f"${low:,.{places}f}{DASH}{high:,.{places}f}"


def seconds(value: float | None) -> str:
    """A duration in the unit that people say: ``420 ms``, ``2.4 s``, ``3.5 min``."""
    if value is None:
        return UNKNOWN
    if value < 1:
        return f"{value * 1000:.0f}{NBSP}ms"
    if value < 120:  # noqa: PLR2004 - two minutes read better in seconds
        return f"{value:.1f}{NBSP}s" if value < 10 else f"{value:.0f}{NBSP}s"  # noqa: PLR2004
    return f"{value / 60:.1f}{NBSP}min"


def seconds_interval(low: float | None, high: float | None) -> str:
    """Both ends in their own unit."""
    return NOT_IN_LOG if low is None or high is None else f"{seconds(low)}{NBSP}to{NBSP}{seconds(high)}"


def with_interval(estimate: "Estimate", *, digits: int = 1) -> str:
    """A share for a table: ``79.0% (76–82)``; "to" where an end is negative."""
    if estimate.value is None:
        return UNKNOWN
    text = percent(estimate.value, digits=digits)
    if estimate.low is None or estimate.high is None:
        return text
    low, high = (signed(f"{_unzero(end * POINT, 0):.0f}") for end in (estimate.low, estimate.high))
    between = f"{NBSP}to{NBSP}" if estimate.low < 0 else DASH
    return f"{text}{NBSP}({low}{between}{high})"


def threshold(value: float | None, *, route: str | None = None) -> str:
    """A threshold or the route that stands in its place."""
    if route == "strong_only" or (route is None and value is None):
        return STRONG_ONLY
    if route == "fast_only":
        return NEVER
    return UNKNOWN if value is None else number(value)


def number(value: float, *, digits: int = 4) -> str:
    """A confidence as people write it: at least two decimals, at most ``digits``."""
    whole, _, decimals = f"{value:.{digits}f}".partition(".")
    return f"{whole}.{decimals.rstrip('0'):0<2}"


def date(value: dt.date | dt.datetime | None) -> str:
    """A day: ``22 Nov 2026``."""
    return UNKNOWN if value is None else f"{value.day}{NBSP}{value:%b}{NBSP}{value:%Y}"


def listing(names: "Iterable[str | None]", *, limit: int = 4) -> str:
    """Escaped names in a sentence: ``law, math and 3 more``."""
    shown = [plain(name, limit=40) for name in names]
    if len(shown) > limit:
        shown = [*shown[:limit], f"{len(shown) - limit} more"]
    return joined(shown)


def joined(parts: "Sequence[str]") -> str:
    """``a, b and c``."""
    if len(parts) < 2:  # noqa: PLR2004 - nothing to join
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def _unzero(value: float, digits: int) -> float:
    """``value``, or plain zero where it would be written as minus zero."""
    return 0.0 if round(value, digits) == 0 else value
