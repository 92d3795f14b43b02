"""Every committed transition is published once and in order, whatever is away, late or dead in between."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import gevent
import orjson
import pytest
from redis import Redis

from api import notify
from campaigns.campaign_state import WEB
from coordination.turns import Turns
from dialer.dispatch.dispatch import originated
from dialer.record import outbox as outbox_module
from dialer.record.cdr_correction import correct
from dialer.record.outbox import HOLE_SECONDS, Outbox
from dialer.record.outcome_rows import Answered, write
from dialer.recovery import takeover
from live.errors import LiveUnavailable
from live.publisher import Publisher
from live.stream_events import StreamEvent
from migrations.runner import is_contracted, migrate
from models import OutboxRow, db, rows
from models import Transition as Row
from tests.factories import World, make_campaign
from tests.integration.dialer.test_claims_and_outcomes import claim_all, ended
from tests.waiting import wait_until

OURS, THEIRS = "d000000000001", "d000000000002"


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


def heard(redis: Redis, campaign_id: uuid.UUID) -> list[str]:
    entries: Any = redis.xrange(f"carillon:live:{campaign_id}")
    return [orjson.loads(fields["data"])["status"] for _, fields in entries]


def unpublished() -> int:
    with db.connection_context():
        flagged: int = Row.select().where(~Row.published).count()
        noted: int = sum(len(row.transition_ids) for row in OutboxRow.select())
    return flagged + noted


class Flaky(Publisher):
    """Fails, before or after it has published, as often as it is told to."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis, "carillon:")
        self.before = self.after = 0

    def publish(self, transitions: Sequence[StreamEvent], *, force: bool = False) -> Any:
        if self.before:
            self.before -= 1
            raise LiveUnavailable("publishing", "away")
        outcomes = super().publish(transitions, force=force)
        if self.after:
            self.after -= 1
            raise LiveUnavailable("publishing", "the answer was lost")
        return outcomes


