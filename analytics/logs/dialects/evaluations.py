"""Evaluations of an answer that a trace carries: which of them are grades of its correctness.

OpenTelemetry has ``gen_ai.evaluation.{name, score.value, score.label}`` on events named
``gen_ai.evaluation.result`` (GenAI conventions, ``model/gen-ai/events.yaml``); OpenInference 0.1.42 has
``annotations.N.annotation.*`` and ``evaluations.N.evaluation.*`` on the span (``spec/annotations.md``). Both
say that what a score means depends on its name, so only names that speak of correctness are grades.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from analytics.logs.dialects.dialect import plain
from analytics.logs.dialects.opening import number

RIGHT = frozenset({"pass", "passed", "correct", "right", "true", "yes"})
WRONG = frozenset({"fail", "failed", "incorrect", "wrong", "false", "no"})
KINDS = {"HUMAN": "human", "LLM": "judge", "CODE": "exact"}
EVENT = "gen_ai.evaluation"

_CORRECTNESS = frozenset({"correct", "correctness", "correctly", "accuracy", "accurate", "exact", "grade"})
_CORRECTNESS |= {"graded", "pass", "passed"}
_WHOLE = frozenset({"score", "eval", "evaluation", "annotation", "result"})
_OF_ELSE = frozenset({"tool", "tools", "retrieval", "context", "citation", "format", "schema", "json"})
_OF_ELSE |= {"router", "routing", "route", "intent", "language", "not", "grammar"}
_AGAINST = frozenset(
    {"hallucination", "hallucinated", "hallucinations", "toxicity", "toxic", "bias", "biased"}
)
_AGAINST |= {"frustration", "frustrated", "error", "errors", "violation", "violations", "harm", "harmful"}
_AGAINST |= {"harmfulness", "unsafe", "incorrect", "incorrectness", "wrong", "refusal", "jailbreak"}
_AGAINST |= {"injection", "profanity", "hate", "violence", "sexual", "uncertainty", "risk"}
_LISTED = re.compile(r"^(annotation|evaluation)s\.(\d+)\.(?:annotation|evaluation)\.(\w+)$")
_SINGLE = re.compile(r"^(annotation|evaluation)\.(\w+)$")
_ORDER = ("human", "exact", "judge", None)
_HALF = 0.5


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation of one answer.

    Attributes:
        name: Of the criterion; null where it has none.
        grade: From 0 to 1; null where score and label are none.
        source: human, judge or exact; null if unknown.
    """

    name: str | None
    grade: float | None
    source: str | None = None


def grade(score: Any, label: Any) -> float | None:
    """A grade from a score in [0, 1] or a label such as pass or incorrect.

    A label that says the opposite of the score counts: which way a score runs is for its evaluator to say.
    """
    value = float(score) if isinstance(score, bool) else number(score)
    value = value if value is not None and 0 <= value <= 1 else None
    word = label.strip().lower() if isinstance(label, str) else None
    said = 1.0 if word in RIGHT or label is True else 0.0 if word in WRONG or label is False else None
    if said is None or (value is not None and abs(said - value) <= _HALF):
        return value
    return said


def evaluation(fields: Mapping[str, Any]) -> Evaluation:
    """The evaluation that ``name``, ``score``, ``label`` and ``annotator_kind`` describe."""
    name, kind = fields.get("name"), fields.get("annotator_kind")
    return Evaluation(
        name if isinstance(name, str) and name.strip() else None,
        grade(fields.get("score"), fields.get("label")),
        KINDS.get(kind.strip().upper()) if isinstance(kind, str) else None,
    )


def conventional(attributes: Mapping[str, Any]) -> Evaluation | None:
    """The evaluation in ``gen_ai.evaluation.*`` attributes; null where there is none."""
    score = attributes.get("gen_ai.evaluation.score.value", attributes.get("gen_ai.evaluation.score"))
    label = attributes.get("gen_ai.evaluation.score.label", attributes.get("gen_ai.evaluation.label"))
    if score is None and label is None:
        return None
    return evaluation({"name": attributes.get("gen_ai.evaluation.name"), "score": score, "label": label})


def evaluations(attributes: Mapping[str, Any], events: Iterable[Mapping[str, Any]]) -> list[Evaluation]:
    """All evaluations that a span's dotted attributes and those of its evaluation events hold."""
    groups: dict[tuple[str, ...], dict[str, Any]] = {}
    for key, value in attributes.items():
        listed = _LISTED.match(key)
        single = None if listed else _SINGLE.match(key)
        if listed:
            groups.setdefault((listed[1], listed[2]), {})[listed[3]] = value
        elif single:
            groups.setdefault((single[1],), {})[single[2]] = value
    told = [fields for fields in groups.values() if not fields.keys().isdisjoint(("score", "label"))]
    standard = (conventional(members) for members in (attributes, *events))
    return [*(evaluation(fields) for fields in told), *(one for one in standard if one)]


def of_correctness(name: str | None) -> bool:
    """Whether an evaluation of this name grades the answer; one without a name does."""
    if name is None or plain(name) in _WHOLE:
        return True
    words = set(plain(name).split("_"))
    return bool(words & _CORRECTNESS) and not words & (_OF_ELSE | _AGAINST)


def of_faults(name: str | None) -> bool:
    """Whether a higher score of this name means a worse answer."""
    return name is not None and bool(set(plain(name).split("_")) & _AGAINST)


def graded(found: Iterable[Evaluation]) -> Iterator[tuple[str, Any]]:
    """Columns of a row: its grade, from a person before code before a model; other scores by their names."""
    grades = [one for one in found if one.grade is not None]
    best = sorted(
        (one for one in grades if of_correctness(one.name)), key=lambda one: _ORDER.index(one.source)
    )
    if best:
        yield "correct", best[0].grade
        yield "correct_source", best[0].source
    for one in grades:
        if not of_correctness(one.name):
            yield f"evaluation.{one.name}", one.grade
