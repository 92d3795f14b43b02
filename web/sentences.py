"""Figures and times within sentences: marked for the viewer's browser, which writes them its own way. Pure.

A sentence is markup, and what somebody wrote is escaped where it is put in. What stands there until a script of the
page (`board.js`) has written it, and where none runs, is plain English and UTC.
"""

from __future__ import annotations

from markupsafe import Markup


def sentence(words: str, *given: object) -> Markup:
    """`words` of ours, with what is given in the place of each `{}`: escaped, but for markup."""
    return Markup(words).format(*given)


def joined(*parts: str) -> Markup:
    """Those of the parts that say something, behind one another."""
    return Markup(" ").join(part for part in parts if part)


def figure(value: float, name: str = "") -> Markup:
    """A number; `name` is the id of its element, where a script looks for it."""
    marked = Markup(' id="{}"').format(name) if name else ""
    return Markup('<data value="{}"{}>{}</data>').format(value, marked, _plain(value))


def tenths(value: float) -> Markup:
    """A number with its tenths, also where they are none."""
    return Markup('<data value="{0}" data-show="tenths">{0}</data>').format(f"{value:.1f}")


def counted(number: int, one: str, many: str) -> Markup:
    """So many of what is called so: `1 person`, `2 people`."""
    return sentence("{} {}", figure(number), one if number == 1 else many)


def _plain(value: float) -> str:
    """To the third place, as a browser has it."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}".rstrip("0").rstrip(".")
