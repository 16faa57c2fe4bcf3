"""Golden decisions: requests at and around every boundary, with the route that the policy wants.

A router's own CI asks its router for each of them; ``tiertune_golden_check.py``, which needs nothing but
Python, does so for a function ``route(category, confidence)``.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from analytics.policy import ThresholdPolicy, Tier

SCHEMA = "tiertune/golden/v1"
UNKNOWN = "no such category"


@dataclass(frozen=True, slots=True)
class Case:
    """One decision.

    Attributes:
        category: Exact name; None for a request without one.
        confidence: As sent; None where missing, NaN too.
        route: ``fast`` or ``strong``.
        about: What is tried.
    """

    category: str | None
    confidence: float | None
    route: Tier
    about: str


def cases(policy: ThresholdPolicy) -> list[Case]:
    """Decisions of every category, of an unknown one and of requests without any."""
    unknown = UNKNOWN
    while unknown in policy.categories:
        unknown += " either"
    found = []
    for category in (*policy.categories, unknown, None):
        threshold = policy.rule(category).threshold
        found += [
            Case(category, confidence, policy.route(category, confidence), about)
            for about, confidence in _tried(threshold)
        ]
    return found


def _tried(threshold: float | None) -> Iterator[tuple[str, float | None]]:
    if threshold is not None:
        yield "equal", threshold
        if threshold > 0:
            yield "next below", math.nextafter(threshold, -math.inf)
        if threshold < 1:
            yield "next above", math.nextafter(threshold, math.inf)
        yield "of 100", 100 * threshold
    yield "zero", 0.0
    yield "half", 0.5
    yield "one", 1.0
    yield "missing", None
    yield "not a number", math.nan
    yield "below the scale", -0.25
    yield "above the scale", 1.25


def as_json(policy: ThresholdPolicy) -> str:
    """The decisions as JSON; NaN is the text "NaN"."""
    rows: list[dict[str, Any]] = [
        {
            "category": case.category,
            "confidence": _written(case.confidence),
            "route": case.route,
            "about": case.about,
        }
        for case in cases(policy)
    ]
    document = {"schema": SCHEMA, "cases": rows}
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _written(confidence: float | None) -> float | str | None:
    return "NaN" if confidence is not None and math.isnan(confidence) else confidence


CHECK = '''"""Ask a router for every golden decision.

    python tiertune_golden_check.py golden.json module:function

The function takes category and confidence and returns "fast" or "strong". Exit 0 if all agree.
"""

import importlib
import json
import sys


def main(path, target):
    module, _, name = target.partition(":")
    route = getattr(importlib.import_module(module), name)
    with open(path, encoding="utf-8") as file:
        cases = json.load(file)["cases"]
    wrong = 0
    for case in cases:
        confidence = float("nan") if case["confidence"] == "NaN" else case["confidence"]
        found = route(case["category"], confidence)
        if found != case["route"]:
            wrong += 1
            print(ascii(case["category"]), confidence, case["about"], "wants", case["route"], "not", found)
    print(len(cases) - wrong, "of", len(cases), "decisions as expected")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.path.insert(0, ".")
    sys.exit(main(*sys.argv[1:3]))
'''
