"""What recovery does about a call: every answer of a node in every situation."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.live_calls import LiveCall, LiveState
from dialer.recovery.resend_or_close import (
    GRACE_SECONDS,
    LOST_SECONDS,
    QUEUED_SECONDS,
    RECORD_SECONDS,
    SETTLE_SECONDS,
    UNSEEN_SECONDS,
    Answer,
    RecoveryAction,
    Verdict,
    decide,
    force_close,
    is_due,
    is_overdue,
)
from freeswitch.events import LiveChannel
from tests.unit.dialer.factories import ME, OTHER, make_call

NOW = 10_000.0
CORE = "core-1"


def living(age: float = 3.0, answered: float | None = None) -> Answer:
    answered_ms = None if answered is None else int(answered * 1000)
    channel = LiveChannel(
        "x", CORE, ME, answered is not None, False, False, int(age * 1000), answered_ms, None
    )
    return Answer(channel, True, CORE)


DONE = Answer(None, True, CORE)
NEVER = Answer(None, False, CORE)
DONE_ELSEWHERE = Answer(None, True, "core-2")
RESTARTED = Answer(None, False, "core-2")
AWAY = None

LONG_AGO = NOW - 20.0
JUST_NOW = NOW - 1.0
GONE = NOW - RECORD_SECONDS
HEARD = NOW - GRACE_SECONDS
OVER = NOW - LOST_SECONDS - 1
OURS: dict[str, Any] = {"sent_by": ME, "sent_at": LONG_AGO, "claimed_at": LONG_AGO}
SEEN = OURS | {"state": LiveState.SEEN}
TALKING = SEEN | {"state": LiveState.ANSWERED, "answered_at": NOW - 10.0}
THEIRS: dict[str, Any] = {"sent_by": OTHER, "claimed_at": LONG_AGO, "adopted_at": LONG_AGO}
OVERDUE_THEIRS = THEIRS | {"claimed_at": OVER, "adopted_at": OVER}
DOUBTED = OVERDUE_THEIRS | {"delivery_unknown": True}
LONG_DENIED, LATELY = NOW - UNSEEN_SECONDS, NOW - UNSEEN_SECONDS + 1.0
DOWN: dict[str, Any] = {"refusal": "GATEWAY_DOWN"}
DENIED = OURS | {"sent_at": LONG_DENIED - SETTLE_SECONDS, "never_seen_since": LONG_DENIED}

TABLE = [
    # what is known, what the node says, is the sender dead: what follows
    (OURS, living(), False, "adopt"),
    (THEIRS, living(), False, "adopt"),
    (TALKING, living(answered=10.0), False, "adopt"),
    (SEEN, living(age=49.0), False, "adopt"),
    (SEEN, living(age=51.0), False, "kill"),
    (TALKING, living(age=1900.0, answered=1809.0), False, "adopt"),
    (TALKING, living(age=1900.0, answered=1811.0), False, "kill"),
    # It is over. What was reported may still be on its way.
    (OURS, DONE, False, "wait"),
    (OURS | {"gone_since": GONE}, DONE, False, "close outcome_unknown ENDED_UNSEEN"),
    (SEEN, DONE, False, "wait"),
    (SEEN | {"gone_since": JUST_NOW}, DONE, False, "wait"),
    (SEEN | {"gone_since": GONE}, DONE, False, "close outcome_unknown ENDED_UNSEEN"),
    (TALKING | {"gone_since": GONE}, DONE, False, "close answered ENDED_UNSEEN"),
    (SEEN | {"gone_since": NOW - RECORD_SECONDS + 1}, DONE, False, "wait"),
    (TALKING | {"gone_since": HEARD}, DONE, False, "wait"),
    # How it ended is known, and only the rest would come with its record.
    (SEEN | {"gone_since": HEARD, "refusal": "USER_BUSY"}, DONE, False, "close busy USER_BUSY"),
    (SEEN | {"gone_since": JUST_NOW, "refusal": "USER_BUSY"}, DONE, False, "wait"),
    (OURS | {"gone_since": HEARD, "refusal": "NO_ANSWER"}, DONE, False, "close unreachable NO_ANSWER"),
    (THEIRS | {"gone_since": GONE}, DONE, True, "close outcome_unknown ENDED_UNSEEN"),
    (SEEN | {"gone_since": GONE}, NEVER, False, "close outcome_unknown NODE_RESTARTED"),
    (SEEN | {"gone_since": None}, NEVER, False, "wait"),
    # The node is another run of the switch: nothing more will be reported, but its records lie on its disk.
    (SEEN, RESTARTED, False, "wait"),
    (OURS, RESTARTED, False, "wait"),
    (SEEN | {"gone_since": GONE}, RESTARTED, False, "close outcome_unknown NODE_RESTARTED"),
    (TALKING | {"gone_since": GONE}, RESTARTED, False, "close answered NODE_RESTARTED"),
    (OURS | {"gone_since": GONE}, RESTARTED, False, "close outcome_unknown NODE_RESTARTED"),
    (THEIRS | {"gone_since": GONE}, RESTARTED, True, "close outcome_unknown NODE_RESTARTED"),
    (OURS | {"gone_since": GONE, "core_uuid": None}, NEVER, False, "close outcome_unknown NODE_RESTARTED"),
    (SEEN | {"gone_since": GONE}, DONE_ELSEWHERE, False, "close outcome_unknown ENDED_UNSEEN"),
    # Never seen by the node that it was sent to.
    (OURS, NEVER, False, "resend"),
    (OURS | {"sent_at": JUST_NOW}, NEVER, False, "wait"),
    # The connection that it was written to has not been heard yet, whatever the node says over another one.
    (OURS | {"state": LiveState.SENT}, NEVER, False, "wait"),
    (OURS | {"state": LiveState.SENT, "resent": True, "sent_at": OVER}, NEVER, False, "wait"),
    (OURS | {"state": LiveState.SENT, "claimed_at": OVER}, NEVER, False, "close outcome_unknown MAY_BE_BUFFERED"),
    (OURS | {"state": LiveState.SENT}, living(), False, "adopt"),
    # It was written to a connection that was given up.
    (OURS | {"delivery_unknown": True}, NEVER, False, "wait"),
    (OURS | {"released_at": JUST_NOW}, NEVER, False, "wait"),
    (OURS | {"released_at": NOW - SETTLE_SECONDS}, NEVER, False, "resend"),
    (OURS | {"delivery_unknown": True, "claimed_at": OVER}, NEVER, False, "close outcome_unknown MAY_BE_BUFFERED"),
    (OURS | {"delivery_unknown": True}, living(), False, "adopt"),
    (OURS | {"resent": True}, NEVER, False, "wait"),
    # The first of two orders may lie in a buffer for as long as a network keeps a frame.
    (OURS | {"resent": True, "sent_at": OVER}, NEVER, False, "wait"),
    (DENIED | {"resent": True, "never_seen_since": LATELY}, NEVER, False, "wait"),
    (DENIED | {"resent": True}, NEVER, False, "close switch_lost NEVER_SEEN"),
    (DENIED | {"resent": True, "sent_by": OTHER}, NEVER, False, "close switch_lost NEVER_SEEN"),
    (DENIED | {"resent": True, "delivery_unknown": True}, NEVER, False, "wait"),
    (OURS | {"resent": True, "refusal": "DESTINATION_OUT_OF_ORDER"}, NEVER, False, "wait"),
    (OURS | {"resent": True, "refusal": "USER_BUSY", "gone_since": GONE}, NEVER, False, "wait"),
    (DENIED | DOWN | {"resent": True}, NEVER, False, "close gateway_fault GATEWAY_DOWN"),
    (DENIED | {"resent": True, "refusal": "USER_BUSY"}, NEVER, False, "close busy USER_BUSY"),
    (THEIRS | DOWN, NEVER, True, "wait"),
    (THEIRS | DOWN | {"never_seen_since": LONG_DENIED}, NEVER, True, "close gateway_fault GATEWAY_DOWN"),
    (OVERDUE_THEIRS | DOWN, NEVER, False, "close outcome_unknown OWNER_NOT_PROVEN_DEAD"),
    (OURS | {"sent_at": None, "adopted_at": LONG_AGO}, NEVER, False, "resend"),
    (OURS | {"sent_at": None}, NEVER, False, "resend"),
    (OURS | {"refusal": "DESTINATION_OUT_OF_ORDER"}, NEVER, False, "close congestion DESTINATION_OUT_OF_ORDER"),
    (OURS | {"refusal": "USER_BUSY"}, NEVER, False, "wait"),
    (THEIRS | {"delivery_unknown": True}, NEVER, True, "wait"),
    (DOUBTED, NEVER, True, "close outcome_unknown MAY_BE_BUFFERED"),
    (THEIRS, NEVER, False, "wait"),
    (THEIRS, NEVER, True, "resend"),
    (THEIRS | {"adopted_at": JUST_NOW}, NEVER, True, "wait"),
    (THEIRS | {"adopted_at": OVER}, NEVER, True, "resend"),
    (OVERDUE_THEIRS, NEVER, False, "close outcome_unknown OWNER_NOT_PROVEN_DEAD"),
    # The node cannot be asked.
    (OURS, AWAY, False, "wait"),
    (THEIRS, AWAY, True, "wait"),
    (SEEN | {"claimed_at": OVER}, AWAY, False, "close outcome_unknown NODE_UNREACHABLE"),
    (TALKING | {"claimed_at": OVER}, AWAY, False, "wait"),
    (TALKING | {"answered_at": NOW - 1831.0}, AWAY, False, "close answered NODE_UNREACHABLE"),
]  # fmt: skip


PDD, RING, LONGEST = 15.0, 30.0, 1800.0
RINGING = SEEN | {"state": LiveState.RINGING, "progress": True}


@pytest.mark.parametrize(
    ("known", "since", "bound", "expected"),
    [
        (RINGING, "sent_at", PDD + RING + 15.0, "close outcome_unknown OVERDUE"),
        (RINGING | {"sent_at": None}, "claimed_at", PDD + RING + 15.0, "close outcome_unknown OVERDUE"),
        (RINGING | {"refusal": "USER_BUSY"}, "sent_at", PDD + RING + 15.0, "close busy USER_BUSY"),
        (TALKING, "answered_at", LONGEST + 30.0, "close answered OVERDUE"),
    ],
    ids=["originated", "sent by who is dead", "refused by its job", "connected"],
)
def test_a_call_that_its_switch_fails_to_end_is_closed_within_its_bound_and_killed_before(
    known: dict[str, Any], since: str, bound: float, expected: str
) -> None:
    """The fake clock: what happens in each second from the call's start to its bound."""
    closed = killed = None
    for second in range(int(bound) + 1):
        call = make_call(**(known | {since: NOW}))
        verdict = force_close(call, NOW + second)
        if verdict is not None and closed is None:
            closed, shown_as = second, shown(verdict)
        if is_due(call, ME, NOW + second) and killed is None and is_overdue(call, NOW + second):
            killed = second
    assert closed is not None
    assert killed is not None
    assert killed <= closed - 7
    assert bound - 3 <= closed <= bound - 1
    assert shown_as == expected


