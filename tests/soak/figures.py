"""Figures that a long program measured, and the table of them in docs/figures.md."""

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "figures.md"
PACKAGES = ("duckdb", "polars", "pyarrow", "streamlit")
_HEAD = """# Figures

Measured by the long programs of `tests/soak`, `tests/proofs` and `tests/engines`: `make soak`, `make proofs`
and `make engines` run all, `python -m tests.soak NAME --write` and the like one.
A row is replaced when its program runs again.

| program | what | goal | measured | | date | machine |
|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure against its goal.

    Attributes:
        what: What was measured; it names the row within its program.
        goal: What was asked for.
        measured: What was found, with how much was run.
        met: Whether that is as good as the goal.
    """

    what: str
    goal: str
    measured: str
    met: bool


def machine() -> str:
    """Cores, memory, system and the versions that matter."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}; "
        f"Python {platform.python_version()}, {packages}"
    )


def line(program: str, figure: Figure) -> str:
    """A figure as one row of the table, with today's date and this machine."""
    verdict = "met" if figure.met else "MISSED"
    cells = (
        program,
        figure.what,
        figure.goal,
        figure.measured,
        verdict,
        f"{datetime.now(UTC):%d %B %Y}",
        machine(),
    )
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def write(program: str, figures: Iterable[Figure], *, page: Path = PAGE) -> None:
    """Put a program's figures into the table in place of those of its last run.

    Args:
        program: Its name in ``python -m tests.soak``.
        figures: What it measured.
        page: The file with the table; made where there is none.
    """
    text = page.read_text(encoding="utf-8") if page.exists() else _HEAD
    head, rows = text.split("|---|\n", 1)
    kept = [row for row in rows.splitlines() if row.startswith("|") and not row.startswith(f"| {program} |")]
    table = sorted([*kept, *(line(program, figure) for figure in figures)], key=_program)
    page.write_text(head + "|---|\n" + "\n".join(table) + "\n", encoding="utf-8")


def _program(row: str) -> str:
    return row.split(" | ", 1)[0]
