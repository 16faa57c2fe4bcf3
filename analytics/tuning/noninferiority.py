"""The exact score test behind a certificate: is less than a margin lost, given how many pairs differ?

Of n pairs of graded answers, ``lost`` count +1 (only the strong answer is right, and it is not served)
and ``won`` count -1 (only the served answer is right). The hypothesis "the expected loss is at least the
margin" is rejected where the score statistic is at most a critical value, which is exact: the supremum
over everything that the hypothesis leaves open.

References:
    Tango (1998), Statistics in Medicine 17; Nam (1997), Biometrics 53: the statistic.
    Hsueh, Liu & Chen (2001), Biometrics 57; Berger & Sidik (2003), Statistical Methods in Medical
    Research 12: the exact unconditional test.
"""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from analytics.estimate import Floats, normal_quantile

Ints = npt.NDArray[np.int64]

TOLERANCE = 1e-9
_NUISANCES = 300
# The grid of nuisance values may miss the worst one by this much in size.
ALLOWANCE = 0.0002
_SD_WINDOW, _SD_SPARE = 7.0, 20.0
_BELOW, _ABOVE = 1.2, 0.8
_LARGE_N, _LARGE_LOSS, _LARGE_OFFSET = 20_000, 200.0, 0.02
_HALVINGS = 18


def score(lost: npt.ArrayLike, won: npt.ArrayLike, n: npt.ArrayLike, margin: float) -> Floats:
    """Score statistic of "the loss is at least ``margin``"; the smaller, the more speaks against it.

    Args:
        lost: Pairs of which only the strong answer is right, any shape.
        won: Pairs of which only the served answer is right, same shape.
        n: All pairs, same shape.
        margin: Loss in [0, 1).

    Returns:
        Standard deviations; NaN where ``n`` is 0, or where the margin is 0 and no pair differs.

    Raises:
        ValueError: The margin is outside [0, 1).
    """
    if not 0 <= margin < 1:
        raise ValueError("The margin must be in [0, 1)")
    plus, minus, size = (np.asarray(item, dtype=np.float64) for item in (lost, won, n))
    q = constrained(plus, minus, size, margin)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.sqrt(size * (2 * q + margin - margin**2))
        return np.where(spread > 0, (plus - minus - size * margin) / spread, np.nan)


def constrained(plus: Floats, minus: Floats, n: Floats, margin: float) -> Floats:
    """P(only the served answer is right), most likely if exactly the margin is lost."""
    b = (plus + minus) * (1 - margin) - 2 * margin * (n - plus)
    c = minus * margin * (1 - margin)
    root = np.sqrt(b * b + 8 * n * c)
    with np.errstate(divide="ignore", invalid="ignore"):
        stable = np.where(root - b > 0, 2 * c / (root - b), 0.0)
        q = np.where(b < 0, stable, (b + root) / (4 * n))
    return np.clip(np.where(n > 0, q, 0.0), 0.0, (1 - margin) / 2)


def p_value(lost: int, won: int, n: int, margin: float) -> float:
    """Largest probability of a statistic this small or smaller if at least ``margin`` is lost.

    Args:
        lost: Pairs of which only the strong answer is right.
        won: Pairs of which only the served answer is right.
        n: All pairs; 0 gives 1.
        margin: Loss in [0, 1).
    """
    z = float(score(lost, won, n, margin))
    if math.isnan(z):
        return 1.0
    return float(_Regions(n, margin, 2 * _NUISANCES).probabilities(z + TOLERANCE).max())


@lru_cache(maxsize=256)
def critical_value(n: int, margin: float, error: float) -> float:
    """Largest value of the statistic that rejects "the loss is at least ``margin``" at size ``error``.

    Args:
        n: Pairs.
        margin: Loss in [0, 1).
        error: Probability of a false certificate, in (0, 0.5).

    Returns:
        Minus infinity where no outcome can reject. Beyond 20,000 pairs (and 200 expected losses) a
        constant that is 0.02 below the normal quantile, which is safe there.
    """
    normal = normal_quantile(error)
    if n > _LARGE_N and n * margin >= _LARGE_LOSS:
        return normal - _LARGE_OFFSET
    if n <= 0:
        return -math.inf
    allowed = error - ALLOWANCE
    regions = _Regions(n, margin, _NUISANCES)
    low, high = normal - _BELOW, normal + _ABOVE
    # The value is nearly always just below the normal quantile: try a narrow bracket first.
    for at in (normal, normal - 0.06):
        if regions.exceeds(at, allowed):
            high = at
        else:
            low = max(low, at)
            break
    if low == normal - _BELOW and regions.exceeds(low, allowed):
        return _smallest(regions, n, margin, allowed)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if regions.exceeds(middle, allowed):
            high = middle
        else:
            low = middle
    return low


def _smallest(regions: "_Regions", n: int, margin: float, allowed: float) -> float:
    """The value below the usual bracket, of few pairs: that of no loss at all, if even it rejects."""
    best = float(score(0, n, n, margin))
    return -math.inf if regions.exceeds(best, allowed) else best