def test_who_was_never_seen_or_is_over_or_new_to_us_is_not_reaped() -> None:
    late = NOW + PDD + RING + 14.0
    for known in (
        OURS | {"sent_at": NOW},
        RINGING | {"sent_at": NOW, "state": LiveState.OVER},
        RINGING | {"sent_at": NOW, "adopted_at": late - 1.0},
    ):
        assert force_close(make_call(**known), late) is None
    assert force_close(make_call(**(RINGING | {"sent_at": NOW, "adopted_at": NOW + 1.0})), late) is not None


STIRRING = [
    # A node that stood still until a moment ago, or that does not answer at once, may not have read it yet.
    (OURS, "wait"),
    (THEIRS, "wait"),
    (OURS | {"resent": True, "sent_at": OVER}, "wait"),
    (THEIRS | {"claimed_at": OVER, "adopted_at": OVER}, "close outcome_unknown MAY_BE_BUFFERED"),
]


def shown(verdict: Verdict) -> str:
    if verdict.act is not RecoveryAction.CLOSE:
        return verdict.act
    return f"{verdict.act} {verdict.disposition} {verdict.cause}"


@pytest.mark.parametrize(("known", "answer", "dead", "expected"), TABLE)
def test_every_answer_in_every_situation(
    known: dict[str, Any], answer: Answer | None, dead: bool, expected: str
) -> None:
    assert (
        shown(decide(make_call(**known), answer, ME, NOW, lambda: dead, drained_since=LONG_AGO)) == expected
    )


