"""The dashboard on a large log, in Chromium: the first page, other pages, a move of the slider, memory."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, Page, WebSocket, sync_playwright

from tests.app import free_port, healthy
from tests.benchmarks.timing import Goal, Section, Timing, duration
from tests.chromium import executable
from tests.visit import FLAGS, IDLE, OTHER_TITLE

PAGES = ("Logs", "Tiers", "Confidence", "Thresholds", "Experiments", "Export", "Overview")
MOVES, SESSIONS = 20, 5
FIRST_S, SWITCH_S, SERVER_S, SCREEN_S, MOST_MIB = 4.0, 1.0, 0.1, 0.4, 1024
_PATIENCE_MS = 120_000
_CARDS = """() => [...document.querySelectorAll('[data-testid="stMetric"]')]
    .map(one => one.innerText).join()"""
_ROOM = "(one) => Number(one.value) - Number(one.min)"


def section(database: Path, *, dataset: str, rows: int) -> Section:
    """Measure a server of its own on a database.

    Args:
        database: With the dataset, which nobody has open.
        dataset: Its name.
        rows: Requests in it.
    """
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable(), args=FLAGS)
        with contextlib.closing(browser):
            page, frames = _tab(browser)
            with _server(database, dataset) as (process, url, began):
                _opened(page, f"{url}/?dataset={dataset}")
                first = time.perf_counter() - began
                visits = [{name: _switched(page, name) for name in PAGES} for _ in range(3)]
                _switched(page, "Thresholds")
                moves = [_moved(page, frames) for _ in range(MOVES)]
                for _ in range(SESSIONS - 1):
                    other, _ = _tab(browser)
                    _opened(other, f"{url}/?dataset={dataset}")
                    for name in PAGES:
                        _switched(other, name)
                memory = _resident_mib(process.pid)
    again = Timing(
        "another page, seen before", tuple(taken for visit in visits[1:] for taken in visit.values())
    )
    fresh = Timing("another page, for the first time", tuple(visits[0].values()))
    screen = Timing("a move of the slider: new figures on the screen", tuple(on for on, _ in moves))
    server = Timing("the same: the server's answer", tuple(answer for _, answer in moves))
    slowest = max(visits[0], key=visits[0].__getitem__)
    return Section(
        title=f"The dashboard on {rows:,} requests, in Chromium",
        method=(
            f"From the start of the process until the first page is at rest; every page three times; {MOVES} "
            f"moves of the slider of the Thresholds page; then {SESSIONS} sessions that saw every page. A "
            "page is at rest once nothing is being worked out or drawn any more."
        ),
        timings=(Timing("the first page, from a cold start", (first,)), fresh, again, screen, server),
        goals=(
            Goal(f"first page within {FIRST_S:g} s", duration(first), first <= FIRST_S),
            Goal(
                f"page switch within {SWITCH_S:g} s, median", duration(again.median), again.median <= SWITCH_S
            ),
            Goal(
                f"slider: server under {SERVER_S * 1000:g} ms, median of {MOVES}",
                duration(server.median),
                server.median < SERVER_S,
            ),
            Goal(
                f"slider: screen under {SCREEN_S * 1000:g} ms, median of {MOVES}",
                duration(screen.median),
                screen.median < SCREEN_S,
            ),
            Goal(f"memory with {SESSIONS} sessions under 1 GiB", f"{memory:,.0f} MiB", memory < MOST_MIB),
        ),
        remarks=(
            f"Slowest page on its first visit: {slowest}, {duration(visits[0][slowest])}.",
            f"Median of first visits: {duration(median(visits[0].values()))}.",
        ),
    )


@contextlib.contextmanager
def _server(database: Path, dataset: str) -> Iterator[tuple[subprocess.Popen[bytes], str, float]]:
    port, began = free_port(), time.perf_counter()
    command = [
        sys.executable,
        "-m",
        "analytics",
        "serve",
        dataset,
        "--port",
        str(port),
        "--db",
        str(database),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        while not healthy(url):
            time.sleep(0.02)
        yield process, url, began
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


@dataclass(slots=True)
class Frames:
    """When the browser asked the server for something, and when it was sent something."""

    asked: list[float] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)


def _tab(browser: Browser) -> tuple[Page, Frames]:
    """A tab and what passes between it and the server."""
    page = browser.new_page(viewport={"width": 1440, "height": 1400})
    page.set_default_timeout(_PATIENCE_MS)
    frames = Frames()

    def listened(socket: WebSocket) -> None:
        socket.on("framesent", lambda _: frames.asked.append(time.perf_counter()))
        socket.on("framereceived", lambda _: frames.sent.append(time.perf_counter()))

    page.on("websocket", listened)
    return page, frames


def _opened(page: Page, url: str) -> None:
    page.goto(url)
    page.wait_for_function(IDLE)


def _switched(page: Page, name: str) -> float:
    title = page.locator('[data-testid="stMain"] h1').first.inner_text()
    link = page.get_by_test_id("stSidebarNav").get_by_role("link", name=name, exact=True)
    start = time.perf_counter()
    link.click()
    page.wait_for_function(OTHER_TITLE, arg=title)
    page.wait_for_function(IDLE)
    return time.perf_counter() - start


def _moved(page: Page, frames: Frames) -> tuple[float, float]:
    """Seconds until the cards changed, and from the browser's question to the server's last answer."""
    handle = page.get_by_role("slider").first
    handle.focus()
    before = page.evaluate(_CARDS)
    key = "ArrowLeft" if handle.evaluate(_ROOM) > 0 else "ArrowRight"
    page.wait_for_timeout(300)
    frames.asked.clear()
    frames.sent.clear()
    start = time.perf_counter()
    page.keyboard.press(key)
    page.wait_for_function("(before) => (" + _CARDS + ")() !== before", arg=before)
    shown = time.perf_counter() - start
    page.wait_for_function(IDLE)
    page.wait_for_timeout(200)
    return shown, frames.sent[-1] - frames.asked[0]


def _resident_mib(pid: int) -> float:
    """Resident memory of a process and of what it started, MiB."""
    total = 0.0
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        total += sum(_resident_mib(int(child)) for child in task.read_text().split())
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            total += int(line.split()[1]) / 1024
    return total
