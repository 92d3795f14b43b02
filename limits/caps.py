"""The limiter's vocabulary: caps, requests, permits, denials, and the snapshot it is rebuilt from. Values only.

Which files a new cap touches: "A cap" in CONTRIBUTING.md, "How to add".
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

PERMIT_LIFE = 0.050
"""Seconds for which a permit may be used from its turn on, counted from before it was asked for."""
FURTHEST_TURN = 0.400
"""No turn lies further ahead of the asking, in seconds: what is granted and not sent by then, or by the end of its
life after that, never is. Whoever rebuilds waits for it. Two claims by a database 120 ms away fit into it."""
POSTPONED_SECONDS = 0.250
"""An order that is overdue counts as leaving so long from now; it is said again before that."""
MINUTE_MS = 60_000
SECOND_MS = 1_000
MINUTE_WINDOW_MS = MINUTE_MS + round(PERMIT_LIFE * 1000)
"""The window of the calls a minute: see TenantCaps."""
LONGEST_WINDOW_SECONDS = 61
"""No rate's window is longer, so a snapshot has the sends of so many seconds: one of a cap with a longer window would
be forgotten when the state is rebuilt."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `limit` calls in any window of `window_ms`. None is unlimited, 0 blocks."""

    limit: int | None
    window_ms: int


DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class NumberCaps:
    """How often a tenant may call one number, from whichever campaigns: at most so many calls in any 24 hours, 7 and
    30 days (1 or more, None is unlimited), and none sooner than `gap_seconds` after the last one ended. Those count
    that rang, were answered, or of which nobody knows.

    A window is longer by the life of a permit, as that of the calls a minute. `memory_ms`: so far back its calls are
    known, whether there is a cap or not: single calls have caps of their own (PermitRequest).
    """

    gap_seconds: int = 0
    calls_24h: int | None = None
    calls_7d: int | None = None
    calls_30d: int | None = None
    memory_ms: int = 0

    @property
    def any(self) -> bool:
        """Whether there is any of these caps, or may be one of a single call."""
        return self.gap_seconds > 0 or self.longest_ms > 0

    @property
    def windows(self) -> list[list[int]]:
        """[calls, ms] of each window that has a cap."""
        if self.calls_24h is None and self.calls_7d is None and self.calls_30d is None:
            # Asked of every call, most of which have none.
            return []
        caps = ((self.calls_24h, 1), (self.calls_7d, 7), (self.calls_30d, 30))
        life = round(PERMIT_LIFE * 1000)
        return [[calls, days * DAY_SECONDS * 1000 + life] for calls, days in caps if calls is not None]

    @property
    def longest_ms(self) -> int:
        """So far back calls are known; 0 where nobody asks."""
        return max((self.memory_ms, *(window for _, window in self.windows)))


NO_NUMBER_CAPS = NumberCaps()


@dataclass(frozen=True, slots=True)
class TenantCaps:
    """A tenant's four caps: None is unlimited, 0 blocks. Days are UTC days; the minutes gate new calls only.

    The calls a minute are counted over a minute and the life of a permit: one that leaves at the end of its permit's
    life and one that leaves at once are closer to each other than their permits, and no 60 s may see one too many.
    """

    concurrent_max: int | None
    calls_per_minute: int | None
    daily_calls_max: int | None
    daily_minutes_max: int | None
    number: NumberCaps = NO_NUMBER_CAPS
    reserved: int = 0
    """So many places of `concurrent_max` no campaign's calls take: they are kept for single calls."""

    @property
    def minute_rate(self) -> Rate:
        return Rate(self.calls_per_minute, MINUTE_WINDOW_MS)


@dataclass(frozen=True, slots=True)
class GatewayCaps:
    """A gateway's calls per second and channels: None is unlimited, 0 blocks."""

    id: str
    cps: int | None
    channels: int | None

    @property
    def rate(self) -> Rate:
        return Rate(self.cps, SECOND_MS)


@dataclass(frozen=True, slots=True)
class NodeCaps:
    """A node's calls per second and channels: None is unlimited, 0 blocks."""

    name: str
    cps: int | None
    channels: int | None

    @property
    def rate(self) -> Rate:
        return Rate(self.cps, SECOND_MS)


