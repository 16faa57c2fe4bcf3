"""What the z test of a notebook says: every request for itself, whoever sent it, and looked at every day."""

import numpy as np

from analytics.estimate import Floats, normal_quantile
from analytics.experiments.moments import RATIOS
from tests.proofs.traffic import Drawn

Z = normal_quantile(0.975)


def z_scores(metric: str, control: Drawn, treatment: Drawn) -> Floats:
    """Of each experiment; 0 where nothing varies."""
    found = [
        _slowest(arm) if metric == "latency_p95_s" else _ratio(arm, metric) for arm in (control, treatment)
    ]
    return _z(*found)


def z_by_day(
    metric: str, control: Drawn, treatment: Drawn, days: tuple[Floats, Floats], looks: int
) -> Floats:
    """Of each experiment with all requests until the end of each day, ``(experiments, looks)``."""
    return _z(
        *(_by_day(arm, metric, day, looks) for arm, day in zip((control, treatment), days, strict=True))
    )


def last_effects(metric: str, control: Drawn, treatment: Drawn) -> Floats:
    """The effect on all requests of each experiment."""
    return np.asarray(_ratio(treatment, metric)[0] - _ratio(control, metric)[0])


def _z(control: tuple[Floats, Floats], treatment: tuple[Floats, Floats]) -> Floats:
    error = np.hypot(control[1], treatment[1])
    return np.divide(treatment[0] - control[0], error, out=np.zeros_like(error), where=error > 0)


def _ratio(arm: Drawn, metric: str) -> tuple[Floats, Floats]:
    values, errors = _by_day(arm, metric, np.zeros(arm.user.size), 1)
    return values[:, 0], errors[:, 0]


def _by_day(arm: Drawn, metric: str, day: Floats, looks: int) -> tuple[Floats, Floats]:
    """A ratio of sums and its error, of the requests until each day."""
    above, below = (arm.rows[name] for name in RATIOS[metric])
    top, bottom, tops, both, bottoms = (
        until(arm, values, day, looks)
        for values in (above, below, above * above, above * below, below * below)
    )
    bottom = np.maximum(bottom, 1e-300)
    ratio = top / bottom
    squares = tops - 2 * ratio * both + ratio**2 * bottoms
    return ratio, np.sqrt(np.maximum(squares, 0.0)) / bottom


def until(arm: Drawn, values: Floats, day: Floats, looks: int) -> Floats:
    """Sums of a value of each request until the end of each day, ``(experiments, looks)``."""
    experiments = arm.first.size
    place = np.repeat(np.arange(experiments), np.diff(arm.first, append=arm.user.size)) * looks
    place += day.astype(np.int64)
    totals = np.bincount(place, weights=values, minlength=experiments * looks)
    return np.cumsum(totals.reshape(experiments, looks), axis=1)


def _slowest(arm: Drawn) -> tuple[Floats, Floats]:
    """The 95th percentile, and its error from the values that lie two errors of its rank apart."""
    values, errors = [], []
    for latencies in arm.latencies():
        ordered, n = np.sort(latencies), latencies.size
        step = Z * np.sqrt(n * 0.95 * 0.05)
        low, high = (ordered[min(max(round(0.95 * n + side * step), 0), n - 1)] for side in (-1, 1))
        values.append(np.quantile(ordered, 0.95))
        errors.append((high - low) / (2 * Z))
    return np.array(values), np.array(errors)