@pytest.mark.parametrize("drained_since", [None, JUST_NOW])
@pytest.mark.parametrize(("known", "expected"), STIRRING)
def test_what_a_node_may_not_have_read_yet_is_not_sent_again(
    known: dict[str, Any], expected: str, drained_since: float | None
) -> None:
    assert (
        shown(decide(make_call(**known), NEVER, ME, NOW, lambda: True, drained_since=drained_since))
        == expected
    )


unanswered = st.builds(
    lambda **known: make_call(core_uuid=CORE, **known),
    sent_by=st.sampled_from([ME, OTHER]),
    state=st.sampled_from(
        [state for state in LiveState if state not in (LiveState.ANSWERED, LiveState.OVER)]
    ),
    sent_at=st.sampled_from([None, JUST_NOW, LONG_AGO, OVER]),
    adopted_at=st.sampled_from([None, JUST_NOW, LONG_AGO, OVER]),
    progress=st.booleans(),
    resent=st.booleans(),
    never_seen_since=st.sampled_from([None, LATELY, LONG_DENIED]),
    delivery_unknown=st.booleans(),
    released_at=st.sampled_from([0.0, JUST_NOW, LONG_AGO]),
    refusal=st.sampled_from([None, "USER_BUSY", "DESTINATION_OUT_OF_ORDER"]),
    gone_since=st.sampled_from([None, JUST_NOW, LONG_AGO]),
)


