"""The pictures of the documentation are those that are taken, each of them shown or linked somewhere."""

from __future__ import annotations

import re
from pathlib import Path

from tests.browser.pictures import FILES

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "board"
TAKEN_BY = "CARILLON_TEST_PICTURES=docs/board script/test tests/browser -k pictures"


def test_each_picture_that_is_taken_is_there_and_no_other() -> None:
    assert {path.name for path in FOLDER.iterdir()} == FILES, TAKEN_BY


def test_what_the_documentation_shows_is_among_them() -> None:
    shown = {
        name
        for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
        for name in re.findall(r"\((?:docs/)?board/([\w-]+\.png)\)", page.read_text(encoding="utf-8"))
    }
    assert shown
    assert shown <= FILES
