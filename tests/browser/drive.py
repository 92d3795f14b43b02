"""`python -m tests.browser.drive URL KEY [FOLDER]`: somebody's day at the board, in Chromium; exit status 1 with what
is wrong. With a folder, screenshots of the main pages are written there.

A process of its own: the browser's driver and gevent cannot share one.
"""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

CHROMIUM = "/usr/bin/chromium"
LIST = Path(__file__).parents[2] / "examples" / "contacts.csv"
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
PATIENCE_MS = 90_000
"""Ends a hang, and proves no speed."""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@dataclass
class Board:
    """The board as one signed-in browser has it, and whatever went wrong in any of its pages."""

    url: str
    browser: Browser
    cookies: list[Any]
    faults: list[str] = field(default_factory=list)

    @contextmanager
    def opened(self, size: dict[str, int], scheme: str = "light") -> Iterator[tuple[BrowserContext, Page]]:
        """A page in a window of that size."""
        options: dict[str, Any] = {"viewport": size, "color_scheme": scheme, "locale": "en-US"}
        context = self.browser.new_context(timezone_id="America/New_York", **options)
        context.add_cookies(self.cookies)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.on("pageerror", lambda error: self.faults.append(f"a script failed: {error}"))
        page.on("request", lambda request: self._asked(request.url))
        yield context, page
        context.close()

    def _heard(self, kind: str, text: str) -> None:
        # What a test does on purpose the browser says too.
        if kind == "error" and "ERR_INTERNET_DISCONNECTED" not in text:
            self.faults.append(f"the browser complains: {text}")

    def _asked(self, url: str) -> None:
        if urlsplit(url).scheme != "data" and urlsplit(url).netloc != urlsplit(self.url).netloc:
            self.faults.append(f"something was asked of {url}")


def main(arguments: list[str]) -> int:
    """0 where everything is as it should be."""
    url, key, *folder = arguments
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        board = Board(url, browser, _signed_in(browser, url, key))
        campaign = _from_upload_to_end(board, Path(folder[0]) if folder else None)
        _dropped(board, campaign)
        _halted(board)
        _readable(board, campaign)
        browser.close()
    for fault in board.faults:
        print(fault)
    return 1 if board.faults else 0


def _signed_in(browser: Browser, url: str, key: str) -> list[Any]:
    """The cookies of a session, by a link that signs in once."""
    asked = urllib.request.Request(
        f"{url}/sign-in/link", method="POST", headers={"Authorization": f"Bearer {key}"}
    )
    with urllib.request.urlopen(asked, timeout=30) as answer:
        link = answer.read().decode()
    context = browser.new_context()
    page = context.new_page()
    page.goto(link)
    page.wait_for_url(f"{url}/")
    cookies: list[Any] = context.cookies()
    context.close()
    return cookies


def _from_upload_to_end(board: Board, folder: Path | None) -> str:
    """The main job: a list is uploaded, started, followed, and over; the address of its page."""
    with board.opened(WIDE) as (_, page):
        page.goto(f"{board.url}/campaigns/new")
        page.get_by_role("button", name="Upload the list").click()
        expect(page.get_by_role("alert")).to_contain_text("Name:")
        page.get_by_label("Name").fill("Spring reminders")
        page.get_by_label("List").set_input_files(LIST)
        page.get_by_label("Calls at once").fill("60")
        page.get_by_role("button", name="Upload the list").click()
        page.wait_for_url(f"{board.url}/campaigns/0*")
        campaign = page.url
        expect(page.locator(".why")).to_contain_text("Not started.")
        page.get_by_role("button", name="Start").click()
        expect(page.locator("#live")).to_have_attribute("data-state", "live", timeout=PATIENCE_MS)
        # By the stream: nothing loads this page again.
        expect(page.locator("#done")).not_to_have_text("0 %", timeout=PATIENCE_MS)
        expect(page.locator("#last tbody tr")).not_to_have_count(0, timeout=PATIENCE_MS)
        if folder is not None:
            page.wait_for_timeout(4000)
            page.screenshot(path=folder / "campaign.png", full_page=True)
            with board.opened(NARROW) as (_, small):
                small.goto(campaign)
                small.wait_for_timeout(2000)
                small.screenshot(path=folder / "campaign-phone.png")
        expect(page.locator(".why")).to_contain_text("Done:", timeout=4 * PATIENCE_MS)
        page.locator("#last a").first.click()
        expect(page.get_by_role("heading", name="Call 1")).to_be_visible()
    return str(campaign)


