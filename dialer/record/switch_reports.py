"""What the words of a switch mean for a call: events of its channel, and that its originate failed.

The end of a call is worked out in `call_end`; what is in doubt is asked about. Called by the recorder as it folds
what has come.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from campaigns.dispositions import Disposition
from campaigns.retry_rules import RetryTerms
from dialer.live_calls import LiveCall
from dialer.record import call_end
from dialer.record.changes import Change
from dialer.record.outcome_rows import Ended
from freeswitch import dedup
from freeswitch.events import ChannelEvent, ChannelEventKind, JobResult

log = structlog.get_logger()


@dataclass(slots=True)
class SwitchReports:
    """Those about the calls of one dialer, `owner`. `ask`, `elsewhere` and `retry_terms` as in `Recorder`."""

    owner: str
    ask: Callable[[LiveCall], None]
    elsewhere: call_end.Elsewhere
    retry_terms: Callable[[LiveCall], RetryTerms | None]

    def refusal(self, result: JobResult, at: float, call: LiveCall) -> Ended | None:
        """The end of a call whose job failed without a channel; with one, its HANGUP_COMPLETE says more and comes.

        Whether there was one is told by the channel's events, or by the cause. A resend is refused in the same
        words when the first is alive, and a carrier may end a call with a cause that the switch has for its own
        refusals: where there may have been events that nobody here heard, that is asked about.
        """
        if result.ok:
            return None
        if result.text == dedup.CAUSE:
            return self._duplicate_refused(call, at)
        call.refusal = result.text or "UNKNOWN"
        if call.seen:
            return None
        if call.resent or call.unheard or call_end.had_channel(call.refusal):
            self.ask(call)
            return None
        self.learn_terms(call)
        return call_end.refused(call, at, call.refusal, self.elsewhere)

    def fold(self, event: ChannelEvent, at: float, change: Change) -> None:
        """Add to what is known of a call what one event of its channel says."""
        call = change.call
        if event.hangup is not None and dedup.is_refused_duplicate(event.hangup):
            ended = self._duplicate_refused(call, at)
            if ended is not None:
                change.end(ended, at)
            return
        call.show()
        if event.kind in (ChannelEventKind.PROGRESS, ChannelEventKind.PROGRESS_MEDIA):
            call.sign_at = call.sign_at or at
            change.progress_at = change.progress_at or at
            if event.kind is ChannelEventKind.PROGRESS:
                change.alerted_at = change.alerted_at or at
            call.ring(alerted=event.kind is ChannelEventKind.PROGRESS)
        elif event.kind is ChannelEventKind.ANSWERED:
            call.sign_at = call.sign_at or at
            change.answered = True
            call.answer(at)
        elif event.hangup is not None:
            # Its node's next run tells of its end before anybody asked about it.
            call.recovered |= bool(call.core_uuid and event.core_uuid and event.core_uuid != call.core_uuid)
            self.learn_terms(call)
            ended = call_end.hung_up(call, at, event.hangup, self.elsewhere)
            if ended.answered:
                change.answered = True
                call.answer(at - (ended.billsec or 0))
            change.end(ended, at)

    def learn_terms(self, call: LiveCall) -> None:
        """Whether it is called again is decided by what its campaign says now, not by what it said at the claim."""
        terms = self.retry_terms(call)
        if terms is not None:
            call.retry_by(terms)

    def _duplicate_refused(self, call: LiveCall, at: float) -> Ended | None:
        """Its node has had an order of this id before, and that call is over: its own end is what tells how.

        Of an order that is the only one of its id, and ours, that cannot be: its node has lost what it counts with.
        """
        only = not call.resent and call.adopted_at is None and call.sent_by == self.owner
        if only and not call.seen:
            log.error("first_order_refused", call_id=call.call_id, node=call.node, look_at=dedup.MODULE)
            self.learn_terms(call)
            return call_end.closed(call, at, Disposition.CONGESTION, dedup.CAUSE, no_channel=True)
        log.warning("duplicate_refused", call_id=call.call_id, node=call.node)
        call.show()
        self.ask(call)
        return None
