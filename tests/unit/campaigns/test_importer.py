"""A list to batches: counted, told apart, bounded in time and memory."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.columns import Limits
from campaigns.errors import ListRefused
from campaigns.import_rows import AcceptedRow, Batch, ImportCounts, RejectedRow
from campaigns.importer import read_list
from campaigns.json_contacts import read_objects
from campaigns.spooling import spool
from cooperative import let_others_run
from tests.examples import examples


def numbers(count: int) -> list[str]:
    """Valid numbers that nobody has: 555-0100 to 555-0199 in each of many areas, then London's 7946 0xxx."""
    areas = [
        201,
        202,
        203,
        205,
        206,
        207,
        208,
        209,
        210,
        212,
        213,
        214,
        215,
        216,
        217,
        218,
        219,
        224,
        225,
        228,
    ]
    fictional = [f"+1{area}55501{last:02d}" for area in areas for last in range(100)]
    return fictional[:count]


def many(count: int) -> bytes:
    """A list of `count` different numbers in ordinary American writing."""
    rows = (
        f"({201 + at // 100_000}) {200 + at // 10_000 % 10 * 11}-{at % 10_000:04d},"
        f'Zoë {at},"O\'Brien, jr",ord-{at:07d},{at / 7:.2f}\n'
        for at in range(count)
    )
    return ("phone_number,first_name,last_name,order_id,amount\n" + "".join(rows)).encode()


def rows_of(data: bytes, limits: Limits | None = None, region: str | None = "US") -> list[Batch]:
    return list(read_list(io.BytesIO(data), default_region=region, limits=limits or Limits()))


def flat(batches: list[Batch]) -> tuple[list[AcceptedRow], list[RejectedRow]]:
    return [row for batch in batches for row in batch.accepted], [
        row for batch in batches for row in batch.rejected
    ]


def test_a_row_keeps_its_line_its_number_and_its_columns() -> None:
    [batch] = rows_of(b"First Name,phone_number,note\nAda,(212) 555-0100,\n")
    assert batch.accepted == [AcceptedRow(2, "+12125550100", {"First Name": "Ada", "note": ""})]


def test_a_rejected_row_says_where_what_and_why() -> None:
    [batch] = rows_of(b"phone_number,name\n2125550100,Ada\n12,{Bob\n+1 212 555 0100,Cyd\n911,Dee\n")
    assert [(row.line, row.raw, row.code, row.column) for row in batch.rejected] == [
        (3, "12,{Bob", "unsafe_value", "name"),
        (4, "+1 212 555 0100,Cyd", "duplicate", "phone_number"),
        (5, "911,Dee", "emergency_number", "phone_number"),
    ]
    assert batch.rejected[1].reason == "+12125550100 is already on line 2"


def test_eight_digits_in_a_column_of_dates_are_no_number() -> None:
    text = "phone_number\n20261129\n+4520123456\n2026-11-29\n29112026\n"
    accepted, rejected = flat(rows_of(text.encode(), region="DK"))
    assert [row.phone_number for row in accepted] == ["+4520123456"]
    assert [row.code for row in rejected] == ["date"] * 3
    # In other digits, by another calendar, and as a spreadsheet and a phone may give it.
    text = (
        "phone_number\n٢٠٢٦١١٢٩\n25691129\n'20261129\n20261129.0\n\u200e20261129\n+4520123456\n٢٩/١١/٢٠٢٦\n"
    )
    accepted, rejected = flat(rows_of(text.encode(), region="DK"))
    assert [row.phone_number for row in accepted] == ["+4520123456"]
    assert [row.code for row in rejected] == ["date"] * 6
    # Without a date beside it, it is a number like any other.
    accepted, _ = flat(rows_of(b"phone_number\n20261129\n", region="DK"))
    assert [row.phone_number for row in accepted] == ["+4520261129"]


def test_every_row_is_counted_once_and_duplicates_are_not_invalid() -> None:
    data = "phone_number\n" + "\n".join([*numbers(1200), *numbers(30), "x", "911"])
    batches = rows_of(data.encode())
    counts = ImportCounts()
    for batch in batches:
        counts.add(batch.counts())
    assert counts == ImportCounts(rows=1232, accepted=1200, duplicates=30, invalid=2, suppressed=0)
    assert [len(batch) for batch in batches] == [500, 500, 232]


