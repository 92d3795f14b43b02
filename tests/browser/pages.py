"""`python -m tests.browser.pages URL KEYS SEEDED LOOKS [FOLDER]`: every page of a seeded board, in Chromium.

Exit status 1 with what is wrong. KEYS are the operator's of both tenants, SEEDED what `seed.py` put there, both JSON;
LOOKS how many are judged. With a folder, the pictures of the documentation are written there instead.
"""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, Route, sync_playwright

from tests.browser.board import CHROMIUM, NARROW, WIDE, Board, signed_in

NOW = datetime(2026, 11, 30, 14, 2, 58, tzinfo=UTC)
SETTLED_MS = 2600
STREAM = """
    window.EventSource = class extends EventTarget {
        static CONNECTING = 0; static OPEN = 1; static CLOSED = 2;
        readyState = 1;
        constructor() { super(); setTimeout(() => this.onmessage?.({ data: %s })); }
        close() {}
    };"""
"""In the place of the stream: the one snapshot of the pictures, whenever they are taken."""
RAN = """document.querySelector('img[src="x"], script:not([src]), [onfocus]') !== null"""
PICTURES = (
    ("campaigns", "/"),
    ("campaign", "/campaigns/{running}"),
    ("call-again", "/campaigns/{over}/again"),
    ("person", "/campaigns/{running}/contacts/{person}"),
    ("settings", "/campaigns/{running}/settings"),
    ("new-campaign", "/campaigns/new"),
    ("cluster", "/cluster"),
    ("do-not-call", "/suppressions"),
)


def main(arguments: list[str]) -> int:
    """0 where everything is as it should be."""
    url, keys, seeded, looks, *folder = arguments
    ours, theirs = json.loads(keys)
    ids = json.loads(seeded)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        board = Board(url, browser, signed_in(browser, url, ours))
        if folder:
            _pictures(board, ids, Path(folder[0]))
        else:
            others = Board(url, browser, signed_in(browser, url, theirs), board.faults)
            _nothing_runs(others, ids["hostile"])
            board.judge(*_pages(url, ids), int(looks))
        browser.close()
    for fault in board.faults:
        print(fault)
    return 1 if board.faults else 0


def _pages(url: str, ids: dict[str, str]) -> tuple[list[str], list[str]]:
    """Every page there is, and those that refuse."""
    running, over = f"/campaigns/{ids['running']}", f"/campaigns/{ids['over']}"
    pages = ["/", "/?status=failed", "/campaigns/new", "/agents", "/numbers", "/limits", "/keys", "/cluster",
             "/sessions", "/halt", "/sign-in", "/suppressions", "/suppressions?number=%2B12025550199",
             f"/suppressions/{ids['entry']}/remove", "/privacy", "/tenants", "/tenants/demo", running, over,
             f"{over}/again", f"{running}/contacts/{ids['person']}"]  # fmt: skip
    parts = (
        "contacts",
        "contacts?number=1",
        "pace",
        "log",
        "rules",
        "preflight",
        "again",
        "settings",
        "schedule",
        "stop",
    )
    pages += [f"{running}/{part}" for part in parts]
    pages += [f"/reports/{name}" for name in ("hours", "routes", "lengths", "attempts", "abandoned", "lists")]
    return [url + page for page in pages], [f"{url}/campaigns/nothing"]


def _nothing_runs(board: Board, campaign: str) -> None:
    """Names that would do something stand on every page where a tenant can write, and do nothing."""
    with board.opened(WIDE) as (_, page):
        page.goto(f"{board.url}/campaigns/{campaign}/contacts")
        person = page.locator("tbody a").last.get_attribute("href") or ""
        page.goto(f"{board.url}/suppressions")
        entry = page.locator("a[href$='/remove']").last.get_attribute("href") or ""
        ids = {"running": campaign, "over": campaign, "person": person.rpartition("/")[2]}
        addresses, _ = _pages(board.url, ids | {"entry": entry.split("/")[-2]})
        for address in addresses:
            board.visited(page, address.replace("/tenants/demo", "/tenants/other"))
            if page.evaluate(RAN):
                board.faults.append(f"{address}: what somebody wrote is part of the page")
            if not page.locator("main").inner_text().strip():
                board.faults.append(f"{address}: nothing is shown")


def _pictures(board: Board, ids: dict[str, str], folder: Path) -> None:
    """The main pages, wide and narrow, at a moment that is always the same."""
    for look, size in (("", WIDE), ("-phone", NARROW)):
        with board.opened(size) as (context, page):
            page.clock.set_fixed_time(NOW)
            context.add_init_script(STREAM % json.dumps(json.dumps(_snapshot(ids["running"]))))
            context.route("**/pacing?*", _pace)
            for name, path in PICTURES:
                page.goto(board.url + path.format(**ids))
                page.wait_for_timeout(SETTLED_MS if name == "campaign" else 400)
                _taken(
                    page, folder / f"{name}{look}.png", whole=not look or name in ("campaign", "campaigns")
                )


def _taken(page: Page, path: Path, *, whole: bool) -> None:
    """A third as large with the colours that it needs."""
    with Image.open(io.BytesIO(page.screenshot(full_page=whole))) as picture:
        few = picture.convert("RGB").quantize(96, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(path, optimize=True)


def _snapshot(campaign: str) -> dict[str, Any]:
    counts = {"total": 20_000, "pending": 12_699, "originated": 61, "connected": 31, "completed": 6412, "failed": 771,
              "cancelled": 26}  # fmt: skip
    return {"campaign_id": campaign, "status": "running", "counts": counts, "in_flight": 92, "calls_per_second": 39.6,
            "blocked_reason": "gateway_cps", "at": NOW.isoformat()}  # fmt: skip


def _pace(route: Route) -> None:
    """Three minutes: a slow beginning, a gateway that slows down, and is back."""
    steps = []
    for second in range(180):
        rate = (
            min(40, 3 + second) if second < 110 else 20 if second < 150 else min(40, 20 + (second - 150) * 2)
        )
        wobble = second * 7 % 3
        at = datetime.fromtimestamp(NOW.timestamp() - 180 + second, UTC)
        cap = "gateway_cps" if rate == 40 else "gateway_paused" if 110 <= second < 150 else None
        steps.append({"at": at.isoformat(), "offered": 60, "admitted": rate - (wobble if rate < 40 else 0),
                      "live_calls": rate * 2, "cap": cap})  # fmt: skip
    route.fulfill(json={"pacing": steps})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
