"""What the Export page hands out, and what it says of the difference to today's file."""

from analytics import policy_file
from analytics.export.fragment import handed_out, refused
from analytics.policy import CategoryPolicy, Default, ThresholdPolicy
from dashboard import export_parts

NEW = ThresholdPolicy(
    "cascade",
    Default("strong_only"),
    {
        "law": CategoryPolicy("cascade", 0.9, verdict="estimated"),
        "math": CategoryPolicy("strong_only", verdict="estimated"),
        "rare": CategoryPolicy(
            "strong_only", verdict="insufficient_evidence", reason="Only 12 graded pairs."
        ),
    },
)
OLD = ThresholdPolicy(
    "cascade",
    Default("fast_only"),
    {
        "law": CategoryPolicy("cascade", 0.8),
        "art": CategoryPolicy("fast_only"),
        "math": CategoryPolicy("strong_only"),
    },
)


def test_unsupported_verdicts_are_left_out_unless_asked_for():
    assert list(handed_out(NEW).categories) == ["law", "math"]
    assert list(refused(NEW)) == ["rare"]


def test_unsupported_verdicts_are_marked_where_they_are_asked_for():
    text = policy_file.dumps(handed_out(NEW, include_unsupported=True))
    rule = policy_file.loads(text).categories["rare"]
    assert rule.verdict == "insufficient_evidence"
    assert rule.extra["x-unsupported"] is True


def test_leaving_a_category_without_a_threshold_out_changes_no_decision():
    rule = CategoryPolicy("cascade", None, verdict="not_identified")
    policy = ThresholdPolicy("cascade", Default("strong_only"), {"rare": rule})
    kept = handed_out(policy, include_unsupported=True)
    left = handed_out(policy)
    assert [kept.route("rare", c) for c in (0.0, 1.0, None)] == [
        left.route("rare", c) for c in (0.0, 1.0, None)
    ]


def test_the_comparison_lists_new_changed_gone_and_same_rules():
    frame = export_parts.changes(OLD, handed_out(NEW))
    found = {row[0]: (row[1][0], row[2], row[3]) for row in frame.iter_rows()}
    assert found == {
        "law": ("Changed", "threshold 0.80", "threshold 0.90"),
        "art": ("Gone", "never escalate", None),
        "math": ("Same", "always strong", "always strong"),
        "(default)": ("Changed", "never escalate", "always strong"),
    }
    assert frame["change"].to_list()[-1] == ["Same"]


def test_the_diff_shows_what_decides_and_not_the_evidence():
    text = export_parts.diff(OLD, handed_out(NEW))
    assert "-    threshold: 0.8" in text
    assert "+    threshold: 0.9" in text
    assert "verdict" not in text


def test_files_that_decide_alike_have_no_diff():
    assert export_parts.diff(NEW, NEW) == ""


def test_the_command_quotes_a_dataset_name_for_the_shell():
    assert export_parts.command("my log; rm -rf") == "tiertune evaluate thresholds.yaml 'my log; rm -rf'"
