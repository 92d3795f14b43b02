"""What recovery does about a call: every answer of a node in every situation."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.recovery.decisions import (
    GRACE_SECONDS,
    LOST_SECONDS,
    QUEUED_SECONDS,
    RECORD_SECONDS,
    SETTLE_SECONDS,
    Act,
    Answer,
    Verdict,
    decide,
    is_due,
    is_overdue,
    reap,
)
from freeswitch.events import LiveChannel
from tests.unit.dialer.factories import ME, OTHER, make_flight

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
SEEN = OURS | {"created": True}
TALKING = SEEN | {"answered_at": NOW - 10.0}
THEIRS: dict[str, Any] = {"sent_by": OTHER, "claimed_at": LONG_AGO, "adopted_at": LONG_AGO}
DOUBTED = THEIRS | {"doubtful": True, "claimed_at": OVER, "adopted_at": OVER}

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
    (OURS, NEVER, False, "repeat"),
    (OURS | {"sent_at": JUST_NOW}, NEVER, False, "wait"),
    # The connection that it was written to has not been heard yet, whatever the node says over another one.
    (OURS | {"unanswered": True}, NEVER, False, "wait"),
    (OURS | {"unanswered": True, "repeated": True, "sent_at": OVER}, NEVER, False, "wait"),
    (OURS | {"unanswered": True, "claimed_at": OVER}, NEVER, False, "close outcome_unknown MAY_BE_BUFFERED"),
    (OURS | {"unanswered": True}, living(), False, "adopt"),
    # It was written to a connection that was given up.
    (OURS | {"doubtful": True}, NEVER, False, "wait"),
    (OURS | {"let_go_at": JUST_NOW}, NEVER, False, "wait"),
    (OURS | {"let_go_at": NOW - SETTLE_SECONDS}, NEVER, False, "repeat"),
    (OURS | {"doubtful": True, "claimed_at": OVER}, NEVER, False, "close outcome_unknown MAY_BE_BUFFERED"),
    (OURS | {"doubtful": True}, living(), False, "adopt"),
    (OURS | {"repeated": True}, NEVER, False, "wait"),
    (OURS | {"repeated": True, "sent_at": OVER}, NEVER, False, "close switch_lost NEVER_SEEN"),
    (OURS | {"sent_at": None, "adopted_at": LONG_AGO}, NEVER, False, "repeat"),
    (OURS | {"sent_at": None}, NEVER, False, "repeat"),
    (OURS | {"refusal": "DESTINATION_OUT_OF_ORDER"}, NEVER, False, "close congestion DESTINATION_OUT_OF_ORDER"),
    (OURS | {"refusal": "USER_BUSY"}, NEVER, False, "wait"),
    (THEIRS | {"doubtful": True}, NEVER, True, "wait"),
    (DOUBTED, NEVER, True, "close outcome_unknown MAY_BE_BUFFERED"),
    (THEIRS, NEVER, False, "wait"),
    (THEIRS, NEVER, True, "repeat"),
    (THEIRS | {"adopted_at": JUST_NOW}, NEVER, True, "wait"),
    (THEIRS | {"adopted_at": OVER}, NEVER, True, "repeat"),
    (THEIRS | {"claimed_at": OVER, "adopted_at": OVER}, NEVER, False, "close outcome_unknown OWNER_NOT_PROVEN_DEAD"),
    # The node cannot be asked.
    (OURS, AWAY, False, "wait"),
    (THEIRS, AWAY, True, "wait"),
    (SEEN | {"claimed_at": OVER}, AWAY, False, "close outcome_unknown NODE_UNREACHABLE"),
    (TALKING | {"claimed_at": OVER}, AWAY, False, "wait"),
    (TALKING | {"answered_at": NOW - 1831.0}, AWAY, False, "close answered NODE_UNREACHABLE"),
]  # fmt: skip


PDD, RING, LONGEST = 15.0, 30.0, 1800.0
RINGING = SEEN | {"progress": True}


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
        flight = make_flight(**(known | {since: NOW}))
        verdict = reap(flight, NOW + second)
        if verdict is not None and closed is None:
            closed, shown_as = second, shown(verdict)
        if is_due(flight, ME, NOW + second) and killed is None and is_overdue(flight, NOW + second):
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
        RINGING | {"sent_at": NOW, "over": True},
        RINGING | {"sent_at": NOW, "adopted_at": late - 1.0},
    ):
        assert reap(make_flight(**known), late) is None
    assert reap(make_flight(**(RINGING | {"sent_at": NOW, "adopted_at": NOW + 1.0})), late) is not None


STIRRING = [
    # A node that stood still until a moment ago, or that does not answer at once, may not have read it yet.
    (OURS, "wait"),
    (THEIRS, "wait"),
    (OURS | {"repeated": True, "sent_at": OVER}, "wait"),
    (THEIRS | {"claimed_at": OVER, "adopted_at": OVER}, "close outcome_unknown MAY_BE_BUFFERED"),
]


def shown(verdict: Verdict) -> str:
    if verdict.act is not Act.CLOSE:
        return verdict.act
    return f"{verdict.act} {verdict.disposition} {verdict.cause}"


@pytest.mark.parametrize(("known", "answer", "dead", "expected"), TABLE)
def test_every_answer_in_every_situation(
    known: dict[str, Any], answer: Answer | None, dead: bool, expected: str
) -> None:
    assert (
        shown(decide(make_flight(**known), answer, ME, NOW, lambda: dead, quiet_since=LONG_AGO)) == expected
    )


@pytest.mark.parametrize("quiet_since", [None, JUST_NOW])
@pytest.mark.parametrize(("known", "expected"), STIRRING)
def test_what_a_node_may_not_have_read_yet_is_not_sent_again(
    known: dict[str, Any], expected: str, quiet_since: float | None
) -> None:
    assert (
        shown(decide(make_flight(**known), NEVER, ME, NOW, lambda: True, quiet_since=quiet_since)) == expected
    )


flights = st.builds(
    lambda **known: make_flight(core_uuid=CORE, **known),
    sent_by=st.sampled_from([ME, OTHER]),
    sent_at=st.sampled_from([None, JUST_NOW, LONG_AGO, OVER]),
    adopted_at=st.sampled_from([None, JUST_NOW, LONG_AGO, OVER]),
    answered_at=st.sampled_from([None, JUST_NOW, LONG_AGO]),
    created=st.booleans(),
    progress=st.booleans(),
    repeated=st.booleans(),
    unanswered=st.booleans(),
    doubtful=st.booleans(),
    let_go_at=st.sampled_from([0.0, JUST_NOW, LONG_AGO]),
    refusal=st.sampled_from([None, "USER_BUSY", "DESTINATION_OUT_OF_ORDER"]),
    gone_since=st.sampled_from([None, JUST_NOW, LONG_AGO]),
)
answers = st.sampled_from([AWAY, DONE, DONE_ELSEWHERE, NEVER, RESTARTED, living(), living(answered=1.0)])


@given(
    flight=flights,
    answer=answers,
    dead=st.booleans(),
    quiet_since=st.sampled_from([None, JUST_NOW, LONG_AGO]),
)
def test_a_call_is_repeated_only_where_nobody_ever_saw_it(
    flight: Any, answer: Answer | None, dead: bool, quiet_since: float | None
) -> None:
    verdict = decide(flight, answer, ME, NOW, lambda: dead, quiet_since=quiet_since)
    if verdict.act is Act.REPEAT:
        assert answer == NEVER
        assert not flight.seen
        assert flight.refusal is None
        assert not flight.unanswered
        assert not flight.doubtful
        assert flight.sent_by == ME or dead
        assert quiet_since == LONG_AGO
        times = (flight.sent_at, flight.adopted_at, flight.claimed_at)
        assert NOW - next(at for at in times if at is not None) >= SETTLE_SECONDS
        assert NOW - flight.let_go_at >= SETTLE_SECONDS
    if flight.seen and verdict.act is Act.CLOSE:
        assert not verdict.no_channel
    if flight.answered_at is not None and verdict.act is Act.CLOSE:
        assert verdict.disposition == "answered"


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"claimed_at": JUST_NOW}, False),
        ({"claimed_at": NOW - QUEUED_SECONDS - 1}, True),
        ({"claimed_at": NOW - QUEUED_SECONDS - 1, "queued": True}, False),
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
    assert is_due(make_flight(**known), ME, NOW) is expected
