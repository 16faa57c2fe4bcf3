"""What to do: adopt the treatment, keep the control, run on, or weigh the price of a correct answer.

Non-inferior accuracy *and* lower cost must both be shown, each at the whole error: the chance to adopt a
treatment that lacks one of them is at most that error (intersection-union).

References:
    Berger (1982), Technometrics 24: intersection-union tests.
"""

from dataclasses import dataclass
from typing import Literal

from analytics.estimate import Estimate

Choice = Literal["adopt", "keep", "run_on", "price"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What an experiment says to do.

    Attributes:
        choice: adopt, keep, run_on (it cannot be told yet), or price (more accurate and dearer: it depends on
            what a correct answer is worth).
        because: Which comparison decided: cheaper, better, worse, dearer, worth, not_worth, open, price.
        price_usd: Cost of one more correct answer, USD; only where the treatment is more accurate and dearer.
    """

    choice: Choice
    because: str
    price_usd: Estimate | None = None


def decision(
    accuracy: Estimate,
    cost: Estimate,
    *,
    margin: float,
    net: Estimate | None = None,
) -> Decision:
    """What two effects say, each treatment minus control with its interval.

    Args:
        accuracy: Effect on accuracy, a share.
        cost: Effect on the cost per request, USD.
        margin: Loss of accuracy that is allowed, a share in [0, 1).
        net: Effect on worth less cost per request where a correct answer has a known worth; it decides alone.
    """
    if net is not None:
        if net.low is not None and net.low > 0:
            return Decision("adopt", "worth")
        if net.high is not None and net.high < 0:
            return Decision("keep", "not_worth")
        return Decision("run_on", "open")
    low, high, below, above = accuracy.low, accuracy.high, cost.low, cost.high
    if low is None or high is None:
        return Decision("run_on", "open")
    rules = [(high < -margin, Decision("keep", "worse"))]
    if below is not None and above is not None:
        rules += [
            (low > -margin and above < 0, Decision("adopt", "cheaper")),
            (low > 0 and above <= 0, Decision("adopt", "better")),
            (low > 0 and below > 0, Decision("price", "price", extra_correct(accuracy, cost))),
            (high < 0 and below >= 0, Decision("keep", "worse")),
            (high < margin and below > 0, Decision("keep", "dearer")),
        ]
    return next((found for holds, found in rules if holds), Decision("run_on", "open"))


def extra_correct(accuracy: Estimate, cost: Estimate) -> Estimate | None:
    """Cost of one more correct answer, USD; None unless both are surely above 0.

    The interval takes the worst of both ends, so it is wider than its level asks for.
    """
    ends = (accuracy.low, accuracy.high, cost.low, cost.high)
    if accuracy.value is None or cost.value is None or any(end is None or end <= 0 for end in ends):
        return None
    return Estimate(
        cost.value / accuracy.value,
        float(cost.low or 0) / float(accuracy.high or 1),
        float(cost.high or 0) / float(accuracy.low or 1),
        accuracy.n,
        "ends of both intervals",
        accuracy.level,
    )
