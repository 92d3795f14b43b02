"""What recovery does about a call, from what is known of it and what its node says: pure, one table.

Never closes a call as unseen on the first word of a node: what the node said last may still be on its way to the
recorder, or be somebody else's to write.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import inf

from campaigns.dispositions import Disposition, Evidence, dispose
from dialer.live_calls import Flight
from dialer.record.classify import had_channel
from freeswitch.events import LiveChannel

SETTLE_SECONDS = 5.0
"""A node may still execute what sat in a socket's buffer for so long: after its sender died, and after a node that
stood still goes on (`backlogs`)."""
SILENT_SECONDS = 5.0
"""An originate of ours that has shown no sign of life for so long is asked about."""
AGAIN_SECONDS = 5.0
CHECK_SECONDS = 30.0
"""A call that has said nothing for so long is asked whether it still lives: a node may drop events."""
GRACE_SECONDS = 2.0
"""What a node reported before it said that a call is over has arrived by then."""
RECORD_SECONDS = 5.0
"""The record that a node wrote of a call that is over has arrived by then, if anybody ships it: the shipper looks for
it every half second, and three failed deliveries cost it less than 4 s. What comes later corrects the outcome."""
QUEUED_SECONDS = 15.0
"""No dispatcher keeps a claimed call for so long: one that is unsent then was dropped."""
LOST_SECONDS = 90.0
"""A call that nobody can prove anything about for so long is `outcome_unknown`."""
PDD_SECONDS = 15.0
KILL_SECONDS = 5.0
KILL_ANSWERED_SECONDS = 10.0
"""So long after its timers at the switch should have ended it, a call that lives is killed: its ring timer and the
post-dial delay's, or its maximum duration."""
LATE_SECONDS = 15.0
LATE_ANSWERED_SECONDS = 30.0
"""No contact is `originated` for longer than the post-dial delay, the ring time and so much, nor `connected` for
longer than the maximum and so much, whatever its switch does or does not do any more."""
HOLD_SECONDS = 60.0
"""So long after its timers its switch has ended a call, whoever can or cannot ask it."""
UNSEEN_SECONDS = 180.0
"""What was written to a lost connection has arrived so long after the network is back, if it ever does: a kernel
repeats it every 120 s at least."""
REAP_SECONDS = 2.0
"""A call is closed so long before that bound: the patrol comes by every second, and then it is written."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a node says about one call id: its channel, else whether it ever had one; and which run of it says so."""

    alive: LiveChannel | None
    lived: bool
    core_uuid: str | None


