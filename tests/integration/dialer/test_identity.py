"""The session lock says that a process exists: it is seen by others, found again, and never waited for."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest
from redis import Redis

from dialer import identity as identity_module
from dialer.identity import Identity, lock_is_free
from dialer.rescue.recovery import same_postmaster, sender_is_dead
from limits.roster import Fenced, Roster
from models import db
from tests.factories import World
from tests.waiting import wait_until


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def identity(world: World, database_url: str, redis: Redis) -> Iterator[Identity]:
    made = Identity(database_url, Roster(redis, "carillon:"))
    made.take({})
    yield made
    if made._session is not None:
        made._session.close()


def is_free(dialer_id: str) -> bool:
    with db.connection_context():
        return lock_is_free(dialer_id)


def end_session(database_url: str, identity: Identity) -> None:
    assert identity._session is not None
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", (identity._session.info.backend_pid,))


def test_a_living_process_holds_its_lock_and_one_that_ended_does_not(identity: Identity) -> None:
    assert not is_free(identity.dialer_id)
    assert not sender_is_dead(identity.dialer_id)
    assert identity.may_send()
    identity.release()
    assert not identity.may_send()
    wait_until(lambda: is_free(identity.dialer_id), what="PostgreSQL letting the lock go")
    assert sender_is_dead(identity.dialer_id)


def test_a_lock_that_was_lost_stops_the_sender_until_it_is_held_again(
    identity: Identity, database_url: str
) -> None:
    end_session(database_url, identity)
    identity.keep_lock()
    assert identity.may_send()
    assert not is_free(identity.dialer_id)


def test_an_earlier_connection_that_the_server_takes_for_alive_is_ended_and_not_waited_for(
    identity: Identity, database_url: str
) -> None:
    half_open = identity._session
    assert half_open is not None
    identity._session = None
    began = time.monotonic()
    with pytest.raises(psycopg.OperationalError):
        identity._lock()
    assert time.monotonic() - began < 10
    identity.keep_lock()
    assert identity.may_send()
    half_open.close()


def test_a_look_at_the_lock_is_good_for_seconds_only(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity.keep_lock()
    assert identity.may_send()
    monkeypatch.setattr(identity_module, "LOCK_SECONDS", -1.0)
    assert not identity.may_send()


def test_a_lock_says_nothing_after_the_server_restarted(identity: Identity) -> None:
    with db.connection_context():
        db.execute_sql("UPDATE dialer SET postmaster_started_at = now() - interval '1 day'")
        assert not same_postmaster(identity.dialer_id)
    identity.release()
    assert not sender_is_dead(identity.dialer_id)


def test_a_process_whose_lease_lapsed_has_lost_it_for_good(identity: Identity, redis: Redis) -> None:
    redis.flushall()
    identity.renew({})
    assert identity.lost
    assert not identity.may_send()
    with pytest.raises(Fenced):
        Roster(redis, "carillon:").renew(identity.dialer_id, {})
