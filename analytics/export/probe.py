"""A rule read out of a router's config by asking what it decides: thresholds are where the answer changes."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from analytics.export.fragment import one_line
from analytics.policy import CategoryPolicy, Default, OnMissing, PolicyKind, Score, ThresholdPolicy

Decide = Callable[[float | None], str | None]
MAX_NAMED = 4


@dataclass(frozen=True, slots=True)
class ReadBack:
    """The thresholds in a router's config.

    Attributes:
        policy: What the config decides, as far as it was read.
        unread: Sentences on what was not.
    """

    policy: ThresholdPolicy
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Served:
    """What one category's requests get, by confidence.

    Attributes:
        surest: Model at a confidence of 1.
        least: Model at a confidence of 0.
        threshold: Least confidence that the surest model is served from; None where it is one model's alone.
        on_missing: What a missing confidence does.
        side: Which of the two the model is, where there is one and the config says it.
    """

    surest: str
    least: str
    threshold: float | None = None
    on_missing: OnMissing = "escalate"
    side: Literal["fast", "strong"] | None = None


@dataclass(slots=True)
class Reading:
    """What has been read so far."""

    served: dict[str | None, Served] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)

    def policy(self, kind: PolicyKind, score: str | None = None) -> ReadBack:
        """All that was read, as a policy; without a default, what has no rule of its own is always strong."""
        found = self.served
        fast = {item.surest for item in found.values() if item.threshold is not None or item.side == "fast"}
        strong = {
            item.least for item in found.values() if item.threshold is not None or item.side == "strong"
        }
        rules = {name: self._rule(name, item, fast, strong) for name, item in found.items()}
        own = rules.pop(None, None)
        if own is None:
            self.unread.append("It has no rule for other categories: they count as always strong.")
        default = Default("strong_only") if own is None else Default(own.route, own.threshold, own.on_missing)
        categories = {name: rule for name, rule in rules.items() if name is not None}
        confidence = None if score is None else Score(None, score)
        return ReadBack(ThresholdPolicy(kind, default, categories, confidence=confidence), tuple(self.unread))

    def _rule(self, name: str | None, item: Served, fast: set[str], strong: set[str]) -> CategoryPolicy:
        if item.threshold is not None:
            return CategoryPolicy(
                "cascade", item.threshold, on_missing=item.on_missing, fast_model=item.surest,
                strong_model=item.least,
            )  # fmt: skip
        model = item.surest
        if item.side == "fast" or (item.side is None and model in fast and model not in strong):
            return CategoryPolicy("fast_only", fast_model=model)
        if item.side is None and (model in fast) == (model in strong):
            self.unread.append(
                f"Whether {one_line(model)} is the fast or the strong model for {shown(name)} is not in it: "
                "taken as the strong one."
            )
        return CategoryPolicy("strong_only", strong_model=model)


def served(decide: Decide, cuts: Iterable[float]) -> Served | None:
    """What a router serves by confidence; None where that is no threshold.

    Args:
        decide: The model for a confidence, None for a missing one; None where no model is named.
        cuts: Numbers that the router compares confidences with; between them its answer is one.
    """
    points = {0.0, 1.0}
    for cut in cuts:
        points |= {cut, math.nextafter(cut, -math.inf), math.nextafter(cut, math.inf)}
    scale = sorted(point for point in points if 0 <= point <= 1)
    answers = [decide(point) for point in scale]
    missing, least, surest = decide(None), answers[0], answers[-1]
    if missing is None or least is None or surest is None:
        return None
    if set(answers) == {surest}:  # one model on the whole scale, maybe another for a missing confidence
        return Served(surest, missing, None if missing == surest else 0.0)
    first = answers.index(surest)
    if set(answers[:first]) != {least} or set(answers[first:]) != {surest} or missing not in (least, surest):
        return None
    return Served(surest, least, scale[first], "keep" if missing == surest else "escalate")


def with_sides(item: Served, fast: str, strong: str) -> Served | None:
    """What is served, where a config says ``fast`` and ``strong`` themselves; None where they are crossed."""
    if item.threshold is None:
        side: Literal["fast", "strong"] | None = {fast: "fast", strong: "strong"}.get(item.surest)  # type: ignore[assignment]
        return None if side is None else replace(item, side=side)
    return item if (item.surest, item.least) == (fast, strong) else None


def shown(name: str | None) -> str:
    """A category in a sentence."""
    return "other categories" if name is None else one_line(name)


def listed(names: Iterable[str | None]) -> str:
    """Some of them: ``law, maths and 3 more``."""
    all_names = [shown(name) for name in names]
    more = len(all_names) - MAX_NAMED
    return ", ".join(all_names[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


def numbers(data: object) -> list[float]:
    """Every finite number in plain data."""
    if isinstance(data, bool) or not isinstance(data, int | float | dict | list):
        return []
    if isinstance(data, int | float):
        return [float(data)] if abs(data) <= 1 else []
    parts = data.values() if isinstance(data, Mapping) else data
    return [number for part in parts for number in numbers(part)]
