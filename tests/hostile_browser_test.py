"""Hostile text on every page in a real browser: no dialog, no request to another host, and it can be read.

The browser ignores the server's content security policy here, so that what is proved is the escaping alone.
"""

import contextlib
import csv
import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import hostile_log
import pytest
from app import App, free_port, served, wait
from hostile_texts import EVIL, TEXTS, visible
from playwright.sync_api import Locator
from visit import Visit, visiting

pytestmark = pytest.mark.journey

HERE = Path(__file__).parent
JOINER = "\u2060"
MAIN, SIDE = "stMain", "stSidebar"
LIVE = """(evil) => [...document.querySelectorAll('a[href], img[src], iframe, script[src], .katex')]
    .map(found => [found.tagName, found.href || found.src || 'katex:'])
    .filter(([tag, where]) => tag === 'IFRAME' || new URL(where).hostname.includes(evil)
        || ['javascript:', 'katex:', 'mailto:'].includes(new URL(where).protocol))"""
UNFOLD = "document.querySelectorAll('details:not([open]) > summary').forEach(head => head.click())"
HOVER = """async ([within, most]) => {
    const read = [];
    for (const plot of document.querySelectorAll(`${within} .js-plotly-plot`)) {
        const field = plot.querySelector('.nsewdrag');
        for (const point of [...plot.querySelectorAll('.scatterlayer .point')].slice(0, most)) {
            const box = point.getBoundingClientRect();
            const at = {clientX: box.x + box.width / 2, clientY: box.y + box.height / 2, bubbles: true};
            field?.dispatchEvent(new MouseEvent('mousemove', at));
            await new Promise(done => setTimeout(done, 80));
            read.push(...[...plot.querySelectorAll('.hovertext')].map(text => text.textContent));
        }
    }
    return read;
}"""
"""Moves the pointer over the points of every chart and reads what is then written beside it."""
BAD = {"confidence": "=1+1", "fast_correct": TEXTS[1], "strong_correct": TEXTS[5], "ts": TEXTS[6]}
"""Values that no number or time can be read from."""
PAGES = {
    hostile_log.PAIRS: ("Logs", "Tiers", "Thresholds", "Export", "How to log", "Overview"),
    hostile_log.CALLS: ("Logs", "Tiers"),
}
SHOWN = {hostile_log.PAIRS: 18, hostile_log.CALLS: 7}
"""Categories that the matrix of the Tiers page shows at least; a few names are equal once cut."""
POLICY = f"""schema: tiertune/thresholds/v1
policy_kind: cascade
default: {{route: cascade, threshold: 0.5}}
categories:
  "<img src=x onerror=alert(51)>": {{route: cascade, threshold: 0.9}}
  "![p](http://{EVIL}/p.png)": {{route: strong_only}}
"""
BAD_POLICY = (
    POLICY
    + f"""  "[q](javascript:alert(52))":
    route: "![q](http://{EVIL}/q.png)"
    "<img src=x onerror=alert(53)>": 1
"""
)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("hostile")
    hostile_log.fill(folder / "dashboard.duckdb")
    with served(folder) as app:
        yield app


@contextlib.contextmanager
def gallery(folder: Path) -> Iterator[str]:
    """The page of all hostile texts, without the product round it; its address."""
    port = free_port()
    flags = ("--server.headless=true", "--server.address=127.0.0.1", "--browser.gatherUsageStats=false")
    command = [sys.executable, "-P", "-m", "streamlit", "run", str(HERE / "hostile_gallery.py"), *flags]
    paths = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    output = folder / "gallery.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            [*command, f"--server.port={port}"],
            stdout=log,
            stderr=log,
            env=os.environ | {"PYTHONPATH": paths},
        )
    app = App(f"http://127.0.0.1:{port}", folder, process, output)
    try:
        wait(app)
        yield app.url
    finally:
        app.stop()


def texts(found: Locator) -> str:
    """What can be read in these elements, the invisible joiner left out."""
    return "\n".join(found.all_inner_texts()).replace(JOINER, "")


def drawn_texts(found: Locator) -> list[str]:
    """What is written in parts of a picture, the invisible joiner left out."""
    return [text.replace(JOINER, "") for text in found.all_text_contents()]


def pointed_at(visit: Visit, within: str, *, most: int) -> list[str]:
    """The hover texts of at most so many points of each chart in an element."""
    found: list[str] = visit.page.evaluate(HOVER, [within, most])
    return [text.replace(JOINER, "") for text in found]


def looked_at(visit: Visit) -> None:
    """Open what is folded, go through the tabs, point at the charts; nothing of it comes alive."""
    page = visit.page
    page.evaluate(UNFOLD)
    for tab in page.get_by_test_id(MAIN).get_by_test_id("stTab").all():
        tab.click()
    visit.settle()
    pointed_at(visit, "[data-testid=stMain]", most=4)
    assert page.evaluate(LIVE, EVIL) == []


