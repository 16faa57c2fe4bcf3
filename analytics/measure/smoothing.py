"""The smooth calibration error, which needs no bins."""

import numpy as np

from analytics.estimate import Floats
from analytics.measure.graded import Graded, summed

NODES = 4096
STEPS = 40


def smooth_ece(graded: Graded) -> float | None:
    """Smooth calibration error: the kernel width that equals the error smoothed with it.

    Residuals are put on a fine grid and smoothed by a reflected Gaussian through its cosine transform, so
    values under 0.001 are not resolved.

    Returns:
        None without graded answers.

    References:
        Blasiok & Nakkiran (2023), arXiv 2309.12236.
    """
    if not graded.rows:
        return None
    spectrum = _spectrum(graded)
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _error(spectrum, middle) > middle else (low, middle)
    return (low + high) / 2


def smoothed_error(graded: Graded, width: float) -> float:
    """Integral of the absolute mean residual, smoothed by a reflected Gaussian of this width."""
    return _error(_spectrum(graded), width)


def _spectrum(graded: Graded) -> Floats:
    """Cosine transform of the residuals, each shared by the two nodes beside its confidence."""
    from scipy.fft import dct  # noqa: PLC0415 - kept off the import path of pages

    residual = (graded.total - graded.n * graded.confidence) / graded.rows
    place = graded.confidence * NODES
    left = np.clip(np.floor(place), 0, NODES - 1).astype(np.int64)
    mass = summed(left, residual * (left + 1 - place), size=NODES + 1)
    mass += summed(left + 1, residual * (place - left), size=NODES + 1)
    # This kind of transform counts its inner points twice.
    mass[1:-1] /= 2
    spectrum: Floats = dct(mass, type=1)
    return spectrum


def _error(spectrum: Floats, width: float) -> float:
    from scipy.fft import dct  # noqa: PLC0415 - kept off the import path of pages

    damping = np.exp(-((np.pi * np.arange(spectrum.size) * width) ** 2) / 2)
    density = np.abs(dct(spectrum * damping, type=1))
    return float((density.sum() - (density[0] + density[-1]) / 2) / NODES)