def _dropped(board: Board, campaign: str) -> None:
    """A page that cannot reach the server says so, and goes on by itself."""
    with board.opened(WIDE) as (context, page):
        page.goto(board.url)
        expect(page.locator("#live")).to_contain_text("as of")
        context.set_offline(True)
        expect(page.locator("#live")).to_have_attribute("data-state", "away", timeout=PATIENCE_MS)
        expect(page.locator("#live")).to_contain_text("Out of reach")
        context.set_offline(False)
        expect(page.locator("#live")).to_have_attribute("data-state", "live", timeout=PATIENCE_MS)
        page.goto(campaign)
        expect(page.locator("#live")).to_contain_text("over")


def _halted(board: Board) -> None:
    """The panic button, by keyboard alone, and back."""
    with board.opened(NARROW) as (_, page):
        page.goto(board.url)
        page.get_by_role("link", name="Halt all calls").press("Enter")
        page.get_by_role("button", name="End every call of demo now").press("Enter")
        expect(page.get_by_role("heading", name="Calls are halted")).to_be_visible()
        page.goto(board.url)
        expect(page.get_by_role("alert")).to_contain_text("All calls are halted.")
        page.get_by_role("link", name="Look, or lift it").press("Enter")
        page.get_by_role("button", name="Lift the platform’s halt of demo").press("Enter")
        expect(page.get_by_role("heading", name="Halt all calls?")).to_be_visible()


def _readable(board: Board, campaign: str) -> None:
    """Every page by axe's rules of WCAG A and AA, light and dark, wide and narrow, and none wider than its window."""
    found = find_spec("axe_playwright_python")
    assert found is not None
    assert found.origin is not None
    axe = Path(found.origin).with_name("axe.min.js").read_text(encoding="utf-8")
    with board.opened(WIDE) as (_, page):
        page.goto(f"{campaign}/contacts")
        person = page.locator("tbody a").first.get_attribute("href")
    pages = ["/", "/campaigns/new", "/agents", "/numbers", "/limits", "/keys", "/cluster", "/sessions", "/halt",
             "/sign-in", "/campaigns/nothing"]  # fmt: skip
    addresses = [board.url + path for path in pages]
    reports = ("hours", "routes", "lengths", "attempts", "abandoned", "lists")
    addresses += [f"{board.url}/reports/{name}" for name in reports]
    addresses += [campaign, f"{campaign}/contacts", f"{campaign}/pace", f"{board.url}{person}"]
    for size, scheme in ((WIDE, "light"), (NARROW, "dark")):
        with board.opened(size, scheme) as (_, page):
            for address in addresses:
                before = len(board.faults)
                page.goto(address)
                page.wait_for_timeout(300)
                if address.endswith("/nothing"):
                    # The browser complains of the 404 itself.
                    del board.faults[before:]
                width = page.evaluate("document.documentElement.scrollWidth")
                if width > size["width"]:
                    board.faults.append(f"{address} is {width} px wide in a window of {size['width']}")
                page.evaluate(axe)
                result = page.evaluate("rules => axe.run({runOnly: rules})", RULES)
                if len(result["passes"]) < 5:
                    board.faults.append(f"{address}: axe has judged next to nothing")
                for violation in result["violations"]:
                    where = "; ".join(node["html"][:160] for node in violation["nodes"][:3])
                    board.faults.append(f"{address} {scheme} {size['width']}: {violation['id']}: {where}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
