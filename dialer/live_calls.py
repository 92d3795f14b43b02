"""The live calls of this process: what it knows of each beyond the database, in memory only.

Everything here can be lost: recovery finds it again from the call rows and the switch. Used by dispatch (which adds
what it claimed), the recorder (which removes what is over) and recovery (which adds what it takes over). Every time
is in monotonic seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

from campaigns.retry_rules import RetryRules, RetryTerms
from dialer.holds import Hold, HoldKind
from limits.caps import Permit


class LiveState(IntEnum):
    """How far a call has come, as far as this process knows. It only grows, but where a call is sent again."""

    CLAIMED = 0
    """Its row is committed, and this process has not written its originate."""
    QUEUED = 1
    """Dispatch has its originate ready and waits for its turn, or for a new permit."""
    SENT = 2
    """Its originate was written, and its node has not acknowledged it yet."""
    ACKNOWLEDGED = 3
    """Its node took the order, or the connection that it was written to is gone: `delivery_unknown` says whether the
    node may then still read it."""
    SEEN = 4
    """The switch has shown its channel."""
    RINGING = 5
    """Its far end has answered with an 18x."""
    ANSWERED = 6
    OVER = 7
    """Its end is known, and being written."""


UNSENT = frozenset({LiveState.CLAIMED, LiveState.QUEUED})
SEEN = frozenset({LiveState.SEEN, LiveState.RINGING, LiveState.ANSWERED})


@dataclass(slots=True)
class LiveCall:
    """One call from its claim to its end. A method for each thing that happens to it; nobody else sets its state."""

    call_id: str
    contact_id: str
    campaign_id: str
    tenant_id: str
    gateway_id: str
    """The gateway that it leaves by."""
    caller_id: str
    node: str
    core_uuid: str | None
    """Which run of its node was to place it; None where that is not known."""
    phone_number: str
    generation: int
    """Its campaign's at the claim: a pause or stop since then forbids it to leave."""
    attempt: int
    """The contact's counts at the claim, this field to `disturbed`."""
    free_sends: int
    carrier_refusals: int
    gateway_faults: int
    disturbed: int
    rejected: bool
    """Whether the contact rejected an attempt before."""
    retries_per_contact: int
    """Its campaign's terms of retries, with the delay and the rules, as they were last known."""
    retry_delay_seconds: int
    ring_seconds: int
    max_seconds: int
    sent_by: str
    """The dialer whose event filters its events pass."""
    claimed_at: float
    """By the clock of whoever claimed it, as all instants here."""
    retry_rules: RetryRules = field(default_factory=dict)
    other_number: bool = False
    """Whether its contact has another number to go on with."""
    unsuppressed_at: float = 0.0
    """When the rows were asked last before they said that its number is on no do-not-call list."""
    suppressed: bool = False
    """Its number is on one since: it may not leave any more."""
    permit: Permit | None = None
    second_leg_gateway_id: str | None = None
    """The gateway by which its agent is reached, once it is answered."""
    probe: bool = False
    """It leaves by a paused gateway, to learn whether that works."""
    breakers: tuple[str, ...] = ()
    """What holds its like for suspicious outcomes, and whose probe it is."""
    second_leg_probes: tuple[Hold, ...] = ()
    """What keeps agents from being reached by its second leg's gateway, and whose probe that leg is."""
    tried: tuple[str, ...] = ()
    """The gateways whose calls to the contact failed just before it."""
    state: LiveState = LiveState.CLAIMED
    ended_in: LiveState | None = None
    """The state that it was in when its end became known."""
    sent_at: float | None = None
    """When its originate was written; None where it was not, or is to be written again."""
    released_at: float = 0.0
    """When its node had acknowledged the order, or could not read it from a lost connection any more."""
    answered_at: float | None = None
    progress: bool = False
    """Whether any 18x came: an answered call may have had none."""
    alerted: bool = False
    """Whether a 180 came."""
    adopted_at: float | None = None
    """When it was taken over from another dialer; None for one of ours."""
    resent: bool = False
    """It was sent a second time under the same id, so that a refusal proves nothing."""
    unheard: bool = False
    """It had no listener for a while since it was written, so that the switch may have shown it unheard."""
    delivery_unknown: bool = False
    """It was written to a connection that was given up, and not seen: its node may still hold it in a buffer."""
    refusal: str | None = None
    """With what words its node said that the originate failed, where that does not settle it."""
    heard_at: float = 0.0
    """When it last showed a sign of life."""
    sign_at: float | None = None
    """When its first 180, 183 or 200 was heard."""
    lost_at: float | None = None
    """When the connection over which its events came was last lost."""
    recovered: bool = False
    """Its node died in it, and its next run took it up again."""
    gone_since: float | None = None
    """When its node first said that the call is over."""
    never_seen_since: float | None = None
    """Since when its node says, each time it is asked, that it never had the call, and nobody else can send it; not
    from before its last order, or a loss of its connection."""
    denied_at: float = 0.0
    """When its node last said for certain that it never had the call."""
    force_closed: bool = False
    """It was closed because its switch failed to end it."""
    leaves_before: float = math.inf
    """When its calling window closes or its contact expires, whichever is first: from then on it may not leave."""
    must_end: bool = False
    """It has to end, by a halt or a stop: it may not leave any more."""
    asking: bool = False
    """A question about it is under way at its node."""
    asked_at: float = 0.0

    @property
    def unsent(self) -> bool:
        """Whether its originate may leave: not written by us, not seen, and not over."""
        return self.state in UNSENT

    @property
    def queued(self) -> bool:
        """Whether it waits for its turn, or for a new permit."""
        return self.state is LiveState.QUEUED

    @property
    def seen(self) -> bool:
        """Whether the switch has ever shown this call to exist."""
        return (self.ended_in or self.state) in SEEN

    @property
    def may_have_left(self) -> bool:
        """Whether an order of it may lie at its node: only under its own id is it refused there when it is resent."""
        return self.resent or self.sent_at is not None or self.adopted_at is not None

    @property
    def may_have_earlier_order(self) -> bool:
        """Whether an order other than the last may lie at its node, of which a refusal of the last says nothing: it
        was sent again, here or maybe by whom it was taken over from."""
        return self.resent or self.adopted_at is not None

    @property
    def unacknowledged(self) -> bool:
        """Whether its originate was written and its node has not said that it has it."""
        return self.state is LiveState.SENT

    @property
    def maybe_undelivered(self) -> bool:
        """Whether its node may not have read its originate yet, and may do so later."""
        return self.unacknowledged or self.delivery_unknown

    @property
    def over(self) -> bool:
        """Whether its end is known."""
        return self.state is LiveState.OVER

    def probes(self, hold: Hold) -> bool:
        """Whether it leaves in spite of this, to learn whether that still holds."""
        if hold.off:
            return False
        if hold.kind is HoldKind.BREAKER:
            ours = hold.subject in self.breakers
        else:
            ours = self.probe and hold.subject == self.gateway_id
        return ours or any(hold.subject == one.subject for one in self.second_leg_probes)

    def sent_age(self, now: float) -> float | None:
        """Seconds since the originate was written; None where this process did not write it."""
        return None if self.sent_at is None else now - self.sent_at

    def retry_by(self, terms: RetryTerms) -> None:
        """What its campaign says of retries now."""
        self.retries_per_contact = terms.retries_per_contact
        self.retry_delay_seconds = terms.retry_delay_seconds
        self.retry_rules = terms.retry_rules

    # What dispatch does with it.

    def enqueue(self) -> None:
        """It waits for its turn, or for a permit. One that was seen or is over meanwhile stays what it is."""
        if self.state is LiveState.CLAIMED:
            self.state = LiveState.QUEUED

    def dequeue(self) -> None:
        """It waits no more: it leaves now, or not at all."""
        if self.state is LiveState.QUEUED:
            self.state = LiveState.CLAIMED

    def write(self, now: float, core_uuid: str | None) -> bool:
        """Its originate is being written to the run `core_uuid` of its node; False where it may not leave."""
        if not self.unsent:
            return False
        self.state, self.sent_at, self.never_seen_since = LiveState.SENT, now, None
        self.core_uuid = core_uuid or self.core_uuid
        return True

    def acknowledge(self, now: float) -> None:
        """Its node has taken the order, or refused it."""
        self._advance(LiveState.ACKNOWLEDGED)
        self.released_at = now

    def closes(self, seconds: float | None, asked_at: float) -> None:
        """The database said that its calling window closes, or its contact expires, in so many seconds, None where
        neither will. By its clock, and it was asked at `asked_at` by ours: what the answer took makes the time
        shorter, never longer."""
        self.leaves_before = math.inf if seconds is None else asked_at + seconds

    def resend(self) -> bool:
        """It is to be sent once more under its id; False where it waits for that already, was seen or is over."""
        if self.state not in (LiveState.CLAIMED, LiveState.SENT, LiveState.ACKNOWLEDGED):
            return False
        self.state, self.sent_at, self.resent = LiveState.CLAIMED, None, True
        return True

    # What the switch shows of it.

    def deny(self, now: float) -> None:
        """Its node says for certain that it never had the call, and nobody else can send it."""
        self.denied_at = now
        if self.never_seen_since is None:
            self.never_seen_since = now

    def doubt(self) -> None:
        """Its node did not say so this time: what it denied before counts no more."""
        self.never_seen_since = None

    def denied_seconds(self, now: float) -> float:
        """For how long its node has denied it without a doubt between."""
        return 0.0 if self.never_seen_since is None else now - self.never_seen_since

    def show(self) -> None:
        """The switch has shown its channel."""
        self._advance(LiveState.SEEN)

    def ring(self, *, alerted: bool) -> None:
        """An 18x came; `alerted`: it was a 180."""
        self.progress, self.alerted = True, self.alerted or alerted
        self._advance(LiveState.RINGING)

    def answer(self, at: float) -> None:
        """It was answered at `at`; the first word of it counts."""
        self.answered_at = self.answered_at or at
        self._advance(LiveState.ANSWERED)

    def end(self) -> None:
        """Its end is known."""
        if not self.over:
            self.ended_in, self.state = self.state, LiveState.OVER

    # What happens to its connection.

    def lose_connection(self, now: float) -> None:
        """The connection over which its events came, or its order went, is gone."""
        self.unheard, self.lost_at = True, now
        if self.unacknowledged:
            self.acknowledge(now)

    def doubt_delivery(self) -> None:
        """Its node may still read the order from a connection that we gave up."""
        self.delivery_unknown = True

    def settle_delivery(self, now: float) -> None:
        """Its node has closed the connection that the order was written to."""
        self.delivery_unknown, self.released_at = False, now

    def _advance(self, to: LiveState) -> None:
        """Unsent calls are not acknowledged: that is the answer to an order which is written anew since."""
        if to is LiveState.ACKNOWLEDGED and self.unsent:
            return
        self.state = max(self.state, to)


