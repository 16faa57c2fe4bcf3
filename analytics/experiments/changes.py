"""What changed while an experiment ran: its arms' periods, its models and their prices."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from analytics.experiments import outcomes
from analytics.experiments.outcomes import Scope
from analytics.logs.storage import tables

if TYPE_CHECKING:
    from analytics.logs.store import Store

LEAST_GAP = 0.01
"""Shares, and differences of shares, below this are not worth a warning, however sure."""
PRICE_STEP = 0.01
LEAST_SHARED = 0.5
"""Share of an arm's requests that must lie within the period that all arms have in common."""
_ABSENT = 0.1
_CHANCE = 0.001
_EXACT = 1e-6
_LEAST_CALLS = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about an experiment that its reader must know.

    Attributes:
        kind: ratio, periods, shared, mix, grades, models or prices.
        title: What was found.
        body: What it means and what to do.
        blocks: Whether effects must not be read.
    """

    kind: str
    title: str
    body: str
    blocks: bool = False


_PERIODS = """
    WITH r AS (SELECT arm, ts FROM ({sql}) WHERE within AND ts IS NOT NULL),
    spans AS (SELECT arm, min(ts) AS first, max(ts) AS last FROM r GROUP BY arm),
    common AS (SELECT max(first) AS first, min(last) AS last FROM spans)
    SELECT r.arm, spans.first, spans.last,
        avg((r.ts BETWEEN common.first AND common.last)::DOUBLE) AS shared
    FROM r JOIN spans USING (arm), common GROUP BY ALL ORDER BY spans.first, r.arm"""


Period = tuple[str, datetime, datetime, float]
"""An arm, its first and last time, and the share of its requests in the period that all arms share."""


def period_rows(store: "Store", scope: Scope) -> list[Period]:
    """When each arm ran."""
    with outcomes.requests(store, scope) as (cursor, sql, values):
        return cursor.execute(_PERIODS.format(sql=sql), values).fetchall()


def periods(rows: Sequence[Period]) -> list[Finding]:
    """Arms that did not run at the same time, so that everything else that changed counts as effect."""
    if len(rows) < 2 or min(shared for *_, shared in rows) >= LEAST_SHARED:  # noqa: PLR2004 - nothing to compare
        return []
    ran = "; ".join(f"{arm} from {_day(first)} to {_day(last)}" for arm, first, last, _ in rows)
    body = (
        f"{ran}. That is before and after, not an experiment: whatever else changed meanwhile would count as "
        "the effect. Choose dates in which all arms ran, or assign the arms at the same time."
    )
    return [Finding("periods", "The arms did not run at the same time", body, blocks=True)]


_MODELS = """
    SELECT arm, fast_model, strong_model, count(*) AS n, count(DISTINCT unit) AS units, min(ts) AS first,
        max(ts) AS last
    FROM ({sql}) WHERE within AND fast_model IS NOT NULL GROUP BY ALL"""


def model_rows(store: "Store", scope: Scope) -> pl.DataFrame:
    """Pairs of models by arm: arm, fast_model, strong_model, n, units, first, last."""
    with outcomes.requests(store, scope) as (cursor, sql, values):
        rows: pl.DataFrame = cursor.sql(_MODELS.format(sql=sql), params=values).pl()
    return rows


def models(found: pl.DataFrame) -> list[Finding]:
    """Pairs of models that one arm alone has, and pairs that come or go in the middle.

    Pairs so rare that chance keeps them out of an arm, or of a part of the time, are passed over.

    Args:
        found: Of ``model_rows``.
    """
    if found.is_empty():
        return []
    label = pl.format("{} > {}", "fast_model", "strong_model")
    found = found.with_columns(label.alias("pair"))
    findings = []
    whole = int(found["n"].sum())
    shares = {arm: n / whole for arm, n in found.group_by("arm").agg(pl.col("n").sum()).iter_rows()}
    by_pair = (
        found.group_by("pair")
        .agg(pl.col("arm"), pl.col("n", "units").sum(), pl.col("first").min(), pl.col("last").max())
        .filter(pl.col("n") >= LEAST_GAP * whole)
        .sort("n", "pair", descending=[True, False])
    )
    rows = list(by_pair.iter_rows(named=True))
    lone = next((row["pair"] for row in rows if _kept_out(row, shares) < _CHANCE), None)
    if lone is not None:
        body = (
            f"{lone} is not in every arm. If that is the change under test, the effect is that of "
            "the models and the thresholds together; if not, the arms differ by more than they should."
        )
        findings.append(Finding("models", "The arms do not use the same models", body))
    first, last = found["first"].min(), found["last"].max()
    if first is None or last is None or first == last:
        return findings
    moved = next((row for row in rows if _came_or_went(row, first, last)), None)
    if moved is not None:
        body = (
            f"{moved['pair']} was used from {_day(moved['first'])} to {_day(moved['last'])} only, while the "
            "experiment went on. Arms stay comparable if both changed at once; the effect is then an average "
            "over both set-ups. Narrow the dates to one of them."
        )
        findings.append(Finding("models", "The models changed in the middle", body))
    return findings


def _kept_out(pair: dict[str, Any], shares: dict[str, float]) -> float:
    """Chance that an arm without these models merely got none of their users; 1 where every arm has them."""
    return min(
        (float((1 - shares[arm]) ** pair["units"]) for arm in set(shares) - set(pair["arm"])), default=1.0
    )


def _came_or_went(pair: dict[str, Any], first: Any, last: Any) -> bool:
    """Whether models were not used in a tenth of the time or more, and not by chance."""
    if pair["first"] is None:
        return False
    absent = max(pair["first"] - first, last - pair["last"]) / (last - first)
    return bool(absent > _ABSENT and (1 - absent) ** pair["units"] < _CHANCE)


def _side(side: str) -> str:
    return f"""SELECT ts, {side}_model AS model, {side}_cost_usd AS c, {side}_input_tokens AS i,
        {side}_output_tokens AS o FROM {tables.DECISIONS} WHERE arm IS NOT NULL
        AND experiment IS NOT DISTINCT FROM $experiment"""  # noqa: S608 - our own names only


_PRICED = f"""
    SELECT model, CAST(ts AS DATE) AS day, count(*) AS n, sum(i)::DOUBLE AS i, sum(o)::DOUBLE AS o,
        sum(c)::DOUBLE AS c, sum(i::DOUBLE * i) AS ii, sum(i::DOUBLE * o) AS io, sum(o::DOUBLE * o) AS oo,
        sum(i * c)::DOUBLE AS ic, sum(o * c)::DOUBLE AS oc, sum(c * c)::DOUBLE AS cc
    FROM ({_side("fast")} UNION ALL {_side("strong")})
    WHERE c > 0 AND i IS NOT NULL AND o IS NOT NULL AND ts IS NOT NULL
        AND ($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)
    GROUP BY ALL HAVING count(*) >= {_LEAST_CALLS} ORDER BY model, day"""  # noqa: S608


def prices(store: "Store", scope: Scope) -> list[Finding]:
    """Models whose price per token changed: two prices explain each day's costs exactly, or none do."""
    with store.cursor() as cursor:
        values = {
            "decisions": tables.of(cursor, scope.dataset, "decisions"),
            "experiment": scope.experiment,
            "since": scope.since,
            "until": scope.until,
        }
        days = cursor.sql(_PRICED, params=values).pl()
    changes = [
        change
        for part in days.partition_by("model")
        if (change := _price_change(list(part.iter_rows(named=True)))) is not None
    ]
    if not changes:
        return []
    body = " ".join(changes) + (
        " Both arms pay the new price from then on, so the arms stay comparable, but the effect on cost is "
        "an average over both prices. Narrow the dates, or price the log anew on the Logs page."
    )
    return [Finding("prices", "A price changed in the middle", body)]


