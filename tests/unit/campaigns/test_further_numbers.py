"""A list with further numbers of a contact: which columns have them, and what becomes of each number."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.column_names import FURTHER_COLUMNS, number_column
from campaigns.columns import Limits
from campaigns.dispositions import Disposition
from campaigns.errors import ListRefused
from campaigns.import_notes import ImportNotes
from campaigns.import_rows import AcceptedRow, Batch
from campaigns.importer import read_list
from campaigns.json_contacts import read_object, read_objects
from campaigns.list_policies import ListPolicy
from campaigns.number_rules import NumberRules
from campaigns.retry import NO_GOOD, History, Retry, after_call
from campaigns.retry import RETRY as POLICY
from models import ContactStatus
from tests.examples import examples

A, B, C, D = (f"+1212555010{last}" for last in range(4))
LONDON = "+442079460018"


def read(text: str, **options: Any) -> tuple[Batch, ImportNotes]:
    notes = ImportNotes()
    file = io.BytesIO(text.encode())
    (batch,) = read_list(file, default_region="US", limits=Limits(), notes=notes, **options)
    return batch, notes


def numbers(batch: Batch) -> list[tuple[str, ...]]:
    return [(row.phone_number, *row.further) for row in batch.accepted]


def codes(batch: Batch) -> list[tuple[int, str]]:
    return [(row.line, row.code) for row in batch.rejected]


@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("phone_number_2", "phone_number_2"),
        (" PHONE_NUMBER_5 ", "phone_number_5"),
        ("\ufeffphone_number_3", "phone_number_3"),
        ("ｐｈｏｎｅ＿２", "phone_number_2"),
        ("phone_4", "phone_number_4"),
        ("phone_number", "phone_number"),
        ("phone_1", None),
        ("phone_number_1", None),
        ("phone_number_6", None),
        ("phone", None),
        ("phone2", None),
        ("phone number 2", None),
        ("x" * 65, None),
    ],
)
def test_a_column_has_further_numbers_where_it_is_called_so(header: str, column: str | None) -> None:
    assert number_column(header) == column


def test_further_numbers_are_tried_in_the_order_of_their_names_and_are_no_custom_fields() -> None:
    batch, notes = read(f"phone_3,phone_number,name,phone_number_2\n{C},{A},Ada,(212) 555-0101\n{D},,Bob,\n")
    assert numbers(batch) == [(A, B, C), (D,)]
    assert [row.custom_fields for row in batch.accepted] == [{"name": "Ada"}, {"name": "Bob"}]
    assert [column.name for column in notes.custom] == ["name"]
    assert notes.told_columns() == [{"header": "name", "column": "name", "variable": "carillon_name"}]


def test_each_number_obeys_the_rules_and_what_breaks_one_is_left_out() -> None:
    lines = (f"{A},12,+19002345678", f"{LONDON},{B},", f"x,{C},911", "12,911,", f"{D},{LONDON},")
    text = "phone_number,phone_number_2,phone_number_3\n" + "".join(f"{line}\n" for line in lines)
    batch, notes = read(text, rules=NumberRules(("US",)))
    assert numbers(batch) == [(A,), (B,), (C,), (D,)]
    assert codes(batch) == [(5, "invalid_number")]
    (warning,) = notes.warnings
    assert warning.startswith("6 numbers are left out of contacts that have another (")
    assert "2 country_not_allowed" in warning
    assert warning.endswith("the first on line 2")


def test_packs_bar_each_number_by_itself() -> None:
    # In France nobody is called without consent, as its pack says; whoever has a number elsewhere is.
    policy = ListPolicy("sales", A)
    french = "+33142685300"
    barred = policy.refusal(french, consented=False)
    assert barred is not None
    batch, notes = read(f"phone_number,phone_number_2\n{french},{LONDON}\n{french},\n", policy=policy)
    assert numbers(batch) == [(LONDON,)]
    assert ["GB" in row.places and "FR" not in row.places for row in batch.accepted] == [True]
    assert codes(batch) == [(3, barred.code)]
    assert notes.warnings == [
        f"1 number is left out of contacts that have another (1 {barred.code}), on line 2"
    ]


def test_two_contacts_with_one_number_in_any_column_are_duplicates() -> None:
    text = f"phone_number,phone_number_2\n{A},{B}\n{C},{B}\n{B},\n{D},{A}\n{D},{D}\n"
    batch, _ = read(text)
    assert numbers(batch) == [(A, B), (D,)]
    assert codes(batch) == [(3, "duplicate"), (4, "duplicate"), (5, "duplicate")]
    # Of a row that is left out no number keeps a later one away.
    assert numbers(read(f"phone_number,phone_number_2\n{A},{B}\n{A},{C}\n{C},\n")[0]) == [(A, B), (C,)]
    assert numbers(read(text, repeats=True)[0]) == [(A, B), (C, B), (B,), (D, A), (D,)]


def test_a_column_that_is_there_twice_is_refused() -> None:
    with pytest.raises(ListRefused, match="more than one phone_number_2 column"):
        read(f"phone_number,phone_2,phone_number_2\n{A},{B},{C}\n")
    with pytest.raises(ListRefused, match="object with more than one phone_number_2"):
        list(
            read_objects(
                [{"phone_number": A, "phone_2": B, "Phone_Number_2": C}], default_region="US", limits=Limits()
            )
        )


def test_json_has_the_same_numbers() -> None:
    (batch,) = read_objects(
        [{"phone_number": A, "phone_number_2": B}, {"phone_2": 12125550102, "x": 1, "phone_number": ""}],
        default_region="US",
        limits=Limits(),
    )
    assert numbers(batch) == [(A, B), (C,)]
    assert [row.custom_fields for row in batch.accepted] == [{}, {"x": "1"}]


def test_one_contact_that_is_no_lists_has_one_number() -> None:
    notes = ImportNotes()
    row = read_object(
        {"phone_number": A, "phone_number_2": B},
        default_region="US",
        limits=Limits(),
        templates=(),
        notes=notes,
    )
    assert isinstance(row, AcceptedRow)
    assert (row.phone_number, row.further, row.custom_fields) == (A, (), {"phone_number_2": B})


@given(st.lists(st.lists(st.sampled_from([A, B, C, D, "", "12"]), min_size=5, max_size=5), max_size=6))
@examples(100)
def test_no_number_is_in_two_contacts_whatever_the_columns_hold(rows: list[list[str]]) -> None:
    header = ",".join(("phone_number", *FURTHER_COLUMNS))
    text = header + "\n" + "".join(",".join(row) + "\n" for row in rows)
    try:
        batch, _ = read(text)
    except ListRefused:
        return
    found = [number for contact in numbers(batch) for number in contact]
    assert len(found) == len(set(found))
    assert all(contact for contact in numbers(batch))


def history(**changes: Any) -> History:
    plain = {"attempts": 1, "free_sends": 0, "rejected": False, "retries_per_contact": 2}
    return History(**{**plain, "retry_delay_seconds": 300, **changes})


@pytest.mark.parametrize("disposition", list(Disposition))
def test_a_contact_goes_on_with_its_next_number_where_it_is_called_again(disposition: Disposition) -> None:
    one = after_call(disposition, history(), refused=False, jitter=0.0)
    other = after_call(disposition, history(other_number=True), refused=False, jitter=0.0)
    assert not one.next_number
    assert not one.no_good
    if disposition in NO_GOOD:
        assert (one.status, other.status) == (ContactStatus.FAILED, ContactStatus.PENDING)
        assert (other.next_number, other.no_good, other.counts, other.delay_seconds) == (
            True,
            True,
            True,
            300,
        )
    else:
        assert (other.status, other.counts, other.delay_seconds) == (
            one.status,
            one.counts,
            one.delay_seconds,
        )
        retried = POLICY[disposition] is not Retry.NEVER and other.counts
        assert (other.next_number, other.no_good) == (retried, False)


def test_the_attempts_are_the_contacts_whatever_numbers_it_has() -> None:
    last = history(attempts=3, other_number=True)
    for disposition in (Disposition.INVALID, Disposition.BUSY):
        following = after_call(disposition, last, refused=False, jitter=0.0)
        assert (following.status, following.next_number) == (ContactStatus.FAILED, False)