class LiveCalls:
    """The live calls of this process, by call id, by campaign and by node."""

    def __init__(self) -> None:
        self._calls: dict[str, LiveCall] = {}
        self._by_campaign: dict[str, dict[str, LiveCall]] = {}
        self._by_node: dict[str, dict[str, LiveCall]] = {}

    def add(self, call: LiveCall) -> None:
        """Enter a call; one that is known already is left as it is."""
        if call.call_id in self._calls:
            return
        self._calls[call.call_id] = call
        self._by_campaign.setdefault(call.campaign_id, {})[call.call_id] = call
        self._by_node.setdefault(call.node, {})[call.call_id] = call

    def get(self, call_id: str) -> LiveCall | None:
        """A call by its id, None where it is not (or no longer) ours."""
        return self._calls.get(call_id)

    def remove(self, call_id: str) -> LiveCall | None:
        """Forget a call that is over."""
        call = self._calls.pop(call_id, None)
        if call is not None:
            _discard(self._by_campaign, call.campaign_id, call_id)
            _discard(self._by_node, call.node, call_id)
        return call

    def on_node(self, node: str) -> list[LiveCall]:
        """The calls of one node."""
        return list(self._by_node.get(node, {}).values())

    def count_on_node(self, node: str) -> int:
        """How many calls one node has."""
        return len(self._by_node.get(node, {}))

    def campaigns(self) -> set[str]:
        """Those that calls here are of."""
        return {campaign_id for campaign_id, calls in self._by_campaign.items() if calls}

    def count_of_campaign(self, campaign_id: str) -> int:
        """How many calls one campaign has."""
        return len(self._by_campaign.get(campaign_id, {}))

    def __contains__(self, call_id: str) -> bool:
        return call_id in self._calls

    def __iter__(self) -> Iterator[LiveCall]:
        return iter(list(self._calls.values()))

    def __len__(self) -> int:
        return len(self._calls)


def _discard(index: dict[str, dict[str, LiveCall]], key: str, call_id: str) -> None:
    calls = index[key]
    del calls[call_id]
    if not calls:
        del index[key]
