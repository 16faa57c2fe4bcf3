"""What LiteLLM 1.106 logs: rows of LiteLLM_SpendLogs, and StandardLoggingPayload as its loggers write it.

A spend-log row comes from ``/spend/logs`` or a database dump, in which ``metadata``, ``request_tags`` and the
bodies may be JSON texts and ``cache_hit`` is a word. A payload is one JSON object per call. Both are one row
per call:

- a request is what the caller calls one (``spend_logs_metadata.request_id``), else the calls of one trace
  that sent the same messages, else one proxied request (``litellm_call_id``, which retries and fallbacks
  share). A trace alone is none: unless LiteLLM is set otherwise it is the caller's session, if there is one;
- latency is end minus start, in seconds; ``response_time`` is the time to the first token on streams;
- ``prompt_tokens`` include cached and ``completion_tokens`` include reasoning ones, as everywhere here;
- costs are USD. LiteLLM writes 0 where it knows no price: a 0 without a cost breakdown is unknown;
- the cost of the router's classifier is no part of the routed call's. It stands in the routing decision, and
  once more as a call of the classifier, which is passed over. Its latency stands only there: unknown here;
- the capability classifier compares the chance that the efficient tier succeeds with its threshold, after
  calibration where there is one. heuristic_v2 takes the first tier whose chance reaches the threshold, and a
  tier without models is served by the default model: a request leaves the cheapest model if and only if the
  chance of the highest tier that this model serves is below the threshold. Which tier that is, the tiers and
  models in the log tell. Both keep at equality, and both are forecasts. The classifier's threshold rises with
  the boundary that it saw; a turn of a session that is held to its model carries no forecast;
- ``escalated`` in a routing decision says that the prompt asked for a better model: it is not read;
- SIMPLE to REASONING are the router's words for requests, not tiers of models: ``tier_logged`` has them.
"""

from collections.abc import Iterable, Mapping

from analytics.logs.dialects import call_level, words
from analytics.logs.dialects.dialect import FREE, WEAK, Dialect, Match, Passed, Record, by_path, plain, signed
from analytics.logs.dialects.litellm_calls import (
    ANSWER,
    ASKED,
    CALL,
    CALLERS_ARM,
    CATEGORY,
    HOUR,
    LOGPROB,
    ORDER,
    REQUEST,
    SAID,
    UNIT,
    USAGE,
    row,
)
from analytics.logs.dialects.litellm_routing import (
    ARM,
    COMPARED,
    EVALUATION,
    EXPERIMENT,
    FORECAST,
    PLACED,
    ROUTED,
    ROUTING,
    TIERS,
)

_CHANCES = {tier: f"{FORECAST}.probabilities.{tier}" for tier in TIERS}
_FREE = (SAID, "tags", ASKED)


def _said(*names: str) -> tuple[str, ...]:
    """What the caller says of a call, in its metadata or in tags."""
    return tuple(f"{place}.{name}" for name in names for place in _FREE)


_PATHS = {
    "request_id": (REQUEST,),
    "call_id": (CALL,),
    "call_index": (ORDER,),
    "ts": ("startTime",),
    "task_category": (CATEGORY,),
    "model": ("model",),
    "tier_logged": (f"{ROUTING}.tier",),
    "effort": ("reasoning_effort",),
    "confidence": (
        COMPARED, *_said("confidence", "fast_confidence"), "?",
        f"{ROUTING}.classifier_calibrated_efficient_p_solve", f"{ROUTING}.classifier_efficient_p_solve",
    ),
    "correct": (*_said("correct", "grade", "score"), "?", f"{EVALUATION}.passed"),
    "correct_source": (f"{EVALUATION}.source",),
    "input_tokens": ("prompt_tokens",),
    "output_tokens": ("completion_tokens",),
    "reasoning_tokens": (f"{USAGE}.completion_tokens_details.reasoning_tokens",),
    "cached_tokens": (f"{USAGE}.prompt_tokens_details.cached_tokens",),
    "cache_write_tokens": (f"{USAGE}.prompt_tokens_details.cache_creation_tokens",),
    "cache_write_1h_tokens": (HOUR,),
    "service_tier": ("service_tier",),
    "cost_usd": ("spend", "response_cost"),
    "latency_s": ("latency_s",),
    "ttft_s": ("ttft_s",),
    "cache_hit": ("cache_hit",),
    "status": ("status",),
    "policy_kind": (ROUTED,),
    "threshold": (f"{ROUTING}.classifier_threshold", f"{FORECAST}.threshold"),
    "router_cost_usd": (f"{ROUTING}.classifier_cost",),
    "unit_id": (UNIT,),
    "experiment": _said("experiment"),
    "arm": (CALLERS_ARM,),
    "prompt": ("messages",),
    "answer": (ANSWER,),
}  # fmt: skip
_own = by_path(_PATHS, free=_FREE, generic=call_level.match)

