"""The words of the goal picker, and how a choice is written in a link; one spelling for every page."""

import math
from collections.abc import Mapping
from typing import Any

from dashboard import words

NAMES = {
    "non-inferior": "Margin",
    "min-accuracy": "Floor",
    "budget": "Budget",
    "value": "Value",
    "accuracy-per-dollar": "Per dollar",
}
SCOPES = {"overall": "All traffic together", "category": "Every category by itself"}
REFERENCES = {"auto": "Always strong, if the log can tell", "strong": "Always strong", "in-force": "In force"}
HOLDOUTS = {"hash": "Half of the users, by a hash", "time": "Second half of the period"}
POOLING = {"no": "Follow the default", "yes": "Share one threshold"}
CHOICES: dict[str, Mapping[str, str]] = {
    "goal": NAMES,
    "scope": SCOPES,
    "reference": REFERENCES,
    "holdout": HOLDOUTS,
    "pool": POOLING,
}
PRESETS = {
    0.0: "No limit",
    2.0: "Chatbot: 2 s",
    5.0: "Live coding: 5 s",
    15.0: "Interactive analysis: 15 s",
    30.0: "Homework helper: 30 s",
    60.0: "Legal review: 60 s",
    600.0: "Security audit: 10 min",
    3600.0: "Theorem proving: 1 h",
}
DEFAULTS: dict[str, Any] = {
    "goal": "non-inferior",
    "margin": 1.0,
    "floor": 80.0,
    "budget": 0.002,
    "value": 0.05,
    "scope": "overall",
    "reference": "auto",
    "p95": 0.0,
    "pool": "no",
    "holdout": "hash",
}


def written(key: str, value: Any) -> str:
    """A choice as the picker's own widgets write it in the URL."""
    if key in CHOICES:
        return CHOICES[key][value]
    return limit(value) if key == "p95" else f"{value:g}"


def limit(seconds: float) -> str:
    """A latency limit: the name of its preset, else the duration."""
    return PRESETS.get(seconds, words.seconds(seconds))


def parsed(key: str, text: str) -> Any:
    """A choice from the URL, or the default where it is none that the picker offers."""
    offered = CHOICES.get(key) or (PRESETS if key == "p95" else {})
    for value, shown in offered.items():
        if text in (shown, str(value)):
            return value
    if key in CHOICES:
        return DEFAULTS[key]
    try:
        number = float(text)
    except ValueError:
        return DEFAULTS[key]
    return number if math.isfinite(number) and number >= 0 else DEFAULTS[key]
