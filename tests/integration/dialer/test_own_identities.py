"""A dialer that has lost its identity dials on under a new one, in the same process, and nothing is sent or concluded
under the old one any more."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from peewee import PeeweeException
from redis import Redis

from dialer.live_calls import LiveCall
from dialer.record.recorder import Recorder
from models import CampaignStatus, db, rows
from simulator.ledger import read_ledger
from simulator.process import SimulatedNode
from tests.factories import World, make_campaign
from tests.integration.dialer.dialer_rig import Dialer, calls_of, change, contacts_of, is_over
from tests.waiting import wait_until

CONTACTS = 60


@pytest.fixture
def node(tmp_path: Path) -> Iterator[SimulatedNode]:
    """A node on which a call lasts for three seconds."""
    with SimulatedNode(speed=2, ledger=tmp_path / "ledger") as started:
        yield started


@pytest.fixture
def dialer(start: Callable[[], Dialer]) -> Dialer:
    return start()


@pytest.fixture
def campaign_id(world: World, dialer: Dialer) -> uuid.UUID:
    """One that is under way."""
    made = make_campaign(world, CONTACTS, max_concurrent_calls=20, status=CampaignStatus.PAUSED)
    with db.connection_context():
        # Everybody answers, talks and hangs up.
        db.execute_sql("UPDATE contact SET phone_number = '+14155' || (2000 + position) || '00'")
    change(dialer, "UPDATE campaign SET status = 'running'")
    return made


@pytest.fixture
def called(campaign_id: uuid.UUID, node: SimulatedNode) -> int:
    """How many were called when it was under way."""
    return wait_until(lambda: calls_of(node) >= 10 and calls_of(node), "calls")


def flushed(redis: Redis) -> None:
    """As after a restart without a disk: every lease is gone."""
    redis.flushall()


def lapsed(redis: Redis) -> None:
    """As after an outage longer than a lease."""
    for key in redis.scan_iter("*:lease:*"):
        redis.delete(key)


@pytest.mark.parametrize("loss", [flushed, lapsed])
def test_a_lost_lease_costs_no_process(
    dialer: Dialer, campaign_id: uuid.UUID, called: int, node: SimulatedNode, loss: Callable[[Redis], None]
) -> None:
    former, since = dialer.id, calls_of(node)
    loss(dialer.redis)
    wait_until(lambda: dialer.process.dialer_id != former, "another identity")
    wait_until(lambda: is_over(campaign_id), "the end of the campaign")
    sent = read_ledger(node.ledger or "").originates
    assert len(sent) == len({line.uuid for line in sent}) == CONTACTS > since
    assert contacts_of(campaign_id) == {"completed": CONTACTS}
    successor = dialer.process.dialer_id
    assert {line.dialer for line in sent} == {former, successor}
    first = min(line.t for line in sent if line.dialer == successor)
    assert all(line.t < first for line in sent if line.dialer == former)
    wait_until(
        lambda: [other["settled"] for other in dialers() if other["id"] == former] == [True], "the end of it"
    )
    assert not dialer.ended


def dialers() -> list[dict[str, Any]]:
    with db.connection_context():
        return rows("SELECT id, settled_at IS NOT NULL AS settled FROM dialer")


def test_one_that_stood_still_concludes_nothing_before_it_has_a_new_identity(
    dialer: Dialer, campaign_id: uuid.UUID, called: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = dialer.process
    wait_until(lambda: len(process.live_calls), "calls in flight")
    # Every timer of theirs is over, by the clock that went on; none of what happened meanwhile was heard yet.
    for call in process.live_calls:
        call.claimed_at -= 300
        call.sent_at = None if call.sent_at is None else call.sent_at - 300
        call.answered_at = None if call.answered_at is None else call.answered_at - 300
    dialer.awake_at = 90.0
    concluded: list[str] = []
    conclude = Recorder.close

    def close(recorder: Recorder, call: LiveCall, *arguments: Any, **named: Any) -> None:
        if recorder is process.recorder:
            concluded.append(call.call_id)
        conclude(recorder, call, *arguments, **named)

    monkeypatch.setattr(Recorder, "close", close)
    process.reconciler.round()
    for call in process.live_calls:
        process.reconciler.resolve(call)
    assert concluded == []
    assert process.lost
    assert not process.identity.may_send()
    wait_until(lambda: dialer.process is not process, "another identity")
    wait_until(lambda: is_over(campaign_id), "the end of the campaign")
    assert concluded == []


def test_a_failover_of_postgresql_costs_no_process(
    dialer: Dialer, campaign_id: uuid.UUID, called: int, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as operator:
        # The last transactions may be lost with the old primary, what is unlogged is, and every session ends.
        operator.execute("DELETE FROM dialer")
        operator.execute("DELETE FROM session_lock")
        operator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    wait_until(lambda: is_over_again(campaign_id), "the end of the campaign")
    assert contacts_of(campaign_id) == {"completed": CONTACTS}
    assert [other["id"] for other in dialers()] == [dialer.process.dialer_id]
    assert not dialer.ended


def is_over_again(campaign_id: uuid.UUID) -> bool:
    """Whether it is over, asked by a pool whose connections may have ended."""
    with suppress(PeeweeException):
        return is_over(campaign_id)
    return False


def test_the_order_to_end_ends_one_that_waits_for_a_new_identity(dialer: Dialer, called: int) -> None:
    former = dialer.id
    flushed(dialer.redis)
    wait_until(lambda: dialer.process.dialer_id != former, "another identity")
    assert dialer.end()