# Router's guesses and defaults, ranked below every sure name that callers give.
_LAST: dict[str, Match] = {
    plain(path): (field, FREE + 40 + place)
    for place, (path, field) in enumerate(
        (
            (f"{ROUTING}.request_type", "task_category"),
            (f"{FORECAST}.request_type", "task_category"),
            (LOGPROB, "confidence"),
            (ARM, "arm"),
            (EXPERIMENT, "experiment"),
        )
    )
}
# Of two routers in one log the one with more forecasts counts, and the choice is told.
_EQUAL: dict[str, Match] = {
    **{plain(_CHANCES[tier]): ("confidence", 1) for tier in TIERS[:-1]},
    plain(f"{FORECAST}.threshold"): ("threshold", 1),
}

_THRESHOLDS = {
    **{
        plain(path): plain(f"{ROUTING}.classifier_threshold")
        for path in (COMPARED, f"{ROUTING}.classifier_p_solve", f"{ROUTING}.classifier_calibrated_p_solve")
    },
    **{plain(path): plain(f"{FORECAST}.threshold") for path in _CHANCES.values()},
}
_FORECASTS = frozenset(
    {
        *_THRESHOLDS,
        plain(f"{ROUTING}.classifier_calibrated_efficient_p_solve"),
        plain(f"{ROUTING}.classifier_efficient_p_solve"),
    }
)
_STATED = frozenset(
    plain(path)
    for name, (field, _) in words.REQUEST.items()
    if field == "confidence" and not {"verifier", "verification", "logprob", "logp"} & set(name.split("_"))
    for path in _said(name)
)


def match(name: str) -> Match | None:
    """Field and rank of a plain name."""
    return _EQUAL.get(name) or _LAST.get(name) or _own(name)


def opened(record: Record) -> Iterable[Record | Passed]:
    """The row of one spend-log row or payload, or why it is passed over."""
    return (row(record),)


def _ranks(values: Mapping[str, tuple[str, ...]]) -> dict[str, Match]:
    """Which tier's chance of success keeps a request on the cheapest model, as far as the log shows it.

    Tiers after the last that this model alone served and before the first that it did not are as likely.
    """
    models: dict[int, set[str]] = {}
    for pair in values.get(plain(PLACED), ()):
        tier, _, model = pair.partition(">")
        if tier in TIERS:
            models.setdefault(TIERS.index(tier), set()).add(model)
    if not models:
        return {}
    cheapest, last = models[min(models)], len(TIERS) - 1
    shared = next((at for at in sorted(models) if not models[at] <= cheapest), last)
    end = next((at for at in sorted(models) if not models[at] & cheapest), last)
    start = max((at for at in models if at < shared), default=0)
    return {
        plain(_CHANCES[tier]): ("confidence", 1 if start <= at < end else WEAK + at)
        for at, tier in enumerate(TIERS[:-1])
    }


def _fits(leader: str, name: str) -> bool:
    """What the router and the judge say speaks of their own scores and arms, what callers say of all else."""
    if leader in _FORECASTS:
        return name in {plain(ROUTED), _THRESHOLDS.get(leader)}
    own = {plain(ARM): plain(EXPERIMENT), plain(f"{EVALUATION}.passed"): plain(f"{EVALUATION}.source")}
    if leader in own:
        return name == own[leader]
    return name.startswith(tuple(f"{plain(place)}_" for place in _FREE))


def _dialect(name: str, title: str, *signatures: str) -> Dialect:
    return Dialect(
        name=name,
        title=title,
        form="calls",
        recognises=signed(*signatures),
        match=match,
        opened=opened,
        tails=False,
        kinds={
            **dict.fromkeys(_FORECASTS, "predictive"),
            **dict.fromkeys(_STATED, "self_report"),
            plain(LOGPROB): "logprob",
        },
        units={
            **dict.fromkeys(_FORECASTS, "fraction"),
            plain(LOGPROB): "logprob",
            "cost_usd": "usd",
            "router_cost_usd": "usd",
            "latency_s": "s",
            "ttft_s": "s",
        },
        fits=_fits,
        ranks=_ranks,
    )


PAYLOADS = _dialect(
    "litellm_payloads",
    "LiteLLM logging payloads",
    "response_cost status_fields call_type",
    "response_cost model_map_information call_type",
)
SPEND_LOGS = _dialect(
    "litellm_spend_logs",
    "LiteLLM spend logs",
    "call_type spend start_time",
    "call_type spend starttime",
)
DAILY_SPEND = Dialect(
    name="litellm_daily_spend",
    title="LiteLLM spend by day",
    form="calls",
    recognises=signed("start_time spend users models"),
    match=lambda _: None,
    opened=opened,
    refusal=(
        "This is LiteLLM's spend summed by day, with no single call in it. Ask for the calls themselves: "
        "/spend/logs?summarize=false with start_date and end_date, or a dump of the table LiteLLM_SpendLogs."
    ),
)
DIALECTS = (PAYLOADS, SPEND_LOGS, DAILY_SPEND)
