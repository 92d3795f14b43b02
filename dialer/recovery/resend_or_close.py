"""Decides what recovery does with a call: adopt, kill, close, wait, or resend it under its id. Pure.

Sent again under the same id here only; a new attempt is `campaigns/retry.py`, another gateway `campaigns/routing.py`.
Never closes a call as unseen on the first word of a node: what the node said last may still be on its way to the
recorder, or be somebody else's to write.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import inf

from campaigns.dispositions import Disposition, Evidence, dispose
from dialer.live_calls import LiveCall
from dialer.record.call_end import had_channel
from freeswitch.events import LiveChannel

SETTLE_SECONDS = 5.0
"""A node may still execute what sat in a socket's buffer for so long: after its sender died, and after a node that
stood still goes on (`buffer_drain`)."""
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
"""No dialer keeps a claimed call for so long: one that is unsent then was dropped."""
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
MAY_LIVE_SECONDS = 60.0
"""So long after its timers its switch has ended a call, whoever can or cannot ask it."""
UNSEEN_SECONDS = 180.0
"""What was written to a lost connection has arrived so long after the network is back, if it ever does: a kernel
repeats it every 120 s at least. Nobody is called anew for a call that its node has denied for less."""
FORCE_CLOSE_AHEAD_SECONDS = 2.0
"""A call is closed so long before that bound: the reconciler's round comes every second, and then it is written."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a node says about one call id: its channel, else whether it ever had one; and which run of it says so."""

    alive: LiveChannel | None
    lived: bool
    core_uuid: str | None


