"""Sees to it that nobody stays pending whose number is suppressed, and that campaigns end of which nobody is left.

The claim itself calls nobody who is suppressed; this takes them off the lists. One dialer in turn goes through the
news for all (decision 0023), as long as there is any; whom a claim had to leave its own dialer looks at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog
from gevent.event import Event as Signal

from campaigns import suppressed_contacts
from campaigns.number_hash import NumberHash
from campaigns.suppressed_contacts import Cancelled, cancel_named, cancel_slice
from dialer.dispatch.due import Due
from dialer.live_calls import LiveCalls

log = structlog.get_logger()

LOOK_SECONDS = 0.5
"""So often one dialer goes through the news."""


@dataclass(frozen=True, slots=True)
class Unsent:
    """Calls that are claimed and have not left, and the keyed hashes of their numbers."""

    calls: Sequence[str] = ()
    digests: Sequence[bytes | None] = ()


NOTHING = Unsent()


@dataclass(slots=True)
class Suppressions:
    """One dialer's. `turn`: whether it is this process' turn; `nudge` is called when there are transitions to
    publish, `looked_at` with each campaign that lost contacts."""

    owner: str
    live_calls: LiveCalls
    number_hash: NumberHash
    turn: Callable[[], bool]
    nudge: Callable[[], object]
    looked_at: Callable[[str], object]
    wake: Signal = field(default_factory=Signal)
    """There is news."""
    left: Signal = field(default_factory=Signal)
    """A claim had to leave somebody."""
    _unclaimed: dict[str, str] = field(default_factory=dict)

    def unsent(self) -> Unsent:
        """Which calls of this process might still leave, to be looked at again whether they may."""
        calls = [call for call in self.live_calls if call.unsent and not call.suppressed]
        return Unsent(
            [call.call_id for call in calls], [self.number_hash(call.phone_number) for call in calls]
        )

    def forbid(self, call_ids: Sequence[str]) -> None:
        """The numbers of these calls are suppressed now."""
        for call_id in call_ids:
            call = self.live_calls.get(call_id)
            if call is not None:
                call.suppressed = True

    def note_unclaimed(self, contacts: Sequence[Due]) -> None:
        """These could not be claimed: somebody else may have them, or they are suppressed."""
        self._unclaimed |= {contact.contact_id: contact.phone_number for contact in contacts}
        self.left.set()

    def look_at_left(self) -> None:
        """Called when `left` is set. Raises what a database that is away raises; whoever is left is named again."""
        unclaimed, self._unclaimed = self._unclaimed, {}
        if unclaimed:
            numbers = list(unclaimed.values())
            digests = [self.number_hash(number) for number in numbers]
            self._told(cancel_named(self.owner, list(unclaimed), numbers, digests))

    def round(self) -> None:
        """Called when `wake` is set, every second while there is news. Raises what a database that is away raises,
        and what `turn` raises; the next round goes on."""
        if not self.turn():
            return
        busy = suppressed_contacts.in_calls()
        after = None
        while (done := cancel_slice(self.owner, busy, after)).last is not None:
            self._told(done)
            after = done.last

    def _told(self, done: Cancelled) -> None:
        if done.campaigns:
            log.info("contacts_suppressed", campaigns=len(done.campaigns))
            self.nudge()
        for campaign_id in done.campaigns:
            self.looked_at(campaign_id)
