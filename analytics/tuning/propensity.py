"""Estimators for logs whose escalations were random with a logged probability, on arrays of requests.

A policy that keeps or escalates each request is compared with what the log did: requests on which both
agree stand for 1 / q requests, q being the logged probability of the action taken.

References:
    Horvitz & Thompson (1952), JASA 47; Robins, Rotnitzky & Zhao (1994), JASA 89; Dudik et al. (2014),
    Statistical Science 29; Chernozhukov et al. (2018), Econometrics Journal 21.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.estimate import Floats

GROUPS = 5
"""Parts of four folds, each predicted by an outcome model that was fitted on the others."""
LEAST_ESS = 30.0
AMBER_ESS = 100.0
MOST_SHARE = 0.2
RARE = 0.01

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Overlap:
    """How well a log covers what a policy would do.

    Attributes:
        n: Requests.
        matched: Requests on which log and policy took the same action.
        ess: Effective number of requests, (sum w)^2 / sum w^2; 0 where none matched.
        mean_weight: 1 in expectation; far from it the logged probabilities are wrong.
        largest_share: Share of the largest weight in all weights; None where none matched.
        rare_share: Share of requests whose logged probability is below 1%.
    """

    n: int
    matched: int
    ess: float
    mean_weight: float
    largest_share: float | None
    rare_share: float

    @property
    def estimable(self) -> bool:
        """Whether an estimate and its standard error mean anything."""
        return self.ess >= LEAST_ESS


def weights(matched: Bools, logged_prob: Floats) -> Floats:
    """1 / probability where log and policy agree, else 0.

    Args:
        matched: Whether the logged action is the policy's, shape ``(n,)``.
        logged_prob: Probability of the logged action, positive where ``matched``, same shape.
    """
    return np.where(matched, 1.0 / np.where(matched, logged_prob, 1.0), 0.0)


def effective_sample_size(weight: Floats) -> float:
    """(sum w)^2 / sum w^2; 0 where all weights are.

    References:
        Kish (1965), Survey Sampling.
    """
    squares = float((weight**2).sum())
    return float(weight.sum()) ** 2 / squares if squares > 0 else 0.0


def overlap(weight: Floats, logged_prob: Floats) -> Overlap:
    """How well a log covers a policy, from its ``weights`` and the probabilities of the logged actions."""
    total, n = float(weight.sum()), weight.size
    return Overlap(
        n=n,
        matched=int((weight > 0).sum()),
        ess=effective_sample_size(weight),
        mean_weight=total / n if n else math.nan,
        largest_share=float(weight.max()) / total if total > 0 else None,
        rare_share=float((logged_prob < RARE).mean()) if n else 0.0,
    )


def clipped(weight: Floats, most: float) -> tuple[Floats, float]:
    """Weights of at most ``most``, and the mass per request that this takes away.

    For outcomes in [0, 1] that mass bounds the bias, which is downward.

    References:
        Ionides (2008), J. Computational and Graphical Statistics 17.
    """
    return np.minimum(weight, most), float(np.maximum(weight - most, 0.0).mean()) if weight.size else 0.0


def ips(correct: Floats, weight: Floats) -> tuple[float | None, float | None]:
    """Policy value by inverse propensity scoring, and its standard error; unbiased, may leave [0, 1].

    Args:
        correct: Grade of the served answer per request, shape ``(n,)``; any number where ``weight`` is 0.
        weight: See ``weights``, same shape.
    """
    return _mean(weight * correct) if weight.any() else (None, None)


def snips(correct: Floats, weight: Floats) -> tuple[float | None, float | None]:
    """Policy value by self-normalised inverse propensity scoring, and its linearised standard error.

    Args:
        correct: Grade of the served answer per request, shape ``(n,)``.
        weight: See ``weights``, same shape.

    References:
        Swaminathan & Joachims (2015), NeurIPS 28.
    """
    total = float(weight.sum())
    if total <= 0:
        return None, None
    value = float((weight * correct).sum()) / total
    return value, math.sqrt(float((weight**2 * (correct - value) ** 2).sum())) / total


def doubly_robust(
    correct: Floats, weight: Floats, predicted: Floats, predicted_logged: Floats
) -> tuple[float | None, float | None]:
    """Policy value by the augmented estimator, and its standard error.

    Args:
        correct: Grade of the served answer per request, shape ``(n,)``.
        weight: See ``weights``, same shape.
        predicted: Predicted grade of the answer that the policy serves, fitted on other requests.
        predicted_logged: The same of the answer that was served.

    References:
        Dudik et al. (2014), Statistical Science 29, equation 3.
    """
    return _mean(predicted + weight * (correct - predicted_logged))


def exploration_difference(
    fast: Floats, strong: Floats, escalate: Bools, *, escalated: Bools, escalated_prob: Floats, gain: Floats
) -> tuple[float | None, float | None]:
    """Policy value where every fast grade is known and escalations were random, with its standard error.

    The mean of y_f + a (g + (e / p) (y_s - y_f - g)): the fast grade costs no weight.

    Args:
        fast: Grade of the fast answer per request, shape ``(n,)``.
        strong: Grade of the strong answer; any number where it was not asked for.
        escalate: Whether the policy escalates.
        escalated: Whether the log did.
        escalated_prob: Probability that it did, positive where ``escalate``.
        gain: Predicted strong minus fast grade, fitted on other requests.
    """
    weight = weights(escalated & escalate, escalated_prob)
    difference = np.where(escalated, strong - fast, 0.0)
    return _mean(fast + np.where(escalate, gain + weight * (difference - gain), 0.0))


def _mean(values: Floats) -> tuple[float | None, float | None]:
    if values.size == 0:
        return None, None
    error = float(values.std(ddof=1)) / math.sqrt(values.size) if values.size > 1 else None
    return float(values.mean()), error


def cross_fitted_means(
    total: Floats, count: Floats, bins: npt.NDArray[np.intp], groups: npt.NDArray[np.intp]
) -> Floats:
    """Mean outcome of each row's bin over the rows of other groups, so that no row predicts itself.

    Each mean is drawn to the mean of all bins by the weight of one observation, which it is where a bin
    has no other.

    Args:
        total: Sum of the outcomes of each row (or cell of rows), shape ``(k,)``; 0 where not observed.
        count: How many were observed, same shape.
        bins: Number of each row's bin.
        groups: Number of each row's group.

    Returns:
        A prediction per row; 0 where no other group has any outcome.
    """
    if total.size == 0:
        return np.zeros(0)
    shape = (int(bins.max()) + 1, int(groups.max()) + 1)
    place = bins * shape[1] + groups
    sums, counts = (
        np.bincount(place, weights=column, minlength=shape[0] * shape[1]).reshape(shape)
        for column in (total, count)
    )
    others, other_counts = (table.sum(axis=1, keepdims=True) - table for table in (sums, counts))
    all_others, all_counts = others.sum(axis=0), other_counts.sum(axis=0)
    overall = np.where(all_counts >= 1, all_others / np.maximum(all_counts, 1.0), 0.0)
    predicted: Floats = ((others + overall) / (other_counts + 1.0))[bins, groups]
    return predicted
