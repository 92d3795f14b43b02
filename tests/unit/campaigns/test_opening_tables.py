"""Releases that write openings by other tables have other numbers, so that of two it is known which is the newer."""

from __future__ import annotations

from campaigns.opening_tables import LABEL, RELEASE, TABLES

WRITTEN = {
    1: "tzdata 2026.6, holidays 0.109, packs 30a24ca55c32",
}
"""What each number stands for. Another line, and never another text, where tests fail since a pack or one of the two
packages is another: it is what dialers of the releases before are told apart by."""


def test_each_number_stands_for_one_state_of_the_tables() -> None:
    assert WRITTEN[max(WRITTEN)] == TABLES, (
        "another line is missing above, and its number in opening_tables.RELEASE"
    )
    assert max(WRITTEN) == RELEASE
    assert sorted(WRITTEN) == [*range(1, RELEASE + 1)]
    assert len({*WRITTEN.values()}) == len(WRITTEN)


def test_what_openings_say_of_their_tables_stands_in_sql_as_it_is() -> None:
    assert not {"'", "%", "\\"} & {*LABEL}