class Act(StrEnum):
    """What to do about a call."""

    WAIT = "wait"
    ADOPT = "adopt"
    """It lives: ours from now on."""
    KILL = "kill"
    """It lives, and longer than it may."""
    CLOSE = "close"
    REPEAT = "repeat"
    """It was never seen, and nobody else can send it: once more, under the same id."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """An act; `disposition`, `cause`, `no_channel` (the switch never made one) and `hold` go with CLOSE.

    `hold`: the call may be up all the same, and is over after so many seconds at the latest; None where it is over.
    """

    act: Act
    disposition: Disposition = Disposition.OUTCOME_UNKNOWN
    cause: str = ""
    no_channel: bool = False
    hold: float | None = None


WAIT = Verdict(Act.WAIT)


class Fate(StrEnum):
    """What to do about a call that was closed without proof of its end."""

    HOLD = "hold"
    KILL = "kill"
    GONE = "gone"


def fate(
    core_uuid: str | None, answer: Answer, unseen_seconds: float, sender_is_dead: Callable[[], bool]
) -> Fate:
    """What to do about a closed call that the run `core_uuid` of its node was to place.

    One that still rings may not be answered any more. One that a restarted node took up again has lost the timer that
    ends it, and nobody is left to set it. The mark of a call that lived says that it is over. Without one its order
    may lie in a buffer: until its node has said so, each time, for long (`unseen_seconds`), and nobody is left who
    could send it.
    """
    same_run = core_uuid is None or core_uuid == answer.core_uuid
    if answer.alive is not None:
        return Fate.HOLD if same_run and answer.alive.answered_ms_ago is not None else Fate.KILL
    if answer.lived or not same_run:
        return Fate.GONE
    return Fate.GONE if unseen_seconds >= UNSEEN_SECONDS and sender_is_dead() else Fate.HOLD


def is_due(flight: Flight, dialer_id: str, now: float) -> bool:
    """Whether a call is to be asked about now."""
    asked = now - flight.asked_at
    if flight.gone_since is not None:
        return asked >= GRACE_SECONDS
    if asked < AGAIN_SECONDS or flight.queued:
        return False
    if flight.unsent:
        ours = flight.sent_by == dialer_id and flight.adopted_at is None
        return not ours or now - flight.claimed_at > QUEUED_SECONDS
    if flight.refusal is not None or is_overdue(flight, now):
        return True
    if not flight.seen:
        return flight.sent_at is not None and now - flight.sent_at > SILENT_SECONDS
    return now - max(flight.asked_at, flight.heard_at) >= CHECK_SECONDS


def is_overdue(flight: Flight, now: float) -> bool:
    """Whether a call has gone on for longer than its timers at the switch allow."""
    late = _lateness(flight, now)
    return late > (KILL_SECONDS if flight.answered_at is None else KILL_ANSWERED_SECONDS)


def reap(flight: Flight, now: float) -> Verdict | None:
    """How to close a call that its switch had and has failed to end, without asking it any more; None before that.

    A call that no switch has shown is not closed so: it may still be proven never to have been sent. An heir first
    has the time to learn how a call ended while it had no owner.
    """
    bound = LATE_SECONDS if flight.answered_at is None else LATE_ANSWERED_SECONDS
    if flight.over or _lateness(flight, now) < bound - REAP_SECONDS:
        return None
    if flight.adopted_at is not None and now - flight.adopted_at < LATE_SECONDS - REAP_SECONDS:
        return None
    return _ended_unseen(flight, "OVERDUE", _hold(flight, now))


def _lateness(flight: Flight, now: float) -> float:
    """Seconds since this call should have ended at the latest; negative before, and for one that was never seen."""
    if flight.answered_at is not None:
        return now - flight.answered_at - flight.max_seconds
    since = flight.claimed_at if flight.sent_at is None else flight.sent_at
    return now - since - PDD_SECONDS - flight.ring_seconds if flight.seen else -inf


def is_gone(flight: Flight, answer: Answer) -> bool:
    """Whether a node that does not have this call any more, as it says, may once have had it."""
    return answer.lived or flight.seen or flight.refusal is not None or not _same_run(flight, answer)


def decide(
    flight: Flight,
    answer: Answer | None,
    dialer_id: str,
    now: float,
    sender_is_dead: Callable[[], bool],
    *,
    quiet_since: float | None,
) -> Verdict:
    """What to do about a call. `answer` is None where its node cannot be asked.

    `quiet_since`: since when its node seems to be past everything that its sender wrote; None where it does not.
    `sender_is_dead` proves that the dialer in `sent_by`, which is not this one, will never write again; it is asked
    only where that matters.
    """
    if answer is None:
        return _lost(flight, "NODE_UNREACHABLE", now)
    if answer.alive is not None:
        return _alive(flight, answer.alive, now)
    if answer.lived or flight.seen or (flight.refusal is not None and had_channel(flight.refusal)):
        return _over(flight, "ENDED_UNSEEN" if answer.lived else "NODE_RESTARTED", now)
    if not _same_run(flight, answer):
        return _over(flight, "NODE_RESTARTED", now)
    if flight.refusal is not None:
        disposition = dispose(Evidence(cause=flight.refusal, channel=False))
        return Verdict(Act.CLOSE, disposition, flight.refusal, no_channel=True)
    return _never_seen(flight, dialer_id, now, quiet_since, sender_is_dead)


def _same_run(flight: Flight, answer: Answer) -> bool:
    return flight.core_uuid is not None and flight.core_uuid == answer.core_uuid


def _alive(flight: Flight, channel: LiveChannel, now: float) -> Verdict:
    if channel.answered_ms_ago is not None:
        late = channel.answered_ms_ago / 1000 - flight.max_seconds
        return Verdict(Act.KILL if late > KILL_ANSWERED_SECONDS else Act.ADOPT)
    late = channel.age_ms / 1000 - PDD_SECONDS - flight.ring_seconds
    return Verdict(Act.KILL if late > KILL_SECONDS else Act.ADOPT)


def _never_seen(
    flight: Flight, dialer_id: str, now: float, quiet_since: float | None, sender_is_dead: Callable[[], bool]
) -> Verdict:
    """The node that was to get it is the same, and has never had it."""
    ours = flight.sent_by == dialer_id
    since = next(at for at in (flight.sent_at, flight.adopted_at, flight.claimed_at) if at is not None)
    since = max(since, flight.let_go_at)
    if now - since < SETTLE_SECONDS:
        return WAIT
    if flight.unanswered or flight.doubtful or quiet_since is None or now - quiet_since < SETTLE_SECONDS:
        return _lost(flight, "MAY_BE_BUFFERED", now)
    if flight.repeated and flight.sent_at is not None:
        # It takes orders and does not carry them out. Long enough after the second, that is proof of its own.
        if now - since < LOST_SECONDS:
            return WAIT
        return Verdict(Act.CLOSE, Disposition.SWITCH_LOST, "NEVER_SEEN", no_channel=True)
    if ours or sender_is_dead():
        return Verdict(Act.REPEAT)
    return _lost(flight, "OWNER_NOT_PROVEN_DEAD", now)


def _lost(flight: Flight, cause: str, now: float) -> Verdict:
    since, limit = max(flight.claimed_at, flight.adopted_at or flight.claimed_at), LOST_SECONDS
    if flight.answered_at is not None:
        since, limit = flight.answered_at, flight.max_seconds + LATE_ANSWERED_SECONDS
    return _ended_unseen(flight, cause, _hold(flight, now)) if now - since > limit else WAIT


def _hold(flight: Flight, now: float) -> float | None:
    """For how many seconds its switch may still have a call that is closed without a word of its; None where it did
    say so, or has ended the call by its own timers."""
    if flight.gone_since is not None:
        return None
    if flight.answered_at is not None:
        left = flight.answered_at + flight.max_seconds - now
    else:
        left = PDD_SECONDS + flight.ring_seconds + flight.max_seconds
        if flight.seen:
            # One that was not may begin as late as now.
            left -= now - (flight.claimed_at if flight.sent_at is None else flight.sent_at)
    return left + HOLD_SECONDS if left + HOLD_SECONDS > 0 else None


def _over(flight: Flight, cause: str, now: float) -> Verdict:
    """Its node does not have it any more: closed once nothing more can be expected to tell how it ended."""
    known = flight.answered_at is None and flight.refusal is not None and had_channel(flight.refusal)
    patience = GRACE_SECONDS if known else RECORD_SECONDS
    if flight.gone_since is None or now - flight.gone_since < patience:
        return WAIT
    return _ended_unseen(flight, cause)


def _ended_unseen(flight: Flight, cause: str, hold: float | None = None) -> Verdict:
    """It is over, or counts as over; what is known of it says how."""
    if flight.answered_at is not None:
        return Verdict(Act.CLOSE, Disposition.ANSWERED, cause, hold=hold)
    if flight.refusal is not None and had_channel(flight.refusal):
        evidence = Evidence(cause=flight.refusal, progress=flight.progress)
        # That of a repeated send may mean that the first is alive.
        return Verdict(Act.CLOSE, dispose(evidence), flight.refusal, hold=hold if flight.repeated else None)
    return Verdict(Act.CLOSE, Disposition.OUTCOME_UNKNOWN, cause, hold=hold)