class _Regions:
    """Probabilities of rejection regions on the boundary of the hypothesis, over a grid of nuisance values.

    With q = P(won) and P(lost) = q + margin, the pairs that differ are binomial, and given their number s
    so are the lost ones; the statistic rises with them, so a region is "at most k(s) lost".
    """

    def __init__(self, n: int, margin: float, nuisances: int) -> None:
        self._n, self._margin = n, margin
        top = math.asin(math.sqrt((1 - margin) / 2))
        q = np.sin(np.linspace(0.0, top, nuisances)) ** 2
        psi = np.minimum(2 * q + margin, 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            theta = np.where(psi > 0, (q + margin) / psi, 0.5)
        self._psi, self._theta = psi, theta
        # Nested regions: a nuisance value that one region keeps within the size does so in a smaller one.
        self._open: Ints = np.arange(nuisances)

    def exceeds(self, at: float, allowed: float) -> bool:
        """Whether the region "at most ``at``" is larger than ``allowed`` for some nuisance value."""
        found = self.probabilities(at, self._open) > allowed
        if found.any():
            self._open = self._open[found]
            return True
        return False

    def probabilities(self, at: float, among: Ints | None = None) -> Floats:
        """Probability of "statistic at most ``at``" for each nuisance value of the grid, or for some."""
        from scipy.special import betainc, gammaln, xlog1py, xlogy  # noqa: PLC0415 - off the page path

        chosen = np.arange(self._psi.size) if among is None else among
        most = self._most_lost(at)
        psi, theta = self._psi[chosen], self._theta[chosen]
        half = _SD_WINDOW * np.sqrt(self._n * psi * (1 - psi)) + _SD_SPARE
        first = np.maximum(np.floor(self._n * psi - half), 0).astype(np.int64)
        last = np.minimum(np.ceil(self._n * psi + half), self._n).astype(np.int64)
        sizes = last - first + 1
        row = np.repeat(np.arange(chosen.size), sizes)
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        s = np.arange(int(sizes.sum())) - np.repeat(starts - first, sizes)
        k = most[s]
        weight = np.exp(
            gammaln(self._n + 1) - gammaln(s + 1) - gammaln(self._n - s + 1)
            + xlogy(s, psi[row]) + xlog1py(self._n - s, -psi[row])
        )  # fmt: skip
        inside: Floats = np.where(k >= s, 1.0, 0.0)
        some = np.flatnonzero((k >= 0) & (k < s) & (weight > 0))
        inside[some] = betainc(s[some] - k[some], k[some] + 1.0, 1 - theta[row[some]])
        found = np.bincount(row, weights=weight * inside, minlength=chosen.size)
        return np.asarray(found, dtype=np.float64)

    def _most_lost(self, at: float) -> Ints:
        """For every number s of pairs that differ, the most lost ones with a statistic of at most ``at``."""
        s = np.arange(self._n + 1)
        low, high = np.full(s.size, -1), s.copy()
        while (low < high).any():
            middle = (low + high + 1) // 2
            z = score(middle, s - middle, self._n, self._margin)
            inside = np.where(np.isnan(z), False, z <= at)
            low, high = np.where(inside, middle, low), np.where(inside, high, middle - 1)
        return low


def floor_p_values(errors: npt.ArrayLike, n: npt.ArrayLike, floor: float) -> Floats:
    """Probability of so few errors or fewer if the accuracy were no more than ``floor``; exact.

    Args:
        errors: Wrong answers, any shape.
        n: All answers, same shape; 0 gives 1.
        floor: Accuracy in (0, 1).

    References:
        Angelopoulos et al. (2021), Learn then Test, arXiv 2110.01052: the binomial p-value.
    """
    from scipy.special import bdtr  # noqa: PLC0415 - off the page path

    found = bdtr(np.asarray(errors, dtype=np.float64), np.asarray(n, dtype=np.int64), 1 - floor)
    return np.asarray(found, dtype=np.float64)


def fold_p_values(excess: Floats) -> Floats:
    """One-sided t test over folds that the expected excess is at least 0, from independent folds.

    Users never straddle folds, so it allows for several requests per user.

    Args:
        excess: Loss minus what is allowed, per fold, shape ``(folds, steps)``.

    Returns:
        Shape ``(steps,)``; 1 where all folds agree exactly, as nothing can be said about their spread.

    References:
        Ibragimov & Mueller (2010), J. Business & Economic Statistics 28.
    """
    from scipy.special import stdtr  # noqa: PLC0415 - off the page path

    folds = excess.shape[0]
    if folds < 2:  # noqa: PLR2004 - a spread needs two folds
        return np.ones(excess.shape[1])
    spread = excess.std(axis=0, ddof=1) / math.sqrt(folds)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(spread > 0, excess.mean(axis=0) / spread, np.nan)
    return np.where(np.isnan(t), 1.0, stdtr(folds - 1, np.nan_to_num(t)))
