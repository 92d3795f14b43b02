"""The list of the demo: every row is dialled, every outcome of the simulated number plan comes up."""

from __future__ import annotations

import collections
from pathlib import Path

import pytest

from campaigns.columns import Limits
from campaigns.import_rows import AcceptedRow
from campaigns.importer import read_list

CONTACTS = Path(__file__).parents[3] / "examples" / "contacts.csv"
# The called party's behaviour by the last two digits; these ones answer.
PLAN = {f"{outcome:02d}" for outcome in range(14)}
ANSWERED = {"00", "07", "08", "10", "13"}
RING_OUT = {"02", "09"}


@pytest.fixture(scope="module")
def contacts() -> list[AcceptedRow]:
    with CONTACTS.open("rb") as file:
        batches = list(read_list(file, default_region=None, limits=Limits()))
    assert [row for batch in batches for row in batch.rejected] == []
    return [row for batch in batches for row in batch.accepted]


def test_a_thousand_different_people_are_called(contacts: list[AcceptedRow]) -> None:
    assert len(contacts) == 1000
    assert len({row.phone_number for row in contacts}) == 1000
    assert len({row.custom_fields["order_id"] for row in contacts}) == 1000
    assert list(contacts[0].custom_fields) == ["first_name", "last_name", "order_id", "amount"]
    assert all(all(row.custom_fields.values()) for row in contacts)


def test_every_outcome_comes_up_and_most_calls_are_answered(contacts: list[AcceptedRow]) -> None:
    outcomes = collections.Counter(row.phone_number[-2:] for row in contacts)
    assert set(outcomes) == PLAN
    assert sum(outcomes[digits] for digits in ANSWERED) >= 600
    assert sum(outcomes[digits] for digits in RING_OUT) <= 10


def test_nobody_real_is_called(contacts: list[AcceptedRow]) -> None:
    """Only numbers set aside for fiction: 555-01xx in North America, Ofcom's drama numbers in Britain."""
    drama = (
        "+441134960 +441144960 +441164960 +441174960 +441184960 +441214960 +441314960 +441414960 "
        "+441514960 +441614960 +441914980 +442079460"
    )
    for row in contacts:
        number = row.phone_number
        assert (number[:2] == "+1" and number[5:10] == "55501") or number[:10] in drama.split(), number


def test_names_show_that_text_survives(contacts: list[AcceptedRow]) -> None:
    names = {row.custom_fields["first_name"] for row in contacts} | {
        row.custom_fields["last_name"] for row in contacts
    }
    assert {"Zoë", "Łukasz", "O'Brien"} <= names
    assert any("," in row.custom_fields["amount"] for row in contacts)
