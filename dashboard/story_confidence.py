"""What the Confidence page says: whether the confidence is a probability, an order, or neither."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from analytics.measure.graded import FEW, FEW_OF_EITHER
from analytics.measure.overconfidence import MARGIN
from analytics.measure.ranking import MOST_WITHOUT_SIGNAL
from dashboard import words
from dashboard.confidence_data import Coverage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analytics.measure.confidence_drift import Shift
    from analytics.measure.recalibration import Recalibration
    from analytics.measure.trust import Trust
    from analytics.tuning.benefit import Benefit

MOST = 3
Figures = Mapping[str | None, "Trust"]
Gains = Mapping[str | None, "Benefit"]

SIGNALS = {
    "signal": "Ranks answers",
    "reversed": "Reversed",
    "none": "No signal",
    "unseen": "None seen",
    "constant": "One value",
    "too_few": "Too little data",
}
SIGNAL_CHIPS = {
    "Ranks answers": "#0F9D7433",
    "Reversed": "#AD1F1F33",
    "No signal": "#C2570C33",
    "None seen": "#7A819033",
    "One value": "#C2570C33",
    "Too little data": "#7A819033",
}
SHORT = {
    "signal": "ranks",
    "reversed": "reversed",
    "none": "no signal",
    "unseen": "no signal seen",
    "constant": "one value",
    "too_few": "too little data",
}
GAINS = {
    "falls": "Falls",
    "rises": "Rises",
    "flat": "No trend seen",
    "too_few": "Too little data",
    "unobserved": "Not observed",
}
GAINED = {
    "falls": "Escalating gains most where the confidence is low, as a threshold assumes.",
    "rises": "Escalating gains most where the confidence is **high**, against what a threshold assumes.",
    "flat": "The confidence does not show where escalating gains more.",
}
SIGNAL_READ = (
    "*Ranks answers*: right answers have the higher confidence, beyond chance after allowing for all "
    "categories (Holm). *No signal*: the AUROC is at "
    f"most {MOST_WITHOUT_SIGNAL:.2f}, interval included. *None seen*: neither can be shown. *Overclaim* is "
    "confidence minus accuracy."
)
READ = (
    "Points on the dotted line are right as often as they claim; below it the model claims too much. Bars "
    "are 95% intervals, hollow points have under 10 answers."
)
FIT_READ = "The grey line is the best rising fit."
IN_STEPS = (
    "Only sums of this log are here: in the AUROC and in these distributions, confidences within one "
    "step of 1/128 count as equal."
)
SMALL_READ = (
    "Right answers (up) over claimed confidence (across), below each name the AUROC. Points on the dotted "
    "line are right as often as they claim. Bars are 95% intervals; bins of under 10 answers are left out."
)


def none(found: Figures, cover: Coverage) -> tuple[str, str, str] | None:
    """Answer, title and advice of a page that has nothing to show; None where there is something.

    Args:
        found: Of all categories, under None of all together.
        cover: What has a confidence and a grade.
    """
    answers = found[None].answers
    if not cover.confident:
        return (
            "No request in this log has a confidence, so there is nothing to judge.",
            "No confidence in this log",
            "Log what the fast model says of its own answer, as a number from 0 to 1, in `confidence`.",
        )
    if not answers.rows:
        return (
            (
                f"{words.plural(cover.confident, 'request')} {_have(cover.confident)} a confidence, but no "
                "fast answer with one is graded, so nobody can tell what it is worth."
            ),
            "No graded fast answer",
            "Grade a random sample of fast answers, not the complaints, and log it in `fast_correct`.",
        )
    if answers.rows < FEW:
        return (
            (
                f"Only {words.plural(answers.rows, 'fast answer')} with a confidence "
                f"{'is' if answers.rows == 1 else 'are'} graded; at least {FEW} are needed before anything "
                "can be said about it."
            ),
            "Too few graded fast answers",
            f"Grade at least {FEW} fast answers, drawn at random.",
        )
    return None


def answer(found: Figures) -> str:
    """Whether the confidence is a probability, an order, or neither, and in how many categories."""
    whole = found[None]
    return f"{_lead(whole)} {_claim(whole)}, {_order(whole)}.{_categories(found)}"


def _lead(whole: "Trust") -> str:
    true, ranks = calibrated(whole), whole.word == "signal"
    if whole.word in ("constant", "too_few"):
        return "Its claims can be judged, its order cannot."
    if true and ranks:
        return "**Yes.**"
    if ranks:
        return "**As an order, not as a probability.**"
    return "**On average, but not as an order.**" if true else "**No.**"


def calibrated(entry: "Trust") -> bool:
    """Whether claims are right as often as they say, within the margin or what chance alone shows."""
    if entry.ece is None or entry.perfect is None:
        return False
    return entry.ece <= max(MARGIN, entry.perfect.high)


def _claim(whole: "Trust") -> str:
    answers, gap = whole.answers, whole.flag.gap.value or 0.0
    claimed = float((answers.n * answers.confidence).sum()) / answers.rows
    right = answers.right / answers.rows
    points = round(abs(gap) * words.POINT)
    off = f"{words.plural(points, 'point')} too {'much' if gap > 0 else 'little'}"
    tail = f", {off}" if points else ""
    return (
        f"Fast answers claim {words.percent(claimed, digits=0)} on average and are right "
        f"{words.percent(right, digits=0)} of the time{tail}"
    )


def _order(whole: "Trust") -> str:
    signal = whole.signal
    if whole.word == "constant":
        return "and all of them claim the same, so the confidence cannot tell one from another"
    if signal.auroc.value is None:
        return f"and all of them are {'right' if signal.wrong <= 0 else 'wrong'}, so nothing can be ranked"
    if whole.word == "too_few":
        side = "right" if signal.right < signal.wrong else "wrong"
        return f"and under {FEW_OF_EITHER} of them are {side}, too few to say whether they are ranked"
    low, high = signal.auroc.low, signal.auroc.high
    span = "" if low is None or high is None else f", {low:.2f}{words.NBSP}to{words.NBSP}{high:.2f}"
    figure = f"(AUROC {signal.auroc.value:.2f}{span})"
    said = {
        "signal": "the confidence ranks right answers above wrong ones",
        "reversed": "the confidence ranks wrong answers above right ones",
        "none": "this confidence carries no signal about which are right",
    }
    joint = "but" if whole.word == "signal" and not calibrated(whole) else "and"
    return f"{joint} {said.get(whole.word, 'no signal can be seen about which are right')} {figure}"


def _categories(found: Figures) -> str:
    names = [name for name in found if name is not None]
    if len(names) < 2:  # noqa: PLR2004 - one category is the whole
        return ""
    silent = [name for name in names if found[name].word in ("none", "constant")]
    unseen = [name for name in names if found[name].word == "unseen"]
    few = [name for name in names if found[name].word == "too_few"]
    turned = [name for name in names if found[name].word == "reversed"]
    total = words.plural(len(names), "category", "categories")
    told = [
        (group, said)
        for group, said in (
            (silent, "it carries no signal"),
            (turned, "it is the wrong way round"),
            (unseen, "no signal can be seen"),
            (few, "too little is graded"),
        )
        if group
    ]
    parts = [
        f"in **{len(group)}** {'' if at else f'of {total} '}{said}" for at, (group, said) in enumerate(told)
    ]
    if not parts:
        return f" It does so in each of {total}." if found[None].word == "signal" else ""
    text = words.joined(parts)
    return f" {text[0].upper()}{text[1:]}."


def warnings(found: Figures, gains: Gains, cover: Coverage) -> list[tuple[str, str]]:
    """What follows from the figures, the most harmful first: title and body."""
    lines = [
        _one_arm(cover),
        _several_thresholds(gains),
        _silent(found),
        _overconfident(found),
        _two_values(found),
    ]
    return [line for line in lines if line is not None]


def _one_arm(cover: Coverage) -> tuple[str, str] | None:
    if not cover.sent or cover.sent_graded or not cover.kept_graded:
        return None
    return (
        "Only kept answers are judged here",
        (
            f"None of the {words.count(cover.sent)} escalated requests has a graded fast answer, so every "
            "figure here is about confidences at which answers were kept. Below them it may differ."
        ),
    )


def _several_thresholds(gains: Gains) -> tuple[str, str] | None:
    names = [name for name, entry in gains.items() if name is not None and entry.several_thresholds]
    if not names:
        return None
    return (
        f"One threshold is not the best policy in {words.listing(names, limit=2)}",
        (
            "There escalating gains more at a higher confidence than at a lower one, by more than chance. A "
            "threshold keeps exactly those requests; split the category, or log another confidence."
        ),
    )


def _silent(found: Figures) -> tuple[str, str] | None:
    names = [name for name, entry in found.items() if name is not None and entry.word in ("none", "reversed")]
    if not names:
        return None
    return (
        f"This confidence carries no signal in {words.listing(names, limit=2)}",
        (
            "Which requests a threshold escalates there is as good as a draw, or worse. Choose always fast "
            "or always strong, or log another confidence."
        ),
    )


def _overconfident(found: Figures) -> tuple[str, str] | None:
    names = [name for name, entry in found.items() if name is not None and entry.flag.word == "overconfident"]
    if not names:
        return None
    names.sort(key=lambda name: -(found[name].flag.gap.value or 0.0))
    top = words.points(found[names[0]].flag.gap.value)
    return (
        f"The fast model is overconfident in {words.listing(names, limit=2)}",
        (
            f"By up to {top}, beyond {MARGIN * words.POINT:g} points and chance. Tuned thresholds are not "
            "biased by it; a threshold copied from another category or model is."
        ),
    )


def _two_values(found: Figures) -> tuple[str, str] | None:
    levels = found[None].answers.confidence
    if levels.size != 2:  # noqa: PLR2004 - that is the finding
        return None
    return (
        "The confidence takes two values",
        (
            f"With {words.number(levels[0])} and {words.number(levels[1])} only there is a single threshold "
            "to choose between never and always escalating. Ask for a finer number."
        ),
    )


def signal_sentence(entry: "Trust", gain: "Benefit") -> str:
    """What the confidence says in the shown category, about right answers and about the gain."""
    said = {
        "signal": "Right answers have the higher confidence here.",
        "reversed": "Right answers have the **lower** confidence here.",
        "none": "**This confidence carries no signal here.**",
        "constant": "**This confidence carries no signal here:** it takes one value only.",
        "unseen": "No signal can be seen here, and none can be ruled out.",
        "too_few": f"Under {FEW_OF_EITHER} right or wrong answers: nothing can be said about a signal.",
    }
    return f"{said[entry.word]} {GAINED.get(gain.word, '')}".strip()


def gain_reading(gain: "Benefit") -> str:
    """How to read the picture of the gain."""
    text = (
        f"{GAINED.get(gain.word, '')} Share of requests that escalating turns right, less those that it "
        "turns wrong, where both answers were graded. The band is the 95% interval of each point by itself."
    )
    if gain.several_thresholds:
        return (
            f"{text} It rises with confidence by more than chance, so one threshold is not the best policy "
            "here."
        )
    if gain.rise.p_value is not None:
        text += " No rise beyond chance, so one threshold can be the best policy here."
    return text


def recalibration_read(entries: "Sequence[Recalibration]") -> str:
    """What recalibration can and cannot change."""
    found = {entry.method: entry for entry in entries if entry.reason is None}
    parts = [
        (
            "Fitted on one half of the log (folds 0 to 9), scored on the other. It makes the number mean "
            "what it says, which matters where one threshold serves several categories or is set by hand."
        )
    ]
    if "platt" in found:
        parts.append(
            "Platt's curve keeps the order, so a tuned category gains nothing from it: the same policies get "
            "other thresholds."
        )
    if "isotonic" in found:
        merged = found["isotonic"]
        parts.append(
            f"The isotonic fit merges {words.count(merged.levels_before)} values into "
            f"{words.count(merged.levels_after)}, which leaves fewer policies to choose from, and no new one."
        )
    return " ".join(parts)


def shifted(found: "Shift | None") -> str:
    """Whether the later half of the log differs from the earlier."""
    if found is None:
        return "Too few graded answers in one half of the time to compare them."
    change = found.gap_change
    interval = words.points_interval(change.low, change.high)
    said = "No change can be seen" if (found.p_value or 0.0) >= 0.05 else "The overclaim changed"  # noqa: PLR2004
    if found.p_value is None:
        said = "The overclaim cannot be compared"
    return (
        f"{said} from {words.date(found.split)} on: confidence minus accuracy "
        f"{words.points(change.value, plus=True)} ({interval}). The confidences themselves differ by at most "
        f"{words.percent(found.ks)} in distribution (PSI {found.psi:.3f})."
    )


def _have(count: int) -> str:
    return "has" if count == 1 else "have"
