"""How sure we are: estimator, rows, what was left out and why, assumptions; pairs of name and sentence."""

from typing import TYPE_CHECKING

from dashboard import reasons, words

if TYPE_CHECKING:
    import datetime as dt

    import polars as pl

    from analytics.tuning.curve import Curve
    from analytics.tuning.goals import Tuning
    from analytics.tuning.log import Selection

ESTIMATORS = {
    "paired": "Both answers of every graded request are known, so every threshold is simulated exactly.",
    "cascade": (
        "The strong answer is known for escalated requests only. Lowering a threshold is simulated exactly; "
        "raising it would need answers that were never asked for, so there are only bounds."
    ),
    "shadow_difference": (
        "A sampled share of kept requests has a strong answer too. Each stands for 1 / probability requests: "
        "y_fast + (sampled / p) (y_strong - y_fast), the difference estimator."
    ),
    "exploration_difference": (
        "Some requests were escalated at random with a logged probability. Each stands for 1 / p requests: "
        "y_fast + g + (escalated / p) (y_strong - y_fast - g), where g is the gain that like requests of "
        "other folds had."
    ),
    "doubly_robust": (
        "One answer per request was served, chosen at random with a logged probability. What like requests "
        "of other folds got is corrected by each served answer, weighted by 1 / propensity (doubly robust)."
    ),
    "bounds": "Some requests have no outcome on a route, so only bounds are known there.",
    "ungraded": "No request is graded, so only cost and share escalated are known.",
    "mixed": "The categories were observed in different ways; each uses what its own rows allow.",
}
FIGURES = {
    "apgr": "APGR",
    "cpt50": "CPT 50%",
    "cpt80": "CPT 80%",
    "aiq": "AIQ",
    "auroc": "AUROC",
    "ece": "calibration error",
    "left_out": "some categories",
    "identified": "some thresholds",
}
OF_CONFIDENCE = ("auroc", "ece")
NO_CONFIDENCE = "No request has a confidence."
FORMULA = (
    "Keep iff confidence \u2265 threshold. Accuracy is the mean grade of the answer that the policy serves, "
    "with a Wilson interval for 0/1 grades and a normal one otherwise; cost is the mean over requests whose "
    "costs are known, and an escalated request of a cascade pays both calls."
)
HELD_OUT = (
    "Picked on one half of the log (folds 0 to 9), every figure is from the other half (folds 10 to 19); "
    "requests of one user stay together, and no threshold is scored on the rows that chose it."
)


def by_time(cut: "dt.datetime") -> str:
    """Which rows the figures are of where time divides the log."""
    at = f"{words.date(cut)}, {cut:%H:%M} UTC"
    return (
        f"Picked on the requests before {at}, every figure is from those from then on. A user may have "
        "requests on both sides, which intervals allow for. Nothing is certified that way."
    )


def of_curve(curve: "Curve") -> list[tuple[str, str]]:
    """What holds up the picture of one curve."""
    graded = f"{words.count(curve.graded_n)} of {words.count(curve.n)} requests are graded"
    gone = curve.missing_confidence
    missing = f"{words.count(gone)} have no confidence." if gone else "All have a confidence."
    found = [
        (
            "Estimator",
            words.plain(ESTIMATORS.get(curve.estimator, words.estimator(curve.estimator)), limit=400),
        ),
        ("Rows", f"{graded}; {words.count(curve.pairs)} have both answers graded. {missing}"),
    ]
    if curve.overlap is not None:
        found.append(("Overlap", _overlap(curve.overlap)))
    if curve.auroc is not None and curve.ece is not None:
        ranking = f"AUROC {curve.auroc:.2f} (0.50 says nothing, 1 ranks perfectly)"
        found.append(("Confidence", f"{ranking}, expected calibration error {words.percent(curve.ece)}."))
    return [*found, *_unknown(curve), ("Formula", FORMULA)]


def _overlap(table: "pl.DataFrame") -> str:
    """How many requests speak for each threshold, where routes were random."""
    told = table.filter(table["status"].is_in(["good", "amber"]))
    if told.is_empty():
        return "Too few requests were routed at random for any threshold."
    least = told.row(int(told["ess"].arg_min() or 0), named=True)
    rough = told.filter(told["status"] == "amber").height
    missing = table.filter(table["status"] == "not estimable").height
    most = max(told["largest_share"].to_list())
    ess, mean, give = round(least["ess"]), least["mean_weight"], 3 * least["mean_weight_error"]
    said = (
        f"Weighted by 1 / propensity, {words.count(ess)} effective requests or more speak for each threshold "
        f"shown, and none has more than {words.percent(most)} of the weight. Where they are fewest, weights "
        f"average {mean:.2f}; 1 is expected, give or take {give:.2f}."
    )
    if rough:
        said += f" {words.plural(rough, 'threshold')} of {told.height} rest on few or large weights: rough."
    if missing:
        said += f" {words.plural(missing, 'threshold')} cannot be estimated: under 30 effective requests."
    return said


def _unknown(curve: "Curve") -> list[tuple[str, str]]:
    """The figures that this log does not give, those with the same reason together."""
    why: dict[str, list[str]] = {}
    for name, reason in curve.reasons.items():
        bare = name in OF_CONFIDENCE and curve.missing_confidence == curve.n
        why.setdefault(NO_CONFIDENCE if bare else reason, []).append(FIGURES.get(name, name))
    return [
        ("Not known", f"{words.joined(names)}: {reasons.said(reason, limit=300)}")
        for reason, names in why.items()
    ]


def certificates(tuning: "Tuning") -> str:
    """The tests that a certified policy passed, in numbers."""
    held, said = tuning.certification.held, []
    for name, item in ({} if held is None else held.certificates).items():
        of = "" if name is None else f"{words.plain(name, limit=40)}: "
        learned = f", along a path learned on {item.learned_on}" if item.learned_on else ""
        text = f"{of}{words.count(item.n)} pairs on {item.walked_on}{learned}, {words.count(item.lost)} lost"
        text += f", {words.count(item.won)} won"
        if item.z is not None and item.z_critical is not None:
            found, needed = (words.signed(f"{value:.2f}") for value in (item.z, item.z_critical))
            text += f", z {found} (needed: {needed} or less)"
        said.append(text)
    pairs = tuning.certification.pairs
    thinned = ""
    if pairs is not None and pairs.thinned_to is not None:
        share = words.percent(pairs.thinned_to)
        thinned = f" Pairs were thinned by chance to the smallest sampling probability, {share}."
    return f"{tuning.promise or ''} The exact score test: {'; '.join(said)}.{thinned}"


def of_tuning(tuning: "Tuning", selection: "Selection") -> list[tuple[str, str]]:
    """What holds up the recommended policy."""
    evidence = tuning.policy.evidence
    rows = "" if evidence is None else f"{words.count(evidence.requests)} requests of this log. "
    found = [("Held out", rows + (HELD_OUT if tuning.cut is None else by_time(tuning.cut)))]
    if tuning.certified:
        found = [("Certificate", rows + certificates(tuning))]
    if tuning.price_usd is not None:
        price = words.money(tuning.price_usd)
        found.append(
            ("Implied price", f"The dearest additional correct answer that this policy buys costs {price}.")
        )
    found += [("Note", reasons.said(note, limit=300)) for note in (*tuning.notes, *selection.notes)]
    return list(dict.fromkeys(found))
