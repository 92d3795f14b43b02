"""Figures within sentences are for the browser to write, and what somebody wrote is escaped in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markupsafe import Markup

from tests.integration.web import hostile
from web.sentences import counted, figure, joined, sentence, tenths

WRITES_ITSELF = re.compile(r""":,[.\d]*[df]?\}|:\.\d+[f%]\}|:g\}|"\{:,\}"|toFixed\(1\)\} """)
"""A figure that the server, or a script without the browser's locale, puts into a text."""
ROOT = Path(__file__).parents[3]
MAY = {"web/sentences.py", "web/nested_forms.py"}
"""What the figures are made by; what stands in a form's field, which every browser takes with a point alone."""


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (1902, "1,902"), (39.6, "39.6"), (40.0, "40"), (1.19, "1.19"), (10**400, None)],
)
def test_a_figure_is_marked_with_its_value_and_stands_there_in_english(
    value: float, shown: str | None
) -> None:
    found = figure(value)
    assert found == f'<data value="{value}">{f"{value:,}" if shown is None else shown}</data>'


def test_a_figure_may_be_named_and_show_its_tenths() -> None:
    assert figure(3, "n-up") == '<data value="3" id="n-up">3</data>'
    assert tenths(2) == '<data value="2.0" data-show="tenths">2.0</data>'


def test_so_many_are_called_by_one_or_by_many() -> None:
    assert counted(1, "person", "people").striptags() == "1 person"
    assert counted(1902, "person", "people").striptags() == "1,902 people"


def test_what_somebody_wrote_is_escaped_wherever_it_is_put() -> None:
    for made in (
        sentence("{} and {}.", hostile.NAME, figure(2)),
        joined(hostile.NAME, sentence("{}", figure(2))),
        figure(2, hostile.NAME),
    ):
        assert isinstance(made, Markup)
        assert hostile.written_as_it_is(made) == []
    assert joined("", "a & b", "") == "a &amp; b"


def test_no_page_writes_a_figure_by_itself() -> None:
    for path in sorted((ROOT / "web").rglob("*.*")):
        if path.suffix in (".py", ".html", ".js") and str(path.relative_to(ROOT)) not in MAY:
            text = path.read_text(encoding="utf-8")
            assert WRITES_ITSELF.findall(text) == [], path
