"""What becomes of the slots of a call that was closed without proof of its end."""

from __future__ import annotations

from typing import Any

import pytest

from dialer.record import classify
from dialer.recovery.decisions import (
    HOLD_SECONDS,
    LATE_ANSWERED_SECONDS,
    LOST_SECONDS,
    PDD_SECONDS,
    UNSEEN_SECONDS,
    Act,
    Answer,
    Fate,
    Verdict,
    decide,
    fate,
    reap,
)
from tests.unit.dialer.factories import ME, OTHER, make_flight
from tests.unit.dialer.test_decisions import CORE, DONE, NEVER, RESTARTED, living

NOW = 10_000.0
RING, LONGEST = 30.0, 1800.0
LONG_AGO = NOW - 600.0
WHOLE = PDD_SECONDS + RING + LONGEST + HOLD_SECONDS
SEEN: dict[str, Any] = {"sent_at": NOW - 58.0, "claimed_at": NOW - 60.0, "created": True, "progress": True}
UNSEEN: dict[str, Any] = {"sent_at": LONG_AGO, "claimed_at": LONG_AGO, "adopted_at": LONG_AGO}
TALKED = SEEN | {"answered_at": NOW - LONGEST - LATE_ANSWERED_SECONDS - 1.0}


@pytest.mark.parametrize(
    ("known", "hold"),
    [
        (SEEN, WHOLE - 58.0),
        (SEEN | {"sent_at": None}, WHOLE - 60.0),
        (SEEN | {"refusal": "USER_BUSY", "repeated": True}, WHOLE - 58.0),
        # Its switch has ended it by its own timer; the rest of the margin is for one that was late.
        (TALKED, HOLD_SECONDS - LATE_ANSWERED_SECONDS - 1.0),
        (TALKED | {"answered_at": LONG_AGO - LONGEST}, None),
        # Its end is known.
        (SEEN | {"refusal": "USER_BUSY"}, None),
        (SEEN | {"gone_since": NOW - 1.0}, None),
    ],
)
def test_a_call_that_is_reaped_keeps_its_slots_for_as_long_as_it_may_be_up(
    known: dict[str, Any], hold: float | None
) -> None:
    verdict = reap(make_flight(**known), NOW)
    assert verdict is not None
    assert verdict.hold == (None if hold is None else pytest.approx(hold))


def closed(known: dict[str, Any], answer: Answer | None, *, quiet: bool = True) -> Verdict:
    verdict = decide(
        make_flight(**known), answer, ME, NOW, lambda: False, quiet_since=LONG_AGO if quiet else None
    )
    assert verdict.act is Act.CLOSE
    return verdict


def test_a_call_that_may_still_leave_keeps_its_slots_from_now_on() -> None:
    for known, answer, quiet, cause in (
        (UNSEEN, None, True, "NODE_UNREACHABLE"),
        (UNSEEN | {"doubtful": True}, NEVER, True, "MAY_BE_BUFFERED"),
        (UNSEEN, NEVER, False, "MAY_BE_BUFFERED"),
        (UNSEEN | {"sent_by": OTHER}, NEVER, True, "OWNER_NOT_PROVEN_DEAD"),
    ):
        verdict = closed(known, answer, quiet=quiet)
        assert (verdict.cause, verdict.hold) == (cause, WHOLE)


def test_a_call_of_which_its_node_said_that_it_is_over_keeps_nothing() -> None:
    gone = SEEN | {"gone_since": NOW - LOST_SECONDS}
    for known, answer in (
        (gone, DONE),
        (gone, RESTARTED),
        (SEEN | {"refusal": "USER_BUSY", "gone_since": LONG_AGO}, DONE),
        (UNSEEN | {"refusal": "GATEWAY_DOWN"}, NEVER),
    ):
        assert closed(known, answer).hold is None


def test_a_closed_call_that_may_be_up_says_so_in_its_end() -> None:
    flight = make_flight(**SEEN)
    verdict = reap(flight, NOW)
    assert verdict is not None
    end = classify.closed(
        flight, NOW, verdict.disposition, verdict.cause, no_channel=False, hold=verdict.hold
    )
    assert (end.disposition, end.hold) == ("outcome_unknown", verdict.hold)


@pytest.mark.parametrize(
    ("core", "answer", "expected"),
    [
        (CORE, living(answered=100.0), Fate.HOLD),
        (None, living(answered=100.0), Fate.HOLD),
        # Nobody may answer it any more; nobody would end it any more.
        (CORE, living(), Fate.KILL),
        ("core-0", living(answered=100.0), Fate.KILL),
        (CORE, DONE, Fate.GONE),
        # It may still lie in a buffer of that run; of another run's, it is gone with it.
        (CORE, NEVER, Fate.HOLD),
        (None, NEVER, Fate.HOLD),
        (CORE, RESTARTED, Fate.GONE),
    ],
)
def test_what_a_node_says_of_a_held_call_decides_its_fate(
    core: str | None, answer: Answer, expected: Fate
) -> None:
    assert fate(core, answer, UNSEEN_SECONDS - 1.0, lambda: True) is expected


def test_a_call_that_was_never_seen_is_gone_once_nothing_and_nobody_can_bring_it() -> None:
    assert fate(CORE, NEVER, UNSEEN_SECONDS, lambda: True) is Fate.GONE
    assert fate(CORE, NEVER, UNSEEN_SECONDS, lambda: False) is Fate.HOLD
    assert fate(CORE, living(answered=100.0), UNSEEN_SECONDS, lambda: True) is Fate.HOLD
