"""The calls in flight of this process: what it knows of each beyond the database, in memory only.

Everything here can be lost: recovery finds it again from the call rows and the switch. Used by the sender (who
adds), the recorder (who removes) and recovery (who adds what it adopts).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from limits.caps import Permit


@dataclass(slots=True)
class Flight:
    """One call from its claim to its end.

    `history` fields are the contact's at the claim. `sent_by` is the dialer whose filters its events pass.
    `sent_at` is monotonic seconds, None until the originate was written; `repeated` marks a second send under
    the same id, whose refusal proves nothing.
    """

    call_id: str
    contact_id: str
    campaign_id: str
    tenant_id: str
    gateway_id: str
    node: str
    core_uuid: str | None
    phone_number: str
    generation: int
    attempt: int
    free_sends: int
    last_disposition: str | None
    retries_per_contact: int
    retry_delay_seconds: int
    ring_seconds: int
    max_seconds: int
    sent_by: str
    permit: Permit | None = None
    claimed_at: float = field(default_factory=time.monotonic)
    sent_at: float | None = None
    answered_at: float | None = None
    adopted_at: float | None = None
    created: bool = False
    progress: bool = False
    over: bool = False
    repeated: bool = False
    asking: bool = False
    asked_at: float = 0.0
    refusal: str | None = None

    def sent_age(self, now: float) -> float | None:
        """Seconds since the originate was written; None where this process did not write it."""
        return None if self.sent_at is None else now - self.sent_at


class Book:
    """The flights of this process, by call id."""

    def __init__(self) -> None:
        self._flights: dict[str, Flight] = {}

    def add(self, flight: Flight) -> None:
        """Enter a call; one that is known already is left as it is."""
        self._flights.setdefault(flight.call_id, flight)

    def get(self, call_id: str) -> Flight | None:
        """The flight of a call, None where it is not (or no longer) ours."""
        return self._flights.get(call_id)

    def remove(self, call_id: str) -> Flight | None:
        """Forget a call that is over."""
        return self._flights.pop(call_id, None)

    def on_node(self, node: str) -> list[Flight]:
        """The flights of one node."""
        return [flight for flight in self._flights.values() if flight.node == node]

    def of_campaign(self, campaign_id: str) -> list[Flight]:
        """The flights of one campaign."""
        return [flight for flight in self._flights.values() if flight.campaign_id == campaign_id]

    def __iter__(self) -> Iterator[Flight]:
        return iter(list(self._flights.values()))

    def __len__(self) -> int:
        return len(self._flights)
