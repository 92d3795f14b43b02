"""`python -m tests.browser.drive URL KEY`: a day at the board, in Chromium; exit status 1 and what went wrong."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from playwright.sync_api import FilePayload, Page, expect, sync_playwright

from tests.browser.board import NARROW, PATIENCE_MS, WIDE, ZONE, Board, launched, signed_in
from tests.browser.relay import Relay

LIST = Path(__file__).parents[2] / "examples" / "contacts.csv"

COUNT_SAID = """
    globalThis.said = [];
    new MutationObserver(() => said.push(document.getElementById("live-says").textContent.split(":")[0]))
        .observe(document.getElementById("live-says"), { childList: true, characterData: true, subtree: true });"""
EXCHANGED = """() => {
    const part = document.createElement("div"), fresh = document.createElement("div");
    document.body.append(part);
    part.innerHTML = `<p id="a">a</p> <p id="b">b</p> <p id="c">c</p>
        <details id="d"><summary id="s">more</summary></details><form><input id="field" value="was"></form>`;
    fresh.innerHTML = `<p id="new">n</p> <p id="b">b</p> <p id="c">c</p> <p id="a">a</p> <h2>More</h2>
        <details id="d"><summary id="s">even more</summary></details><form><input id="field" value="is"></form>`;
    const field = document.getElementById("field"), kept = document.getElementById("b");
    document.getElementById("d").open = true;
    field.value = "typed";
    field.focus();
    field.setSelectionRange(2, 2);
    holding(part, () => exchange(part, fresh));
    const told = { value: field.value, caret: field.selectionStart, open: document.getElementById("d").open,
        focus: document.activeElement.id, same: kept === document.getElementById("b"),
        rows: [...part.querySelectorAll("p:not(#new)")].map((one) => one.textContent).join(" ") };
    part.remove();
    return told;
}"""
"""What is left of a form that somebody fills in, and of what he opened, where all around it has changed."""


def main(arguments: list[str]) -> int:
    """0 where everything is as it should be."""
    server, key = arguments
    relay = Relay(urlsplit(server).port or 80)
    with sync_playwright() as driver:
        browser = launched(driver)
        board = Board(relay.url, browser, signed_in(browser, relay.url, key))
        campaign = _from_upload_to_end(board, relay)
        _dropped(board, campaign)
        _read_again(board)
        _halted(board)
        _drained(board)
        _list_of_another_program(board)
        _jobs(board)
        browser.close()
    relay.close()
    for fault in board.faults:
        print(fault)
    return 1 if board.faults else 0


def _from_upload_to_end(board: Board, relay: Relay) -> str:
    """The main job: a list is uploaded, started, followed through a stream that drops, and over; the address of its
    page."""
    with board.opened(WIDE) as (_, page):
        page.goto(f"{board.url}/campaigns/new")
        page.get_by_role("button", name="Look at the list first").click()
        expect(page.get_by_role("alert")).to_contain_text("Name:")
        page.get_by_label("Name").fill("Spring reminders")
        page.get_by_label("List", exact=True).set_input_files(LIST)
        page.get_by_label("Calls at once").fill("60")
        page.get_by_label("In these hours, by the clock").check()
        page.get_by_label("From").and_(page.locator("[name='windows.0.from']")).fill("0")
        page.locator("[name='windows.0.to']").fill("24:00")
        for day in ("Sat", "Sun"):
            page.get_by_role("group", name="Hours 1").get_by_label(day).check()
        page.get_by_role("button", name="Look at the list first").click()
        expect(page.get_by_role("heading", name="What this list would do")).to_be_focused()
        expect(page.locator("#doctor .why")).to_contain_text("would be called, of")
        with page.expect_download() as corrected:
            page.get_by_role("button", name="Download the list corrected").click()
        if not corrected.value.path().read_text(encoding="utf-8-sig").startswith("phone_number"):
            board.faults.append("the corrected list does not begin with its header")
        page.get_by_role("button", name="Make the campaign").click()
        page.wait_for_url(f"{board.url}/campaigns/0*")
        campaign = page.url
        expect(page.locator(".why")).to_contain_text("Not started.")
        expect(page.locator(".when")).to_contain_text("every day 00:00–24:00")
        page.get_by_role("button", name="Start").click()
        expect(page.locator("#live")).to_have_attribute("data-state", "live")
        # By the stream: nothing loads this page again.
        expect(page.locator("#done")).not_to_have_text("0 %")
        expect(page.locator("#last tbody tr")).not_to_have_count(0)
        expect(page.locator("#log")).to_contain_text("started it")
        # Each rate that holds it is a line of the plot, and stands in the table beneath.
        expect(page.locator("#plot-rates")).to_contain_text("the nodes’ pace")
        expect(page.locator("#plot .cap")).not_to_have_count(0)
        with relay.cut():
            expect(page.locator("#live")).to_have_attribute("data-state", "away")
            expect(page.locator("#live")).to_contain_text("nothing is missed here")
        expect(page.locator("#live")).to_have_attribute("data-state", "live")
        with relay.refusing():
            expect(page.locator("#live")).to_contain_text("it is asked again and again")
        expect(page.locator("#live")).to_have_attribute("data-state", "live")
        expect(page.locator(".why")).to_contain_text("Done:", timeout=4 * PATIENCE_MS)
        # What ended while nobody heard of it is counted as the server has it.
        expect(page.locator("#done")).to_have_text("100 %")
        drawn = {name: page.locator(f"#n-{name}").inner_text() for name in ("completed", "failed", "pending")}
        page.reload()
        for name, number in drawn.items():
            expect(page.locator(f"#n-{name}")).to_have_text(number)
        page.locator("#last a").first.click()
        expect(page.get_by_role("heading", name="Call 1")).to_be_visible()
        page.goto(campaign)
        page.get_by_role("link", name="How fast it was dialled").click()
        # By the viewer's clocks, as the plot is.
        expect(page.get_by_role("heading", name=ZONE)).to_be_visible()
        # No script of the page's own asks again and again here: its policy lets none be made of a text.
        expect(page.locator("img.pace")).not_to_have_js_property("naturalWidth", 0)
    return str(campaign)


def _list_of_another_program(board: Board) -> None:
    """A list whose column of numbers has another name becomes a campaign without leaving the page."""
    rows = "Name;Mobile Phone\nAda;(202) 555-0171\nGrace;n/a\nLi;202 555 0172\n"
    mine: FilePayload = {"name": "mine.csv", "mimeType": "text/csv", "buffer": rows.encode()}
    with board.opened(WIDE) as (_, page):
        page.goto(f"{board.url}/campaigns/new")
        hours, before = (
            page.get_by_label("Lately: within so many hours"),
            page.get_by_label("A number that was there"),
        )
        expect(hours).to_be_hidden()
        before.select_option("recent")
        hours.fill("24")
        # What is typed there goes with that choice alone.
        before.select_option("list")
        expect(hours).to_be_hidden()
        page.get_by_label("Name").fill("Another program's")
        page.get_by_label("List", exact=True).set_input_files(mine)
        page.get_by_role("button", name="Look at the list first").click()
        expect(page.locator("#doctor .fault")).to_contain_text("The list cannot be taken")
        page.get_by_role("button", name="Use the corrected list").click()
        expect(page.locator("#doctor .fault")).to_have_count(0)
        expect(page.locator("#doctor .why")).to_contain_text(
            "2 people would be called, of 3 rows: 1 that cannot be called left out."
        )
        page.get_by_role("button", name="Make the campaign").click()
        page.wait_for_url(f"{board.url}/campaigns/0*")
        expect(page.locator(".why")).to_contain_text("2 people on the list.")


def _dropped(board: Board, campaign: str) -> None:
    """A page that cannot reach the server says so, and goes on by itself."""
    with board.opened(WIDE) as (context, page):
        page.goto(board.url)
        expect(page.locator("#live")).to_contain_text("as of")
        # Whoever is on something in what is read again is told all the same, once, and stays there.
        link = page.get_by_role("link", name="Spring reminders", exact=True)
        link.focus()
        page.evaluate(COUNT_SAID)
        context.set_offline(True)
        expect(page.locator("#live")).to_have_attribute("data-state", "away")
        expect(page.locator("#live-says")).to_contain_text("Out of reach")
        context.set_offline(False)
        expect(page.locator("#live")).to_have_attribute("data-state", "live")
        before = page.locator("#live-at").inner_text()
        expect(page.locator("#live-at")).not_to_have_text(before)
        expect(link).to_be_focused()
        if page.evaluate("said") != ["Out of reach", "live"]:
            board.faults.append(f"what is read out was {page.evaluate('said')}")
        page.goto(campaign)
        expect(page.locator("#live")).to_contain_text("over")


def _read_again(board: Board) -> None:
    """Whoever is on a button, has opened something or types within a part that is read again keeps it, and sees what
    has changed around it."""
    with board.opened(WIDE) as (_, page), board.opened(WIDE) as (_, other):
        page.goto(f"{board.url}/cluster")
        buttons = page.get_by_role("button", name="Drain")
        mine, name = buttons.last, (buttons.first.get_attribute("aria-label") or "").removeprefix("Drain ")
        mine.focus()
        mark = page.evaluate("document.activeElement.id")
        for action, shown in (("Drain", True), ("Undrain", False)):
            other.goto(f"{board.url}/cluster")
            other.get_by_role("button", name=f"{action} {name}", exact=True).click()
            row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=name))
            if shown:
                expect(row).to_contain_text("draining")
            else:
                expect(row).not_to_contain_text("draining")
            if page.evaluate("document.activeElement.id") != mark:
                board.faults.append(f"who was on {mark} is on {page.evaluate('document.activeElement.id')}")
        # What goes away leaves him where it was.
        page.locator(f"[id='drain-{name}']").focus()
        other.goto(f"{board.url}/cluster")
        other.get_by_role("button", name=f"Drain {name}", exact=True).click()
        expect(page.locator(f"[id='node-{name}']")).to_be_focused()
        other.get_by_role("button", name=f"Undrain {name}", exact=True).click()
        told = page.evaluate(EXCHANGED)
        if told != {
            "value": "typed",
            "caret": 2,
            "open": True,
            "focus": "field",
            "same": True,
            "rows": "b c a",
        }:
            board.faults.append(f"a part that is read again makes of what is in it {told}")


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


def _drained(board: Board) -> None:
    """A node is drained, seen to be, and let back in."""
    with board.opened(WIDE) as (_, page):
        page.goto(f"{board.url}/cluster")
        first = page.get_by_role("button", name="Drain").first
        name = (first.get_attribute("aria-label") or "").removeprefix("Drain ")
        first.click()
        row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=name))
        expect(row).to_contain_text("draining")
        page.get_by_role("button", name=f"Undrain {name}").click()
        expect(row).not_to_contain_text("draining")


def _jobs(board: Board) -> None:
    """Seven jobs, from the first page on, with nothing but what the screen offers."""
    with board.opened(WIDE) as (_, page):
        _busy_ones_tomorrow(board, page)
        _somebody_calls_back(board, page)
        _nobody_calls_him(board, page)
        _out_of_all_lists(board, page)
        _slower_please(board, page)
        _more_people(board, page)
        _why_was_he_not_reached(board, page)


def _campaign(board: Board, page: Page, name: str = "Spring reminders") -> None:
    page.goto(board.url)
    page.get_by_role("link", name=name, exact=True).click()


def _busy_ones_tomorrow(board: Board, page: Page) -> None:
    """ "Call everyone who was busy again, tomorrow at ten"."""
    _campaign(board, page)
    page.get_by_role("link", name="Call again").click()
    page.get_by_label("no answer").uncheck()
    expect(page.get_by_label("busy")).to_be_checked()
    page.get_by_label("At a time, as a campaign of its own").check()
    tomorrow = (datetime.now(ZoneInfo(ZONE)) + timedelta(days=1)).strftime("%Y-%m-%dT10:00")
    page.get_by_label("It starts by itself at").fill(tomorrow)
    page.get_by_label("Name of the new campaign").fill("Busy ones")
    page.get_by_role("button", name="Call them again").click()
    expect(page.get_by_role("heading", name="Busy ones")).to_be_visible()
    expect(page.locator(".why")).to_contain_text("Waits for its start.")
    expect(page.locator(".why")).to_contain_text("10:00")


def _somebody_calls_back(board: Board, page: Page) -> None:
    """ "This one asks to be called tomorrow at eleven", in the campaign that waits."""
    _campaign(board, page, "Busy ones")
    page.get_by_role("link", name="Everybody, and find a number").click()
    page.locator("tbody a").first.click()
    later = (datetime.now(ZoneInfo(ZONE)) + timedelta(days=1)).strftime("%Y-%m-%dT11:00")
    page.get_by_label("Call back at").fill(later)
    page.get_by_role("button", name="Call at this time").click()
    expect(page.locator(".why")).to_contain_text("11:00")


def _nobody_calls_him(board: Board, page: Page) -> None:
    """ "This one never wants to be called again": he is out of the campaign that waits."""
    _campaign(board, page, "Busy ones")
    page.get_by_role("link", name="Everybody, and find a number").click()
    link = page.locator("tbody a").last
    number = link.inner_text()
    page.get_by_role("link", name="Do not call", exact=True).click()
    page.get_by_label("Number").and_(page.locator("#number")).fill(number)
    page.get_by_label("Why").fill("Asked by phone")
    page.get_by_role("button", name="Do not call").click()
    expect(page.get_by_role("rowheader", name=number)).to_be_visible()
    _campaign(board, page, "Busy ones")
    expect(page.locator("#n-cancelled")).not_to_have_text("0")


def _out_of_all_lists(board: Board, page: Page) -> None:
    """ "Take this number out of all lists, now": by the number alone, from wherever one is."""
    _campaign(board, page, "Busy ones")
    page.get_by_role("link", name="Everybody, and find a number").click()
    number = page.locator("tbody a").first.inner_text()
    page.get_by_role("link", name="Find a number", exact=True).click()
    page.get_by_label("Number").fill(number)
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("row").filter(has_text="Busy ones").first).to_be_visible()
    page.get_by_role("button", name=f"Do not call {number} any more").click()
    expect(page.locator(".why")).to_contain_text("No campaign calls it.")
    # A dialer takes it out of the lists a moment after that; the page is of when it was asked for.
    while "cancelled" not in page.get_by_role("row").filter(has_text="Busy ones").first.inner_text():
        page.goto(page.url)


def _slower_please(board: Board, page: Page) -> None:
    """ "No more than three at once, and not before noon"."""
    _campaign(board, page, "Busy ones")
    page.get_by_role("link", name="Settings").click()
    page.get_by_label("Calls at once").fill("3")
    page.locator("[name='windows.0.from']").fill("12")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".when")).to_contain_text("12:00–24:00")
    expect(page.locator("#log")).to_contain_text("changed calls at once from 60 to 3")


def _more_people(board: Board, page: Page) -> None:
    """ "These have to be called, too": a list with one who can be and one who cannot, which says why."""
    _campaign(board, page, "Busy ones")
    page.get_by_role("link", name="Add people", exact=True).click()
    rows = "phone_number,first_name,last_name,order_id,amount\n+12025550171,Ada,B,A-1,1\n12,Bob,C,A-2,2\n"
    more: FilePayload = {"name": "more.csv", "mimeType": "text/csv", "buffer": rows.encode()}
    page.get_by_label("List", exact=True).set_input_files(more)
    page.get_by_role("button", name="Add the list").click()
    expect(page.locator("#says")).to_have_text("1 added, 0 were there already, 1 cannot be called.")
    expect(page.locator("#faults")).to_contain_text("Line 3:")
    with page.expect_download() as rejects:
        page.get_by_role("link", name="All rows that were left out").click()
    if "invalid_number" not in rejects.value.path().read_text(encoding="utf-8"):
        board.faults.append("what was left out of a list that was added is not in its download")
    page.get_by_role("link", name="Show the newest").click()
    expect(page.get_by_role("link", name="+12025550171")).to_be_visible()


def _why_was_he_not_reached(board: Board, page: Page) -> None:
    """ "Why did nobody reach him?": by his number, to his story."""
    _campaign(board, page)
    page.get_by_role("link", name="Everybody, and find a number").click()
    page.get_by_role("link", name="Not reached").click()
    number = page.locator("tbody a").first.inner_text()
    page.get_by_label("Number").and_(page.locator("#number")).fill(number)
    page.get_by_role("button", name="Find").click()
    page.get_by_role("link", name=number).click()
    expect(page.locator(".why")).to_contain_text("Not called again")
    expect(page.get_by_role("heading", name="Call 1")).to_be_visible()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
