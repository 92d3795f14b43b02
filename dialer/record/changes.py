"""What one group of reports has learnt about each call, and the rows that are written of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dialer.live_calls import LiveCall
from dialer.record.outcome_rows import Answered, Ended, Seen


@dataclass(slots=True)
class Change:
    """What one group has learnt about one call; times are monotonic."""

    call: LiveCall
    at: float
    answered: bool = False
    progress_at: float | None = None
    """When its first 18x of this group was heard, and its first 180; None where it was before, or none was."""
    alerted_at: float | None = None
    ended: Ended | None = None
    ended_at: float = 0.0

    def end(self, ended: Ended, at: float) -> None:
        """The call is over, as somebody said at a time."""
        self.ended = ended
        self.ended_at = at
        self.call.end()


def bare_end(ended: Ended) -> Ended:
    """What a contact needs of how its call ended, where all of that cannot be written."""
    return Ended(
        ended.call_id,
        ended.status,
        ended.counts,
        ended.delay,
        0.0,
        ended.sent_age,
        ended.disposition,
        "UNKNOWN",
        owner_only=ended.owner_only,
        free=ended.free,
        failover=ended.failover,
        may_live=ended.may_live,
        next_number=ended.next_number,
        no_good=ended.no_good,
    )


def rows_of(changes: Sequence[Change], now: float) -> tuple[list[Seen], list[Answered], list[Ended]]:
    """The changes as rows, their ages counted from `now`: a group may have waited for its database."""
    seen = [
        Seen(
            c.call.call_id,
            now - (c.progress_at or c.at),
            c.call.sent_age(now),
            c.call.progress,
            c.call.alerted,
        )
        for c in changes
        if c.ended is None and not c.answered
    ]
    answered = [_answered(c, now) for c in changes if c.answered]
    return seen, answered, [_aged(c.ended, now - c.ended_at) for c in changes if c.ended is not None]


def _answered(change: Change, now: float) -> Answered:
    """With what is known of its ringing: a call that rings and is answered within one group is written once."""
    call = change.call
    return Answered(
        call.call_id,
        now - (call.answered_at or change.at),
        call.sent_age(now),
        now - (change.progress_at or change.at) if call.progress else None,
        now - (change.alerted_at or change.at) if call.alerted else None,
    )


def _aged(ended: Ended, seconds: float) -> Ended:
    sent_age = None if ended.sent_age is None else ended.sent_age + seconds
    return ended._replace(age=ended.age + seconds, sent_age=sent_age)
