"""The board as a signed-in browser has it, and what is wrong in any of its pages.

For a process of its own: the browser's driver and gevent cannot share one.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect

CHROMIUM = "/usr/bin/chromium"
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
PATIENCE_MS = 300_000
"""Ends a hang, and proves no speed."""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
LOOKS = {
    f"{place} {scheme}": (size, scheme)
    for place, size in (("desk", WIDE), ("telephone", NARROW))
    for scheme in ("light", "dark")
}
SAY_VIOLATIONS = """
    document.addEventListener("securitypolicyviolation", (event) =>
        console.error(`the policy was violated: ${event.violatedDirective} ${event.blockedURI}`));"""
CUT = (
    "ERR_INTERNET_DISCONNECTED",
    "ERR_CONNECTION_",
    "ERR_CONTENT_LENGTH_MISMATCH",
    "ERR_EMPTY_RESPONSE",
    "ERR_INCOMPLETE_CHUNKED_ENCODING",
    "ERR_SOCKET_NOT_CONNECTED",
)
"""What a browser says of connections that were cut, whatever was under way on them."""
BUSY = "status of 503"
"""So the board answers where a dialer or a server took too long: a halt stands all the same. Who waits for anything
else than that has not got it."""
UNSEEN = """
    [...document.querySelectorAll("label[for]")]
        .filter(label => label.getClientRects().length
            && !document.getElementById(label.htmlFor)?.getClientRects().length)
        .map(label => label.textContent.trim())"""
"""The labels on a page whose fields are not there to be filled in."""
ZONE = "America/New_York"


@dataclass
class Board:
    """The board at `url`, and whatever went wrong in any of its pages."""

    url: str
    browser: Browser
    cookies: list[Any]
    faults: list[str] = field(default_factory=list)

    @contextmanager
    def opened(
        self, size: dict[str, int], scheme: str = "light", *, locale: str = "en-US", zone: str = ZONE
    ) -> Iterator[tuple[BrowserContext, Page]]:
        """A page in a window of that size, of somebody with that language, in that zone."""
        options: dict[str, Any] = {"viewport": size, "color_scheme": scheme, "locale": locale}
        context = self.browser.new_context(timezone_id=zone, reduced_motion="reduce", **options)
        context.add_cookies(self.cookies)
        context.add_init_script(SAY_VIOLATIONS)
        context.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        page = context.new_page()
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.on("pageerror", lambda error: self.faults.append(f"a script failed: {error}"))
        page.on("dialog", self._alarmed)
        page.on("request", lambda request: self._asked(request.url))
        yield context, page
        context.close()

    def _heard(self, kind: str, text: str) -> None:
        # What a test does on purpose the browser says too.
        if kind == "error" and not any(known in text for known in (*CUT, BUSY)):
            self.faults.append(f"the browser complains: {text}")

    def _alarmed(self, dialog: Any) -> None:
        self.faults.append(f"a page ran what somebody wrote: {dialog.message}")
        dialog.dismiss()

    def _asked(self, url: str) -> None:
        if urlsplit(url).scheme != "data" and urlsplit(url).netloc != urlsplit(self.url).netloc:
            self.faults.append(f"something was asked of {url}")

    def visited(self, page: Page, address: str, *, refused: bool = False) -> None:
        """Go to a page and let it settle; the browser itself complains of one that is `refused`."""
        before = len(self.faults)
        page.goto(address)
        page.wait_for_timeout(300)
        if refused:
            del self.faults[before:]

    def judge(self, addresses: Sequence[str], refused: Sequence[str], look: str) -> None:
        """Every page by axe's rules of WCAG A and AA, in one of LOOKS; none wider than its window."""
        axe, (size, scheme) = _axe(), LOOKS[look]
        with self.opened(size, scheme) as (_, page):
            for address in [*addresses, *refused]:
                self.visited(page, address, refused=address in refused)
                self._judged(page, axe, address, look, size["width"])

    def _judged(self, page: Page, axe: str, address: str, look: str, width: int) -> None:
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            self.faults.append(f"{address} is {wide} px wide in a window of {width}")
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        self.faults += [f"{address} {look}: nobody sees the field {one!r}" for one in page.evaluate(UNSEEN)]
        page.evaluate(axe)
        result = page.evaluate("rules => axe.run({runOnly: rules})", RULES)
        if len(result["passes"]) < 5:
            self.faults.append(f"{address}: axe has judged next to nothing")
        for violation in result["violations"]:
            where = "; ".join(node["html"][:160] for node in violation["nodes"][:3])
            self.faults.append(f"{address} {look}: {violation['id']}: {where}")


def launched(driver: Playwright) -> Browser:
    """Chromium."""
    return driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=PATIENCE_MS)


def signed_in(browser: Browser, url: str, key: str) -> list[Any]:
    """The cookies of a session, by a link that signs in once."""
    asked = urllib.request.Request(
        f"{url}/sign-in/link", method="POST", headers={"Authorization": f"Bearer {key}"}
    )
    with urllib.request.urlopen(asked, timeout=PATIENCE_MS / 1000) as answer:
        link = answer.read().decode()
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(link)
    page.wait_for_url(f"{url}/")
    cookies: list[Any] = context.cookies()
    context.close()
    return cookies


def _axe() -> str:
    found = find_spec("axe_playwright_python")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).with_name("axe.min.js").read_text(encoding="utf-8")
