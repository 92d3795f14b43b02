"""A disk that is full, the database's or this server's: 503 that says so, and nothing half-done."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

import models
from models import db, rows, transaction
from tests.integration.api.site import Site, csv_of

# What PostgreSQL raises where a table cannot grow; the disk of a test cannot be filled.
FILL = """
    CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'could not extend file "base/1/2": No space left on device' USING ERRCODE = 'disk_full';
    END $$"""


def full(table: str) -> None:
    with db.connection_context():
        db.execute_sql(FILL)
        db.execute_sql(f"CREATE TRIGGER fill BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION fill()")


@pytest.mark.parametrize("table", ["agent", "contact"])
def test_a_full_database_says_so(site: Site, table: str) -> None:
    full(table)
    if table == "agent":
        agent = {"name": "desk 2", "action": {"type": "park"}}
        response = site.request("POST", "/agents", role="admin", json=agent)
    else:
        response = site.request("POST", "/campaigns", data=site.form(csv_of(5)))
    assert (response.status_code, response.text) == (503, "The database's disk is full")
    assert "Retry-After" in response.headers
    with transaction():
        assert rows("SELECT 1 FROM campaign") == []
        db.execute_sql(f"DROP TRIGGER fill ON {table}")
    assert site.get("/campaigns").status_code == 200


def test_a_full_disk_of_the_server_says_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/x")

    monkeypatch.setattr("campaigns.spooling.tempfile.TemporaryFile", refuse)
    response = site.request("POST", "/campaigns", data=site.form(csv_of(5)))
    assert (response.status_code, response.text) == (503, "This server's disk is full")


def test_a_schema_that_is_not_ours_is_no_internal_error(site: Site) -> None:
    with db.connection_context():
        db.execute_sql("ALTER TABLE agent RENAME COLUMN action TO former")
        db.execute_sql("DELETE FROM schema_migration WHERE name = (SELECT max(name) FROM schema_migration)")
        (newest,) = rows("SELECT left(max(name), 4) AS number FROM schema_migration")
    response = site.get("/agents")
    found, needed = newest["number"], f"{models.SCHEMA_VERSION:04}"
    text = f"The database's schema is {found}, and this release needs {needed}: run python -m migrations."
    assert (response.status_code, response.text) == (503, text)
