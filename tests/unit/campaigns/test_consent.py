"""What a list says of consent is kept as what it is, and a row that says it wrongly is told so."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from typing import BinaryIO, cast

import pytest

from campaigns.columns import CellRefused, Limits, columns_of
from campaigns.consent import SOURCE_MAX, consent_of
from campaigns.copy_rows import copy_rows
from campaigns.importer import read_list
from ids import new_id

NOW = datetime(2026, 2, 1, tzinfo=UTC)
NAMES = ["phone_number", "Consent_At", "consent_source"]
COLUMNS = columns_of(NAMES, dict.fromkeys(NAMES, "x"))


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (["", "2026-01-31T10:00:00+01:00", "web form"], ("2026-01-31T09:00:00+00:00", "web form")),
        (["", " 2026-01-31 ", ""], ("2026-01-31T00:00:00+00:00", None)),
        (["", "2026-01-31t09:00:00z", ""], ("2026-01-31T09:00:00+00:00", None)),
        (["", "", "phone"], (None, "phone")),
        ([""], (None, None)),
    ],
)
def test_what_is_said_is_kept(cells: list[str], found: tuple[str | None, str | None]) -> None:
    assert consent_of(cells, COLUMNS, NOW) == found


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        (["", "yes", ""], "consent_at"),
        (["", "31.01.2026", ""], "consent_at"),
        (["", "2026-01-31T09:00:00", ""], "consent_at"),
        (["", "2026-02-02", ""], "consent_at"),
        (["", "0001-01-01T00:00:00+01:00", ""], "consent_at"),
        (["", "2026-01-31", "x" * (SOURCE_MAX + 1)], "consent_source"),
    ],
)
def test_what_is_said_wrongly_is_refused(cells: list[str], column: str) -> None:
    refused = consent_of(cells, COLUMNS, NOW)
    assert isinstance(refused, CellRefused)
    assert (refused.code, refused.column) == ("invalid_consent", column)


def test_a_row_without_it_keeps_no_later_one_from_being_called() -> None:
    text = "phone_number,consent_at\n+12125550100,soon\n+12125550100,2026-01-31\n"
    (batch,) = read_list(cast(BinaryIO, BytesIO(text.encode())), default_region=None, limits=Limits())
    assert [row.line for row in batch.accepted] == [3]
    assert [row.code for row in batch.rejected] == ["invalid_consent"]


def test_a_list_says_it_row_by_row_and_keeps_the_columns_all_the_same() -> None:
    rows = ["+12125550100,2026-01-31,a\tb", "+12125550101,,", "+12125550102,soon,"]
    text = "\n".join(["phone_number,consent_at,consent_source", *rows])
    batches = list(read_list(cast(BinaryIO, BytesIO(text.encode())), default_region=None, limits=Limits()))
    (first, second), (refused,) = batches[0].accepted, batches[0].rejected
    assert first.custom_fields == {"consent_at": "2026-01-31", "consent_source": "a\tb"}
    assert (first.consent[0], second.consent) == ("2026-01-31T00:00:00+00:00", (None, None))
    assert (refused.line, refused.code, refused.column) == (4, "invalid_consent", "consent_at")
    (piece,) = copy_rows(batches, new_id())
    one, other = piece.contacts.splitlines()
    assert one.endswith(b"\t2026-01-31T00:00:00+00:00\ta\\tb")
    assert other.endswith(b"\t\\N\t\\N")
