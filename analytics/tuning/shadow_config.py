"""The lines that switch shadow calls on, for whoever runs the router: there is no common format for this."""

import yaml

from analytics.tuning.shadow_plan import FLOOR, ShadowPlan

HEAD = """\
# Shadow answers: serve the fast answer of a kept request as always, and ask the strong model too about a
# share of them. No router reads this file as it is: it says what to build. Draw by a hash of the request's
# id, before looking at the answer:  int(md5("shadow:" + request_id).hexdigest()[:8], 16) / 2**32 < share
# Log these columns on every request (see How to log):
#   sampling_probability   the share that applied, drawn or not; 1 where the request was escalated
#   escalated, threshold   what was done, and the threshold that was in force
#   strong_correct, strong_cost_usd, ...   of the shadow answer; empty where there is none
"""


def shadow_config(plan: ShadowPlan, rate: float) -> str:
    """A YAML fragment with the bands of a plan and the columns to log.

    Args:
        plan: What to buy.
        rate: Share of the requests in each band to ask about.
    """
    bands = [
        {
            "task_category": purchase.task_category,
            "confidence_from": purchase.low,
            "confidence_below": purchase.high,
            "share": rate,
        }
        for purchase in plan.purchases
        if purchase.question == "raise"
    ]
    everywhere = any(
        purchase.question == "lower" and any(item.strong_calls for item in purchase.explorations)
        for purchase in plan.purchases
    )
    document = {
        "shadow": {
            "serve": "fast",
            "share_of_kept_requests": rate if everywhere and not bands else plan.shadow_share or FLOOR,
            "bands": bands,
        }
    }
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=False, default_flow_style=False)
    return HEAD + text
