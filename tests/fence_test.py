"""What analytics may not load, and what no tracked file may hold."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FENCED = ("streamlit", "plotly", "litellm")
IMPORT_ALL = """
import importlib, json, pkgutil, sys
import analytics
names = [found.name for found in pkgutil.walk_packages(analytics.__path__, "analytics.")]
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
print(json.dumps([names, [name for name in %r if name in sys.modules]]))
"""
TEXT = {".py", ".toml", ".md", ".yaml", ".yml", ".json", ".csv", ".cfg", ".txt", ".lock", ""}
# With classes of one character, so that this file does not hold what it looks for.
REGISTRIES = [r"pypi[.]org", r"files[.]pythonhosted", r"index[-]url\s*[=:]?\s*http"]
MACHINE = [r"[/]work/", r"[/]home/[a-z]", r"[/]Users/[A-Za-z]", r"[/]root/", r"[/]tmp/w/"]


def tracked() -> list[Path]:
    """The files that a clone has."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in files if path.is_file() and path.suffix in TEXT]


def holding(patterns: list[str], files: list[Path]) -> list[str]:
    """Lines that match one of the patterns, as file:line: text."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for path in files
        for number, line in enumerate(
            path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1
        )
        if re.search("|".join(patterns), line)
    ]


def test_all_of_analytics_loads_neither_streamlit_nor_plotly_nor_litellm() -> None:
    fresh = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL % (FENCED,)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    names, loaded = json.loads(fresh.stdout)
    assert len(names) > 30
    assert loaded == []


def test_no_expression_of_polars_calls_back_into_python() -> None:
    # Its workers would wait for the interpreter's lock, which ``to_pandas`` of another session holds while it
    # waits for the same workers: with two cores, the whole server stands still for good.
    methods, functions = {"map_elements", "map_batches", "map_groups", "rolling_map"}, {"fold", "reduce"}
    files = [path for name in ("analytics", "dashboard") for path in (ROOT / name).rglob("*.py")]
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and (node.attr in methods or (node.attr in functions and ast.unparse(node.value) == "pl"))
    ]
    assert len(files) > 100
    assert found == []


def test_no_file_names_a_package_registry() -> None:
    assert holding(REGISTRIES, tracked()) == []


def test_no_file_names_a_folder_of_the_machine_it_was_written_on() -> None:
    assert holding(MACHINE, tracked()) == []


def test_the_lock_file_has_a_hash_for_every_package_and_no_address() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    entries = re.split(r"\n(?=[a-zA-Z0-9])", text.replace("\\\n", " ").strip())
    assert len(entries) > 50
    without = [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry or "==" not in entry]
    assert without == []


@pytest.mark.parametrize("folder", ["analytics", "data"])
def test_what_is_below_the_dashboard_does_not_import_it(folder: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] == "dashboard"], path


def test_no_page_writes_html_and_every_table_is_written_as_csv_in_one_place() -> None:
    code = [path for name in ("analytics", "dashboard") for path in (ROOT / name).rglob("*.py")]
    assert (
        holding([r"unsafe_allow", r"st\.html\(", r"components\.v\d", r"st\.write\(", r"st\.iframe"], code)
        == []
    )
    written = holding([r"write_csv\(", r"csv\.writer\(", r"csv\.DictWriter\("], code)
    assert [line.partition(":")[0] for line in written] == ["analytics/spreadsheet.py"]
