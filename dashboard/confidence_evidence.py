"""How sure the Confidence page is: rows, variants of each figure, tests; pairs of name and sentence."""

from typing import TYPE_CHECKING

from analytics.measure.overconfidence import LEAST_ROWS, MARGIN
from analytics.tuning.log import FEW_UNITS
from dashboard import words

if TYPE_CHECKING:
    from analytics.estimate import Estimate
    from analytics.measure.trust import Trust
    from analytics.tuning.benefit import Benefit
    from analytics.tuning.log import Selection
    from dashboard.confidence_data import Coverage


FEW_USERS = f" With fewer than {FEW_UNITS} users they are rough."


def evidence(
    entry: "Trust", gain: "Benefit", cover: "Coverage", selection: "Selection"
) -> list[tuple[str, str]]:
    """What holds up the figures of the shown category."""
    answers = entry.answers
    graded = cover.kept_graded + cover.sent_graded
    facts = selection.log.facts
    rows = (
        f"{words.count(graded)} of {words.count(cover.confident)} requests with a confidence have a graded "
        f"fast answer; {words.count(cover.rows - cover.confident)} requests have no confidence. Shown: "
        f"{words.count(answers.rows)}."
    )
    found = [("Rows", rows)]
    if cover.sent:
        found.append(
            (
                "By route",
                (
                    f"Of kept requests {_share(cover.kept_graded, cover.kept)} are graded, of escalated ones "
                    f"{_share(cover.sent_graded, cover.sent)}. These figures are about the graded ones only."
                ),
            )
        )
    found += _figures(entry)
    if facts.clustered and facts.units is not None:
        found.append(
            (
                "Users",
                (
                    f"Requests come from {words.count(facts.units)} users; intervals and tests allow for it "
                    "by the spread between 20 groups of users. Spiegelhalter's test does not."
                    f"{FEW_USERS if facts.units < FEW_UNITS else ''}"
                ),
            )
        )
    if not answers.binary:
        found.append(
            ("Grades", "Some lie between 0 and 1. Accuracy is their mean; in AUROC they count in part.")
        )
    if gain.left_out:
        found.append(
            (
                "Left out",
                (
                    f"{words.plural(gain.left_out, 'pair')} of kept requests whose sampling probability is "
                    "unknown or does not fit."
                ),
            )
        )
    kinds = facts.confidence_kinds
    if len(kinds) > 1:
        found.append(
            ("Mixed", f"This log mixes {words.listing(kinds)} confidences, judged together as one number.")
        )
    return [*found, *(("Note", words.plain(note, limit=300)) for note in selection.notes)]


def _figures(entry: "Trust") -> list[tuple[str, str]]:
    """The variants of each figure, for those who want them."""
    found = []
    if entry.ece is not None and entry.perfect is not None:
        debiased = max(entry.debiased or 0.0, 0.0) ** 0.5
        found.append(
            (
                "Calibration error",
                (
                    f"ECE {words.percent(entry.ece)} over ten bins of equal width; the same confidences "
                    f"perfectly calibrated would show {words.percent(entry.perfect.mean)}, and in 95 of 100 "
                    f"logs at most {words.percent(entry.perfect.high)} (200 draws). Bins of equal mass "
                    f"{words.percent(entry.ece_equal_mass)}, debiased root mean square "
                    f"{words.percent(debiased)}, without bins (smECE) {words.percent(entry.smooth)}."
                ),
            )
        )
    if entry.parts is not None and entry.brier.value is not None:
        parts = entry.parts
        found.append(
            (
                "Brier score",
                (
                    f"{entry.brier.value:.3f} = {parts.miscalibration:.3f} miscalibration "
                    f"{words.MINUS} {parts.discrimination:.3f} discrimination + {parts.uncertainty:.3f} "
                    "uncertainty (CORP). Recalibration can save the first part at most."
                ),
            )
        )
    risk = entry.selective
    if risk.aurc is not None and risk.augrc is not None:
        excess = "" if risk.excess is None else f", {risk.excess:.3f} above a perfect order"
        found.append(
            ("Selective risk", f"AURC {risk.aurc:.3f}{excess}; AUGRC {risk.augrc:.3f}. Ties are averaged.")
        )
    if entry.cox.slope.value is not None:
        slope = f"Cox slope {entry.cox.slope.value:.2f} ({_plain_interval(entry.cox.slope)})"
        tests = entry.tests.spiegelhalter
        z = "" if tests is None else f"; Spiegelhalter z {words.signed(f'{tests:.1f}')}"
        found.append(("Claims", f"{slope}: under 1 they are too extreme{z}."))
    found.append(
        (
            "Tests",
            (
                "AUROC with DeLong's interval; signal by the rank test with ties, gain by the score test of "
                "trend, a rising gain by its distance from the best falling fit; Holm over categories. "
                f"Overconfident: adjusted p under 0.05, interval above {MARGIN * words.POINT:g} points, at "
                f"least {LEAST_ROWS} answers. A single threshold is best only where the gain falls with "
                "confidence, strong calls costing the same everywhere."
            ),
        )
    )
    return found


def _plain_interval(estimate: "Estimate") -> str:
    if estimate.low is None or estimate.high is None:
        return "no interval"
    low, high = (words.signed(f"{end:.2f}") for end in (estimate.low, estimate.high))
    return f"{low}{words.NBSP}to{words.NBSP}{high}"


def _share(part: int, whole: int) -> str:
    return words.percent(part / whole, digits=0) if whole else "none"
