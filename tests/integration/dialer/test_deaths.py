"""A dialer dies between any two steps of a call, and another one settles what it left: nobody twice, nobody lost."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dialer.dispatch.claims import Statements, claim
from dialer.record import recorder as recorder_module
from dialer.record.outcome_rows import write
from freeswitch.commands import hangup_marker_select
from models import db, rows
from simulator.ledger import read_ledger
from simulator.process import SimulatedNode
from tests.factories import World, counts, make_campaign
from tests.integration.dialer.dialer_rig import Dialer, contacts_of, is_over
from tests.unit.dialer.factories import Followers
from tests.waiting import HANG_SECONDS, wait_until

# A greenlet that is killed while it connects leaves its socket to the garbage collector, as a killed process to the
# kernel.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

TERMINAL = {"completed", "failed", "cancelled"}
CONTACTS = 12


class Stage:
    """A node, two servers, and the dialers of one test."""

    def __init__(self, database_url: str, redis_url: str, node: SimulatedNode, stack: ExitStack) -> None:
        self.node = node
        self._urls = (database_url, redis_url, f"{node.url}?name=fs1&cps=200")
        self._stack = stack

    def dialer(self) -> Dialer:
        made = Dialer(*self._urls)
        self._stack.callback(self._clear, made)
        return made

    def _clear(self, dialer: Dialer) -> None:
        if not dialer.ended and not dialer.dead:
            dialer.die()

    def settled(self, campaign_id: uuid.UUID) -> None:
        """The proof: every contact is done, was dialled as often as its rows say, and nothing is left anywhere."""
        wait_until(lambda: is_over(campaign_id), "the end of the campaign")
        assert set(contacts_of(campaign_id)) <= TERMINAL
        assert sum(counts(campaign_id).values()) == CONTACTS
        with db.connection_context():
            calls = rows("SELECT id::text AS id, state, sent_at, contact_id, attempt, phone_number FROM call")
        assert {call["state"] for call in calls} == {"ended"}
        counted = Counter(call["contact_id"] for call in calls if call["attempt"] is not None)
        assert set(counted.values()) == {1}
        view = read_ledger(self.node.ledger or "")
        asked = Counter(line.uuid for line in view.originates)
        assert set(asked.values()) == {1}, "an id was dialled twice"
        assert set(asked) <= {call["id"] for call in calls if call["sent_at"] is not None}
        assert len(view.dialled()) == CONTACTS

    def published(self) -> bool:
        with db.connection_context():
            return not rows(
                "SELECT 1 FROM transition WHERE NOT published UNION ALL SELECT 1 FROM outbox LIMIT 1"
            )


@pytest.fixture
def stage(world: World, database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Stage]:
    with db.connection_context():
        # The number that never hangs up ends by this.
        db.execute_sql("UPDATE agent SET max_call_seconds = 20, ring_timeout_seconds = 15")
    with (
        SimulatedNode(speed=20, ledger=tmp_path / "ledger") as node,
        ExitStack() as stack,
    ):
        yield Stage(database_url, redis_url, node, stack)


def dies_before_the_first_originate(victim: Dialer, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(victim.process.sender, "send", victim.stays)


def dies_with_the_claim_committed_and_unknown(victim: Dialer, _patch: pytest.MonkeyPatch) -> None:
    def claim_and_stay(dialer: str, wanted: Any) -> Any:
        claim(dialer, wanted)
        return victim.stays()

    victim.process.dispatch.scheduler.statements = Statements(claim=claim_and_stay)


def dies_with_everything_sent_and_nothing_heard(victim: Dialer, patch: pytest.MonkeyPatch) -> None:
    def stay(owner: str, *groups: Any) -> Any:
        return victim.stays() if owner == victim.id else write(owner, *groups)

    patch.setattr(recorder_module, "write", stay)


def dies_between_commit_and_what_follows_it(victim: Dialer, _: pytest.MonkeyPatch) -> None:
    victim.process.recorder.followers = (Followers(victim.stays),)


def dies_with_nothing_published(victim: Dialer, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(victim.process.outbox, "publisher", SimpleNamespace(publish=victim.stays))


POINTS = [
    dies_before_the_first_originate,
    dies_with_the_claim_committed_and_unknown,
    dies_with_everything_sent_and_nothing_heard,
    pytest.param(dies_between_commit_and_what_follows_it, marks=pytest.mark.full),
    pytest.param(dies_with_nothing_published, marks=pytest.mark.full),
]


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.__name__.replace("_", " "))
def test_another_dialer_settles_what_a_dead_one_left(
    stage: Stage,
    world: World,
    point: Callable[[Dialer, pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    campaign_id = make_campaign(world, CONTACTS, refused=False, max_concurrent_calls=6)
    victim = stage.dialer()
    point(victim, monkeypatch)
    victim.start()
    assert victim.reached.wait(HANG_SECONDS)
    successor = stage.dialer().start()
    victim.die()
    stage.settled(campaign_id)
    wait_until(stage.published, "every transition published")
    wait_until(lambda: successor.process.limiter.held_by(victim.id) == [], "the dead one's permits")
    wait_until(lambda: successor.process.limiter.held_by(successor.id) == [], "the successor's permits")
    assert len(successor.process.live_calls) == 0


@pytest.mark.parametrize(
    "where",
    ["before its book has them", pytest.param("before the transitions", marks=pytest.mark.full)],
)
def test_a_successor_that_dies_midway_has_a_successor_itself(
    stage: Stage, world: World, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign_id = make_campaign(world, CONTACTS, refused=False, max_concurrent_calls=6)
    victim = stage.dialer()
    victim.process.recorder.followers = (Followers(victim.stays),)
    victim.start()
    assert victim.reached.wait(HANG_SECONDS)
    middle = stage.dialer()
    takeover = middle.process.takeover
    if where == "before its book has them":
        monkeypatch.setattr(takeover, "live_calls", SimpleNamespace(add=middle.stays))
    else:
        monkeypatch.setattr(takeover, "outbox", SimpleNamespace(publish_leftovers=middle.stays))
    middle.start()
    victim.die()
    assert middle.reached.wait(HANG_SECONDS)
    stage.dialer().start()
    middle.die()
    stage.settled(campaign_id)
    wait_until(stage.published, "every transition published")


def test_a_clean_end_hands_over_misses_nothing_and_exits_0(stage: Stage, world: World) -> None:
    campaign_id = make_campaign(world, CONTACTS, refused=False, max_concurrent_calls=6)
    first = stage.dialer().start()
    wait_until(lambda: len(first.process.live_calls) > 0, "calls in flight")
    second = stage.dialer().start()
    assert first.end()
    stage.settled(campaign_id)
    with db.connection_context():
        ids = [row["id"] for row in rows("SELECT id::text AS id FROM call")]
        assert rows("SELECT 1 FROM call WHERE disposition = 'outcome_unknown'") == []
    (link,) = second.process.cluster.connected()

    def marked() -> list[str]:
        return [name for name in ids if link.api(hangup_marker_select(name)).strip() == "done"]

    wait_until(lambda: marked() == [], "the marks of ended calls forgotten")
    assert second.end()


def open_calls_of(dialer_id: str) -> int:
    with db.connection_context():
        return len(rows("SELECT 1 FROM call WHERE state <> 'ended' AND dialer_id = %s", dialer_id))


def test_what_an_ending_dialer_cannot_prove_is_not_sent_again_by_its_successor(
    stage: Stage, world: World
) -> None:
    """The one listener of the node that it wrote to is stuck, and carries everything out when all is over."""
    victim = stage.dialer().start()
    stage.node.fault("half-open", resume="yes")
    campaign_id = make_campaign(world, CONTACTS, refused=False, max_concurrent_calls=6)
    live_calls = victim.process.live_calls
    wait_until(
        lambda: len(live_calls) == 6 and all(call.sent_at for call in live_calls), "six orders written"
    )
    successor = stage.dialer().start()
    assert victim.end()

    def taken() -> list[bool]:
        return [call.delivery_unknown for call in successor.process.live_calls if call.sent_by == victim.id]

    # On a busy machine the first of them may be given up before the last is taken over.
    wait_until(taken, "the successor's calls")
    wait_until(lambda: open_calls_of(victim.id) == 0, "all of the victim's calls taken over")
    assert all(taken())
    stage.node.clear()
    stage.settled(campaign_id)


@pytest.mark.full
def test_calls_and_permits_that_fell_between_two_chairs_are_found(stage: Stage, world: World) -> None:
    campaign_id = make_campaign(world, CONTACTS, refused=False, max_concurrent_calls=6)
    dialer = stage.dialer().start()
    live_calls = dialer.process.live_calls
    wait_until(lambda: len(live_calls) > 0, "calls in flight")
    for call in live_calls:
        live_calls.remove(call.call_id)
    stage.settled(campaign_id)
    wait_until(lambda: dialer.process.limiter.held_by(dialer.id) == [], "permits let go of")
