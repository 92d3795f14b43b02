"""The order of steps that the promises rest on, each driven to where a wrong one would show."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import gevent
import orjson
import pytest
from peewee import PeeweeException

from campaigns import lifecycle
from dialer.dispatch.claims import ClaimRequest, claim
from dialer.record import cdr_inbox as inbox_module
from dialer.record.outcome_rows import Told, write
from live.errors import LiveUnavailable
from models import db, new_id, rows
from tests.factories import World, make_campaign
from tests.integration.dialer.test_cdr_inbox import ANSWERED, UNKNOWN, Desk
from tests.integration.dialer.test_claims_and_outcomes import DIALER, claim_all, contact_of, end, ended
from tests.integration.model.rig import Rig, rig_over
from tests.waiting import HANG_SECONDS, wait_until

WAITS_FOR_ME = "SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"


@pytest.fixture
def rig(database_url: str, redis_url: str, world: World) -> Iterator[Rig]:
    with rig_over(database_url, redis_url, world) as made:
        yield made


def owners(rig: Rig) -> set[str]:
    with db.connection_context():
        found = rows("SELECT dialer_id FROM call WHERE campaign_id = %s", rig.campaign_id)
    return {row["dialer_id"] for row in found}


def pause(rig: Rig) -> None:
    with db.connection_context(), db.atomic():
        done = lifecycle.pause(uuid.UUID(rig.campaign_id), "demo")
    rig.hold(done.generation)


def test_a_frame_leaves_only_under_a_committed_row(rig: Rig) -> None:
    dialer = rig.new_dialer()
    assert dialer.run(dialer.dial)
    assert len(rig.switch.frames) == rig.contacts
    rig.check()
    rig.finish()


def test_a_dialer_that_wakes_after_its_calls_were_taken_over_sends_nothing(rig: Rig) -> None:
    """Redis has forgotten every lease, so that only a fence, and the wait for it, says who may still send."""
    sleeper = rig.new_dialer()
    assert not sleeper.run(sleeper.dial, "claimed")
    rig.redis.flushall()
    successor = rig.new_dialer()
    successor.run(successor.adopt)
    assert owners(rig) == {sleeper.id}, "its calls were taken while it may still send"
    rig.tick(6)
    successor.run(successor.adopt)
    assert owners(rig) == {successor.id}
    sleeper.wake()
    assert rig.switch.frames == []
    rig.finish()


def test_a_call_that_runs_and_ends_between_two_questions_is_known_to_have_lived(rig: Rig) -> None:
    victim = rig.new_dialer()
    victim.run(victim.dial)
    victim.kill()
    successor = rig.new_dialer()
    rig.tick(6)
    successor.run(successor.adopt)
    # Who has not read what is dialled sends nothing again, whatever the answer.
    successor.run(successor.dial)
    rig.tick(6)
    assert not successor.run(successor.round, "asked")
    while rig.switch.frames:
        rig.switch.execute()
    for call_id in list(rig.switch.alive):
        rig.switch.hang_up(call_id)
    successor.wake()
    successor.run(successor.dial)
    assert rig.switch.frames == [], "it was sent again"
    rig.finish()


def test_a_pause_is_answered_once_the_write_under_way_is_over(rig: Rig) -> None:
    dialer = rig.new_dialer()
    assert not dialer.run(dialer.dial, "past the guard")
    acked: list[str] = []
    control_bus: Any = SimpleNamespace(ack=lambda token, _dialer: acked.append(token))
    dialer.process.control.control_bus = control_bus
    # Of what was written the node's answer is waited for too, but no longer than a node may stand still.
    dialer.process.control.wait_for_nodes = lambda _seconds: True
    answering = gevent.spawn(dialer.process.control.answer, "token")
    answering.join(0.1)
    assert acked == [], "it was answered with a frame under way"
    dialer.wake()
    answering.join(10)
    assert acked == ["token"]


def test_a_successor_hears_a_call_before_it_owns_it(rig: Rig) -> None:
    victim = rig.new_dialer()
    victim.run(victim.dial)
    victim.kill()
    successor = rig.new_dialer()
    rig.tick(6)
    assert not successor.run(successor.adopt, "before the permits")
    assert victim.id in successor.link.hears
    assert owners(rig) == {victim.id}
    successor.wake()
    assert owners(rig) == {successor.id}


@pytest.mark.parametrize("late", ["before the permits", "permits taken", "among the live calls"])
@pytest.mark.parametrize("early", ["before the permits", "permits taken", "among the live calls"])
def test_two_successors_at_once_settle_a_dialer_as_one_would(rig: Rig, early: str, late: str) -> None:
    """The first stands still for longer than its lease and wakes while the second is at the same."""
    victim = rig.new_dialer()
    victim.run(victim.dial)
    rig.switch.execute()
    # The others are lost with the connection, and are to be sent again.
    rig.switch.frames.clear()
    victim.kill()
    first, second = rig.new_dialer(), rig.new_dialer()
    rig.tick(6)
    assert not first.run(first.adopt, early)
    rig.tick(6)
    assert not second.run(second.adopt, late)
    first.wake()
    rig.check()
    second.wake()
    rig.check()
    assert not first.process.identity.may_send()
    rig.finish()
    assert set(rig.switch.executed.values()) == {1}


def test_a_dialer_with_an_open_call_is_not_settled(rig: Rig) -> None:
    """A process that was stopped in the middle of a claim commits it when its successor has taken all there was."""
    victim = rig.new_dialer()
    victim.kill()
    successor = rig.new_dialer()
    rig.tick(6)
    publish_leftovers = successor.process.outbox.publish_leftovers

    def late(owner: str, older_than: float = 0.0) -> int:
        with db.connection_context():
            (contact, *_) = rows(
                "SELECT id::text, phone_number FROM contact WHERE campaign_id = %s", rig.campaign_id
            )
            (gateway,) = rows("SELECT id::text FROM gateway")
            (now,) = rows("SELECT generation FROM campaign WHERE id = %s", rig.campaign_id)
        call_id, generation = str(new_id()), now["generation"]
        wanted = ClaimRequest(
            rig.campaign_id,
            generation,
            contact["id"],
            call_id,
            "fs1",
            "core-1",
            gateway["id"],
            0,
            phone_number=contact["phone_number"],
        )
        claim(victim.id, [wanted])
        return publish_leftovers(owner, older_than)

    outbox: Any = SimpleNamespace(publish_leftovers=late)
    successor.process.takeover.outbox, kept = outbox, successor.process.takeover.outbox
    successor.run(successor.adopt)
    with db.connection_context():
        assert rows("SELECT settled_at FROM dialer WHERE id = %s", victim.id) == [{"settled_at": None}]
    successor.process.takeover.outbox = kept
    rig.finish()


def test_the_limiter_is_rebuilt_with_what_the_rows_know(rig: Rig) -> None:
    dialer = rig.new_dialer()
    dialer.run(dialer.dial)
    rig.switch.execute()
    rig.switch.execute()
    first = next(iter(rig.switch.alive))
    rig.switch.answer(first)
    rig.switch.hang_up(first)
    while rig.switch.events:
        rig.arrive()
    dialer.run(dialer.record)
    before = rig.limiter.usage("demo")
    rig.redis.flushall()
    rig.limiter.whole()
    rig.new_dialer()
    after = rig.limiter.usage("demo")
    assert before is not None
    assert after is not None
    assert (after.concurrent, after.day_calls, after.day_seconds) == (1, 2, 1)
    assert (after.concurrent, after.day_calls, after.day_seconds) == (
        before.concurrent,
        before.day_calls,
        before.day_seconds,
    )


def test_a_call_that_never_left_costs_no_attempt(rig: Rig) -> None:
    dialer = rig.new_dialer()
    assert not dialer.run(dialer.dial, "claimed")
    pause(rig)
    dialer.process.send_gate.block(rig.campaign_id, 99)
    dialer.wake()
    dialer.run(dialer.record)
    assert rig.switch.frames == []
    with db.connection_context():
        found = rows("SELECT DISTINCT status, attempts FROM contact WHERE campaign_id = %s", rig.campaign_id)
    assert found == [{"status": "pending", "attempts": 0}]


def test_an_end_waits_for_the_stop_that_runs_beside_it(world: World) -> None:
    campaign_id = make_campaign(world, 1, retries_per_contact=1)
    (call,) = claim_all(campaign_id)
    with db.connection_context(), db.atomic():
        lifecycle.stop(campaign_id, world.tenant_id)
        ending = gevent.spawn(write, DIALER, [], [], [ended(call.call_id, "pending")])
        wait_until(lambda: ending.ready() or rows(WAITS_FOR_ME), "the end, or that it waits for the stop")
        assert not ending.ready()
    ending.get(timeout=HANG_SECONDS)
    assert contact_of(call).status == "failed"


def test_nothing_is_told_of_a_correction_that_was_not_committed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign_id = make_campaign(world, 1)
    (call,) = claim_all(campaign_id)
    end(ended(call.call_id, "failed", **UNKNOWN))
    with db.connection_context():
        rows(
            "INSERT INTO cdr_inbox (uuid, node, variables) VALUES (%s, 'fs1', %s)",
            call.call_id,
            orjson.dumps(ANSWERED).decode(),
        )
    desk = Desk(DIALER)
    monkeypatch.setattr(inbox_module, "APPLIED", "SELECT 1 / 0 WHERE %s::uuid[] IS NOT NULL")
    with pytest.raises(PeeweeException):
        desk.cdr_inbox.round()
    assert desk.published == []
    assert contact_of(call).disposition == "outcome_unknown"
    desk.stop()


def test_what_redis_did_not_take_is_told_later(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    dialer = rig.new_dialer()
    outbox = dialer.process.outbox
    dialer.run(dialer.dial)

    def away(*_: Any, **__: Any) -> list[Told]:
        raise LiveUnavailable("publishing", "away")

    with monkeypatch.context() as patch:
        patch.setattr(outbox.publisher, "publish", away)
        with pytest.raises(LiveUnavailable):
            outbox.publish_all()
    assert rig.told() == {}
    dialer.run(dialer.publish)
    assert rig.told() == rig.committed() != {}


def test_what_a_node_said_is_as_old_as_the_question(rig: Rig) -> None:
    """Between the two parts of a question, which may take long, a node may carry out what sat in its buffer."""
    victim = rig.new_dialer()
    victim.run(victim.dial)
    victim.kill()
    successor = rig.new_dialer()
    rig.tick(6)
    successor.run(successor.dial)
    assert not successor.run(successor.adopt, "asked uuid_dump")
    while rig.switch.frames:
        rig.switch.execute()
    rig.ahead += 6
    successor.probe_nodes()
    successor.keep_alive()
    successor.wake()
    successor.run(successor.dial)
    assert rig.switch.frames == [], "a call that is up was sent again"
    rig.finish()
