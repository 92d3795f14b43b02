"""What becomes of the slots of a call that was closed without proof of its end."""

from __future__ import annotations

from typing import Any

import pytest

from dialer.live_calls import LiveState
from dialer.record import call_end
from dialer.recovery.resend_or_close import (
    LATE_ANSWERED_SECONDS,
    LOST_SECONDS,
    MAY_LIVE_SECONDS,
    PDD_SECONDS,
    UNSEEN_SECONDS,
    Answer,
    ClosedCall,
    RecoveryAction,
    Verdict,
    decide,
    force_close,
    resolve_closed,
)
from tests.unit.dialer.factories import ME, OTHER, make_call
from tests.unit.dialer.test_resend_or_close import CORE, DONE, NEVER, RESTARTED, living

NOW = 10_000.0
RING, LONGEST = 30.0, 1800.0
LONG_AGO = NOW - 600.0
WHOLE = PDD_SECONDS + RING + LONGEST + MAY_LIVE_SECONDS
SEEN: dict[str, Any] = {
    "sent_at": NOW - 58.0,
    "claimed_at": NOW - 60.0,
    "state": LiveState.SEEN,
    "progress": True,
}
UNSEEN: dict[str, Any] = {"sent_at": LONG_AGO, "claimed_at": LONG_AGO, "adopted_at": LONG_AGO}
TALKED = SEEN | {"state": LiveState.ANSWERED, "answered_at": NOW - LONGEST - LATE_ANSWERED_SECONDS - 1.0}


@pytest.mark.parametrize(
    ("known", "may_live"),
    [
        (SEEN, WHOLE - 58.0),
        (SEEN | {"sent_at": None}, WHOLE - 60.0),
        (SEEN | {"refusal": "USER_BUSY", "resent": True}, WHOLE - 58.0),
        # Its switch has ended it by its own timer; the rest of the margin is for one that was late.
        (TALKED, MAY_LIVE_SECONDS - LATE_ANSWERED_SECONDS - 1.0),
        (TALKED | {"answered_at": LONG_AGO - LONGEST}, None),
        # Its end is known.
        (SEEN | {"refusal": "USER_BUSY"}, None),
        (SEEN | {"gone_since": NOW - 1.0}, None),
    ],
)
def test_a_call_that_is_reaped_keeps_its_slots_for_as_long_as_it_may_be_up(
    known: dict[str, Any], may_live: float | None
) -> None:
    verdict = force_close(make_call(**known), NOW)
    assert verdict is not None
    assert verdict.may_live == (None if may_live is None else pytest.approx(may_live))


def closed(known: dict[str, Any], answer: Answer | None, *, quiet: bool = True) -> Verdict:
    verdict = decide(
        make_call(**known), answer, ME, NOW, lambda: False, drained_since=LONG_AGO if quiet else None
    )
    assert verdict.act is RecoveryAction.CLOSE
    return verdict


def test_a_call_that_may_still_leave_keeps_its_slots_from_now_on() -> None:
    for known, answer, quiet, cause in (
        (UNSEEN, None, True, "NODE_UNREACHABLE"),
        (UNSEEN | {"delivery_unknown": True}, NEVER, True, "MAY_BE_BUFFERED"),
        (UNSEEN, NEVER, False, "MAY_BE_BUFFERED"),
        (UNSEEN | {"sent_by": OTHER}, NEVER, True, "OWNER_NOT_PROVEN_DEAD"),
    ):
        verdict = closed(known, answer, quiet=quiet)
        assert (verdict.cause, verdict.may_live) == (cause, WHOLE)


def test_a_call_of_which_its_node_said_that_it_is_over_keeps_nothing() -> None:
    gone = SEEN | {"gone_since": NOW - LOST_SECONDS}
    for known, answer in (
        (gone, DONE),
        (gone, RESTARTED),
        (SEEN | {"refusal": "USER_BUSY", "gone_since": LONG_AGO}, DONE),
        (UNSEEN | {"refusal": "GATEWAY_DOWN", "never_seen_since": NOW - UNSEEN_SECONDS}, NEVER),
    ):
        assert closed(known, answer).may_live is None


def test_a_closed_call_that_may_be_up_says_so_in_its_end() -> None:
    call = make_call(**SEEN)
    verdict = force_close(call, NOW)
    assert verdict is not None
    end = call_end.closed(
        call, NOW, verdict.disposition, verdict.cause, no_channel=False, may_live=verdict.may_live
    )
    assert (end.disposition, end.may_live) == ("outcome_unknown", verdict.may_live)


@pytest.mark.parametrize(
    ("core", "answer", "expected"),
    [
        (CORE, living(answered=100.0), ClosedCall.KEEP),
        (None, living(answered=100.0), ClosedCall.KEEP),
        # Nobody may answer it any more; nobody would end it any more.
        (CORE, living(), ClosedCall.KILL),
        ("core-0", living(answered=100.0), ClosedCall.KILL),
        (CORE, DONE, ClosedCall.OVER),
        # It may still lie in a buffer of that run; of another run's, it is gone with it.
        (CORE, NEVER, ClosedCall.KEEP),
        (None, NEVER, ClosedCall.KEEP),
        (CORE, RESTARTED, ClosedCall.OVER),
    ],
)
def test_what_a_node_says_of_a_held_call_decides_its_fate(
    core: str | None, answer: Answer, expected: ClosedCall
) -> None:
    assert resolve_closed(core, answer, UNSEEN_SECONDS - 1.0, lambda: True) is expected


def test_a_call_that_was_never_seen_is_gone_once_nothing_and_nobody_can_bring_it() -> None:
    assert resolve_closed(CORE, NEVER, UNSEEN_SECONDS, lambda: True) is ClosedCall.OVER
    assert resolve_closed(CORE, NEVER, UNSEEN_SECONDS, lambda: False) is ClosedCall.KEEP
    assert resolve_closed(CORE, living(answered=100.0), UNSEEN_SECONDS, lambda: True) is ClosedCall.KEEP
