"""A real browser at the board, in a process of its own: its driver and gevent cannot share one.

`python -m bench.browsing paints COOKIE TIMES URL …` opens each page so often and tells the milliseconds until
something was painted. `… watches COOKIE 1 URL` opens a campaign's page, says `ready` once its stream is open, and
when its input ends tells when by the wall clock each call's row was painted, and the longest task that kept the page
from answering somebody, in milliseconds (0: none of 50 or more). Both by the browser's own PerformanceObserver and
MutationObserver.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = Path("/usr/bin/chromium")
PATIENCE_MS = 90_000
PAINTED = """
    new Promise((resolve) => new PerformanceObserver((list) => {
        const first = list.getEntriesByName("first-contentful-paint")[0];
        if (first) resolve(first.startTime);
    }).observe({ type: "paint", buffered: true }))"""
WATCH = """
    window.seen = new Map();
    window.longest = 0;
    new PerformanceObserver((list) => {
        for (const task of list.getEntries()) window.longest = Math.max(window.longest, task.duration);
    }).observe({ type: "longtask", buffered: true });
    document.addEventListener("DOMContentLoaded", () => {
        new MutationObserver(() => {
            const fresh = [];
            for (const row of document.querySelectorAll("#last tr[id^='call-']")) {
                const call = row.id.slice("call-".length);
                if (!window.seen.has(call)) fresh.push(call);
            }
            // Behind the next frame it is on the screen.
            for (const call of fresh) window.seen.set(call, null);
            requestAnimationFrame(() => setTimeout(() => {
                const now = (performance.timeOrigin + performance.now()) / 1000;
                for (const call of fresh) window.seen.set(call, now);
            }));
        }).observe(document.body, { childList: true, subtree: true });
    });"""


def missing() -> str:
    """Why no browser can be had here; empty where one can."""
    if not CHROMIUM.exists():
        return f"there is no {CHROMIUM}: .ci/browser, or apt-get install chromium"
    if not find_spec("playwright"):
        return "its driver is not here: .ci/browser, or pip install -r requirements-browser.txt"
    return ""


@dataclass(frozen=True, slots=True)
class Watched:
    """When each call's row was on the screen, and the longest task in milliseconds."""

    rows: Sequence[tuple[str, float]]
    longest: float


def paints(cookie: str, times: int, urls: Sequence[str]) -> dict[str, list[float]]:
    """Milliseconds until something was painted, each time, by the page."""
    argv = [sys.executable, "-m", "bench.browsing", "paints", cookie, str(times), *urls]
    done = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, list[float]] = json.loads(done.stdout)
    return found


class Watching:
    """A browser at a campaign's page, for the time of a `with` block."""

    def __init__(self, cookie: str, url: str) -> None:
        self._command = [sys.executable, "-m", "bench.browsing", "watches", cookie, "1", url]

    def __enter__(self) -> Watching:
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def watched(self) -> Watched:
        """What it saw; it ends the browser."""
        said, _ = self._process.communicate()
        return Watched(**json.loads(said))


def main() -> None:
    """Open a browser, look, then tell."""
    from playwright.sync_api import sync_playwright

    kind, cookie, times, *urls = sys.argv[1:]
    name, _, value = cookie.partition("=")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-US")
        parts = urlsplit(urls[0])
        context.add_cookies([{"name": name, "value": value, "url": f"{parts.scheme}://{parts.netloc}"}])
        context.set_default_timeout(PATIENCE_MS)
        told = _watches(context, urls[0]) if kind == "watches" else _paints(context, int(times), urls)
        browser.close()
    print(json.dumps(told), flush=True)


def _paints(context: Any, times: int, urls: Sequence[str]) -> dict[str, list[float]]:
    """Each page in turns; the first load of all, which fetches what the browser keeps, is not told."""
    page = context.new_page()
    page.goto(urls[0])
    found: dict[str, list[float]] = {url: [] for url in urls}
    for _ in range(times):
        for url, each in found.items():
            page.goto(url)
            each.append(page.evaluate(PAINTED))
    return found


def _watches(context: Any, url: str) -> dict[str, object]:
    context.add_init_script(WATCH)
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("#live[data-state=live]")
    page.evaluate("window.longest = 0")
    print("ready", flush=True)
    sys.stdin.read()
    rows = page.evaluate("[...window.seen].filter(([, at]) => at !== null)")
    return {"rows": rows, "longest": page.evaluate("window.longest")}


if __name__ == "__main__":
    main()
