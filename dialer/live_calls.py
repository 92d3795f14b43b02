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
    """One call from its claim to its end. Every time is monotonic seconds.

    `gateway_id` and `caller_id` are those it leaves by, `tried` the gateways whose calls to the contact failed just
    before it. `attempt` to `retry_delay_seconds` are the contact's at the claim; `rejected`: an attempt before was.
    `sent_by` is the dialer whose filters its events pass. `sent_at` is None until the originate was written. `probe`:
    it left by a paused gateway, to learn whether that works. `queued`: a dispatcher has it and waits for a permit.
    `repeated`: sent a second time under the same id, so that a refusal proves nothing. `unanswered`: its node has not
    acknowledged the order yet, and the connection that it was written to stands. `doubtful`: written to a connection
    that was given up, and not seen, so that its node may still hold it. `let_go_at` is when the node had acknowledged
    the order, or had closed that connection too. `progress` says that any 18x came, `ringing` that a 180 did.
    `reaped`: closed because its switch failed to end it.
    `missed`: it had no listener for a while since it was written, so that the switch may have shown it unheard.
    `heard_at` is when it last showed a sign of life, `gone_since` when the switch first said that it is over, `over`
    that its end is known.
    """

    call_id: str
    contact_id: str
    campaign_id: str
    tenant_id: str
    gateway_id: str
    caller_id: str
    node: str
    core_uuid: str | None
    phone_number: str
    generation: int
    attempt: int
    free_sends: int
    carrier_refusals: int
    gateway_faults: int
    rejected: bool
    retries_per_contact: int
    retry_delay_seconds: int
    ring_seconds: int
    max_seconds: int
    sent_by: str
    permit: Permit | None = None
    probe: bool = False
    tried: tuple[str, ...] = ()
    claimed_at: float = field(default_factory=time.monotonic)
    sent_at: float | None = None
    answered_at: float | None = None
    adopted_at: float | None = None
    heard_at: float = 0.0
    gone_since: float | None = None
    created: bool = False
    progress: bool = False
    ringing: bool = False
    reaped: bool = False
    over: bool = False
    queued: bool = False
    repeated: bool = False
    unanswered: bool = False
    doubtful: bool = False
    missed: bool = False
    let_go_at: float = 0.0
    asking: bool = False
    asked_at: float = 0.0
    refusal: str | None = None

    def sent_age(self, now: float) -> float | None:
        """Seconds since the originate was written; None where this process did not write it."""
        return None if self.sent_at is None else now - self.sent_at

    @property
    def seen(self) -> bool:
        """Whether the switch has ever shown this call to exist."""
        return self.created or self.progress or self.answered_at is not None

    @property
    def unsent(self) -> bool:
        """Whether its originate may leave: never written, never seen, and not over."""
        return self.sent_at is None and not self.seen and not self.over


class Book:
    """The flights of this process, by call id, by campaign and by node."""

    def __init__(self) -> None:
        self._flights: dict[str, Flight] = {}
        self._by_campaign: dict[str, dict[str, Flight]] = {}
        self._by_node: dict[str, dict[str, Flight]] = {}

    def add(self, flight: Flight) -> None:
        """Enter a call; one that is known already is left as it is."""
        if flight.call_id in self._flights:
            return
        self._flights[flight.call_id] = flight
        self._by_campaign.setdefault(flight.campaign_id, {})[flight.call_id] = flight
        self._by_node.setdefault(flight.node, {})[flight.call_id] = flight

    def get(self, call_id: str) -> Flight | None:
        """The flight of a call, None where it is not (or no longer) ours."""
        return self._flights.get(call_id)

    def remove(self, call_id: str) -> Flight | None:
        """Forget a call that is over."""
        flight = self._flights.pop(call_id, None)
        if flight is not None:
            _discard(self._by_campaign, flight.campaign_id, call_id)
            _discard(self._by_node, flight.node, call_id)
        return flight

    def on_node(self, node: str) -> list[Flight]:
        """The flights of one node."""
        return list(self._by_node.get(node, {}).values())

    def count_on_node(self, node: str) -> int:
        """How many flights one node has."""
        return len(self._by_node.get(node, {}))

    def count_of_campaign(self, campaign_id: str) -> int:
        """How many flights one campaign has."""
        return len(self._by_campaign.get(campaign_id, {}))

    def __contains__(self, call_id: str) -> bool:
        return call_id in self._flights

    def __iter__(self) -> Iterator[Flight]:
        return iter(list(self._flights.values()))

    def __len__(self) -> int:
        return len(self._flights)


def _discard(index: dict[str, dict[str, Flight]], key: str, call_id: str) -> None:
    flights = index[key]
    del flights[call_id]
    if not flights:
        del index[key]
