"""Placeholders as the server knows them, and arrays that need no quotes."""

from __future__ import annotations

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from database_statements import plain_array, statement


@pytest.mark.parametrize(
    ("sql", "given", "text", "values"),
    [
        ("SELECT 1", (), "SELECT 1", []),
        ("SELECT 1", {}, "SELECT 1", []),
        ("SELECT %s, %s", (1, 2), "SELECT $1, $2", [1, 2]),
        ("SELECT '100%%', %s", ["x"], "SELECT '100%', $1", ["x"]),
        ("SELECT %(b)s, %(a)s, %(b)s", {"a": 1, "b": 2, "c": 3}, "SELECT $1, $2, $1", [2, 1]),
        ("LIKE %(of)s || '%%'", {"of": "x"}, "LIKE $1 || '%'", ["x"]),
    ],
)
def test_values_stand_in_the_order_of_the_text(
    sql: str, given: object, text: str, values: list[object]
) -> None:
    made = statement(sql)
    assert made.text.decode() == text
    assert list(made.values(given)) == values  # type: ignore[arg-type]


@pytest.mark.parametrize("sql", ["LIKE 'a%'", "SELECT %d", "SELECT %(a)d", "%(a)s %s", "%"])
def test_a_sign_that_is_no_placeholder_is_refused(sql: str) -> None:
    with pytest.raises(psycopg.ProgrammingError):
        statement(sql)


@pytest.mark.parametrize(
    ("sql", "given"), [("SELECT %(a)s", {}), ("SELECT %(a)s", (1,)), ("SELECT %s", {"a": 1})]
)
def test_values_that_are_not_what_is_asked_for_are_refused(sql: str, given: object) -> None:
    with pytest.raises(psycopg.ProgrammingError):
        statement(sql).values(given)  # type: ignore[arg-type]


@given(st.lists(st.one_of(st.none(), st.integers(), st.uuids().map(str))))
def test_an_array_is_what_stands_between_its_braces(values: list[str | int | None]) -> None:
    text = plain_array(values)
    assert (text[0], text[-1]) == ("{", "}")
    told = text[1:-1].split(",") if values else []
    assert told == ["NULL" if value is None else str(value) for value in values]
