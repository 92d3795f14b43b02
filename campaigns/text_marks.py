"""The apostrophe that keeps a spreadsheet from running a cell as a formula (OWASP, CSV injection).

What we export has it where it is needed, and a list that is read again loses it there, so that a cell is the same
after any number of rounds.
"""

from __future__ import annotations

import re

MARK = "'"
MARKED = re.compile("'[ \n\v\f]*[=+\\-@\t\r]")
"""Whether text has a mark in it, anywhere."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_SKIPPED = " \n\v\f"


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet would run the cell."""
    return cell.lstrip(_SKIPPED).startswith(_FORMULA)


def marked(cell: str) -> str:
    """The cell as it is exported."""
    return MARK + cell if is_formula(cell) else cell


def unmarked(cell: str) -> str:
    """The cell as it was before it was exported."""
    return cell[1:] if cell.startswith(MARK) and is_formula(cell[1:]) else cell
