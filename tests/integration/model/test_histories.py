"""Random histories of dialers that are stopped, killed and followed by others, over the real code.

hypothesis chooses what happens next: who does what, where on the way it is stopped or killed, what the node carries
out, which event arrives when, how often and in which order, and how much time passes. `Rig.check` holds after every
step, and `Rig.finish` at the end of every history: nobody twice, nobody lost, the counts add up, no permit stays.
"""

from __future__ import annotations

import random
import uuid
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from campaigns import lifecycle, stopping
from campaigns.campaign_state import WEB
from campaigns.lifecycle_errors import NotAllowedError
from models import db, rows
from tests.factories import World
from tests.integration.model.dialer import Dialer
from tests.integration.model.rig import Rig, rig_over

MOST_DIALERS = 4
TRAPS = {
    "dial": ["permitted", "before the claim", "claimed", "among the live calls", "past the guard", "written"],
    "record": ["before the outcome", "outcome written", "before the release", "released"],
    "publish": ["before publishing", "published"],
    "adopt": [
        "filters set",
        "before the permits",
        "permits taken",
        "among the live calls",
        "asked uuid_dump",
        "asked hash",
    ],
    "round": ["asked uuid_dump", "asked hash", "before the second claim", "claimed again"],
}
"""The points of each thing that a dialer does at which it may be stopped."""
STEPS = [(action, trap) for action, traps in TRAPS.items() for trap in [None, None, *traps]]
which = st.integers(0, 7)


# They have names: hypothesis parses a lambda, and that fails ("AST constructor recursion depth mismatch") where the
# collector ends a greenlet of an earlier history meanwhile.
def another_may_start(self: Histories) -> bool:
    return len(self.rig.dialers) < MOST_DIALERS


def a_frame_waits(self: Histories) -> bool:
    return bool(self.rig.switch.frames)


def a_call_is_up(self: Histories) -> bool:
    return bool(self.rig.switch.alive)


def an_event_waits(self: Histories) -> bool:
    return bool(self.rig.switch.events)


class Histories(RuleBasedStateMachine):
    """One campaign of two contacts, each with one retry; up to four dialers, one after the other or at once."""

    urls: tuple[str, str]
    world: World

    @initialize()
    def begin(self) -> None:
        self._stack = ExitStack()
        self.rig: Rig = self._stack.enter_context(rig_over(*self.urls, self.world))
        self.rig.redis.flushall()
        self.rig.new_dialer()
        self.rig.new_dialer()

    @rule(who=which, step=st.sampled_from(STEPS))
    def a_dialer_works(self, who: int, step: tuple[str, str | None]) -> None:
        dialer = self._one(self.rig.running(), who)
        if dialer is not None:
            dialer.run(getattr(dialer, step[0]), step[1])

    @rule(who=which)
    def a_dialer_looks_around(self, who: int) -> None:
        dialer = self._one(self.rig.running(), who)
        if dialer is not None:
            dialer.run(dialer.look_around)

    @rule(who=which, lock_stays=st.booleans())
    def a_dialer_is_killed(self, who: int, lock_stays: bool) -> None:
        dialer = self._one([d for d in self.rig.dialers if not d.dead], who)
        if dialer is not None:
            dialer.kill(lock_stays=lock_stays)

    @rule(who=which)
    def a_dialer_wakes(self, who: int) -> None:
        dialer = self._one([d for d in self.rig.dialers if d.stopped], who)
        if dialer is not None:
            dialer.wake()

    @precondition(another_may_start)
    @rule()
    def a_dialer_starts(self) -> None:
        self.rig.new_dialer()

    @precondition(a_frame_waits)
    @rule(which=which, refused=st.sampled_from([False, False, False, True]))
    def the_node_carries_out_a_frame(self, which: int, refused: bool) -> None:
        index = which % len(self.rig.switch.frames)
        if refused:
            self.rig.switch.refuse(index)
        else:
            self.rig.switch.execute(index)

    @precondition(a_call_is_up)
    @rule(which=which, what=st.sampled_from(["ring", "answer", "hang_up", "hang_up"]))
    def a_call_goes_on(self, which: int, what: str) -> None:
        call_id = sorted(self.rig.switch.alive)[which % len(self.rig.switch.alive)]
        getattr(self.rig.switch, what)(call_id)

    @precondition(an_event_waits)
    @rule(which=which, again=st.booleans())
    def an_event_arrives(self, which: int, again: bool) -> None:
        self.rig.arrive(which % len(self.rig.switch.events), again=again)

    @rule()
    def records_are_shipped(self) -> None:
        self.rig.ship()

    @rule(seconds=st.sampled_from([1.0, 3.0, 6.0, 11.0, 70.0]))
    def time_passes(self, seconds: float) -> None:
        self.rig.tick(seconds)

    @rule(action=st.sampled_from(["pause", "resume", "resume", "stop"]))
    def the_campaign_is(self, action: str) -> None:
        campaign_id = uuid.UUID(self.rig.campaign_id)
        with db.connection_context(), db.atomic():
            try:
                done = getattr(lifecycle, action)(campaign_id, self.world.tenant_id)
            except NotAllowedError:
                return
        if action == "resume":
            self.rig.held = False
        elif done.changed:
            self.rig.hold(done.generation)

    @rule()
    def a_web_process_cancels_a_part(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stopping, "SLICE", 1)
            stopping.cancel_slice(uuid.UUID(self.rig.campaign_id), WEB)

    @invariant()
    def everything_holds(self) -> None:
        if hasattr(self, "rig"):
            self.rig.check()

    def teardown(self) -> None:
        if not hasattr(self, "rig"):
            return
        with self._stack:
            with db.connection_context():
                (found,) = rows("SELECT status FROM campaign WHERE id = %s", self.rig.campaign_id)
            if found["status"] == "paused":
                self.the_campaign_is("resume")
            self.rig.finish()

    @staticmethod
    def _one(dialers: list[Dialer], who: int) -> Dialer | None:
        return dialers[who % len(dialers)] if dialers else None


def histories(database_url: str, redis_url: str, world: World, examples: int, steps: int) -> None:
    random.seed(0)
    machine = type("Machine", (Histories,), {"urls": (database_url, redis_url), "world": world})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        ),
    )


def test_random_histories_lose_nobody_and_call_nobody_twice(
    database_url: str, redis_url: str, world: World
) -> None:
    histories(database_url, redis_url, world, examples=6, steps=25)


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_many_random_histories_lose_nobody_and_call_nobody_twice(
    database_url: str, redis_url: str, world: World
) -> None:
    histories(database_url, redis_url, world, examples=100, steps=60)
