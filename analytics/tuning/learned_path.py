"""The path that one half of the folds suggests: which category gives up which answers first.

At a price of lambda each category keeps down to the level with the least "expected loss minus lambda times
saving". Losses are shrunk: towards a pooled curve that rises as confidence falls, times each category's own
ratio to it.

References:
    Laufer-Goldshtein et al. (2023), Pareto Testing; shrinkage as in CERTIFICATE section 2.3 of the design.
"""

import numpy as np
import numpy.typing as npt

from analytics.estimate import Floats

Ints = npt.NDArray[np.int64]

_PRICES = np.concatenate([[0.0], 0.002 * 1.17 ** np.arange(40)])
_SHRINKAGE = 60.0
_LEAST_RATIO, _MOST_RATIO, _LEAST_MEAN = 0.1, 5.0, 0.02
_START_LOSS, _START_PAIRS = 0.05, 0.5


def path(n: Floats, loss: Floats, saving: Floats, *, total: float, missing_last: bool) -> Ints:
    """Levels that each category keeps at each price, from the reference on, without repetitions.

    Args:
        n: Pairs by category and level, level 1 the highest confidence, shape ``(categories, levels)``.
        loss: Lost minus won answers, same shape.
        saving: Share of the reference's cost that is saved by keeping 0, 1, ... levels, shape
            ``(categories, levels + 1)``.
        total: Pairs of all levels, those included that no option changes.
        missing_last: Whether the last level is the answers without a confidence.

    Returns:
        Shape ``(steps, categories)``, rising in every column; the first step, which keeps nothing, is left
        out.
    """
    expected = _shrunk(n, loss, missing_last=missing_last)
    lost = np.concatenate([np.zeros((n.shape[0], 1)), np.cumsum(expected * n, axis=1)], axis=1) / max(
        total, 1.0
    )
    steps = np.stack([np.argmin(lost - price * saving, axis=1) for price in _PRICES])
    # Savings rise with the levels, so that steps are nested; where a cost falls out of line they are made so.
    steps = np.maximum.accumulate(steps, axis=0)
    before = np.vstack([np.zeros((1, n.shape[0]), dtype=steps.dtype), steps[:-1]])
    found: Ints = steps[(steps != before).any(axis=1)]
    return found


def _shrunk(n: Floats, loss: Floats, *, missing_last: bool) -> Floats:
    """Expected loss per pair in each category and level."""
    last = n.shape[1] - 1 if missing_last else n.shape[1]
    pooled = _pooled(n[:, :last], loss[:, :last])
    if missing_last:
        of_missing = (loss[:, last].sum() + _START_LOSS) / (n[:, last].sum() + _START_PAIRS)
        pooled = np.append(pooled, of_missing)
    pairs = n.sum(axis=1)
    mean = (n @ pooled) / np.maximum(pairs, 1.0)
    off = (loss.sum(axis=1) - n @ pooled) / (pairs + _SHRINKAGE)
    ratio = np.clip(1 + off / np.maximum(mean, _LEAST_MEAN), _LEAST_RATIO, _MOST_RATIO)[:, None]
    own = np.where(pooled > 0, pooled * ratio, pooled)
    shrunk: Floats = own + (loss - own * n) / (n + _SHRINKAGE)
    return shrunk


def _pooled(n: Floats, loss: Floats) -> Floats:
    """Loss per pair of all categories by level, rising as confidence falls."""
    from scipy.optimize import isotonic_regression  # noqa: PLC0415 - off the page path

    weight: Floats = n.sum(axis=0) + _START_PAIRS
    if weight.size == 0:
        return weight
    rate: Floats = (loss.sum(axis=0) + _START_LOSS) / weight
    fitted: Floats = np.asarray(isotonic_regression(rate, weights=weight).x, dtype=np.float64)
    return fitted
