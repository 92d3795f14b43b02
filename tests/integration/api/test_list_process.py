"""A long list goes through a process of its own: what is stored is the same, and nothing where that process fails."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Generator
from typing import Any

import orjson
import pytest

from api.routes import list_body
from campaigns import store
from campaigns.copy_rows import CopyRows
from campaigns.number_hash import NumberHash
from campaigns.schedule_changes import Schedule
from models import rows, transaction
from tests.integration.api.site import PEPPER, TENANT, Site, csv_of
from tests.unit.campaigns.test_list_process import readers

NASTY = [
    "tab\there", "line\nbreak", "carriage\rreturn", "back\\slash", "\\n", "\\.", "\\N", "trailing\\",
    'a "quote"', "Zoë 🙂", "", " ", "é" * 300, "'; DROP TABLE contact; --",
]  # fmt: skip
LONG = 20_000


@pytest.fixture(params=["here", "elsewhere"])
def read_where(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    where: str = request.param
    monkeypatch.setattr(list_body, "SHORT_BYTES", 0 if where == "elsewhere" else 10**9)
    return where


def csv_cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def stored(site: Site, campaign_id: str) -> list[tuple[int, str, dict[str, str]]]:
    found = site.sql(
        "SELECT position, phone_number, custom_fields FROM contact WHERE campaign_id = %s ORDER BY position",
        campaign_id,
    )
    return [(row["position"], row["phone_number"], row["custom_fields"]) for row in found]


def nothing_kept(site: Site) -> bool:
    return not any(site.sql(f"SELECT 1 FROM {table}") for table in ("campaign", "contact", "import_reject"))


def test_whatever_a_cell_holds_is_stored_as_it_was_written(site: Site, read_where: str) -> None:
    lines = [f"+1415555{100 + at:04d},{csv_cell(text)}\n" for at, text in enumerate(NASTY)]
    created = site.post("/campaigns", data=site.form("phone_number,note\\\t\n" + "".join(lines)))
    assert created.status_code == 201, (read_where, created.text)
    assert stored(site, created.json["id"]) == [
        (at + 1, f"+1415555{100 + at:04d}", {"note\\": text}) for at, text in enumerate(NASTY)
    ]


def test_whatever_a_row_holds_is_shown_when_it_is_refused(site: Site, read_where: str) -> None:
    lines = [f"12,{text}\n" for text in NASTY if not {*text} & {*'\n\r"'}]
    created = site.post(
        "/campaigns", data=site.form("phone_number,note\n+14155550100,good\n" + "".join(lines))
    )
    assert created.json["import"]["invalid"] == len(lines), read_where
    rejects = site.sql("SELECT line, raw, code FROM import_reject ORDER BY line")
    assert rejects == [
        {"line": at, "raw": line.rstrip("\n"), "code": "invalid_number"} for at, line in enumerate(lines, 3)
    ]


def test_the_objects_of_a_body_are_judged_as_they_are(site: Site, read_where: str) -> None:
    contacts = (
        '{"phone_number": "+14155550100", "n": 12345678901234567890123, "b": true, "f": 1.50, "z": null},'
        '{"phone_number": "+14155550101", "n": NaN},'
        '{"phone_number": "+14155550102", "n": "\\ud800"},'
        '{"phone_number": "+14155550100"}'
    )
    fields = orjson.dumps(site.fields()).decode()
    body = f'{fields[:-1]}, "contacts": [{contacts}]}}'
    created = site.post("/campaigns", data=body, content_type="application/json")
    assert created.status_code == 201, (read_where, created.text)
    assert stored(site, created.json["id"])[0] == (
        1, "+14155550100", {"n": "12345678901234567890123", "b": "true", "f": "1.5", "z": ""},
    )  # fmt: skip
    rejects = site.sql("SELECT line, code FROM import_reject ORDER BY line")
    assert [row["line"] for row in rejects] == [2, 3, 4]
    assert rejects[2]["code"] == "duplicate"


def test_a_list_that_is_refused_says_so_and_leaves_nothing(site: Site, read_where: str) -> None:
    refused = site.post("/campaigns", data=site.form("phone_number\n12\n13\n"))
    assert refused.status_code == 400, read_where
    assert refused.text == (
        "contacts has no good row: none of its 2 rows can be dialled, line 2 because "
        "phone_number '12' has too few digits for US; write the one number with + and its country code."
    )
    assert nothing_kept(site)


def test_a_long_list_is_read_in_a_process_of_its_own_and_a_short_one_is_not(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[int]] = []
    copy = store.copy

    def noted(*given: Any) -> None:
        seen.append(readers())
        copy(*given)

    monkeypatch.setattr(store, "copy", noted)
    site.create(3)
    assert not any(seen)
    for given in (
        site.multipart(csv_of(LONG)),
        {
            "json": site.fields()
            | {"contacts": [{"phone_number": f"+1415{5550000 + n:07d}"} for n in range(LONG)]}
        },
    ):
        seen.clear()
        assert site.post("/campaigns", **given).json["counts"]["pending"] == LONG
        assert len(seen[0]) == 1
        assert readers() == set()


def test_where_its_process_dies_nothing_is_kept_and_the_client_is_told_to_come_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = store.copy

    def killed(*given: Any) -> None:
        copy(*given)
        for child in readers():
            os.kill(child, signal.SIGKILL)

    monkeypatch.setattr(store, "copy", killed)
    headers = {"Idempotency-Key": "k1"}
    lost = site.post("/campaigns", headers=headers, **site.multipart(csv_of(LONG)))
    assert (lost.status_code, lost.text, lost.headers["Retry-After"]) == (
        503,
        "The list could not be read to its end, and nothing is kept.",
        "5",
    )
    assert nothing_kept(site)
    assert readers() == set()
    monkeypatch.setattr(store, "copy", copy)
    again = site.post("/campaigns", headers=headers, **site.multipart(csv_of(LONG)))
    assert (again.status_code, again.json["counts"]["pending"]) == (201, LONG)


def test_a_transaction_says_something_while_its_list_is_read(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server undoes one that is silent for seconds."""
    said: list[str] = []

    def noted(sql: str, *params: object) -> list[dict[str, Any]]:
        said.append(sql)
        return rows(sql, *params)

    def read(_campaign_id: uuid.UUID) -> Generator[CopyRows]:
        for _ in range(3):
            already = len(said)
            yield CopyRows()
            assert len(said) == already + 1

    monkeypatch.setattr(store, "rows", noted)
    new = store.NewCampaign(
        TENANT,
        "n",
        uuid.UUID(site.agent_id),
        uuid.UUID(site.phone_number_id),
        1,
        0,
        60,
        Schedule(None, None, None),
        "k",
    )
    with transaction():
        store.create(new, read, NumberHash(PEPPER))
    assert said.count("SELECT 1") == 3