def test_a_row_refused_for_another_cell_does_not_make_its_number_a_duplicate() -> None:
    [batch] = rows_of(b"phone_number,name\n2125550100,{Ada\n2125550100,Ada\n")
    assert [row.line for row in batch.accepted] == [3]


def test_a_list_with_one_row_too_many_is_refused() -> None:
    data = "phone_number\n" + "\n".join(numbers(11)) + "\n"
    assert len(rows_of(data.encode(), Limits(max_rows=11))[0]) == 11
    with pytest.raises(ListRefused, match="more than 10 rows") as refused:
        rows_of(data.encode(), Limits(max_rows=10))
    assert refused.value.code == "too_many_rows"


def test_a_list_with_no_good_row_is_refused_with_the_first_reason() -> None:
    with pytest.raises(ListRefused) as refused:
        rows_of(b"phone_number\n12\n13\n", region=None)
    assert refused.value.message == (
        "contacts has no good row: none of its 2 rows can be dialled, "
        "line 2 because phone_number '12' has no country code: it must start with + and one; "
        "write the one number with + and its country code"
    )


def test_the_variables_of_a_row_are_bounded_in_bytes() -> None:
    names = [f"c{at}" for at in range(5)]
    taken = sum(len("carillon_" + name) for name in names)
    header = "phone_number," + ",".join(names) + "\n"
    fits = ["é" * 400] * 4 + ["x" * (4096 - taken - 3200)]
    [batch] = rows_of(f"{header}2125550100,{','.join(fits)}\n2125550101,{','.join(fits)}x\n".encode())
    assert [row.line for row in batch.accepted] == [2]
    assert [(row.line, row.code) for row in batch.rejected] == [(3, "variables_too_large")]
    assert batch.rejected[0].reason == (
        "the row makes 4097 bytes of call variables; at most 4096 are allowed: "
        "shorten its cells or leave out columns"
    )
    assert len(batch.rejected[0].raw) == 1000


def test_the_file_stays_open_for_its_owner() -> None:
    file = spool(io.BytesIO(b"phone_number\n2125550100\n"), Limits()).file
    list(read_list(file, default_region="US", limits=Limits()))
    assert not file.closed
    file.close()
    with pytest.raises(ListRefused):
        rows_of(b"phone_number\n")


