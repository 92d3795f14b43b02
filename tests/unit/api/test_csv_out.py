"""CSV that a spreadsheet shows and never runs."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.csv_out import csv_row


@pytest.mark.parametrize("text", ["=1+1", "+14155550100", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\n=1"])
def test_what_would_be_a_formula_gets_an_apostrophe(text: str) -> None:
    assert next(csv.reader(io.StringIO(csv_row(text), newline=""))) == ["'" + text]


def test_numbers_of_ours_are_left_alone() -> None:
    assert csv_row(-7, "a", "") == "-7,a,\r\n"


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1))
def test_every_row_reads_back_as_it_was_but_for_the_apostrophe(cells: list[str]) -> None:
    (row,) = csv.reader(io.StringIO(csv_row("x", *cells), newline=""))
    assert [cell.removeprefix("'") for cell in row[1:]] == [cell.removeprefix("'") for cell in cells]