def answered(call: LiveCall, at: float) -> LiveCall:
    call.answer(at)
    return call


calls = unanswered | st.builds(answered, unanswered, st.sampled_from([JUST_NOW, LONG_AGO]))
answers = st.sampled_from([AWAY, DONE, DONE_ELSEWHERE, NEVER, RESTARTED, living(), living(answered=1.0)])


@given(
    call=calls,
    answer=answers,
    dead=st.booleans(),
    drained_since=st.sampled_from([None, JUST_NOW, LONG_AGO]),
)
def test_a_call_is_repeated_or_denied_only_where_nobody_ever_saw_it(
    call: Any, answer: Answer | None, dead: bool, drained_since: float | None
) -> None:
    verdict = decide(call, answer, ME, NOW, lambda: dead, drained_since=drained_since)
    if verdict.act is RecoveryAction.RESEND:
        assert answer == NEVER
        assert not call.seen
        assert call.refusal is None
        assert not call.unacknowledged
        assert not call.delivery_unknown
        assert call.sent_by == ME or dead
        assert drained_since == LONG_AGO
        times = (call.sent_at, call.adopted_at, call.claimed_at)
        assert NOW - next(at for at in times if at is not None) >= SETTLE_SECONDS
        assert NOW - call.released_at >= SETTLE_SECONDS
    if call.seen and verdict.act is RecoveryAction.CLOSE:
        assert not verdict.no_channel
    if verdict.denied and verdict.act is RecoveryAction.CLOSE and call.may_have_earlier_order:
        assert call.never_seen_since == LONG_DENIED
    if call.answered_at is not None and verdict.act is RecoveryAction.CLOSE:
        assert verdict.disposition == "answered"


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"claimed_at": JUST_NOW}, False),
        ({"claimed_at": NOW - QUEUED_SECONDS - 1}, True),
        ({"claimed_at": NOW - QUEUED_SECONDS - 1, "state": LiveState.QUEUED}, False),
        (THEIRS, True),
        (THEIRS | {"asked_at": JUST_NOW}, False),
        (OURS | {"sent_at": JUST_NOW}, False),
        (OURS, True),
        (SEEN | {"heard_at": LONG_AGO}, False),
        (SEEN | {"heard_at": NOW - 31}, True),
        (TALKING | {"heard_at": NOW - 31}, True),
        (TALKING | {"heard_at": NOW - 31, "asked_at": NOW - 6}, False),
        (TALKING | {"answered_at": NOW - 1831, "heard_at": JUST_NOW, "asked_at": NOW - 6}, True),
        (SEEN | {"heard_at": JUST_NOW, "sent_at": NOW - 61}, True),
        (SEEN | {"heard_at": JUST_NOW, "refusal": "USER_BUSY"}, True),
        (SEEN | {"heard_at": JUST_NOW, "gone_since": GONE, "asked_at": GONE}, True),
        (SEEN | {"heard_at": JUST_NOW, "gone_since": JUST_NOW, "asked_at": JUST_NOW}, False),
    ],
)
def test_a_call_is_asked_about_when_it_is_silent_late_or_in_doubt(
    known: dict[str, Any], expected: bool
) -> None:
    assert is_due(make_call(**known), ME, NOW) is expected
