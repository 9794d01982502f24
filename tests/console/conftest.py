"""A headless Chromium, and pages of it that watch what they load."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import resources

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from support.clients.browser import PROGRAM
from support.server import Server

# Other tests run on the same cores.
PATIENCE_MILLISECONDS = 20_000
AXE = (resources.files("axe_playwright_python") / "axe.min.js").read_text()

expect.set_options(timeout=PATIENCE_MILLISECONDS)


@dataclass
class Console:
    """A page of the console of one server, and what went wrong in it."""

    page: Page
    url: str
    faults: list[str] = field(default_factory=list)

    def open(self, path: str = "") -> None:
        self.page.goto(f"{self.url}/{path}")

    def sign_in(self, credential: str) -> None:
        self.open()
        self.page.get_by_label("Token or API key").fill(credential)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("button", name="Run", exact=True)).to_be_visible()

    def write(self, qasm: str) -> None:
        self.page.get_by_label("OpenQASM circuit").fill(qasm)

    def run(self) -> None:
        self.page.get_by_role("button", name="Run", exact=True).click()

    def expect_status(self, status: str) -> None:
        expect(
            self.page.locator("[aria-current=step]").get_by_text(status, exact=True)
        ).to_be_visible()

    def violations(self) -> list[tuple[str, list[str]]]:
        """What axe finds on the page as it is."""
        self.page.evaluate(AXE)
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            (each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]
        ]


# Not longer than a module: while Playwright runs, no other test can run an event loop.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if PROGRAM is None:
        pytest.skip("no Chromium is installed; Debian's package is `chromium`")
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-dev-shm-usage"]
        running = playwright.chromium.launch(executable_path=PROGRAM, args=options)
        yield running
        running.close()


@pytest.fixture
def console(browser: Browser, server: Server) -> Iterator[Callable[..., Console]]:
    """Makes pages of the console. At its end, none of them may have asked another host for
    anything, and none may have had a fault.
    """
    contexts: list[BrowserContext] = []
    consoles: list[Console] = []

    def open_page(url: str = "", *, beside: Console | None = None, **options: object) -> Console:
        if beside is None:
            # axe comes into the page in spite of its policy.
            context = browser.new_context(**{"bypass_csp": True, **options})  # pyright: ignore[reportArgumentType]
            context.set_default_timeout(PATIENCE_MILLISECONDS)
            contexts.append(context)
        else:
            context = beside.page.context
        page = context.new_page()
        made = Console(page, url or server.endpoints.http)
        page.on("pageerror", lambda error: made.faults.append(str(error)))
        page.on("console", lambda message: _check_message(made, message.text))
        page.on("request", lambda request: _check_host(made, request.url))
        consoles.append(made)
        return made

    yield open_page
    for context in contexts:
        context.close()
    assert [each.faults for each in consoles] == [[] for _ in consoles]


def _check_message(console: Console, text: str) -> None:
    if "Content Security Policy" in text:
        console.faults.append(text)


def _check_host(console: Console, url: str) -> None:
    if not url.startswith((f"{console.url}/", "blob:", "data:")):
        console.faults.append(f"asked {url}")
