"""The whole road in a real browser: upload a log, look, move a slider, choose a goal, download, evaluate."""

import csv
import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from app import App, served
from visit import Visit, visiting

from analytics import policy
from analytics.experiments import spec

pytestmark = pytest.mark.journey

ROWS = 1500
# Share right of the fast model grows with its confidence; category -> (fast at 0, gain at 1, strong).
CATEGORIES = {
    "haiku review": (0.60, 0.35, 0.93),
    "invoice triage": (0.35, 0.60, 0.95),
    "tax riddle": (0.10, 0.70, 0.90),
}


def write_log(path: Path) -> None:
    """A replay of 1,500 requests, both models on each; names that no sample has."""
    chance = random.Random(20261124)  # noqa: S311 - a simulated log
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(
            [
                *("request_id", "task_category", "fast_model", "reasoning_model", "confidence"),
                *("fast_correct", "reasoning_correct", "fast_cost_usd", "reasoning_cost_usd"),
            ]
        )
        for place in range(ROWS):
            category = list(CATEGORIES)[place % len(CATEGORIES)]
            base, gain, strong = CATEGORIES[category]
            confidence = round(chance.random(), 2)
            writer.writerow(
                [
                    *(f"ask-{place:05d}", category, "kestrel-mini", "albatross-deep", confidence),
                    int(chance.random() < base + gain * confidence),
                    int(chance.random() < strong),
                    round(0.0002 + 0.0001 * chance.random(), 7),
                    round(0.006 + 0.004 * chance.random(), 7),
                ]
            )


@pytest.fixture
def dashboard(tmp_path: Path) -> Iterator[App]:
    with served(tmp_path) as app:
        yield app


@pytest.fixture
def visit(dashboard: App) -> Iterator[Visit]:
    with visiting(dashboard.url) as found:
        yield found


def upload(visit: Visit, path: Path) -> None:
    """Add a file on the Logs page, confirm how it is read, and wait until it is loaded."""
    visit.open("Logs")
    visit.page.locator('input[type="file"]').first.set_input_files(str(path))
    confirm = visit.page.get_by_role("button", name="Use this mapping")
    confirm.wait_for()
    visit.settle()
    assert visit.page.get_by_text("Read from").count() or visit.page.get_by_test_id("stDataFrame").count()
    confirm.click()
    visit.page.get_by_text(re.compile(rf"{ROWS:,} read = {ROWS:,} loaded")).first.wait_for()
    visit.settle()


def moved(visit: Visit) -> tuple[dict[str, str], dict[str, str]]:
    """The cards of the Thresholds page before and after the slider went ten steps up."""
    before = visit.metrics()
    handle = visit.page.get_by_role("slider").first
    handle.focus()
    for _ in range(10):
        handle.press("ArrowRight")
    visit.page.wait_for_timeout(300)
    visit.settle()
    return before, visit.metrics()


def agrees(shown: str, value: float) -> bool:
    """Whether a figure on the page is ``value``, at the precision that it is shown with."""
    found = re.search(r"\d[\d,]*(?:\.(\d+))?", shown)
    assert found is not None, shown
    number = float(found[0].replace(",", ""))
    expected = 100 * value if "%" in shown else value
    return abs(number - expected) <= 0.5 * 10.0 ** -len(found[1] or "") * (1 + 1e-9)


def refused(app: App, dataset: str) -> str:
    """What a shell says of a dataset while the dashboard has the database open."""
    command = [sys.executable, "-P", "-m", "analytics", "curve", dataset, "--db", str(app.database)]
    found = subprocess.run(command, capture_output=True, check=False, text=True)
    assert found.returncode == 2
    return found.stderr


