"""What the end of a call means for its contact: disposition, retry, counts. Pure.

What follows is decided by `campaigns/retry.py`, the rows are written by `outcome_rows`. Called by the recorder, and
by `cdr_inbox` for a record that comes late. Ages are seconds before `at`, the monotonic time at which the end was
learnt.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from campaigns.dispositions import Disposition, Evidence, dispose, without_port
from campaigns.retry import REACHED, History, Next, after_call
from campaigns.routing import may_fail_over
from dialer.live_calls import LiveCall
from dialer.record.outcome_rows import Ended
from freeswitch.causes import HANGUP_CAUSES
from freeswitch.hangup import Hangup
from freeswitch.originate import DEFAULT_PDD_SECONDS, most_seconds
from models import ContactStatus

Elsewhere = Callable[[LiveCall], bool]
"""Whether there is a gateway for this call's contact that was not tried yet."""

LONGEST_TEXT = 200
LARGEST_SMALLINT = 32_767
LARGEST_INT = 2_147_483_647
NO_CHANNEL_CAUSES = frozenset(
    {
        "DESTINATION_OUT_OF_ORDER",
        "INVALID_GATEWAY",
        "GATEWAY_DOWN",
        "INVALID_PROFILE",
        "INVALID_URL",
        "USER_NOT_REGISTERED",
        "CHAN_NOT_IMPLEMENTED",
    }
)
"""Causes with which FreeSWITCH refuses an originate before it makes a channel; all others had one."""


NO_PORT, NO_MEDIA, NO_CODEC = "NO_PORT", "NO_MEDIA", "NO_CODEC"
"""The causes of calls that a node could not carry, as they are shown: no port of its range was free, and no INVITE
left; the port that it had offered was another's when somebody picked up; his phone had no codec in common with it."""
TIMER_CAUSES = frozenset({"NO_ANSWER", "PROGRESS_TIMEOUT"})
"""Causes by which the node's own timers end a call that was not answered."""
CLOCK_STEPS_MS = 40
"""The node's clock steps in 20 ms: what it tells as no time at all was less than two of them."""
LATE_SECONDS = 1.0
"""A timer of the node counts whole seconds, and fires within them; one so late stood still, or is overloaded."""


def nowhere(_live_call: LiveCall) -> bool:
    """There is no other gateway."""
    return False


def had_channel(cause: str) -> bool:
    """Whether a job that failed with this text had a channel, whose own events say more."""
    return cause in HANGUP_CAUSES and cause not in NO_CHANNEL_CAUSES


def lacked_media(ended: Ended) -> bool:
    """Whether its node had no media for it."""
    return ended.disposition == Disposition.NODE_FAULT and ended.cause == NO_MEDIA


def hung_up(call: LiveCall, at: float, hangup: Hangup, elsewhere: Elsewhere = nowhere) -> Ended:
    """The end of a call as its HANGUP_COMPLETE, or its node's record of it, tells it."""
    answered = hangup.answered or call.answered_at is not None
    late = _ran_late(hangup, most_seconds(call.ring_seconds))
    known = _evidence(hangup, answered, call.progress, late_timer=late)
    other = may_fail_over(known) and elsewhere(call)
    following = _following(call, dispose(known), refused=without_port(known), elsewhere=other)
    told = _told(call.call_id, following, hangup, answered=answered, sent_age=_sent_age(call, at))
    told = told._replace(pdd_ms=told.pdd_ms or _heard_pdd(call)) if told.pdd_ms == 0 else told
    if not (call.recovered and answered):
        return told
    return told._replace(recovered=True, certain_billsec=_certain_seconds(call))


