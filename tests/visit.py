"""A visit to the dashboard in Chromium: a tab, what went wrong in it, and what it asked other hosts for."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlparse

from playwright.sync_api import Dialog, Locator, Page, Request, sync_playwright

from tests.chromium import executable

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
FLAGS += ["--disable-component-update", "--disable-sync"]
MAIN = "stMain"
OTHER_TITLE = """(before) => {
    const title = document.querySelector('[data-testid="stMain"] h1');
    return Boolean(title) && title.innerText !== before;
}"""
PATIENCE_MS = 90_000
CALM_MS = 500
IDLE = """() => {
    const app = document.querySelector('[data-testid="stApp"]');
    const busy = '[data-testid="stStatusWidget"], [data-testid="stSkeleton"], [data-stale="true"]';
    const content = '[data-testid="stMain"] [data-testid="stElementContainer"]';
    return Boolean(app) && app.getAttribute('data-test-script-state') !== 'running'
        && !document.querySelector(busy) && Boolean(document.querySelector(content));
}"""


@dataclass(slots=True)
class Visit:
    """A page in the browser, and what went wrong on it.

    Attributes:
        page: The open tab.
        errors: Script errors.
        outside: Requests that left this machine.
        dialogs: What scripts said in a dialog.
    """

    page: Page
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def settle(self) -> None:
        """Wait until the app has been idle for half a second."""
        calm = 0
        for _ in range(PATIENCE_MS // 50):
            calm = calm + 50 if self.page.evaluate(IDLE) else 0
            if calm >= CALM_MS:
                break
            self.page.wait_for_timeout(50)
        else:
            raise AssertionError("The app did not come to rest.")
        assert self.page.get_by_test_id("stException").all_inner_texts() == []

    def open(self, name: str) -> None:
        """Go to a page by its link in the sidebar, and wait until its own title is there."""
        before, title = urlparse(self.page.url).path, self.page.get_by_test_id(MAIN).locator("h1").first
        said = title.inner_text()
        self.page.get_by_test_id("stSidebarNav").get_by_role("link", name=name, exact=True).click()
        self.page.wait_for_timeout(200)
        if urlparse(self.page.url).path != before:
            self.page.wait_for_function(OTHER_TITLE, arg=said)
        self.settle()

    def metrics(self) -> dict[str, str]:
        """The cards of the page: label -> figure as shown."""
        found: list[Locator] = self.page.get_by_test_id("stMetric").all()
        return {
            card.get_by_test_id("stMetricLabel").inner_text().strip(): card.get_by_test_id("stMetricValue")
            .inner_text()
            .strip()
            for card in found
        }


@contextlib.contextmanager
def visiting(url: str, *, unprotected: bool = False) -> Iterator[Visit]:
    """A tab that has opened ``url``.

    Args:
        url: Where the dashboard listens.
        unprotected: Whether the browser ignores what the server forbids it to load.
    """
    chromium = executable()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        context = browser.new_context(
            viewport={"width": 1440, "height": 1400}, accept_downloads=True, bypass_csp=unprotected
        )
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        found = Visit(page)

        def asked(request: Request) -> None:
            address = urlparse(request.url)
            if address.scheme not in ("data", "blob") and address.hostname not in ("127.0.0.1", "localhost"):
                found.outside.append(request.url)

        def spoken(dialog: Dialog) -> None:
            found.dialogs.append(dialog.message)
            dialog.dismiss()

        page.on("pageerror", lambda error: found.errors.append(str(error)))
        context.on("request", asked)
        page.on("dialog", spoken)
        page.goto(url)
        found.settle()
        yield found
        browser.close()
