"""The figures that sum a curve up: areas under it, and how well its confidence ranks and is calibrated."""

import polars as pl

from analytics.measure.calibration import auroc, ece
from analytics.tuning.frontier import aiq, area_of, gap_recovered, least_rate
from analytics.tuning.sums import Levels


def areas(
    points: pl.DataFrame, low: float | None, high: float | None
) -> tuple[dict[str, float | None], dict[str, str]]:
    """The field's area metrics of an exact curve.

    Args:
        points: The ``points`` of a curve.
        low: Accuracy of the fast model on the same rows; None where unknown.
        high: Accuracy of the strong model on the same rows; None where unknown.

    Returns:
        ``apgr``, ``cpt50``, ``cpt80`` and ``aiq``, null where undefined, and the reason of each null.
    """
    found: dict[str, float | None] = {"apgr": None, "cpt50": None, "cpt80": None, "aiq": None}
    reasons: dict[str, str] = {}
    if low is None or high is None or not points["identified"].all():
        reasons |= dict.fromkeys(found, "This log does not hold both outcomes on every route.")
        return found, reasons
    share, accuracy = points["escalation_rate"].to_numpy(), points["accuracy"].to_numpy()
    recovered = gap_recovered(share, accuracy, low, high)
    if recovered is None:
        reasons |= dict.fromkeys(
            ("apgr", "cpt50", "cpt80"), "The strong model is not better than the fast one."
        )
    else:
        found["apgr"] = area_of(*recovered)
        found["cpt50"], found["cpt80"] = (least_rate(*recovered, share=part) for part in (0.5, 0.8))
    cost = points["cost_per_request_usd"]
    found["aiq"] = None if cost.has_nulls() else aiq(cost.to_numpy(), accuracy)
    if found["aiq"] is None:
        reasons["aiq"] = "Costs are missing, or every threshold costs the same."
    return found, reasons


def ranking(at: Levels, reasons: dict[str, str]) -> dict[str, float | None]:
    """AUROC and ECE of the confidence, over requests whose fast answer is graded.

    Args:
        at: What each confidence contributes.
        reasons: Why a figure is null is written here.
    """
    right, wrong = at.columns["fast_right"][1:], at.columns["fast_wrong"][1:]
    found = {"auroc": auroc(right, wrong), "ece": ece(at.confidence, right, wrong)}
    if found["auroc"] is None:
        reasons["auroc"] = "Fast answers with a confidence are all right, all wrong or not graded."
    if found["ece"] is None:
        reasons["ece"] = "No graded fast answer has a confidence."
    return found
