"""Which evaluations of a trace are grades. Expected values are by hand."""

import pytest

from analytics.logs.dialects.evaluations import (
    Evaluation,
    conventional,
    evaluations,
    grade,
    graded,
    of_correctness,
    of_faults,
)


@pytest.mark.parametrize(
    ("score", "label", "expected"),
    [
        (1.0, None, 1.0), (0, None, 0.0), (0.25, "partly", 0.25), ("0.5", None, 0.5), (True, None, 1.0),
        (None, "pass", 1.0), (None, " Incorrect ", 0.0), (None, "relevant", None), (4.0, None, None),
        (4.0, "pass", 1.0), (-1, None, None), (float("nan"), None, None), (None, None, None),
        (0.9, "correct", 0.9), (1.0, "incorrect", 0.0), (0.0, "pass", 1.0), (None, True, 1.0), ([], {}, None),
    ],
)  # fmt: skip
def test_a_grade_is_a_score_from_0_to_1_or_a_word_and_the_word_wins_where_they_disagree(
    score, label, expected
):
    assert grade(score, label) == expected


@pytest.mark.parametrize(
    ("name", "correctness", "faults"),
    [
        ("correctness", True, False), ("Correctness", True, False), ("answer_accuracy", True, False),
        ("exact_match", True, False), ("isCorrect", True, False), (None, True, False), ("score", True, False),
        ("pass", True, False), ("Relevance", False, False), ("helpfulness", False, False),
        ("tool_call_accuracy", False, False), ("json_correctness", False, False),
        ("hallucination", False, True), ("incorrectness", False, True), ("toxicity_score", False, True),
        ("user_frustration", False, True),
    ],
)  # fmt: skip
def test_only_names_that_speak_of_correctness_are_grades(name, correctness, faults):
    assert (of_correctness(name), of_faults(name)) == (correctness, faults)


def test_evaluations_of_both_conventions_and_of_events_are_found():
    attributes = {
        "annotations.0.annotation.name": "correctness",
        "annotations.0.annotation.label": "correct",
        "annotations.0.annotation.annotator_kind": "HUMAN",
        "evaluations.0.evaluation.name": "relevance",
        "evaluations.0.evaluation.score": 0.5,
        "annotations.1.annotation.name": "note",
        "annotations.1.annotation.explanation": "no result",
        "gen_ai.evaluation.name": "accuracy",
        "gen_ai.evaluation.score.value": 0.75,
        "evaluation.score": 1,
        "evaluation.annotator_kind": "CODE",
    }
    event = {"gen_ai.evaluation.name": "fluency", "gen_ai.evaluation.score.label": "fail"}
    assert evaluations(attributes, [event]) == [
        Evaluation("correctness", 1.0, "human"),
        Evaluation("relevance", 0.5),
        Evaluation(None, 1.0, "exact"),
        Evaluation("accuracy", 0.75),
        Evaluation("fluency", 0.0),
    ]
    assert conventional({"gen_ai.evaluation.name": "x"}) is None


def test_a_person_grades_before_code_and_code_before_a_model_and_other_scores_keep_their_names():
    found = [
        Evaluation("correctness", 0.0, "judge"),
        Evaluation("exact_match", 0.5, "exact"),
        Evaluation("correctness", 1.0, "human"),
        Evaluation("relevance", 0.25, "judge"),
        Evaluation("correctness", None, "human"),
    ]
    assert dict(graded(found)) == {"correct": 1.0, "correct_source": "human", "evaluation.relevance": 0.25}
    assert dict(graded(found[:2])) == {"correct": 0.5, "correct_source": "exact"}
    assert dict(graded([Evaluation("tone", None)])) == {}