@dataclass(frozen=True, slots=True)
class CallCaps:
    """Whose caps a call counts against, and what they are; its node's come with the batch."""

    tenant_id: str
    campaign_id: str
    campaign_concurrency: int
    tenant: TenantCaps
    gateway: GatewayCaps
    second_leg: GatewayCaps | None = None
    """The gateway that its agent is reached by. Only its channels count here: when that leg leaves is not known."""
    single: bool = False
    """It was asked for by itself: it may take a place that the tenant keeps for such calls."""


@dataclass(frozen=True, slots=True)
class PermitRequest:
    """One call that wants to leave by one of `nodes`, of which the one whose turn is soonest takes it, the first of
    equals. `call_id` stands for one campaign, tenant, number and gateway of each leg for good. `may_have_left`: an
    order of this call was written before, and goes on counting for its moment. `number_caps`: windows of its number
    alone, beside its tenant's."""

    call_id: str
    number: str
    caps: CallCaps
    nodes: Sequence[str]
    may_have_left: bool = False
    number_caps: NumberCaps = NO_NUMBER_CAPS


@dataclass(frozen=True, slots=True)
class Permit:
    """`call_id` may be sent to `node` while `leaves_at <= time.monotonic() < expires_at`; after that, ask again
    first."""

    call_id: str
    node: str
    leaves_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class Denied:
    """`call_id` may not leave: `reason` is a blocked_reason word, `retry_after` seconds (≥ 0.005) until a new
    request is worth its while. A call that held a permit before keeps its slots and its place in the queue.
    `of_second_leg`: it is the second leg's gateway that is full, or held. `of_tenant`: of none of the tenant's
    numbers it is known how often they were called, so that no other of its calls may leave either."""

    call_id: str
    reason: str
    retry_after: float
    of_second_leg: bool = False
    of_tenant: bool = False


@dataclass(frozen=True, slots=True)
class EndedCall:
    """A call that is over, with the seconds it is billed for (0 when it was never answered)."""

    call_id: str
    campaign_id: str
    tenant_id: str
    gateway_id: str
    node: str
    billsec: int
    reached: bool = True
    """It rang, was answered, or nobody knows: it counts for its number."""


@dataclass(frozen=True, slots=True)
class NumberCall:
    """A call as its row tells it: when it left and, where it is over, when that was, in ms before the reading.
    `counts`: for its number."""

    call_id: str
    number: str
    age_ms: int
    ended_ms: int | None
    counts: bool


@dataclass(frozen=True, slots=True)
class LateSeconds:
    """What a call spoke, which is known only now that its permit is released."""

    call_id: str
    tenant_id: str
    seconds: int


@dataclass(frozen=True, slots=True)
class UncountedCall:
    """A call of which it is known now that it does not count for its number."""

    tenant_id: str
    number: str
    call_id: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What a tenant uses now: live calls, calls of the last 60 s, and its UTC day's calls and seconds."""

    concurrent: int
    last_minute: int
    day_calls: int
    day_seconds: int


@dataclass(frozen=True, slots=True)
class WayUsage:
    """What a gateway or a node carries now: live calls, and calls of the last second."""

    concurrent: int
    last_second: int


@dataclass(frozen=True, slots=True)
class InUse:
    """What tenants, gateways and nodes use, each by its id or name."""

    tenants: Mapping[str, Usage]
    gateways: Mapping[str, WayUsage]
    nodes: Mapping[str, WayUsage]


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call that the database holds open. `age_ms`: since its row was created, by the database's clock."""

    call_id: str
    dialer_id: str
    campaign_id: str
    tenant_id: str
    gateway_id: str
    node: str
    number: str
    age_ms: int = 0
    second_leg_gateway_id: str | None = None
    single: bool = False


@dataclass(frozen=True, slots=True)
class RecentSend:
    """A call that left, or may have, in the last LONGEST_WINDOW_SECONDS, whether it is over or not. `age_ms`: since
    it was sent; where that is not known, 0."""

    call_id: str
    tenant_id: str
    gateway_id: str
    node: str
    age_ms: int


@dataclass(frozen=True, slots=True)
class DayUse:
    """A tenant's calls of one UTC day, and their billed seconds."""

    tenant_id: str
    calls: int
    seconds: int


@dataclass(frozen=True, slots=True)
class LimiterSnapshot:
    """What the database knows, read at one moment. `days` belong to the UTC day `day` and count by the day in which
    a call's row was created."""

    day: dt.date
    open_calls: Sequence[OpenCall] = field(default_factory=tuple)
    recent: Sequence[RecentSend] = field(default_factory=tuple)
    days: Sequence[DayUse] = field(default_factory=tuple)
