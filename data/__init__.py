"""Packaged files: the sample log, its generator, the taxonomy, JSON Schemas and the log template."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

Prior = Literal["reasoning_wins", "helps_but_dear", "do_not_overpay"]
"""What is usually said of a kind of task before anything was measured."""

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class TaskKind:
    """A kind of task and the usual opinion on it, which a measured verdict replaces.

    Attributes:
        key: Name as a log would have it.
        title: Name as a page shows it.
        prior: The usual opinion.
        sentence: The opinion in one plain sentence.
    """

    key: str
    title: str
    prior: Prior
    sentence: str


def sample_log() -> Path:
    """The simulated sample: gzipped CSV, one row per request of a cascade with a shadow share."""
    return _HERE / "sample_log.csv.gz"


def sample_benchmark() -> Path:
    """The simulated sample in which both answers of every request are graded: gzipped CSV."""
    return _HERE / "sample_benchmark.csv.gz"


def log_template() -> Path:
    """A small CSV with every column worth logging and a few rows; it loads as it is."""
    return _HERE / "log_template.csv"


def logging_guide() -> Path:
    """How to log, as Markdown without pictures: for the repository and for the dashboard."""
    return _HERE.parent / "docs" / "logging.md"


def exports_guide() -> Path:
    """What to export from which tool, and how grades are joined, as Markdown without pictures."""
    return _HERE.parent / "docs" / "exports.md"


@cache
def taxonomy() -> dict[str, TaskKind]:
    """Kinds of tasks by key, in the order of the file: where reasoning wins first."""
    kinds = json.loads((_HERE / "taxonomy.json").read_text(encoding="utf-8"))["categories"]
    return {kind["key"]: TaskKind(**kind) for kind in kinds}
