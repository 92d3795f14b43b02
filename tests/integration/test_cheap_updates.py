"""What lets a call's steps write no index: a column that is true whoever writes, and is filled beside writers."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import gevent
import psycopg
import pytest

from dialer.identity import KNOWS
from dialer.record.outcome_rows import Answered, Seen, write
from migrations import contraction
from migrations.runner import is_contracted, migrate
from models import CONTACT_TRANSITIONS, Contact, ContactStatus, connect, db, new_id, rows
from tests import pools
from tests.factories import make_campaign, make_world
from tests.integration.dialer.test_claims_and_outcomes import DIALER, claim_all, end, ended
from tests.waiting import wait_until

MIGRATION = "0014_cheap_updates"
SECONDS = 30
IN_FLIGHT = (ContactStatus.ORIGINATED, ContactStatus.CONNECTED)


@pytest.fixture
def campaign_id(database_url: str) -> Iterator[uuid.UUID]:
    """A campaign of ten pending contacts."""
    pool = connect(database_url)
    yield make_campaign(make_world(), 10)
    pools.close(pool)


def moved(status: ContactStatus) -> tuple[object, ...]:
    return status, new_id() if status in IN_FLIGHT else None


def waiting() -> dict[str, bool | None]:
    with db.connection_context():
        return {row["status"]: row["waiting"] for row in rows("SELECT status, waiting FROM contact")}


@pytest.mark.parametrize(
    ("before", "after"), [(before, after) for before, to in CONTACT_TRANSITIONS.items() for after in to]
)
def test_waiting_follows_the_status_of_whoever_does_not_write_it(
    campaign_id: uuid.UUID, before: ContactStatus, after: ContactStatus
) -> None:
    with db.connection_context():
        for status in (before, after):
            db.execute_sql("UPDATE contact SET status = %s, call_id = %s", moved(status))
            assert waiting() == {status: status is ContactStatus.PENDING}


@pytest.mark.parametrize("status", ContactStatus)
def test_waiting_follows_the_status_that_a_row_is_made_with(
    campaign_id: uuid.UUID, status: ContactStatus
) -> None:
    with db.connection_context():
        Contact.delete().execute()
        db.execute_sql(
            "INSERT INTO contact (id, campaign_id, position, phone_number, status, call_id)"
            " VALUES (gen_random_uuid(), %s, 1, '+14155550100', %s, %s)",
            (campaign_id, *moved(status)),
        )
    assert waiting() == {status: status is ContactStatus.PENDING}


@pytest.fixture
def unfilled(campaign_id: uuid.UUID, database_url: str) -> str:
    """The database as 0013 left one that had rows: none of them says that it waits."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DELETE FROM schema_migration WHERE name = %s", (MIGRATION,))
        connection.execute("DROP INDEX contact_waiting")
        connection.execute("ALTER TABLE contact DISABLE TRIGGER contact_waiting")
        connection.execute("UPDATE contact SET waiting = NULL")
        connection.execute(
            "UPDATE contact SET status = 'originated', call_id = gen_random_uuid() WHERE position < 3"
        )
        connection.execute("UPDATE contact SET status = 'failed' WHERE position = 3")
        connection.execute("ALTER TABLE contact ENABLE TRIGGER contact_waiting")
    return database_url


def test_what_was_pending_before_is_found_and_a_claim_that_runs_beside_waits_for_nobody(
    unfilled: str,
) -> None:
    with psycopg.connect(unfilled) as claim, psycopg.connect(unfilled, autocommit=True) as observer:
        claim.execute(
            "UPDATE contact SET status = 'originated', call_id = gen_random_uuid() WHERE position = 4"
        )
        release = gevent.spawn(migrate, unfilled)
        filled = "SELECT count(*) FROM contact WHERE waiting AND position > 4"
        wait_until(
            lambda: observer.execute(filled).fetchone() == (5,),
            what="the contacts that nobody is at",
            seconds=SECONDS,
        )
        assert not release.ready()
        claim.execute(
            "UPDATE contact SET status = 'originated', call_id = gen_random_uuid() WHERE position = 5"
        )
        claim.commit()
        assert release.get(timeout=SECONDS) == [MIGRATION]
        wrong = "SELECT position FROM contact WHERE coalesce(waiting, false) <> (status = 'pending')"
        assert observer.execute(wrong).fetchall() == []


def updates() -> dict[str, tuple[int, int]]:
    """By table: how many rows this database has updated, and how many of them without an index."""
    with db.connection_context():
        rows("SELECT pg_stat_force_next_flush()")
        found = rows(
            "SELECT relname, n_tup_upd AS updated, n_tup_hot_upd AS hot FROM pg_stat_user_tables"
            " WHERE relname IN ('call', 'contact')"
        )
    return {row["relname"]: (row["updated"], row["hot"]) for row in found}


def test_of_a_calls_steps_its_claim_and_its_end_write_indexes(campaign_id: uuid.UUID) -> None:
    with db.connection_context():
        before = updates()
        calls = claim_all(campaign_id)
        write(DIALER, [Seen(call.call_id, 0.0, 1.0, True) for call in calls], [], [])
        write(DIALER, [], [Answered(call.call_id, 0.0, 1.0) for call in calls], [])
        end(*(ended(call.call_id, "completed", disposition="answered") for call in calls))
        after = updates()
    more = {name: (after[name][0] - before[name][0], after[name][1] - before[name][1]) for name in after}
    assert more == {"call": (30, 20), "contact": (30, 20)}


OLDER, NEWER = None, KNOWS


@pytest.mark.parametrize(
    ("knows", "settled", "expected"),
    [(OLDER, False, False), (13, False, False), (OLDER, True, True), (NEWER, False, True)],
)
def test_what_an_older_dialer_needs_stays_until_it_is_settled(
    campaign_id: uuid.UUID, database_url: str, knows: int | None, settled: bool, expected: bool
) -> None:
    with db.connection_context():
        db.execute_sql("CREATE INDEX contact_due ON contact (campaign_id) WHERE status = 'pending'")
        db.execute_sql(
            "INSERT INTO dialer (id, knows, settled_at) VALUES ('d1', %s, CASE WHEN %s THEN now() END)",
            (knows, settled),
        )
    assert not is_contracted(database_url)
    assert migrate(database_url) == []
    assert is_contracted(database_url) == expected


def test_a_new_database_has_nothing_of_an_older_release(campaign_id: uuid.UUID, database_url: str) -> None:
    assert is_contracted(database_url)
    assert contraction.KNOWN <= KNOWS