class Noted(Publisher):
    """Publishes, and remembers the bytes of each transition of a contact or of the campaign."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis, "carillon:")
        self.told: dict[tuple[str, int], bytes] = {}

    def publish(self, transitions: Sequence[StreamEvent], *, force: bool = False) -> Any:
        self.told |= {(item.subject, item.version): orjson.dumps(item.payload) for item in transitions}
        return super().publish(transitions, force=force)


def one_call(world: World, *, claimer: str = OURS, ender: str = OURS) -> uuid.UUID:
    campaign_id = make_campaign(world, 1)
    (call,) = claim_all(campaign_id, claimer)
    write(claimer, [], [Answered(call.call_id, 0.0, 1.0)], [])
    write(ender, [], [], [ended(call.call_id, "completed", disposition="answered")])
    return campaign_id


def test_a_transition_is_told_in_the_same_bytes_by_whoever_publishes_it(world: World, redis: Redis) -> None:
    campaign_id = make_campaign(world, 2)
    with db.connection_context():
        Row.create(campaign_id=campaign_id, version=1, status="running", owner=OURS)
    first, second = claim_all(campaign_id, OURS)
    told = write(OURS, [], [Answered(first.call_id, 0.0, 1.0)], []).told
    told += write(OURS, [], [], [ended(first.call_id, "completed", disposition="answered")]).told
    told += write(OURS, [], [], [ended(second.call_id, "failed", disposition="outcome_unknown")]).told
    with db.connection_context(), db.atomic():
        told += correct(OURS, [ended(second.call_id, "failed")]).told

    after_the_commit, from_its_row = Noted(redis), Noted(redis)
    outbox = Outbox(after_the_commit, OURS)
    outbox.put([originated(first), originated(second)])
    outbox.put(told)
    outbox.publish_group()
    with db.connection_context():
        db.execute_sql("UPDATE transition SET published = false")
    by_the_api = [event for _, event in notify.unpublished(campaign_id, OURS)[0]]
    Outbox(from_its_row, OURS).publish_leftovers(OURS)

    expected = {(item.subject, item.version): orjson.dumps(item.payload) for item in by_the_api}
    assert len(expected) == 7
    assert from_its_row.told == expected
    assert after_the_commit.told == {key: data for key, data in expected.items() if key[0] != "campaign"}


@pytest.mark.parametrize("fault", ["none", "away", "answer lost", "away and back and lost"])
def test_what_was_never_put_is_found_in_its_rows(
    world: World, redis: Redis, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "LEFTOVERS_SECONDS", 0.05)
    publisher = Flaky(redis)
    publisher.before = 3 if "away" in fault else 0
    publisher.after = 2 if "lost" in fault else 0
    campaign_id = one_call(world)
    outbox = Outbox(publisher, OURS)
    greenlet = gevent.spawn(outbox.run)
    wait_until(lambda: unpublished() == 0, "everything published")
    outbox.stop()
    greenlet.join(5)
    assert greenlet.successful()
    assert heard(redis, campaign_id) == ["originated", "connected", "completed"]


def test_what_died_between_publish_and_mark_is_not_told_twice(world: World, redis: Redis) -> None:
    campaign_id = one_call(world)
    dying = Outbox(Publisher(redis, "carillon:"), OURS, mark=lambda *_: None)
    dying.publish_leftovers(OURS)
    assert unpublished() == 3
    Outbox(Publisher(redis, "carillon:"), THEIRS).publish_leftovers(OURS)
    assert unpublished() == 0
    assert heard(redis, campaign_id) == ["originated", "connected", "completed"]


def test_a_later_change_waits_for_the_earlier_one_of_somebody_else(world: World, redis: Redis) -> None:
    campaign_id = one_call(world, claimer=THEIRS, ender=OURS)
    # The stream knows this campaign from its first transition on, so that a missing one is noticed.
    first = StreamEvent(str(campaign_id), "campaign", 1, {"status": "running"})
    publisher = Publisher(redis, "carillon:")
    publisher.publish([first])
    ours = Outbox(publisher, OURS)
    assert ours.publish_leftovers(OURS) == 0
    assert ours.behind
    ours.publish_leftovers(THEIRS)
    ours.publish_leftovers(OURS)
    assert heard(redis, campaign_id) == ["running", "originated", "connected", "completed"]


def test_those_that_wait_for_somebody_else_do_not_hold_up_the_rest(
    world: World, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "GROUP", 1)
    publisher = Publisher(redis, "carillon:")
    waits = one_call(world, claimer=THEIRS, ender=OURS)
    publisher.publish([StreamEvent(str(waits), "campaign", 1, {"status": "running"})])
    goes = one_call(world)
    assert Outbox(publisher, OURS).publish_leftovers(OURS) == 3
    assert heard(redis, goes) == ["originated", "connected", "completed"]
    assert heard(redis, waits) == ["running"]


def test_a_hole_is_told_only_after_a_minute_of_waiting_with_redis_there(
    world: World, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(outbox_module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    campaign_id = one_call(world, claimer=THEIRS, ender=OURS)
    with db.connection_context():
        db.execute_sql("UPDATE transition SET at = at - interval '1 hour'")
    publisher = Publisher(redis, "carillon:")
    publisher.publish([StreamEvent(str(campaign_id), "campaign", 1, {"status": "running"})])
    outbox = Outbox(publisher, OURS)
    assert outbox.publish_leftovers(OURS) == 0
    clock[0] += HOLE_SECONDS - 1
    assert outbox.publish_leftovers(OURS) == 0
    clock[0] += 2
    assert outbox.publish_leftovers(OURS) == 1
    assert heard(redis, campaign_id) == ["running", "completed"]


def test_a_busy_outbox_also_looks_after_what_a_web_process_left(
    world: World, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "LEFTOVERS_SECONDS", 0.05)
    campaign_id = make_campaign(world, 1)
    with db.connection_context():
        Row.create(campaign_id=campaign_id, version=1, status="running", owner=WEB)
        db.execute_sql("UPDATE transition SET at = at - interval '1 minute'")
    outbox = Outbox(Publisher(redis, "carillon:"), OURS)
    greenlet = gevent.spawn(outbox.run)

    def busy() -> bool:
        outbox.put([])
        return unpublished() == 0

    wait_until(busy, "the web's transition")
    outbox.stop()
    greenlet.join(5)
    assert heard(redis, campaign_id) == ["running"]


def test_of_all_dialers_one_looks_at_a_time_at_what_web_processes_left(
    world: World, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []

    def nothing_left(owner: str, *_: object) -> list[dict[str, Any]]:
        looked.append(owner)
        return []

    monkeypatch.setattr(outbox_module, "unpublished", nothing_left)
    dialers = [f"d00000000000{number}" for number in range(1, 5)]
    outboxes = [
        Outbox(
            Publisher(redis, "carillon:"),
            dialer,
            partial(Turns(redis, "carillon:", dialer).take, "web", 60.0),
        )
        for dialer in dialers
    ]
    for outbox in outboxes:
        outbox.publish_all()
    assert looked.count(WEB) == 1
    assert set(looked) == {WEB, *dialers}


def noted() -> list[tuple[str, int]]:
    """The rows of the outbox: whose each is, and how many transitions it names."""
    with db.connection_context():
        return [(row.owner, len(row.transition_ids)) for row in OutboxRow.select().order_by(OutboxRow.id)]


def flagged() -> int:
    with db.connection_context():
        return int(Row.select().where(~Row.published).count())


def test_a_commit_leaves_one_row_for_each_campaign_named_by_its_first_transition(world: World) -> None:
    first, second = (claim_all(make_campaign(world, count), OURS) for count in (3, 2))
    over = [ended(call.call_id, "failed") for call in (*first, *second)]
    assert noted() == [(OURS, 3), (OURS, 2)]
    told = write(OURS, [], [], over).told
    assert sorted(noted()) == [(OURS, 2), (OURS, 2), (OURS, 3), (OURS, 3)]
    for item in (*map(originated, (*first, *second)), *told):
        with db.connection_context():
            row = OutboxRow.get(OutboxRow.id == item.outbox_id)
        assert item.transition_id in row.transition_ids
        assert (row.id, str(row.campaign_id)) == (min(row.transition_ids), item.campaign_id)


def test_a_row_of_the_outbox_stays_until_the_last_of_what_it_names_is_told(
    world: World, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "GROUP", 2)
    campaign_id = make_campaign(world, 3)
    outbox = Outbox(Publisher(redis, "carillon:"), OURS)
    outbox.put([originated(call) for call in claim_all(campaign_id, OURS)])
    outbox.publish_group()
    assert noted() == [(OURS, 3)]
    outbox.publish_group()
    assert noted() == []
    assert heard(redis, campaign_id) == ["originated"] * 3


def test_a_dialer_is_not_settled_before_what_it_noted_is_told(world: World, redis: Redis) -> None:
    campaign_id = make_campaign(world, 1)
    (call,) = claim_all(campaign_id, THEIRS)
    write(THEIRS, [], [], [ended(call.call_id, "failed")])
    with db.connection_context():
        db.execute_sql("INSERT INTO dialer (id, settled_at) VALUES (%s, now())", (THEIRS,))
        assert rows(takeover.UNSETTLED) == [{"id": THEIRS}]
        db.execute_sql("UPDATE dialer SET settled_at = NULL")
        db.execute_sql(takeover.SETTLED, {"id": THEIRS})
        assert rows("SELECT settled_at FROM dialer") == [{"settled_at": None}]
    Outbox(Publisher(redis, "carillon:"), OURS).publish_leftovers(THEIRS)
    with db.connection_context():
        db.execute_sql(takeover.SETTLED, {"id": THEIRS})
        assert rows(takeover.UNSETTLED) == []
    assert heard(redis, campaign_id) == ["originated", "failed"]


def test_beside_an_older_dialer_transitions_are_flagged_and_noted_once_it_is_gone(
    world: World, redis: Redis, database_url: str
) -> None:
    """By statements that were prepared while it was there, too."""
    with db.connection_context():
        db.execute_sql(
            "CREATE OR REPLACE FUNCTION outbox_rows() RETURNS boolean LANGUAGE sql STABLE AS 'SELECT false'"
        )
        db.execute_sql("INSERT INTO dialer (id, knows) VALUES ('d1', 14)")
    for _ in range(12):
        one_call(world)
    migrate(database_url)
    assert (flagged(), noted(), is_contracted(database_url)) == (36, [], False)
    with db.connection_context():
        db.execute_sql("UPDATE dialer SET settled_at = now()")
    migrate(database_url)
    campaign_id = one_call(world)
    assert (flagged(), noted(), is_contracted(database_url)) == (36, [(OURS, 1)] * 3, True)
    assert Outbox(Publisher(redis, "carillon:"), OURS).publish_leftovers(OURS) == 39
    assert unpublished() == 0
    assert heard(redis, campaign_id) == ["originated", "connected", "completed"]


def test_the_end_of_a_campaign_is_told_after_what_the_outbox_names(world: World, redis: Redis) -> None:
    campaign_id = one_call(world, claimer=THEIRS, ender=THEIRS)
    with db.connection_context():
        Row.create(campaign_id=campaign_id, version=1, status="completed", owner=OURS)
    outbox = Outbox(Publisher(redis, "carillon:"), OURS)
    assert outbox.publish_leftovers(OURS) == 0
    outbox.publish_leftovers(THEIRS)
    assert outbox.publish_leftovers(OURS) == 1
    assert heard(redis, campaign_id) == ["originated", "connected", "completed", "completed"]