def evaluated(app: App, thresholds: Path, dataset: str) -> dict[str, Any]:
    """What a shell says of the downloaded file once the dashboard is stopped."""
    command = [sys.executable, "-P", "-m", "analytics", "evaluate", str(thresholds), dataset]
    found = subprocess.run(
        [*command, "--db", str(app.database), "--json"],
        cwd=app.database.parent,
        capture_output=True,
        check=True,
    )
    document: dict[str, Any] = json.loads(found.stdout)
    return document


def test_a_fresh_log_goes_from_upload_to_a_file_that_evaluates_to_the_figures_on_the_page(
    visit: Visit, dashboard: App, tmp_path: Path
) -> None:
    assert visit.page.get_by_text("Sample log (simulated)").first.is_visible()
    write_log(tmp_path / "birds.csv")
    upload(visit, tmp_path / "birds.csv")

    for name in ("Overview", "Tiers", "How to log", "Thresholds"):
        visit.open(name)
        assert visit.page.get_by_role("heading", level=1).first.inner_text()
    assert visit.page.get_by_text("haiku review").count()
    before, after = moved(visit)
    assert before.keys() == after.keys()
    assert before["Escalated"] != after["Escalated"]

    margin = visit.page.get_by_role("spinbutton", name="Margin, points")
    margin.fill("2")
    margin.press("Enter")
    visit.page.wait_for_url(re.compile("margin=2"))
    visit.settle()
    visit.open("Overview")
    overview = visit.metrics()
    visit.open("Export")
    shown = visit.metrics()
    assert {shown[label] for label in ("Accuracy", "Cost per request")} == {
        overview[label] for label in ("Accuracy", "Cost per request")
    }
    with visit.page.expect_download() as expected:
        visit.page.get_by_role("button", name="Download thresholds.yaml").click()
    expected.value.save_as(tmp_path / "thresholds.yaml")
    assert (visit.errors, visit.outside) == ([], [])
    assert f"process {dashboard.process.pid}" in refused(dashboard, "birds")

    assert dashboard.stop() == 0
    written = policy.load(tmp_path / "thresholds.yaml")
    assert set(written.categories) == set(CATEGORIES)
    assert written.goal is not None
    assert written.goal.margin == 0.02
    overall = evaluated(dashboard, tmp_path / "thresholds.yaml", "birds")["overall"]
    assert agrees(shown["Accuracy"], overall["accuracy"]["value"])
    assert agrees(shown["Cost per request"], overall["cost_per_request_usd"]["value"])
    assert written.overall is not None
    assert written.overall.accuracy is not None
    assert written.overall.accuracy.value == overall["accuracy"]["value"]


def test_the_experiment_of_the_sample_leads_to_the_file_of_the_next_test(
    visit: Visit, tmp_path: Path
) -> None:
    visit.open("Experiments")
    page = visit.page
    assert page.get_by_text("Adopt treatment if one more correct answer is worth more than").count()
    page.get_by_role("button", name="Put treatment in force").click()
    page.get_by_text("In force for this session").wait_for()
    visit.open("Thresholds")
    page.get_by_text("Plan a test of these thresholds").click()
    page.get_by_text("How to split the traffic").wait_for()
    visit.settle()
    with page.expect_download() as expected:
        page.get_by_role("button", name="Experiment (YAML)").click()
    expected.value.save_as(tmp_path / "next.yaml")
    test = spec.loads((tmp_path / "next.yaml").read_text(encoding="utf-8"))
    # What was put in force is the control of the next test: .95 everywhere.
    assert {rule.threshold for rule in test.arms[0].policy.categories.values()} == {0.95}
    visit.open("Export")
    page.get_by_role("tab", name="For a router").click()
    page.get_by_text("tiertune_classifier.py").first.wait_for()
    assert (visit.errors, visit.outside) == ([], [])


def test_a_figure_agrees_at_the_precision_that_it_is_shown_with() -> None:
    assert agrees("88.1%", 0.88149)
    assert not agrees("88.1%", 0.8816)
    assert agrees("$0.0052", 0.00521)
    assert not agrees("$0.0052", 0.00526)