class TestObjects:
    """The inline `contacts` array."""

    @staticmethod
    def read(*contacts: object, limits: Limits | None = None) -> Batch:
        [batch] = read_objects(contacts, default_region="US", limits=limits or Limits())
        return batch

    def test_values_become_cells(self) -> None:
        batch = self.read(
            {
                "phone_number": 12125550100,
                "name": "Ada",
                "vip": True,
                "old": False,
                "age": 36,
                "due": 12.5,
                "whole": 3.0,
                "note": None,
            }
        )
        assert batch.accepted == [
            AcceptedRow(
                1,
                "+12125550100",
                {
                    "name": "Ada",
                    "vip": "true",
                    "old": "false",
                    "age": "36",
                    "due": "12.5",
                    "whole": "3",
                    "note": "",
                },
            )
        ]

    def test_objects_may_have_different_keys_and_any_case_of_phone_number(self) -> None:
        batch = self.read(
            {"name": "Ada", " Phone_Number ": "2125550100"}, {"phone_number": "2125550101", "x": "y"}
        )
        assert [row.custom_fields for row in batch.accepted] == [{"name": "Ada"}, {"x": "y"}]

    def test_rows_are_rejected_by_the_same_rules(self) -> None:
        batch = self.read(
            {"phone_number": "2125550100"},
            {"phone_number": "(212) 555 0100"},
            {"name": "nobody"},
            {"phone_number": "2125550101", "name": "${x}"},
            {"phone_number": "2125550102", "name": "x" * 1001},
            {"phone_number": "2125550103", "tags": ["a"]},
            {"phone_number": "2125550104", "score": float("nan")},
            {"phone_number": True},
        )
        assert [(row.line, row.code, row.column) for row in batch.rejected] == [
            (2, "duplicate", "phone_number"),
            (3, "missing_number", "phone_number"),
            (4, "unsafe_value", "name"),
            (5, "cell_too_long", "name"),
            (6, "wrong_type", "tags"),
            (7, "wrong_type", "score"),
            (8, "invalid_number", "phone_number"),
        ]

    @pytest.mark.parametrize(
        ("contacts", "code"),
        [
            ([], "no_rows"),
            (["2125550100"], "not_an_object"),
            ([{"phone": "2125550100"}], "no_phone_column"),
            ([{}], "no_phone_column"),
            ([{"phone_number": "1"}], "no_good_row"),
            ([{"phone_number": "2125550100", "": "x"}], "bad_column"),
            ([{"phone_number": "2125550100", "n" * 65: "x"}], "bad_column"),
            ([{"phone_number": "2125550100", "PHONE_NUMBER": "x"}], "duplicate_column"),
            ([{"phone_number": "2125550100", **{f"c{n}": n for n in range(200)}}], "too_many_columns"),
            ([{"phone_number": f"212555{n}", f"c{n}": n} for n in range(1000, 1300)], "too_many_columns"),
        ],
    )
    def test_a_list_that_cannot_be_used_is_refused(self, contacts: list[Any], code: str) -> None:
        with pytest.raises(ListRefused) as refused:
            list(read_objects(contacts, default_region="US", limits=Limits()))
        assert refused.value.code == code

    def test_others_run_while_objects_are_read(self) -> None:
        calls: list[None] = []
        contacts = [{"phone_number": number} for number in numbers(2000)]
        list(
            read_objects(
                contacts,
                default_region=None,
                limits=Limits(),
                let_others_run=lambda: calls.append(None),
                now=ticking(),
            )
        )
        assert len(calls) >= 2000 // 5

    def test_too_many_objects_are_refused(self) -> None:
        with pytest.raises(ListRefused, match="more than 2 rows"):
            self.read(*({"phone_number": number} for number in numbers(3)), limits=Limits(max_rows=2))


@examples(60)
@given(st.data())
def test_a_list_and_the_same_list_as_objects_agree(data: st.DataObject) -> None:
    cell = st.text(st.characters(codec="utf-8", exclude_characters='\r\n",\ufeff'), max_size=8)
    phone = st.sampled_from([*numbers(6), "911", "12", "", "1.4155E+10"])
    rows = data.draw(st.lists(st.tuples(phone, cell, cell), min_size=1, max_size=12))
    text = "phone_number,a,b\n2125550199,x,y\n" + "".join(",".join(row) + "\n" for row in rows)
    kept = [row for row in rows if any(cell.strip() for cell in row)]
    objects = [{"phone_number": a, "a": b, "b": c} for a, b, c in [("2125550199", "x", "y"), *kept]]

    accepted, rejected = flat(rows_of(text.encode("utf-8-sig")))
    [batch] = read_objects(objects, default_region="US", limits=Limits())

    assert [(row.phone_number, row.custom_fields) for row in accepted] == [
        (row.phone_number, row.custom_fields) for row in batch.accepted
    ]
    assert [(row.code, row.column) for row in rejected] == [(row.code, row.column) for row in batch.rejected]


def ticking() -> Callable[[], float]:
    """A clock that goes on by a millisecond with each look at it, however long what lies between takes."""
    looks = itertools.count()
    return lambda: next(looks) / 1000


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_others_have_their_turn_every_few_rows_of_a_list(kind: str) -> None:
    """By a clock on which each row takes a millisecond: a list of any length holds nobody up."""
    rows = 2_000
    turns, done = 0, False

    def other() -> None:
        nonlocal turns
        while not done:
            turns += 1
            let_others_run()

    watcher = gevent.spawn(other)
    if kind == "csv":
        batches = read_list(
            io.BytesIO(many(rows)),
            default_region="US",
            limits=Limits(),
            let_others_run=let_others_run,
            now=ticking(),
        )
    else:
        contacts = [{"phone_number": number} for number in numbers(rows)]
        batches = read_objects(
            contacts,
            default_region="US",
            limits=Limits(),
            let_others_run=let_others_run,
            now=ticking(),
        )
    assert sum(len(batch.accepted) for batch in batches) == rows
    done = True
    watcher.join()
    assert turns >= rows // 5
