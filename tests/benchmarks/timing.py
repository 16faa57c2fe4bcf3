"""Fair timing: contestants take turns, and a table says medians, ranges and ratios."""

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds that one contestant took, run by run."""

    name: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.seconds)

    def text(self) -> str:
        """Median with range and number of runs."""
        low, high = duration(min(self.seconds)), duration(max(self.seconds))
        return f"{duration(self.median)} ({low} to {high}, {len(self.seconds)} runs)"


@dataclass(frozen=True, slots=True)
class Goal:
    """What was wanted, what was measured, and whether that is enough."""

    text: str
    measured: str
    met: bool


@dataclass(frozen=True, slots=True)
class Section:
    """One question's figures; ``files`` lie beside the page that shows them, by name."""

    title: str
    method: str
    timings: tuple[Timing, ...]
    goals: tuple[Goal, ...]
    remarks: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)


def interleaved(
    contestants: Mapping[str, Callable[[], Any]], *, repeats: int, fewer: Mapping[str, int] | None = None
) -> dict[str, Timing]:
    """Run all contestants once per round, after one round that warms caches up and is not counted.

    Args:
        contestants: What to call.
        repeats: Counted rounds.
        fewer: Contestants that take part in fewer rounds because they are slow, with no warm-up.
    """
    rounds = dict.fromkeys(contestants, repeats) | dict(fewer or {})
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for name, run in contestants.items():
        if name not in (fewer or {}):
            run()
    for turn in range(repeats):
        for name, run in contestants.items():
            if turn < rounds[name]:
                gc.collect()
                start = time.perf_counter()
                result = run()
                seconds[name].append(time.perf_counter() - start)
                del result
    return {name: Timing(name, tuple(taken)) for name, taken in seconds.items()}


def duration(seconds: float) -> str:
    """Seconds as people read them."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def peak_mib(pid: int | str = "self") -> float | None:
    """Largest resident memory of a process so far, MiB; None where the system does not say."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return None
