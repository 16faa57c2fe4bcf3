"""What several tests need: the reference cases, the public data sets, and skips said aloud."""

import json
import math
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from analytics.logs.store import Store
    from tests.soak.forked import Forks

HERE = Path(__file__).parent
WITHOUT_DATASETS = "TIERTUNE_DATASETS is not set"

# Few tests, each long: last in xdist's own order, by number of tests, where they leave workers idle.
LONG_FILES = (
    "logs/recovery_test.py",
    "hostile_browser_test.py",
    "logs/balance_test.py",
    "logs/crash_test.py",
    "journey_test.py",
    "export/litellm_router_test.py",
    "export/flagd_provider_test.py",
    "export/targets_test.py",
)

# Same examples on every machine; a busy machine is no failure.
settings.register_profile("tiertune", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("tiertune")


def close(got: Any, expected: Any, *, rtol: float = 0.0, atol: float = 0.0) -> bool:
    """Whether ``got`` is what a reference case expects.

    Null must be None, whole numbers and texts must be equal, and other numbers are as near as
    ``|got - expected| <= max(atol, rtol * max(|got|, |expected|))``. Lists and mappings go by element; of
    a mapping only the expected keys count.
    """
    if isinstance(expected, dict):
        return all(close(got[key], part, rtol=rtol, atol=atol) for key, part in expected.items())
    if isinstance(expected, list):
        pairs = list(zip(got, expected, strict=False))
        return len(got) == len(expected) and all(close(a, b, rtol=rtol, atol=atol) for a, b in pairs)
    if expected in ("NaN", "Infinity", "-Infinity"):
        got, expected = str(float(got)), str(float(expected))
    if expected is None or got is None or isinstance(expected, str | bool | int):
        return bool(got == expected)
    if not math.isfinite(got):
        return False
    return bool(abs(got - expected) <= max(atol, rtol * max(abs(got), abs(expected))))


@dataclass(frozen=True, slots=True)
class RefCase:
    """One reference case; inputs and expected values as they stand in its file."""

    inputs: dict[str, Any]
    expected: dict[str, Any]
    rtol: float
    atol: float

    def close(self, got: Any, expected: Any, *, rtol: float | None = None, atol: float | None = None) -> bool:
        """``close`` with the case's own tolerances where none are given."""
        return close(
            got,
            expected,
            rtol=self.rtol if rtol is None else rtol,
            atol=self.atol if atol is None else atol,
        )


class RefCases:
    """The reference cases by file and id: ``refcase("sweep", "sweep_one_row")``."""

    close = staticmethod(close)

    def __call__(self, name: str, case: str) -> RefCase:
        """The case ``case`` of ``tests/refcases/NAME.json``."""
        found = self._file(name)[case]
        return RefCase(found["inputs"], found["expected"], found["rtol"], found["atol"])

    def ids(self, name: str) -> list[str]:
        """The ids of all cases in a file."""
        return list(self._file(name))

    def _file(self, name: str) -> dict[str, Any]:
        text = (HERE / "refcases" / f"{name}.json").read_text(encoding="utf-8")
        return {case["id"]: case for case in json.loads(text)["cases"]}


@pytest.fixture(scope="session")
def forks() -> Iterator["Forks"]:
    """The process from which readers of files are forked."""
    from tests.soak.forked import Forks  # noqa: PLC0415 - it starts the process's own imports

    forks = Forks()
    yield forks
    forks.close()


@pytest.fixture(autouse=True)
def _reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read in forks, which spares half a second of imports each, unless a test says otherwise."""
    if request.node.get_closest_marker("fresh_reader") is None:
        from analytics.logs.reading import child  # noqa: PLC0415 - nor does a conftest hold on to it

        monkeypatch.setattr(child, "result", request.getfixturevalue("forks").result)


@pytest.fixture
def store() -> Iterator["Store"]:
    """A private store, gone after the test."""
    # A conftest outlives the interpreter's own clean-up; what it holds on to, DuckDB reports as a leak.
    from analytics.logs.store import Store  # noqa: PLC0415

    with Store.open(None) as opened:
        yield opened


@pytest.fixture
def refcase() -> RefCases:
    return RefCases()


@pytest.fixture
def datasets() -> Path:
    """The folder of the public data sets; the test is skipped where nobody says where it is."""
    folder = os.environ.get("TIERTUNE_DATASETS")
    if not folder:
        pytest.skip(WITHOUT_DATASETS)
    return Path(folder)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, then the files with most tests; the tests of a file stay in their order."""
    counts = Counter(item.path for item in items)
    first = {HERE / name: place for place, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: (first.get(item.path, len(first)), -counts[item.path], item.path))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[text.removeprefix("Skipped: ")] += 1
    if reasons:
        listed = ", ".join(f"{count} because {reason}" for reason, count in reasons.most_common())
        terminalreporter.write_line(f"SKIPPED tests: {reasons.total()} ({listed})", yellow=True, bold=True)