def from_cdr(call_id: str, hangup: Hangup, *, answered: bool, progress: bool) -> Ended:
    """What a node's record says of a call that was closed without it. Nobody is called again for that, whatever its
    campaign says of retries.

    `answered` and `progress` are what was known when it was closed. How long it may have rung stands in the record.
    """
    answered = answered or hangup.answered
    late = hangup.originate_seconds is not None and _ran_late(hangup, hangup.originate_seconds)
    disposition = dispose(_evidence(hangup, answered, progress, late_timer=late))
    status = ContactStatus.COMPLETED if disposition in REACHED else ContactStatus.FAILED
    return _told(call_id, Next(status, disposition, True), hangup, answered=answered, sent_age=None)


def _heard_pdd(call: LiveCall) -> int | None:
    """The post-dial delay where the node's clock did not step within it: as it was heard here, and no longer than the
    clock's steps allow; None where nobody heard it."""
    if call.sign_at is None or call.sent_at is None:
        return None
    return min(max(1, round((call.sign_at - call.sent_at) * 1000)), CLOCK_STEPS_MS)


def _certain_seconds(call: LiveCall) -> int | None:
    """For how long a call that its node took up again was surely talked: until the node was lost; None where this
    process did not see that."""
    if call.answered_at is None or call.lost_at is None:
        return None
    return max(0, int(call.lost_at - call.answered_at))


def _ran_late(hangup: Hangup, longest: int) -> bool:
    """Whether one of the node's own timers for an unanswered call, which may be up for `longest` seconds, ran later
    than it can on a node that runs.

    A node that stood still runs its timers before it reads what came meanwhile, and so hangs up on who had answered.
    """
    if hangup.cause not in TIMER_CAUSES or hangup.sip_reason or hangup.sip_status not in (None, 487):
        return False
    if hangup.progress:
        longest -= DEFAULT_PDD_SECONDS
    if hangup.cause == "PROGRESS_TIMEOUT":
        longest = DEFAULT_PDD_SECONDS + 1
    lasted = hangup.ring_ms if hangup.progress else hangup.duration_ms
    return (lasted or 0) > (longest + LATE_SECONDS) * 1000


def _evidence(hangup: Hangup, answered: bool, progress: bool, *, late_timer: bool = False) -> Evidence:
    return Evidence(
        cause=hangup.cause,
        answered=answered,
        progress=hangup.progress or progress,
        sip_status=hangup.sip_status,
        sip_phrase=hangup.sip_phrase,
        sip_603plus=hangup.sip_603plus_reason is not None,
        q850=hangup.q850,
        sip_reason=hangup.sip_reason,
        abandoned=hangup.abandoned,
        agent_failed=hangup.agent_failure is not None,
        late_timer=late_timer,
        invited=hangup.invited,
    )


def _told(call_id: str, following: Next, hangup: Hangup, *, answered: bool, sent_age: float | None) -> Ended:
    return Ended(
        call_id=call_id,
        status=following.status,
        counts=following.counts,
        delay=following.delay_seconds,
        age=0.0,
        sent_age=sent_age,
        disposition=following.disposition,
        cause=_text(_cause(following.disposition, hangup)) or "UNKNOWN",
        q850=_bounded(hangup.q850, LARGEST_SMALLINT),
        sip_status=hangup.sip_status,
        sip_phrase=_text(hangup.sip_phrase),
        sip_603plus_reason=_text(hangup.sip_603plus_reason),
        hung_up_by=hangup.hung_up_by,
        billsec=_bounded(hangup.billsec, LARGEST_INT) if answered else 0,
        billmsec=_bounded(hangup.billmsec, LARGEST_INT) or None,
        duration_ms=_bounded(hangup.duration_ms, LARGEST_INT),
        pdd_ms=_bounded(hangup.pdd_ms, LARGEST_INT),
        ring_ms=_bounded(hangup.ring_ms, LARGEST_INT),
        progress_ms=_bounded(hangup.pdd_ms, LARGEST_INT) if hangup.progress else None,
        alert_ms=_bounded(hangup.alert_ms, LARGEST_INT),
        answered=answered,
        second_leg=_text(hangup.second_leg),
        second_leg_status=hangup.second_leg_status,
        free=following.uncounted,
        failover=following.failover,
        next_number=following.next_number,
        no_good=following.no_good,
    )


