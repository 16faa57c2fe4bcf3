"""The SELECT of every part of a cells file, over any relation that has the columns of ``decisions``."""

from analytics.collapse import arms
from analytics.collapse.parts import PARTS, PartName
from analytics.experiments import outcomes
from analytics.measure import tiers
from analytics.tuning import cells, latency
from analytics.tuning.latency import STEPS

_PAIR = "task_category, fast_model, strong_model"
_BIN = "floor(ln(greatest(latency_s, 1e-6)) / ln(1.01))::INTEGER"

_CALLS = {("n" if name == "calls" else name): text for name, text in tiers.SUMS.items()}
# A request without a confidence escalates. Equality keeps.
_OBEYED = "escalated = (confidence IS NULL OR confidence < threshold)"
_UNITS = "SELECT unit_id, count(*) AS unit_rows FROM {log} WHERE unit_id IS NOT NULL GROUP BY unit_id"

_SELECTS: dict[PartName, str] = {
    "latency": latency.SQL,
    "calls": f"""SELECT task_category, model, CAST(ts AS DATE) AS day,
        {", ".join(f"{text} AS {name}" for name, text in _CALLS.items())}
        FROM ({{calls}}) AS called GROUP BY task_category, model, CAST(ts AS DATE)""",  # noqa: S608 - our own names only
    "call_latency": f"""SELECT task_category, model, {_BIN} AS bin, count(*) AS n
        FROM ({{calls}}) AS called WHERE latency_s IS NOT NULL GROUP BY task_category, model, {_BIN}""",  # noqa: S608
    "day_latency": f"""SELECT model, CAST(ts AS DATE) AS day, {_BIN} AS bin, count(*) AS n
        FROM ({{calls}}) AS called WHERE latency_s IS NOT NULL GROUP BY model, CAST(ts AS DATE), {_BIN}""",  # noqa: S608
    "thresholds": f"""SELECT {_PAIR}, threshold, count(*) AS n, max(ts) AS last_ts,
        count(escalated) AS known_n, count(CASE WHEN {_OBEYED} THEN 1 END) AS agree_n
        FROM {{log}} WHERE threshold IS NOT NULL GROUP BY {_PAIR}, threshold""",  # noqa: S608
    "dearest": f"""SELECT {_PAIR}, max(strong_cost_usd) AS dearest
        FROM {{log}} WHERE strong_cost_usd IS NOT NULL GROUP BY {_PAIR}""",  # noqa: S608
    "log": f"""SELECT n, requests, units, unit_rows, largest_unit, first_ts, last_ts
        FROM (SELECT count(*) AS n, count(DISTINCT request_id) AS requests, min(ts) AS first_ts,
            max(ts) AS last_ts FROM {{log}}) AS whole
        CROSS JOIN (SELECT count(*) AS units, coalesce(sum(unit_rows), 0)::BIGINT AS unit_rows,
            max(unit_rows) AS largest_unit FROM ({_UNITS}) AS unit) AS named""",  # noqa: S608
    "confidence_days": f"""SELECT {_PAIR}, policy_kind, arm, day, step, count(*) AS n,
        sum(confidence) AS confidence_sum, min(confidence) AS confidence_low,
        max(confidence) AS confidence_high, sum(fast_correct) AS correct_sum,
        sum(fast_correct * fast_correct) AS correct_sq, sum(square) AS residual_sq,
        sum(square * square) AS residual_fourth
        FROM (SELECT {_PAIR}, coalesce(policy_kind, 'cascade') AS policy_kind, arm, CAST(ts AS DATE) AS day,
            floor(confidence * {STEPS})::SMALLINT AS step, confidence, fast_correct,
            (confidence - fast_correct) * (confidence - fast_correct) AS square
            FROM {{log}} WHERE confidence IS NOT NULL AND fast_correct IS NOT NULL) AS answered
        GROUP BY {_PAIR}, policy_kind, arm, day, step""",  # noqa: S608
    "arms": arms.ARMS,
    "arm_sizes": arms.SIZES,
    "arm_days": arms.DAYS,
    "arm_pairs": arms.PAIRS,
    "arm_units": arms.UNITS,
}  # fmt: skip


def selects(
    *,
    log: str,
    calls: str | None = None,
    served: str | None = None,
    several_pairs: bool = False,
    whole: bool = False,
) -> dict[PartName, str]:
    """A SELECT for each part, with the keys and values of the part as columns.

    The one of ``sweep`` has the placeholders of ``cells.BINNED``.

    Args:
        log: A relation with the columns of ``decisions``, as it stands after FROM.
        calls: A SELECT of ts, task_category, model, correct, cost_usd, latency_s, input_tokens and
            output_tokens of every call; None: the observed sides of the decisions.
        served: A SELECT of one row per request as ``outcomes.SERVED``; None: that, of the decisions.
        several_pairs: Whether a model stands in several pairs, so that one call is on several rows.
        whole: Whether every grade is known to be 0 or 1.
    """
    answers = served or outcomes.SERVED.format(log=log)
    called = calls or (tiers.ONCE if several_pairs else tiers.SIDES).format(log=log)
    named = cells.sql(whole=whole)
    columns = ", ".join(f"{text} AS {name}" for name, text in named.items())
    keys = ", ".join(str(place + 1) for place in range(len(PARTS["sweep"].keys)))
    sweep = f"SELECT {columns} FROM {log} GROUP BY {keys}"  # noqa: S608 - our own names only
    found: dict[PartName, str] = {"sweep": sweep}
    for name, text in _SELECTS.items():
        found[name] = text.format(log=log, calls=called, served=answers)
    return found
