"""The table twins of the Confidence page: every category, and what recalibration would change."""

from collections.abc import Mapping, Sequence

import polars as pl
import streamlit as st

from analytics.estimate import Estimate
from analytics.measure.recalibration import Recalibration
from analytics.measure.trust import Trust
from analytics.tuning.benefit import Benefit
from dashboard import components, reasons, story_confidence, tall, words
from dashboard.downloads import downloads

METHODS = {"platt": "Platt (logistic)", "isotonic": "Isotonic"}
CLAIM_CHIPS = {"Overconfident": "#AD1F1F33", "No flag": "#7A819033", "Too little data": "#7A819033"}


def category_table(
    found: Mapping[str | None, Trust],
    gains: Mapping[str | None, Benefit],
    models: Mapping[str, tuple[str, str]],
) -> None:
    """The table twin: signal, AUROC, overclaim, calibration error and gain of every category."""
    rows = []
    for name, entry in found.items():
        if name is None:
            continue
        gap, gain, auroc = entry.flag.gap, gains[name], entry.signal.auroc
        rows.append(
            {
                "category": name,
                "signal": [story_confidence.SIGNALS[entry.word]],
                "auroc": _ranged(auroc),
                "overclaim": None if gap.value is None else round(gap.value * words.POINT, 1) + 0.0,
                "claims": [_claims(entry)],
                "ece": None if entry.ece is None else entry.ece * words.POINT,
                "perfect": None if entry.perfect is None else entry.perfect.mean * words.POINT,
                "gain": _gained(gain),
                "n": entry.answers.rows,
                "fast_model": models[name][0],
                "auroc_value": auroc.value,
                "auroc_low": auroc.low,
                "auroc_high": auroc.high,
                "signal_p_adjusted": entry.adjusted,
                "overclaim_low": None if gap.low is None else gap.low * words.POINT,
                "overclaim_high": None if gap.high is None else gap.high * words.POINT,
                "overclaim_p_adjusted": entry.flag.adjusted,
                "brier": entry.brier.value,
                "mean_gain": gain.mean.value,
                "gain_p_adjusted": gain.adjusted,
                "rise_p_adjusted": gain.rise_adjusted,
                "pairs": gain.n,
            }
        )
    frame = pl.DataFrame(rows, infer_schema_length=None)
    columns = {
        "category": components.text_column("Category", 150),
        "signal": components.chip_column("Signal", 122, story_confidence.SIGNAL_CHIPS),
        "auroc": components.text_column("AUROC", 134, right=True),
        "overclaim": components.points_column(
            "Overclaim", 88, hint="Mean confidence minus accuracy; above 0 is too sure."
        ),
        "claims": components.chip_column("Claims", 118, CLAIM_CHIPS),
        "ece": components.number_column("ECE", 64, "%.1f%%"),
        "perfect": components.number_column(
            "If perfect", 76, "%.1f%%", hint="ECE of the same confidences, were they perfectly calibrated."
        ),
        "gain": components.text_column("Gain of escalating", 128),
        "n": components.number_column("Graded", 70),
    }
    with tall.box(frame.height):
        components.table(
            frame.drop("fast_model"),
            columns,
            key="confidence",
            alt="What the confidence is worth by category",
        )
    export = frame.with_columns(pl.col("signal", "claims").list.first())
    downloads(export, file="tiertune-confidence", key="confidence")


def _claims(entry: Trust) -> str:
    return {"overconfident": "Overconfident", "fair": "No flag"}.get(entry.flag.word, "Too little data")


def _gained(gain: Benefit) -> str:
    if gain.several_thresholds:
        return "Rises somewhere"
    return story_confidence.GAINS[gain.word]


def _ranged(estimate: Estimate) -> str:
    if estimate.value is None:
        return words.UNKNOWN
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.2f}"
    return f"{estimate.value:.2f}{words.NBSP}({estimate.low:.2f}{words.DASH}{estimate.high:.2f})"


def recalibration_table(entries: Sequence[Recalibration]) -> None:
    """What each recalibration does on the half of the log that it was not fitted on."""
    known = [entry for entry in entries if entry.reason is None]
    for entry in entries:
        if entry.reason is not None:
            st.markdown(f"{METHODS[entry.method]}: {reasons.said(entry.reason)}")
    if not known:
        return
    raw = known[0]
    rows = [_recalibration_row("As logged", (raw.ece_before, raw.perfect_before), levels=raw.levels_before)]
    rows += [
        _recalibration_row(
            METHODS[entry.method],
            (entry.ece_after, entry.perfect_after),
            levels=entry.levels_after,
            change=entry.brier_change,
            claims=dict(entry.claims),
        )
        for entry in known
    ]
    frame = pl.DataFrame(rows, infer_schema_length=None)
    components.table(
        frame,
        {
            "method": components.text_column("Confidence", 140),
            "ece": components.number_column("ECE", 70, "%.1f%%"),
            "perfect": components.number_column("If perfect", 84, "%.1f%%"),
            "brier_change": components.text_column("Brier score vs logged", 210, right=True),
            "claim": components.text_column("0.80, 0.90, 0.95 become", 190, right=True),
            "levels": components.number_column("Distinct values", 114),
        },
        key="recalibration",
        alt="Calibration error before and after recalibration, on held-out answers",
    )


def _recalibration_row(
    name: str,
    errors: tuple[float | None, float | None],
    *,
    levels: int,
    change: Estimate | None = None,
    claims: Mapping[float, float] | None = None,
) -> dict[str, object]:
    ece, perfect = errors
    text = "the reference"
    if change is not None and change.value is not None:
        text = words.signed(f"{change.value:+.3f}")
        if change.low is not None and change.high is not None:
            text += words.signed(f" ({change.low:+.3f} to {change.high:+.3f})").replace(" ", words.NBSP)
    shown = "the same" if claims is None else ", ".join(f"{claims[at]:.2f}" for at in (0.8, 0.9, 0.95))
    return {
        "method": name,
        "ece": None if ece is None else ece * words.POINT,
        "perfect": None if perfect is None else perfect * words.POINT,
        "brier_change": text,
        "claim": shown,
        "levels": levels,
    }