class RecoveryAction(StrEnum):
    """What to do about a call."""

    WAIT = "wait"
    ADOPT = "adopt"
    """It lives: ours from now on."""
    KILL = "kill"
    """It lives, and longer than it may."""
    CLOSE = "close"
    RESEND = "resend"
    """It was never seen, and nobody else can send it: once more, under the same id."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """An act; `disposition`, `cause`, `no_channel` (the switch never made one) and `may_live` go with CLOSE.

    `may_live`: the call may be up all the same, and is over after so many seconds at the latest; None where it is
    over. `denied`: the node says for certain that it never had the call, and nobody else can send it.
    """

    act: RecoveryAction
    disposition: Disposition = Disposition.OUTCOME_UNKNOWN
    cause: str = ""
    no_channel: bool = False
    may_live: float | None = None
    denied: bool = False


WAIT = Verdict(RecoveryAction.WAIT)


class ClosedCall(StrEnum):
    """What to do about a call that was closed without proof of its end."""

    KEEP = "keep"
    KILL = "kill"
    OVER = "over"


def resolve_closed(
    core_uuid: str | None, answer: Answer, unseen_seconds: float, sender_is_dead: Callable[[], bool]
) -> ClosedCall:
    """What to do about a closed call that the run `core_uuid` of its node was to place.

    One that still rings may not be answered any more. One that a restarted node took up again has lost the timer that
    ends it, and nobody is left to set it. The hangup marker of a call says that it lived and is over. Without one its
    order may lie in a buffer: until its node has said so, each time, for long (`unseen_seconds`), and nobody is left
    who could send it.
    """
    same_run = core_uuid is None or core_uuid == answer.core_uuid
    if answer.alive is not None:
        return ClosedCall.KEEP if same_run and answer.alive.answered_ms_ago is not None else ClosedCall.KILL
    if answer.lived or not same_run:
        return ClosedCall.OVER
    return ClosedCall.OVER if unseen_seconds >= UNSEEN_SECONDS and sender_is_dead() else ClosedCall.KEEP


def is_due(call: LiveCall, dialer_id: str, now: float) -> bool:
    """Whether a call is to be asked about now."""
    asked = now - call.asked_at
    if call.gone_since is not None:
        return asked >= GRACE_SECONDS
    if asked < AGAIN_SECONDS or call.queued:
        return False
    if call.unsent:
        ours = call.sent_by == dialer_id and call.adopted_at is None
        return not ours or now - call.claimed_at > QUEUED_SECONDS
    if call.refusal is not None or is_overdue(call, now):
        return True
    if not call.seen:
        return call.sent_at is not None and now - call.sent_at > SILENT_SECONDS
    return now - max(call.asked_at, call.heard_at) >= CHECK_SECONDS


def is_overdue(call: LiveCall, now: float) -> bool:
    """Whether a call has gone on for longer than its timers at the switch allow."""
    late = _lateness(call, now)
    return late > (KILL_SECONDS if call.answered_at is None else KILL_ANSWERED_SECONDS)


def force_close(call: LiveCall, now: float) -> Verdict | None:
    """How to close a call that its switch had and has failed to end, without asking it any more; None before that.

    A call that no switch has shown is not closed so: it may still be proven never to have been sent. Who took it over
    first has the time to learn how a call ended while it had no owner.
    """
    bound = LATE_SECONDS if call.answered_at is None else LATE_ANSWERED_SECONDS
    if call.over or _lateness(call, now) < bound - FORCE_CLOSE_AHEAD_SECONDS:
        return None
    if call.adopted_at is not None and now - call.adopted_at < LATE_SECONDS - FORCE_CLOSE_AHEAD_SECONDS:
        return None
    return _ended_unseen(call, "OVERDUE", _may_live_seconds(call, now))


def _lateness(call: LiveCall, now: float) -> float:
    """Seconds since this call should have ended at the latest; negative before, and for one that was never seen."""
    if call.answered_at is not None:
        return now - call.answered_at - call.max_seconds
    since = call.claimed_at if call.sent_at is None else call.sent_at
    return now - since - PDD_SECONDS - call.ring_seconds if call.seen else -inf


def is_gone(call: LiveCall, answer: Answer) -> bool:
    """Whether a node that does not have this call any more, as it says, may once have had it."""
    refused = call.refusal is not None and not call.may_have_earlier_order
    return answer.lived or call.seen or refused or not _same_run(call, answer)


def decide(
    call: LiveCall,
    answer: Answer | None,
    dialer_id: str,
    now: float,
    sender_is_dead: Callable[[], bool],
    *,
    drained_since: float | None,
) -> Verdict:
    """What to do about a call. `answer` is None where its node cannot be asked.

    `drained_since`: since when its node seems to be past everything that its sender wrote; None where it does not.
    `sender_is_dead` proves that the dialer in `sent_by`, which is not this one, will never write again; it is asked
    only where that matters.
    """
    if answer is None:
        return _lost(call, "NODE_UNREACHABLE", now)
    if answer.alive is not None:
        return _alive(call, answer.alive, now)
    if answer.lived or call.seen:
        return _over(call, "ENDED_UNSEEN" if answer.lived else "NODE_RESTARTED", now)
    if not _same_run(call, answer):
        return _over(call, "NODE_RESTARTED", now)
    if call.refusal is not None and not call.may_have_earlier_order:
        if had_channel(call.refusal):
            return _over(call, "NODE_RESTARTED", now)
        return _never_placed(call)
    return _never_seen(call, dialer_id, now, drained_since, sender_is_dead)


def _same_run(call: LiveCall, answer: Answer) -> bool:
    return call.core_uuid is not None and call.core_uuid == answer.core_uuid


def _alive(call: LiveCall, channel: LiveChannel, now: float) -> Verdict:
    if channel.answered_ms_ago is not None:
        late = channel.answered_ms_ago / 1000 - call.max_seconds
        return Verdict(RecoveryAction.KILL if late > KILL_ANSWERED_SECONDS else RecoveryAction.ADOPT)
    late = channel.age_ms / 1000 - PDD_SECONDS - call.ring_seconds
    return Verdict(RecoveryAction.KILL if late > KILL_SECONDS else RecoveryAction.ADOPT)


def _never_seen(
    call: LiveCall,
    dialer_id: str,
    now: float,
    drained_since: float | None,
    sender_is_dead: Callable[[], bool],
) -> Verdict:
    """The node that was to get it is the same, and has never had it."""
    ours = call.sent_by == dialer_id
    since = next(at for at in (call.sent_at, call.adopted_at, call.claimed_at) if at is not None)
    since = max(since, call.released_at)
    if now - since < SETTLE_SECONDS:
        return WAIT
    if call.maybe_undelivered or drained_since is None or now - drained_since < SETTLE_SECONDS:
        return _lost(call, "MAY_BE_BUFFERED", now)
    # Who was dead when it was sent again is dead for ever.
    if not (ours or call.resent or sender_is_dead()):
        return _lost(call, "OWNER_NOT_PROVEN_DEAD", now)
    if call.refusal is None and not (call.resent and call.sent_at is not None):
        return Verdict(RecoveryAction.RESEND, denied=True)
    # The node takes orders and does not carry them out, or has refused one: of another that may lie in a buffer only
    # time tells. Beside a new id of its contact it would not be refused.
    if call.denied_seconds(now) < UNSEEN_SECONDS:
        return Verdict(RecoveryAction.WAIT, denied=True)
    return _never_placed(call)


def _never_placed(call: LiveCall) -> Verdict:
    """Its order was refused, or it was never carried out."""
    if call.refusal is None:
        return Verdict(
            RecoveryAction.CLOSE, Disposition.SWITCH_LOST, "NEVER_SEEN", no_channel=True, denied=True
        )
    channel = had_channel(call.refusal)
    disposition = dispose(Evidence(cause=call.refusal, channel=channel))
    return Verdict(RecoveryAction.CLOSE, disposition, call.refusal, no_channel=not channel, denied=True)


def _lost(call: LiveCall, cause: str, now: float) -> Verdict:
    # A doubt counts from the last word that was certain: a call that waits to be sent again is not lost by a hiccup.
    since, limit = max(call.claimed_at, call.adopted_at or call.claimed_at, call.denied_at), LOST_SECONDS
    if call.answered_at is not None:
        since, limit = call.answered_at, call.max_seconds + LATE_ANSWERED_SECONDS
    return _ended_unseen(call, cause, _may_live_seconds(call, now)) if now - since > limit else WAIT


def _may_live_seconds(call: LiveCall, now: float) -> float | None:
    """For how many seconds its switch may still have a call that is closed without a word of its; None where it did
    say so, or has ended the call by its own timers."""
    if call.gone_since is not None:
        return None
    if call.answered_at is not None:
        left = call.answered_at + call.max_seconds - now
    else:
        left = PDD_SECONDS + call.ring_seconds + call.max_seconds
        if call.seen:
            # One that was not may begin as late as now.
            left -= now - (call.claimed_at if call.sent_at is None else call.sent_at)
    return left + MAY_LIVE_SECONDS if left + MAY_LIVE_SECONDS > 0 else None


def _over(call: LiveCall, cause: str, now: float) -> Verdict:
    """Its node does not have it any more: closed once nothing more can be expected to tell how it ended."""
    known = call.answered_at is None and call.refusal is not None and had_channel(call.refusal)
    patience = GRACE_SECONDS if known else RECORD_SECONDS
    if call.gone_since is None or now - call.gone_since < patience:
        return WAIT
    return _ended_unseen(call, cause)


def _ended_unseen(call: LiveCall, cause: str, may_live: float | None = None) -> Verdict:
    """It is over, or counts as over; what is known of it says how."""
    if call.answered_at is not None:
        return Verdict(RecoveryAction.CLOSE, Disposition.ANSWERED, cause, may_live=may_live)
    if call.refusal is not None and had_channel(call.refusal):
        evidence = Evidence(cause=call.refusal, progress=call.progress)
        # That of a resend may mean that the first is alive.
        return Verdict(
            RecoveryAction.CLOSE, dispose(evidence), call.refusal, may_live=may_live if call.resent else None
        )
    return Verdict(RecoveryAction.CLOSE, Disposition.OUTCOME_UNKNOWN, cause, may_live=may_live)
