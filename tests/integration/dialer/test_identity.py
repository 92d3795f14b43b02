"""The session lock says that a process exists: it is seen by others, found again, and never waited for."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from typing import Any, cast

import psycopg
import pytest
from redis import Redis

from bench.delay import Delay
from coordination.membership import Fenced, Membership
from dialer import identity as identity_module
from dialer.identity import LOCK_SPACE, Identity, lock_number, purge_locks
from dialer.recovery.reconciler import sender_is_dead
from models import Call, CallState, Contact, db, rows
from tests.factories import World, make_campaign
from tests.waiting import HANG_SECONDS, wait_until


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def identity(world: World, database_url: str, redis: Redis) -> Iterator[Identity]:
    made = Identity(database_url, Membership(redis, "carillon:"))
    made.take({})
    yield made
    made.drop_lock()


def test_a_server_that_stands_still_is_taken_for_one_that_is_away(
    world: World, database_url: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity_module, "SILENCE_SECONDS", 0.3)
    port = int(database_url.rpartition("/")[0].rpartition(":")[2])
    with closing(Delay(port)) as way:
        through = database_url.replace(f":{port}/", f":{way.port}/")
        made = Identity(through, Membership(redis, "carillon:"))
        made.take({})
        way.seconds = HANG_SECONDS
        with pytest.raises(psycopg.OperationalError):
            made.keep_lock()
        assert not made.may_send()
        way.seconds = 0.0
        wait_until(lambda: kept(made), "the lock, anew")
        assert made.may_send()
        made.drop_lock()


def kept(identity: Identity) -> bool:
    try:
        identity.keep_lock()
    except psycopg.Error:
        return False
    return True


def is_free(database_url: str, dialer_id: str) -> bool:
    with psycopg.connect(database_url, autocommit=True) as other:
        taken = other.execute("SELECT pg_try_advisory_lock(%s, %s)", (LOCK_SPACE, lock_number(dialer_id)))
        return bool(scalar(taken))


def scalar(cursor: psycopg.Cursor[tuple[Any, ...]]) -> Any:
    found = cursor.fetchone()
    assert found is not None
    return found[0]


def kill_a_backend(database_url: str, *, survivor: Identity) -> None:
    """As the OOM killer would: PostgreSQL then ends every session, recovers and goes on."""
    with psycopg.connect(database_url, autocommit=True) as victim:
        # The server of the tests commits asynchronously: what it said it wrote must outlive this.
        victim.execute("CHECKPOINT")
        os.kill(victim.info.backend_pid, signal.SIGKILL)

    def taken_along() -> bool:
        try:
            return is_free(database_url, survivor.dialer_id)
        except psycopg.Error:
            return False

    wait_until(taken_along, what="the end of every session")
    db.close_all()
    wait_until(lambda: postmaster_started_at(database_url), what="PostgreSQL's recovery")


def postmaster_started_at(database_url: str) -> datetime | None:
    try:
        with psycopg.connect(database_url, autocommit=True, connect_timeout=2) as other:
            return cast("datetime", scalar(other.execute("SELECT pg_postmaster_start_time()")))
    except psycopg.Error:
        return None


def locks() -> set[str]:
    with db.connection_context():
        return {row["dialer_id"] for row in rows("SELECT dialer_id FROM session_lock")}


def end_session(database_url: str, identity: Identity) -> None:
    with psycopg.connect(database_url, autocommit=True) as other:
        ended = other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
            (f"carillon {identity.dialer_id}",),
        )
        assert ended.fetchall() == [(True,)]


def call_sent_by(dialer_id: str, world: World) -> None:
    """An open call of somebody else, which this dialer may have sent."""
    campaign_id = make_campaign(world, 1)
    with db.connection_context():
        Call.create(
            tenant=world.tenant_id,
            campaign=campaign_id,
            contact=Contact.get(Contact.campaign == campaign_id),
            seq=1,
            state=CallState.DISPATCHING,
            generation=1,
            phone_number="+14155560000",
            caller_id="+14155550100",
            gateway_id=world.gateway_id,
            node="fs1",
            dialer_id="d000000000000",
            sent_by=dialer_id,
        )


def test_a_living_process_holds_its_lock_and_one_that_ended_does_not(
    identity: Identity, database_url: str
) -> None:
    assert not is_free(database_url, identity.dialer_id)
    assert not sender_is_dead(identity.dialer_id)
    assert identity.may_send()
    identity.release()
    assert not identity.may_send()
    wait_until(lambda: sender_is_dead(identity.dialer_id), what="PostgreSQL letting the lock go")


def test_a_lock_that_was_lost_stops_the_sender_until_it_is_held_again(
    identity: Identity, database_url: str
) -> None:
    end_session(database_url, identity)
    identity.keep_lock()
    assert identity.may_send()
    assert not is_free(database_url, identity.dialer_id)


def test_an_earlier_connection_that_the_server_takes_for_alive_is_ended_and_not_waited_for(
    identity: Identity, database_url: str
) -> None:
    number = lock_number(identity.dialer_id)
    with psycopg.connect(database_url, autocommit=True) as half_open:
        end_session(database_url, identity)
        half_open.execute("SELECT pg_advisory_lock(%s, %s)", (LOCK_SPACE, number))
        with pytest.raises(psycopg.OperationalError):
            identity.keep_lock()
        assert not identity.may_send()
        identity.keep_lock()
        assert identity.may_send()
        with pytest.raises(psycopg.OperationalError):
            half_open.execute("SELECT 1")


def test_a_look_at_the_lock_is_good_for_seconds_only(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity.keep_lock()
    assert identity.may_send()
    monkeypatch.setattr(identity_module, "LOCK_SECONDS", -1.0)
    assert not identity.may_send()


def test_a_lock_says_nothing_after_the_server_restarted(identity: Identity, database_url: str) -> None:
    with db.connection_context():
        db.execute_sql("UPDATE session_lock SET postmaster_started_at = now() - interval '1 day'")
    identity.release()
    wait_until(lambda: is_free(database_url, identity.dialer_id), what="PostgreSQL letting the lock go")
    assert not sender_is_dead(identity.dialer_id)


def test_a_lock_says_nothing_after_one_backend_crashed_until_it_is_taken_anew(
    identity: Identity, database_url: str
) -> None:
    before = postmaster_started_at(database_url)
    kill_a_backend(database_url, survivor=identity)
    assert postmaster_started_at(database_url) == before
    assert is_free(database_url, identity.dialer_id)
    assert not sender_is_dead(identity.dialer_id)
    identity.keep_lock()
    assert not sender_is_dead(identity.dialer_id)
    identity.release()
    wait_until(lambda: sender_is_dead(identity.dialer_id), what="PostgreSQL letting the lock go")


def test_a_dialer_that_never_said_since_when_it_holds_its_lock_is_not_proven_dead(
    identity: Identity, database_url: str
) -> None:
    with db.connection_context():
        db.execute_sql("DELETE FROM session_lock")
    identity.release()
    wait_until(lambda: is_free(database_url, identity.dialer_id), what="PostgreSQL letting the lock go")
    assert not sender_is_dead(identity.dialer_id)


def test_a_lock_is_forgotten_once_what_its_dialer_sent_has_ended(identity: Identity, world: World) -> None:
    with db.connection_context():
        db.execute_sql("UPDATE session_lock SET taken_at = now() - interval '1 day'")
    purge_locks()
    assert locks() == {identity.dialer_id}
    with db.connection_context():
        db.execute_sql("UPDATE dialer SET settled_at = now()")
    purge_locks()
    assert locks() == {identity.dialer_id}
    call_sent_by(identity.dialer_id, world)
    with db.connection_context():
        db.execute_sql("UPDATE dialer SET settled_at = now() - interval '2 hours'")
    purge_locks()
    assert locks() == {identity.dialer_id}
    with db.connection_context():
        db.execute_sql("UPDATE call SET state = 'ended', ended_at = now()")
    purge_locks()
    assert locks() == set()


def test_a_process_whose_lease_lapsed_has_lost_it_for_good(identity: Identity, redis: Redis) -> None:
    redis.flushall()
    with pytest.raises(Fenced):
        identity.renew({})
    assert identity.lost
    assert not identity.may_send()
    with pytest.raises(Fenced):
        Membership(redis, "carillon:").renew(identity.dialer_id, {})
