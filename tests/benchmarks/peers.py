"""What other tools compute of the same question, and what of it they leave out."""

import importlib
import sys
import warnings
from importlib.metadata import distributions
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import polars as pl
from sklearn.metrics import confusion_matrix_at_thresholds

from tests.benchmarks.workload import STEPS

HOME = Path(__file__).parents[2] / "build" / "peers"
QUANTILES = 10  # what RouteLLM's own command takes
_ROUTER = "log"
_UNUSED = {"routellm.controller": "Controller", "routellm.routers.routers": "Router"}

# Category -> rows of figures (accuracy, and mean cost where a tool has it) at every threshold.
Sweep = dict[str, np.ndarray]


def by_polars(path: Path) -> Sweep:
    """Accuracy and mean cost by a scan, one group-by and cumulative sums."""
    summed = ["fast_correct", "strong_correct", "fast_cost_usd", "strong_cost_usd"]
    groups = pl.scan_parquet(path).group_by("task_category", "confidence")
    cells = groups.agg(pl.len().alias("n"), pl.col(summed).sum()).collect(engine="streaming")
    cells = cells.sort("task_category", "confidence", nulls_last=False)
    swept = {}
    for (category,), part in cells.partition_by("task_category", as_dict=True).items():
        total = part.select("n", *summed).sum().row(0, named=True)
        sent = part.select(pl.col(summed).cum_sum())  # up to and with a row: it escalates at the next one
        if part["confidence"][0] is not None:
            sent = pl.concat([sent.clear(1).fill_null(0.0), sent])
        correct = total["fast_correct"] - sent["fast_correct"] + sent["strong_correct"]
        cost = total["fast_cost_usd"] + sent["strong_cost_usd"]
        swept[str(category)] = np.array([correct / total["n"], cost / total["n"]])
    return swept


def by_scikit_learn(frame: pd.DataFrame) -> Sweep:
    """Accuracy alone: the fast model's true positives and the strong one's false negatives.

    Grades must be 0 or 1, and a confidence must be there: a missing one becomes less than any threshold.
    """
    swept = {}
    for category, part in frame.groupby("task_category", observed=True):
        confidence = part["confidence"].fillna(-1.0)
        *_, kept, thresholds = confusion_matrix_at_thresholds(part["fast_correct"], confidence)
        _, _, sent, strong, _ = confusion_matrix_at_thresholds(part["strong_correct"], confidence)
        right = np.append((kept + sent)[::-1], strong[-1])  # thresholds fall; the last one sends all
        swept[str(category)] = right[None, int(thresholds[-1] < 0) :] / len(part)
    return swept


def routellm_version() -> str | None:
    """The version whose sources are here; None where ``make bench-peers`` has not been run."""
    return next((found.version for found in distributions(name="routellm", path=[str(HOME)])), None)


class RouteLLM:
    """RouteLLM's own evaluation of one router on MMLU, of a log instead, one category at a time.

    Its code is called as it is, but for its constructor, which reads MMLU's answers. What routes prompts is
    not needed, because the log has the scores, and is not imported: it would need PyTorch.

    Args:
        frame: Decisions with both outcomes of every request, grades 0 or 1.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        mmlu = _benchmarks().MMLU
        self._benchmarks = {}
        for category, part in frame.groupby("task_category", observed=True):
            benchmark = mmlu.__new__(mmlu)
            benchmark.routed_pair = _Pair()
            benchmark.overwrite_cache = []
            answers = {"fast": part["fast_correct"] == 1, "strong": part["strong_correct"] == 1}
            benchmark.all_data = pd.DataFrame(answers)
            benchmark.cache = {_ROUTER: _strong_win_rate(part["confidence"])}
            self._benchmarks[str(category)] = benchmark

    def evaluated(self) -> dict[str, list[tuple[float, float]]]:
        """Threshold of the strong model's win rate and accuracy, at the quantiles of each category."""
        return {
            category: [
                (float(threshold), float(percent) / 100)
                for threshold, percent, _, _ in benchmark.evaluate(None, _ROUTER, QUANTILES, False)
            ]
            for category, benchmark in self._benchmarks.items()
        }


def assert_as_routellm(swept: Sweep, evaluated: dict[str, list[tuple[float, float]]]) -> float:
    """Check accuracies of a sweep against RouteLLM's, at its thresholds.

    Its last threshold sends nobody, and all of ours send requests without a confidence: it is left out.

    Returns:
        The largest relative difference.
    """
    if swept.keys() != evaluated.keys():
        raise AssertionError("RouteLLM has other categories")
    rates = _strong_win_rate(pd.Series(np.arange(STEPS + 1) / STEPS)).to_numpy()
    worst = 0.0
    for category, points in evaluated.items():
        if len(points) != QUANTILES + 1:
            raise AssertionError(f"RouteLLM has {len(points)} thresholds in {category}")
        for threshold, accuracy in points[:-1]:
            sent = int((rates >= threshold).sum())  # values of the confidence, the lowest ones
            ours = swept[category][0, sent]
            difference = float(abs(accuracy / ours - 1))
            worst = max(worst, difference)
            if not difference <= 1e-9:
                raise AssertionError(f"RouteLLM differs in {category} by {difference:.1e}")
    return worst


class _Pair:
    weak = "fast"
    strong = "strong"


def _strong_win_rate(confidence: pd.Series) -> pd.Series:
    """What a router would forecast; a request without a confidence is the strong model's for sure."""
    return ((STEPS - (confidence * STEPS).round()) / STEPS).fillna(1.0)


def _benchmarks() -> ModuleType:
    """RouteLLM's module of benchmarks, with stand-ins for two types that it names in annotations only."""
    for module, name in _UNUSED.items():
        sys.modules[module] = ModuleType(module)
        setattr(sys.modules[module], name, object)
    sys.path.insert(0, str(HOME))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it sets an option that pandas 3 deprecates
            return importlib.import_module("routellm.evals.benchmarks")
    finally:
        sys.path.remove(str(HOME))
        for module in _UNUSED:
            del sys.modules[module]
