"""What a cell and a column may hold; the switch's own module must say the same."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from campaigns.column_names import variable_name
from campaigns.columns import Columns, Limits, check_cells, read_header, unsafe
from campaigns.errors import ListRefused
from freeswitch import channel_variables
from freeswitch.channel_variables import MAX_LIST_VARIABLE_BYTES, refusal
from tests.examples import examples
from tests.strategies import joined

HOSTILE = joined(
    (
        *("{", "}", "$", "\\", "${", "$${", ":", "_", ":_:", "^^", "ARRAY::"),
        *("\n", "\r", "\t", "\x00", "\x7f", "\x85"),
        *(",", "'", '"', " ", "=", "|", "[", "]", "%0A", "é", "🔔", "\ud800", "\u2028", "a"),
    ),
    most=12,
)


@pytest.mark.parametrize(
    "value",
    [
        "",
        'O\'Brien, "jr"',
        "a=b,origination_uuid=evil",
        "a\\nb",
        "^^:a:b",
        "{x}",
        "{a{b}c}",
        "a$b",
        "100% $",
        "a|b",
        "<b>",
        "(x)",
        "Zoë 🔔",
        " lead and trail ",
        ":_",
        "x ARRAY::y",
        "\u2028",
    ],
)
def test_what_a_dial_string_can_carry_is_let_through(value: str) -> None:
    assert unsafe(value) is None


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("a{b", "braces"),
        ("a}b", "braces"),
        ("}{", "braces"),
        ("x}sofia/gateway/c/1 &park() {y=z", "braces"),
        ("${hostname}", "expand"),
        ("$${domain}", "expand"),
        ("$\\{x}", "expand"),
        ("a:_:b", "another call"),
        ("ARRAY::a|:b", "list"),
        ("a\x1bb", "U+001B"),
        ("a\x00b", "U+0000"),
        ("a\x7fb", "U+007F"),
        ("a\udcffb", "surrogate"),
    ],
)
def test_what_no_dial_string_can_carry_is_refused_with_the_reason(value: str, why: str) -> None:
    assert why in (unsafe(value) or "")


@examples(2000)
@given(HOSTILE)
@example("$\\\\{x}")
@example("ARRAY::")
def test_a_list_and_the_switch_agree_on_what_a_call_can_carry(value: str) -> None:
    assert (unsafe(value) is None) == (refusal(value) is None)


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=64))
def test_a_list_and_the_switch_agree_on_a_column_s_variable(name: str) -> None:
    variable = variable_name(name.strip())
    assert channel_variables.list_variables({variable: "x"}) == {variable: "x"}


def test_what_a_row_may_hold_a_call_may_carry() -> None:
    assert Limits().max_variables_bytes == MAX_LIST_VARIABLE_BYTES


def header(*cells: str) -> Columns:
    return read_header(cells, Limits())[0]


def test_names_are_trimmed_and_the_number_s_is_known_in_any_case() -> None:
    columns = header(" First Name ", "PHONE_Number", "x")
    assert (columns.phone, columns.custom) == (1, ((0, "First Name"), (2, "x")))


def test_200_columns_and_64_characters_are_allowed() -> None:
    columns = header("phone_number", "n" * 64, *(f"c{n}" for n in range(198)))
    assert columns.width == 200


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (
            ["phone_number", "PHONE_NUMBER"],
            (
                "contacts has more than one phone_number column; "
                "keep the one that is to be called, and name the others differently"
            ),
        ),
        (
            ["phone_number", "n" * 65],
            f"contacts has a column name of 65 characters, '{'n' * 39}…'; at most 64 are allowed: shorten it",
        ),
        (
            ["phone_number", *(f"c{n}" for n in range(200))],
            "contacts has 201 columns; at most 200 are allowed: leave out some",
        ),
    ],
)
def test_a_header_that_cannot_be_used_is_refused_in_one_sentence(cells: list[str], message: str) -> None:
    with pytest.raises(ListRefused) as refused:
        read_header(cells, Limits())
    assert refused.value.message == message


@examples(300)
@given(st.lists(HOSTILE | st.just("x" * 1001) | st.just("é" * 999), max_size=6))
@example(["+12125550100", "é" * 999, "é" * 999, "é" * 999])
@example(["+12125550100", "é" * 999, "é" * 999, "x" * 999])
def test_a_row_is_refused_exactly_when_a_cell_is(cells: list[str]) -> None:
    columns = header("phone_number", "a", "b", "c")
    refused = check_cells(cells, columns, Limits(), "\n".join(cells))
    custom = cells[1:4]
    size = sum(
        len(f"carillon_{n}") + len(c.encode(errors="replace"))
        for n, c in zip("abc", custom, strict=False)
        if c
    )
    if any(cell.strip() for cell in cells[4:]):
        expected = "too_many_cells"
    elif any(len(cell) > 1000 for cell in cells[:4]):
        expected = "cell_too_long"
    elif any(unsafe(cell) for cell in custom):
        expected = "unsafe_value"
    else:
        expected = "variables_too_large" if size > 4096 else ""
    assert (refused.code if refused else "") == expected
