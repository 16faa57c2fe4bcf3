"""A table of grades for a log that is loaded already: one row per graded answer.

It is never recognised by itself, since a log may have the same columns: whoever joins a file says so.
"""

from analytics.logs.dialects.dialect import Dialect, Match, ranked
from analytics.logs.dialects.words import ANSWER, REQUEST

_OWN = ranked(
    {
        "call_id": (
            "observation_id", "span_id", "run_id", "generation_id", "inference_id", "litellm_call_id",
            "completion_id", "response_id", "target_id",
        ),
        "model": ("model_name", "model_used", "llm"),
        "side": ("route", "answered_by"),
        "grader": (
            "score_name", "metric", "metric_name", "name", "key", "grader_name", "evaluator", "judge",
            "annotator", "rater", "reviewer", "rated_by", "graded_by", "who",
        ),
        "correct": ("value", "score_value", "rating", "feedback", "vote", "thumbs", "verdict"),
    }
)  # fmt: skip
_SHARED = ("request_id", "unit_id", "ts", "correct", "correct_source", "sampling_probability", "attributes")
_NAMES = {
    **{name: found for name, found in (*REQUEST.items(), *ANSWER.items()) if found[0] in _SHARED},
    **_OWN,
}


def match(name: str) -> Match | None:
    """Field and rank of a plain name."""
    return _NAMES.get(name)


DIALECT = Dialect(
    name="grades",
    title="Grades for a loaded log",
    form="grades",
    recognises=lambda _: False,
    match=match,
)
