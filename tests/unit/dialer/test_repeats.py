"""When recovery sends a call again, waits until it may, and lets its contact be called anew."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from cooperative import let_others_run
from dialer.live_calls import LiveCall, LiveCalls
from dialer.recovery import reconciler as module
from dialer.recovery.resend_or_close import UNSEEN_SECONDS
from tests.unit.dialer.factories import ME, OTHER, make_call, make_reconciler, make_recorder


class World:
    """Recovery with one call that its node says it never had; `may_leave` says whether it can be sent again."""

    def __init__(self, call: LiveCall) -> None:
        self.clock, self.may_leave, self.repeated, self.lived = 1000.0, False, 0, "-ERR No such channel!"
        live_calls = LiveCalls()
        self.recorder = make_recorder(live_calls)
        node = SimpleNamespace(
            name="fs1", connected=True, core_uuid="core-1", api=lambda line, **_: self.api(line)
        )
        self.over = False
        self.reconciler = make_reconciler(
            {"fs1": node},
            live_calls,
            self.recorder,
            self.resend,
            now=lambda: self.clock,
            is_over=lambda _campaign: self.over,
        )
        self.call = call
        live_calls.add(call)

    def api(self, line: str) -> str:
        return self.lived if line.startswith("hash ") else "-ERR No such channel!"

    def resend(self, _call: LiveCall) -> bool:
        self.repeated += self.may_leave
        if self.may_leave and self.call.resend() and self.call.write(self.clock, "core-1"):
            self.call.acknowledge(self.clock)
        return self.may_leave

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            self.reconciler.round()
            let_others_run()
            while self.call.asking:
                let_others_run()
            self.clock += 1

    def ends(self) -> list[str]:
        return [report.ended.cause for report in self.recorder.waiting if report.ended is not None]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(module, "sender_is_dead", lambda _: True)
    return World(make_call(sent_by=OTHER, adopted_at=960.0, claimed_at=960.0))


def test_a_call_that_cannot_be_sent_again_now_is_sent_once_it_can(world: World) -> None:
    world.run(60)
    assert (world.repeated, world.ends()) == (0, [])
    world.may_leave = True
    world.run(6)
    assert world.repeated >= 1
    assert world.ends() == []


def test_its_contact_goes_back_once_its_node_has_denied_it_for_long_enough(world: World) -> None:
    world.run(int(UNSEEN_SECONDS))
    assert world.ends() == []
    world.run(20)
    assert world.ends()[:1] == ["NOT_SENT"]
    world.may_leave = True
    world.run(20)
    assert world.repeated == 0


def test_its_contact_is_cancelled_at_once_where_its_campaign_was_stopped(world: World) -> None:
    world.over = True
    world.run(8)
    assert world.ends()[:1] == ["NOT_SENT"]


def test_a_node_that_was_not_sure_meanwhile_begins_to_deny_it_anew(world: World) -> None:
    world.run(30)
    world.call.doubt_delivery()
    world.run(6)
    assert world.call.never_seen_since is None
    world.call.settle_delivery(world.clock)
    world.run(170)
    assert world.ends() == []


def test_a_doubt_after_two_minutes_of_waiting_loses_nobody(world: World) -> None:
    world.run(120)
    world.call.doubt_delivery()
    world.run(60)
    assert world.ends() == []
    world.call.settle_delivery(world.clock)
    world.may_leave = True
    world.run(20)
    assert world.repeated >= 1
    assert world.ends() == []


def test_one_of_ours_that_was_never_written_goes_back_at_once() -> None:
    world = World(make_call(sent_by=ME, claimed_at=960.0))
    world.run(8)
    assert world.ends()[:1] == ["NOT_SENT"]


@pytest.mark.parametrize("refusal", [None, "GATEWAY_DOWN", "USER_BUSY"])
def test_a_repeat_that_shows_nothing_or_is_refused_frees_its_contact_only_once_denied_for_long_enough(
    world: World, refusal: str | None
) -> None:
    world.run(170)
    world.may_leave = True
    world.run(6)
    assert world.repeated == 1
    world.call.refusal = refusal
    # What was denied before the second order says nothing of that.
    world.run(int(UNSEEN_SECONDS))
    assert (world.repeated, world.ends()) == (1, [])
    world.run(20)
    assert world.ends()[:1] == [refusal or "NEVER_SEEN"]


@pytest.mark.parametrize("waits", [True, False], ids=["not sent yet", "sent"])
def test_a_node_whose_connection_was_lost_begins_to_deny_anew(world: World, waits: bool) -> None:
    world.may_leave = not waits
    world.run(170)
    world.reconciler.node_down("fs1", [])
    world.run(170)
    assert world.ends() == []
