"""`python -m tests.browser.pages URL KEY LOOK PAGES`: the pages of a seeded board, in Chromium, in one of LOOKS.

Exit status 1 with what is wrong. KEY is an operator's, PAGES the addresses in JSON. `… hostile PAGES`: whether
anything runs of what a tenant wrote. `… elsewhere SEEDED`: whether a German in Berlin reads figures and times as
there. `… pictures SEEDED FOLDER`: those of the documentation, written there, of what `seed.py` put there.
"""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, Route, expect, sync_playwright

from tests.browser.board import NARROW, WIDE, Board, launched, signed_in
from tests.browser.pictures import LIST, LIST_DOCTOR, PAGES, PHONE

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
ELSEWHERE = {
    "/": (
        "92 calls up, 12.699 people left to call.",
        "40 people wait for 09:00 in America/Denver; next call 17:00:00.",
    ),
    "/campaigns/{running}/contacts/{person}": (
        "Not before 15:07 (09:07 in America/New_York).",
        "It rang after 1,2 s.",
        "Where this person is It is 09:02 in America/New_York now.",
        "30. Nov. 2026, 15:02:52 The call was decided on",
        "15:02:57 Nobody was reached",
    ),
    "/campaigns/{running}/contacts": ("20.000 people", "15:07 09:07 in America/New_York"),
}
"""What stands on pages for who is in Berlin and reads German."""
HELD_SECONDS = """
    [...document.querySelectorAll("#plot .held")].map((line) =>
        Math.round((line.x2.baseVal.value - line.x1.baseVal.value) / ((plot.viewBox.baseVal.width - 38) / 179)))"""
"""How long each of the thick lines is, in the seconds of the plot."""
RAN = """document.querySelector('img[src="x"], script:not([src]), [onfocus]') !== null"""


def main(arguments: list[str]) -> int:
    """0 where everything is as it should be."""
    url, key, what, given, *folder = arguments
    told = json.loads(given)
    with sync_playwright() as driver:
        browser = launched(driver)
        board = Board(url, browser, signed_in(browser, url, key))
        if what == "pictures":
            _pictures(board, told, Path(folder[0]))
        elif what == "elsewhere":
            _read_elsewhere(board, told)
            _asks_no_more(board, told)
            _held_all_along(board, told)
        elif what == "hostile":
            _nothing_runs(board, [url + page for page in told])
        else:
            board.judge([url + page for page in told], [f"{url}/campaigns/nothing"], what)
        browser.close()
    for fault in board.faults:
        print(fault)
    return 1 if board.faults else 0


def _nothing_runs(board: Board, addresses: list[str]) -> None:
    """Names that would do something stand on every page where a tenant can write, and do nothing."""
    with board.opened(WIDE) as (_, page):
        for address in addresses:
            board.visited(page, address)
            if page.evaluate(RAN):
                board.faults.append(f"{address}: what somebody wrote is part of the page")
            if not page.locator("main").inner_text().strip():
                board.faults.append(f"{address}: nothing is shown")


def _read_elsewhere(board: Board, ids: dict[str, Any]) -> None:
    """Figures in sentences, the viewer's time and that of the person beside it."""
    with board.opened(WIDE, locale="de-DE", zone="Europe/Berlin") as (_, page):
        page.clock.set_fixed_time(NOW)
        for path, parts in ELSEWHERE.items():
            board.visited(page, board.url + path.format(**ids))
            said = " ".join(page.locator("main").inner_text().split())
            board.faults += [f"{path} does not say {part!r}: {said}" for part in parts if part not in said]


def _asks_no_more(board: Board, ids: dict[str, Any]) -> None:
    """Of a test call that is over nobody asks every second for as long as its page is open."""
    names = ids["addressed"]
    with board.opened(WIDE) as (_, page):
        page.goto(f"{board.url}/campaigns/{ids['running']}/test-calls/{names['call_id'][0]}")
        expect(page.locator("#live-says")).to_have_text("over")


def _held_all_along(board: Board, ids: dict[str, Any]) -> None:
    """What held a campaign is drawn for as long as it did, though it is written once a minute."""
    said = [(-120, "gateway_paused"), (-60, "gateway_paused"), (-50, None), (-40, "gateway_cps")]
    steps = [{"at": (NOW + timedelta(seconds=second)).isoformat(), "offered": 0, "admitted": 0, "live_calls": 0,
              "cap": cap} for second, cap in said]  # fmt: skip
    with board.opened(WIDE) as (context, page):
        page.clock.set_fixed_time(NOW)
        context.add_init_script(STREAM % json.dumps(json.dumps(_snapshot(ids["running"]))))
        context.route("**/pacing?*", lambda route: route.fulfill(json={"pacing": steps, "rates": []}))
        page.goto(f"{board.url}/campaigns/{ids['running']}")
        expect(page.locator("#plot .held")).to_have_count(2)
        drawn = page.evaluate(HELD_SECONDS)
        if drawn != [70, 40]:
            board.faults.append(f"what held it for 70 s, and for 40 s until now, is drawn as {drawn} s")


def _pictures(board: Board, ids: dict[str, str], folder: Path) -> None:
    """The main pages, wide and narrow, at a moment that is always the same."""
    for look, size in (("", WIDE), (PHONE, NARROW)):
        with board.opened(size) as (context, page):
            page.clock.set_fixed_time(NOW)
            context.add_init_script(STREAM % json.dumps(json.dumps(_snapshot(ids["running"]))))
            context.route("**/pacing?*", _pace)
            for name, path in PAGES:
                page.goto(board.url + path.format(**ids))
                page.wait_for_timeout(SETTLED_MS if name == "campaign" else 400)
                _taken(
                    page, folder / f"{name}{look}.png", whole=not look or name in ("campaign", "campaigns")
                )
            _look_at_a_list(page, board.url)
            page.evaluate(
                "scrollTo(0, 0)" if not look else "document.getElementById('doctor').scrollIntoView()"
            )
            _taken(page, folder / f"{LIST_DOCTOR}{look}.png", whole=not look)


def _look_at_a_list(page: Page, url: str) -> None:
    """What the list doctor says of one that a person exported."""
    page.goto(f"{url}/campaigns/new")
    page.get_by_label("Name").fill("Appointments of December")
    page.get_by_label("List", exact=True).set_input_files(
        {"name": "appointments.csv", "mimeType": "text/csv", "buffer": LIST.encode()}
    )
    page.get_by_role("button", name="Look at the list first").click()
    page.get_by_role("heading", name="What this list would do").wait_for()


def _taken(page: Page, path: Path, *, whole: bool) -> None:
    """A third as large with the colours that it needs."""
    with Image.open(io.BytesIO(page.screenshot(full_page=whole))) as picture:
        few = picture.convert("RGB").quantize(128, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
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
    rates = [
        {"cap": cap, "calls_per_second": height}
        for cap, height in (("node_cps", 60.0), ("gateway_cps", 40.0), ("tenant_minute", 100.0))
    ]
    route.fulfill(json={"pacing": steps, "rates": rates})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
