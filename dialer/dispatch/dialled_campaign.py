"""What the scheduler remembers of one running campaign between two looks at it. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from campaigns.number_waits import NUMBER_CAP
from dialer.dispatch.due import Due
from dialer.dispatch.gateway_choice import Deferral, Deferred
from dialer.dispatch.plans import Plan
from limits.caps import Denied

FIRST_GROUP = 4
GROUP = 200
"""As many as a batch holds: where fewer, a campaign of great weight would leave its share to others."""
READ_AGAIN_SECONDS = 1.0
"""What was read of a list so long ago is read again: somebody else may have called it, or its time have changed."""


@dataclass(slots=True)
class DialledCampaign:
    """One campaign: who of its list was read and is not called yet, who is passed over, how many to ask for.

    `look_at` is when it is looked at next, unless something wakes it. `asleep`: nobody was due, nor is soon, and
    nothing was heard of it since.
    """

    plan: Plan
    look_at: float = 0.0
    asleep: bool = False
    due: deque[Due] = field(default_factory=deque)
    _read_at: float = 0.0
    _deferred: Deferred = field(default_factory=Deferred)
    _group: int = FIRST_GROUP

    @property
    def campaign_id(self) -> str:
        return self.plan.campaign_id

    def wish(self, free: int) -> int:
        """For how many calls it asks at most, of `free` that it may have beside those in progress."""
        return min(free, self._group)

    def to_read(self, count: int, now: float) -> int:
        """How many of its list to read so that `count` can be called; 0 where enough are known."""
        if now - self._read_at > READ_AGAIN_SECONDS:
            self.due.clear()
        if len(self.due) >= count:
            return 0
        return count

    def read(self, found: Sequence[Due], now: float) -> None:
        """This much of the list is due, in order: instead of what was known."""
        skipped = self._deferred.now(now)
        self.due = deque(item for item in found if item.contact_id not in skipped)
        self._read_at = now

    def take(self, count: int) -> list[Due]:
        """The next `count` of those that are known."""
        return [self.due.popleft() for _ in range(min(count, len(self.due)))]

    def skipped(self, now: float) -> Collection[str]:
        """The ids of those that are passed over."""
        return self._deferred.now(now).keys()

    def passed_over(self, now: float) -> Deferral | None:
        """Whose turn comes first of those that are passed over."""
        return self._deferred.first(now)

    def asked(self, sent: int, denied: Sequence[tuple[Due, Denied]], now: float) -> Denied | None:
        """So many were sent, and these were denied: the denial that binds the campaign; None where the next may be
        asked for at once, maybe because those behind the denied have a gateway of their own."""
        if denied:
            self._group = max(2, min(GROUP, sent * 2))
        elif sent:
            self._group = min(GROUP, self._group * 2)
        skipped = [self._deferred.add(self.plan, due, answer, now) for due, answer in denied]
        back = [due for (due, _), passed in zip(denied, skipped, strict=True) if not passed]
        self.due.extendleft(reversed(back))
        if all(skipped):
            return None
        binding = [answer for _, answer in denied if answer.reason != NUMBER_CAP or answer.of_tenant]
        return min(binding, key=lambda answer: answer.retry_after, default=None)