def _cause(disposition: Disposition, hangup: Hangup) -> str:
    """The cause as it is shown: of a fault of the platform what was wrong, where the switch has no name for it."""
    if disposition is Disposition.CONGESTION and not hangup.invited:
        return NO_PORT
    if disposition is Disposition.AGENT_FAILED:
        return hangup.agent_failure or hangup.cause
    if disposition is Disposition.NODE_FAULT:
        if hangup.cause in TIMER_CAUSES:
            return "TIMER_RAN_LATE"
        return NO_CODEC if hangup.no_codec else NO_MEDIA
    return hangup.cause


def refused(call: LiveCall, at: float, cause: str, elsewhere: Elsewhere = nowhere) -> Ended:
    """The end of a call that the switch refused before it made a channel."""
    known = Evidence(
        cause=cause, answered=call.answered_at is not None, channel=False, progress=call.progress
    )
    other = may_fail_over(known) and elsewhere(call)
    disposition = dispose(Evidence(cause=cause, channel=False))
    return closed(call, at, disposition, cause, no_channel=True, owner_only=False, elsewhere=other)


def closed(
    call: LiveCall,
    at: float,
    disposition: Disposition,
    cause: str,
    *,
    no_channel: bool,
    owner_only: bool = True,
    elsewhere: bool = False,
    may_live: float | None = None,
) -> Ended:
    """The end of a call that no HANGUP_COMPLETE tells, as recovery settled it."""
    following = _following(call, disposition, refused=no_channel, elsewhere=elsewhere)
    return Ended(
        call_id=call.call_id,
        status=following.status,
        counts=following.counts,
        delay=following.delay_seconds,
        age=0.0,
        sent_age=_sent_age(call, at),
        disposition=following.disposition,
        cause=_text(cause) or "UNKNOWN",
        owner_only=owner_only,
        free=following.uncounted,
        failover=following.failover,
        next_number=following.next_number,
        no_good=following.no_good,
        may_live=may_live,
    )


def withdrawn(call: LiveCall, cause: str, delay: float | None) -> Ended:
    """The end of a call that never left us: its contact goes back, or is cancelled with its campaign."""
    return Ended(call.call_id, ContactStatus.PENDING, False, delay, 0.0, None, None, cause, owner_only=True)


def never_sendable(call: LiveCall, cause: str) -> Ended:
    """The end of a call that can never be sent, because of what its contact holds."""
    return Ended(
        call.call_id,
        ContactStatus.FAILED,
        False,
        None,
        0.0,
        None,
        Disposition.NOT_SENT,
        cause,
        owner_only=True,
    )


def _sent_age(call: LiveCall, at: float) -> float:
    """Seconds since the send; one that nobody lived to write down counts as made at the claim."""
    return at - (call.claimed_at if call.sent_at is None else call.sent_at)


def _following(call: LiveCall, disposition: Disposition, *, refused: bool, elsewhere: bool) -> Next:
    history = History(
        attempts=call.attempt,
        free_sends=call.free_sends,
        carrier_refusals=call.carrier_refusals,
        gateway_faults=call.gateway_faults,
        disturbed=call.disturbed,
        probe=call.probe,
        rejected=call.rejected,
        other_number=call.other_number,
        retries_per_contact=call.retries_per_contact,
        retry_delay_seconds=call.retry_delay_seconds,
        other_gateway=elsewhere,
        rules=call.retry_rules,
    )
    return after_call(disposition, history, refused=refused, jitter=random.random())


def _text(value: str | None) -> str | None:
    """What a remote party wrote, as PostgreSQL can keep it: no NUL, no half characters, no essay."""
    if value is None:
        return None
    kept = value.replace("\0", "").encode("utf-8", "replace").decode()
    return kept[:LONGEST_TEXT] or None


def _bounded(value: int | None, largest: int) -> int | None:
    return value if value is None or 0 <= value <= largest else None
