"""What one look at the rows sets going in a dialer, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, cast

import pytest
from gevent.event import Event as Signal
from peewee import OperationalError

from dialer.calls_to_end import CallsToEnd
from dialer.dispatch.dispatch import Dispatch
from dialer.dispatch.nodes import Nodes
from dialer.erasures import Erasures
from dialer.lookout import Lookout, Sight
from dialer.recovery.maybe_live import MaybeLiveSlots
from dialer.starts_and_deadlines import StartsAndDeadlines
from dialer.suppressions import Suppressions, Unsent

US, OTHER = "d0000000000a1", "d0000000000b2"
NOBODY_WAITS = Unsent()
NOTHING = Sight(False, False, False, False, False, [US], [], [], "v1", None)


class Parts:
    """Everything that a lookout sets going."""

    def __init__(self) -> None:
        self.seen: Sight | Exception = NOTHING
        self.ours = True
        self.adopted: list[str] = []
        self.unreached = self.known_calls = False
        self.wake_calls_to_end, self.wake_slots = Signal(), Signal()
        # As the suppressions'.
        self.wake = Signal()
        self.wake_erasures = Signal()
        self.told: list[Any] = []
        self.subject = Lookout(
            US,
            cast(CallsToEnd, Waker(self.wake_calls_to_end, lambda: self.unreached)),
            cast(MaybeLiveSlots, Waker(self.wake_slots, lambda: self.known_calls)),
            cast(Nodes, self),
            cast(Dispatch, self),
            cast(StartsAndDeadlines, self),
            cast(Suppressions, self),
            cast(Erasures, Waker(self.wake_erasures, lambda: False)),
            lambda: self.adopted,
            lambda: self.ours,
            look=self.look,
        )

    def look(self, dialer_id: str, unsent: Unsent) -> Sight:
        assert dialer_id == US
        assert unsent is NOBODY_WAITS
        if isinstance(self.seen, Exception):
            raise self.seen
        return self.seen

    def unsent(self) -> Unsent:
        return NOBODY_WAITS

    def forbid(self, calls: Iterable[str]) -> None:
        if calls:
            self.told.append(("suppressed", list(calls)))

    def learn(self, drained: Iterable[str], table: Iterable[Mapping[str, Any]]) -> None:
        self.told.append(("nodes", list(drained), list(table)))

    def expect(self, seconds: float | None) -> None:
        if seconds is not None:
            self.told.append(("due", seconds))

    def read_plans(self, version: str) -> None:
        self.told.append(("plans", version))

    def woken(self) -> set[str]:
        """Who was woken since this was asked last."""
        signals = {
            "calls_to_end": self.wake_calls_to_end,
            "slots": self.wake_slots,
            "records": self.subject.records,
            "stops": self.subject.stops,
            "expired": self.subject.expired,
            "others": self.subject.others,
            "suppressions": self.wake,
            "erasures": self.wake_erasures,
        }
        found = {name for name, signal in signals.items() if signal.is_set()}
        for signal in signals.values():
            signal.clear()
        return found


class Waker:
    """A part that is woken and says itself whether it has something to do."""

    def __init__(self, wake: Signal, busy: Callable[[], bool]) -> None:
        self.wake = wake
        self.waits = self.holds = busy


@pytest.fixture
def parts() -> Parts:
    return Parts()


def test_where_nothing_is_to_be_done_nobody_is_woken_and_all_is_told(parts: Parts) -> None:
    parts.seen = replace(NOTHING, drained=["fs2"], nodes=[{"name": "fs3"}])
    parts.subject.round()
    assert parts.woken() == set()
    assert parts.told == [("nodes", ["fs2"], [{"name": "fs3"}]), ("plans", "v1")]


def test_when_the_next_start_or_end_is_due_is_told_to_who_may_act_on_it(parts: Parts) -> None:
    parts.seen = replace(NOTHING, next_due=0.5)
    parts.subject.round()
    assert ("due", 0.5) in parts.told
    parts.told.clear()
    parts.ours = False
    parts.subject.round()
    assert parts.told == []


@pytest.mark.parametrize(
    ("seen", "woken"),
    [
        ({"calls_to_end": True}, "calls_to_end"),
        ({"stops": True}, "stops"),
        ({"expired": True}, "expired"),
        ({"records": True}, "records"),
        ({"maybe_live": True}, "slots"),
        ({"unsettled": [US, OTHER]}, "others"),
        ({"suppressions": True}, "suppressions"),
        ({"erasures": True}, "erasures"),
    ],
)
def test_who_has_something_to_do_is_woken_each_time(parts: Parts, seen: dict[str, Any], woken: str) -> None:
    parts.seen = replace(NOTHING, **seen)
    for _ in range(2):
        parts.subject.round()
        assert parts.woken() == {woken}


def test_calls_whose_number_is_suppressed_may_not_leave_whatever_was_heard(parts: Parts) -> None:
    parts.seen = replace(NOTHING, suppressed=["call-1"])
    parts.ours = False
    parts.subject.round()
    assert ("suppressed", ["call-1"]) in parts.told


def test_who_remembers_something_is_woken_until_that_is_forgotten(parts: Parts) -> None:
    """The row may have been let go of by somebody else."""
    parts.unreached = parts.known_calls = True
    parts.adopted = [OTHER]
    parts.subject.round()
    assert parts.woken() == {"calls_to_end", "slots", "others"}


def test_the_unsettled_are_given_once(parts: Parts) -> None:
    parts.seen = replace(NOTHING, unsettled=[US, OTHER])
    parts.subject.round()
    assert parts.subject.take_unsettled() == [US, OTHER]
    assert parts.subject.take_unsettled() is None


def test_who_has_lost_its_identity_still_takes_records(parts: Parts) -> None:
    parts.ours = False
    parts.seen = replace(NOTHING, records=True)
    parts.subject.round()
    assert parts.woken() == {"records"}
    assert parts.told == []


def test_without_the_database_what_is_known_stands(parts: Parts) -> None:
    parts.seen = OperationalError("away")
    with pytest.raises(OperationalError):
        parts.subject.round()
    assert (parts.woken(), parts.told) == (set(), [])