def bad_upload() -> bytes:
    """A CSV of hostile names, a third of whose rows cannot be read."""
    frame = hostile_log.pairs(("<img src=x onerror=alert(61)>", "![u](http://evil.invalid/u.png)"))
    rows = [row | (BAD if place % 3 == 0 else {}) for place, row in enumerate(frame.to_dicts())]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fieldnames=rows[0].keys())
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().encode()


def uploaded(visit: Visit) -> None:
    """A hostile file of a hostile name: recognised, its mapping opened, its rejects accepted."""
    page = visit.page
    file = {"name": hostile_log.FILE.replace("/", "\u2215"), "mimeType": "text/csv", "buffer": bad_upload()}
    page.get_by_test_id(MAIN).locator('input[type="file"]').first.set_input_files(files=[file])
    page.get_by_role("button", name="Use this mapping").wait_for()
    visit.settle()
    assert visible(file["name"], limit=120) in texts(page.get_by_test_id(MAIN))
    page.get_by_role("button", name="Change mapping").click()
    page.get_by_role("button", name="Use these columns").wait_for()
    looked_at(visit)
    page.get_by_role("button", name="Use this mapping").click()
    rest = page.get_by_role("button", name="Load the other")
    rest.wait_for()
    visit.settle()
    looked_at(visit)
    rest.click()
    page.get_by_text("loaded +").first.wait_for()
    visit.settle()
    looked_at(visit)


def compared(visit: Visit) -> None:
    """Thresholds files with hostile names on the Export page, a valid and an invalid one."""
    page = visit.page
    page.get_by_test_id("stTab").filter(has_text="Compare with today").click()
    for text, wanted in (
        (BAD_POLICY, f"![q](http://{EVIL}/q.png)"),
        (POLICY, "<img src=x onerror=alert(51)>"),
    ):
        file = {"name": "p.yaml", "mimeType": "application/yaml", "buffer": text.encode()}
        page.get_by_test_id(MAIN).locator('input[type="file"]').first.set_input_files(files=[file])
        page.wait_for_timeout(300)
        visit.settle()
        assert wanted in texts(page.get_by_test_id(MAIN))
        assert page.evaluate(LIVE, EVIL) == []


def test_hostile_text_on_every_page_is_text(hostile: App) -> None:
    began = time.monotonic()
    with visiting(f"{hostile.url}/?dataset={quote(hostile_log.PAIRS)}", unprotected=True) as visit:
        page = visit.page
        for dataset in (hostile_log.PAIRS, hostile_log.CALLS):
            page.goto(f"{hostile.url}/?dataset={quote(dataset)}")
            visit.settle()
            chosen = page.get_by_test_id(SIDE).get_by_role("combobox", name="Dataset")
            assert chosen.input_value() == dataset
            for name in PAGES[dataset]:
                visit.open(name)
                looked_at(visit)
                if name == "Logs":
                    assert visible(dataset, limit=32) in texts(page.get_by_test_id(MAIN))
                if name == "Export":
                    compared(visit)
                if name == "Tiers":
                    ticks = set(drawn_texts(page.locator(".ytick text")))
                    names = {visible(text, limit=26) for text in TEXTS}
                    assert len(names & ticks) >= SHOWN[dataset]
        visit.open("Logs")
        uploaded(visit)
        assert visit.errors == []
        figures = f"{len(visit.dialogs)} dialogs, {len(visit.outside)} requests to other hosts"
        print(f"hostile text on every page: {figures}, {time.monotonic() - began:.0f} s")
        assert (visit.dialogs, visit.outside) == ([], [])


def test_every_hostile_text_reads_as_it_is_wherever_markup_is_read(tmp_path: Path) -> None:
    kinds = ("Markdown", "CaptionContainer", "Heading", "Alert", "MetricLabel", "Progress", "Checkbox")
    kinds += ("Button", "Radio", "Expander", "Tab")
    with gallery(tmp_path) as url, visiting(url, unprotected=True) as visit:
        page = visit.page
        wanted = [visible(text, limit=60) for text in TEXTS]
        for kind in kinds:
            read = texts(page.get_by_test_id(f"st{kind}"))
            assert (kind, [text for text in wanted if text not in read]) == (kind, [])
        shown = drawn_texts(page.locator('[data-testid="stPlotlyChart"] svg text'))
        # On the axis, beside a point, as an annotation and in the legend.
        assert {text: shown.count(text) for text in wanted if shown.count(text) < 4} == {}
        hovered = pointed_at(visit, ".st-key-hovered", most=1000)
        # Of every text, the point whose values it is and the one whose template it stands in.
        assert {text for text in wanted if sum(text in part for part in hovered) < 2} == set()
        assert page.evaluate(LIVE, EVIL) == []
        assert (visit.errors, visit.dialogs, visit.outside) == ([], [], [])
