"""What LiteLLM's router and judge say of a call, as columns: the decision, its forecast, the verdict."""

from typing import Any

from analytics.logs.dialects import opening
from analytics.logs.dialects.dialect import Record

ROUTING = "metadata.routing_decision"
EVALUATION = "metadata.eval_information"
FORECAST, PLACED = f"{ROUTING}.heuristic_v2_forecast", f"{ROUTING}.tier_and_model"
COMPARED, ROUTED = f"{ROUTING}.compared_p_solve", f"{ROUTING}.policy_kind"
ARM, EXPERIMENT = f"{ROUTING}.arm", f"{ROUTING}.experiment"
TIERS = ("SIMPLE", "MEDIUM", "COMPLEX", "REASONING")

# What quotes the prompt, what is long, and the forecast, which is opened by tier.
_LEFT_OUT = frozenset({"signals", "matched_keyword", "escalation_keyword", "classifier_crux"})
_LEFT_OUT |= {"tier_litellm_params", "tier_boundaries", "heuristic_v2_forecast"}


def routing(metadata: Record, *, alone: bool) -> Record:
    """The router's decision without what quotes the prompt, the value that it compared, and its arm.

    Its configuration is an arm only where it stands ``alone``: where the caller names none.
    """
    decision = opening.mapping(metadata.get("routing_decision"))
    if not decision:
        return {}
    found = {f"{ROUTING}.{name}": value for name, value in decision.items() if name not in _LEFT_OUT}
    found |= _forecast(decision)
    forecasts = (decision.get("classifier_calibrated_p_solve"), decision.get("classifier_p_solve"))
    found[COMPARED] = next((value for value in map(opening.number, forecasts) if value is not None), None)
    found[ROUTED] = "predictive"
    fingerprint = opening.text(decision.get("router_config_fingerprint"))
    if fingerprint and alone:
        found[ARM], found[EXPERIMENT] = fingerprint, opening.text(decision.get("router_model_name"))
    return found


def _forecast(decision: Record) -> Record:
    """Chance of success by tier, cheapest first, and the tier that it led to with its model."""
    forecast = opening.mapping(decision.get("heuristic_v2_forecast"))
    if not forecast:
        return {}
    chances = opening.mapping(forecast.get("probabilities"))
    tier, model = opening.text(decision.get("tier")), opening.text(decision.get("routed_model"))
    return {
        **{f"{FORECAST}.probabilities.{tier}": opening.number(chances.get(tier)) for tier in TIERS},
        **{
            f"{FORECAST}.{name}": opening.text(forecast.get(name)) for name in ("threshold", "predicted_tier")
        },
        f"{FORECAST}.request_type": opening.text(forecast.get("request_type")),
        PLACED: f"{tier}>{model}" if tier and model else None,
    }


def evaluation(metadata: Record) -> Record:
    """The verdict of LiteLLM's judge on the answer; its guardrails that judge the prompt do not count."""
    guards = opening.listing(metadata.get("guardrail_information"))
    after = {opening.text(opening.member(one, "guardrail_name")) for one in guards if _after_call(one)}
    kept = opening.opened(metadata.get("eval_information"))
    verdicts = [opening.mapping(one) for one in (kept if isinstance(kept, list) else [kept])]
    mine = [one for one in verdicts if opening.text(one.get("eval_name")) in after - {None}]
    passed = [one.get("passed") for one in mine]
    if not passed or not all(isinstance(verdict, bool) for verdict in passed):
        return {}
    return {"passed": all(passed), "source": "judge", "judge_model": opening.text(mine[0].get("judge_model"))}


def _after_call(guardrail: Any) -> bool:
    mode = opening.member(guardrail, "guardrail_mode")
    return mode in ("post_call", ["post_call"])
