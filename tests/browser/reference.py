"""`python -m tests.browser.reference URL`: the page at /docs in Chromium, on a telephone, each operation unfolded.

Exit status 1 with what is wrong.
"""

from __future__ import annotations

import sys

from playwright.sync_api import Page, sync_playwright

from tests.browser.board import Board, launched

TELEPHONE = {"width": 390, "height": 844}
SMALLEST_PX = 12
UNFOLD = """async () => {
    for (const one of document.querySelectorAll('details.operation')) one.open = true;
    // Each is filled when it is told that it was opened.
    await new Promise((filled) => setTimeout(filled, 500));
    for (const one of document.querySelectorAll('details')) one.open = true;
}"""
# What is cut off at the side, scrolls sideways, or is too small to be read.
UNREADABLE = """smallest => {
    const found = [];
    for (const one of document.querySelectorAll('body *')) {
        const box = one.getBoundingClientRect();
        if (!box.width || !box.height || one.classList.contains('skip')) continue;
        const said = `<${one.tagName.toLowerCase()}> ${one.textContent.trim().slice(0, 60)}`;
        if (Math.ceil(box.right) > innerWidth + 1 || box.left < -1) found.push(`${said}: beyond the page's edge`);
        if (one.scrollWidth > one.clientWidth + 1 && one.clientWidth) {
            const wide = getComputedStyle(one);
            if (wide.display !== 'inline' && wide.overflowX !== 'visible' && one.tagName !== 'INPUT')
                found.push(`${said}: scrolls sideways`);
        }
        const text = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (text && parseFloat(getComputedStyle(one).fontSize) < smallest) found.push(`${said}: too small`);
    }
    return found.slice(0, 20);
}"""


def main(arguments: list[str]) -> int:
    """0 where everything is as it should be."""
    (url,) = arguments
    with sync_playwright() as driver:
        browser = launched(driver)
        board = Board(url, browser, [])
        with board.opened(TELEPHONE, "dark") as (_, page):
            _read(board, page)
        browser.close()
    for fault in board.faults:
        print(fault)
    return 1 if board.faults else 0


def _read(board: Board, page: Page) -> None:
    page.goto(f"{board.url}/docs")
    page.wait_for_selector("details.operation", state="attached")
    page.evaluate(UNFOLD)
    count = page.locator("details.operation form").count()
    if count < 50:
        board.faults.append(f"/docs: {count} operations are shown")
    wide = page.evaluate("document.documentElement.scrollWidth")
    if wide > TELEPHONE["width"]:
        board.faults.append(f"/docs is {wide} px wide in a window of {TELEPHONE['width']}")
    board.faults += [f"/docs: {found}" for found in page.evaluate(UNREADABLE, SMALLEST_PX)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