def _price_change(days: list[dict[str, Any]]) -> str | None:
    held: tuple[float, float] | None = None
    for day in days:
        now = _fitted(day)
        if now is None:
            continue
        if held is not None:
            expected = held[0] * day["i"] + held[1] * day["o"]
            if expected > 0 and abs(day["c"] / expected - 1) > PRICE_STEP:
                before, after = (f"${p * 1e6:,.2f} and ${q * 1e6:,.2f}" for (p, q) in (held, now))
                return (
                    f"From {_day(day['day'])} a million input and output tokens of {day['model']} cost "
                    f"{after} instead of {before}."
                )
        held = now
    return None


def _fitted(day: dict[str, Any]) -> tuple[float, float] | None:
    """Price per input and output token that explain a day's costs to the last digits; None where none do."""
    matrix = np.array([[day["ii"], day["io"]], [day["io"], day["oo"]]])
    if np.linalg.cond(matrix) > 1e10:  # noqa: PLR2004 - tokens in one fixed ratio tell no two prices
        return None
    prices = np.linalg.solve(matrix, [day["ic"], day["oc"]])
    residual = day["cc"] - float(prices @ [day["ic"], day["oc"]])
    if residual > _EXACT * day["cc"] or (prices < 0).any():
        return None
    return float(prices[0]), float(prices[1])


def _day(moment: date | datetime) -> str:
    return f"{moment.day} {moment:%b %Y}"
