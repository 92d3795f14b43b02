"""Which campaigns are looked at next: the woken, those whose time has come, and those whose cap may be asked again.

Used by the scheduler alone. Nothing here does I/O; every time is in monotonic seconds.
"""

from __future__ import annotations

import heapq
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from dialer.dispatch.batch import Answered, Outcome
from dialer.dispatch.cap_waits import (
    CHANNELS,
    MOST,
    NODES,
    REDIS,
    CapKey,
    CapWaits,
    cap_of,
    caps_over,
    gateway_caps,
    tenant_caps,
)
from dialer.dispatch.dialled_campaign import DialledCampaign
from dialer.dispatch.fair_share import FairShare, share_of
from dialer.dispatch.plans import Plan
from dialer.live_calls import LiveCall
from limits.caps import Denied

SOONEST_SECONDS = 0.002
TAKEN_SECONDS = 0.01
"""In so short a while somebody else is done with the contact, or what is claimed has left."""
SLOT_SECONDS = 0.25
BLOCKED_SECONDS = 1.0
IDLE_SECONDS = 5.0
"""So often a campaign is looked at where nothing that was heard says that it should be."""


@dataclass(slots=True)
class Agenda:
    """The campaigns that are dialled, when each is looked at, which cap it waits for, and whose turn it is."""

    now: Callable[[], float] = time.monotonic
    _campaigns: dict[str, DialledCampaign] = field(default_factory=dict)
    _ready: dict[str, None] = field(default_factory=dict)
    _later: list[tuple[float, str]] = field(default_factory=list)
    _caps: CapWaits = field(default_factory=CapWaits)
    _fair: FairShare = field(default_factory=FairShare)

    # What happens to campaigns.

    def follow(self, plans: Mapping[str, Plan | None]) -> None:
        """These campaigns came or changed, or, where there is no plan, went: each is to be looked at now."""
        for campaign_id, plan in plans.items():
            known = self._campaigns.get(campaign_id)
            if plan is None:
                self._campaigns.pop(campaign_id, None)
                self._caps.forget(campaign_id)
                self._ready.pop(campaign_id, None)
            elif known is None:
                self._campaigns[campaign_id] = DialledCampaign(plan)
                self.wake(campaign_id)
            else:
                known.plan = plan
                self._caps.changed(caps_over(plan), self.now())
                self.wake(campaign_id)
        self._fair.keep({name: share_of(one.plan) for name, one in self._campaigns.items()})

    def wake(self, campaign_id: str) -> bool:
        """Look at this campaign now; False where it is not dialled."""
        campaign = self._campaigns.get(campaign_id)
        if campaign is None:
            return False
        campaign.asleep = False
        self._ready.setdefault(campaign_id)
        self._caps.forget(campaign_id)
        return True

    def wake_all(self) -> None:
        """Look at every campaign now."""
        for campaign_id in self._campaigns:
            self.wake(campaign_id)

    def calls_over(self, over: Sequence[LiveCall]) -> bool:
        """These calls are over, and their slots free: who waits longest for one looks first. Whether anybody does."""
        now, woken = self.now(), False
        freed: set[CapKey] = {NODES}
        for call in over:
            freed |= {tenant_caps(call.tenant_id), tenant_caps(call.tenant_id, single=True)}
            freed.add((CHANNELS, call.gateway_id))
            if call.second_leg_gateway_id is not None:
                freed.add((CHANNELS, call.second_leg_gateway_id))
            # Who waits for a slot that campaigns share keeps its place: whose call ended would always be first.
            if not self._caps.waits(call.campaign_id):
                woken = self.wake(call.campaign_id) or woken
        for key in freed:
            woken = self._caps.free(key, now) or woken
        return woken

    # What a look asks.

    def due(self, now: float) -> list[DialledCampaign]:
        """Those that were woken, whose time has come, or whose cap may be asked again; each once."""
        while self._later and self._later[0][0] <= now:
            at, campaign_id = heapq.heappop(self._later)
            campaign = self._campaigns.get(campaign_id)
            if campaign is not None and campaign.look_at == at:
                self._ready.setdefault(campaign_id)
        for campaign_id in self._caps.due(now, self.fairest):
            self._ready.setdefault(campaign_id)
        found = [one for name in self._ready if (one := self._campaigns.get(name)) is not None]
        self._ready.clear()
        return found

    def dials(self, campaign: DialledCampaign) -> bool:
        """Whether it is still dialled: it may have gone, or gone and come back, while others were waited for."""
        return self._campaigns.get(campaign.campaign_id) is campaign

    def binding(self, plan: Plan, now: float) -> tuple[CapKey, str] | None:
        """The cap, shared with other campaigns, that is known to be full, and its word."""
        return self._caps.binding(caps_over(plan), now)

    def choose(
        self, asking: Mapping[str, DialledCampaign], wishes: Mapping[str, int], room: int = MOST
    ) -> list[str]:
        """The campaigns in the order in which they get a call each, as many as the caps over them may be asked, and
        no more than there is room for.
        Single calls go first in the turns of their tenant: who asks for many has no more turns than others. Those of
        the wishes that get none are looked at again at once."""
        over = {campaign_id: caps_over(asking[campaign_id].plan) for campaign_id in wishes}
        left = {key: self._caps.most(key) for keys in over.values() for key in keys}
        by_tenant: dict[str, dict[str, int]] = defaultdict(dict)
        for campaign_id, wish in wishes.items():
            most = min(left[key] for key in over[campaign_id])
            by_tenant[asking[campaign_id].plan.tenant_id][campaign_id] = min(wish, most)
        order: list[str] = []
        # One alone gives up nothing by a smaller batch, which leaves sooner.
        size = min(room, MOST if len(wishes) > 1 else MOST // 2)
        for _, campaign_id in self._fair.turns(by_tenant, _single_calls(asking, wishes)):
            if all(left[key] > 0 for key in over[campaign_id]):
                order.append(campaign_id)
                for key in over[campaign_id]:
                    left[key] -= 1
                if len(order) >= size:
                    break
        return order

    # What a look found.

    def look_at_once(self, campaign_ids: Iterable[str]) -> None:
        """The next look begins with these."""
        for campaign_id in campaign_ids:
            self._ready.setdefault(campaign_id)

    def look_again(self, campaign: DialledCampaign, seconds: float) -> None:
        """Look at it so many seconds from now."""
        campaign.look_at = self.now() + max(seconds, SOONEST_SECONDS)
        heapq.heappush(self._later, (campaign.look_at, campaign.campaign_id))

    def wait_for(self, cap: CapKey, campaign_id: str) -> None:
        """It waits in the line for this cap."""
        self._caps.wait(cap, campaign_id)

    def learn(self, answered: Sequence[Answered], asked_at: float, pause: Callable[[Denied], float]) -> None:
        """Which of the caps that campaigns share are full, and for how long by `pause` since they were asked."""
        granted: Counter[CapKey] = Counter()
        denials: dict[CapKey, Denied] = {}
        for one in answered:
            if isinstance(one.answer, Denied):
                full = one.second_leg_gateway_id if one.answer.of_second_leg else one.gateway_id
                cap = cap_of(one.answer.reason, one.tenant_id, full or one.gateway_id, single=one.single)
                # Of some nodes only it says nothing about the others.
                if cap is not None and not (cap == NODES and one.some_nodes):
                    denials.setdefault(cap, one.answer)
            else:
                tenant = tenant_caps(one.tenant_id, single=one.single)
                granted.update([REDIS, NODES, tenant, *gateway_caps(one.gateway_id)])
                if one.second_leg_gateway_id is not None:
                    granted.update([(CHANNELS, one.second_leg_gateway_id)])
        for cap, denial in denials.items():
            self._caps.denied(cap, denial.reason, asked_at + pause(denial), granted[cap])
        for cap in granted.keys() - denials.keys():
            self._caps.granted(cap)

    def give(self, asking: Mapping[str, DialledCampaign], outcomes: Mapping[str, Outcome]) -> None:
        """Count what each campaign got of a batch."""
        calls: dict[str, dict[str, int]] = defaultdict(dict)
        for campaign_id, outcome in outcomes.items():
            calls[asking[campaign_id].plan.tenant_id][campaign_id] = outcome.claimed
        self._fair.give(calls, _single_calls(asking, outcomes))

    def next_at(self) -> float | None:
        """When somebody is due for a look, `-inf` for at once; None where nobody is."""
        if self._ready:
            return float("-inf")
        times = [self._later[0][0]] if self._later else []
        at = self._caps.next_at()
        return min([*times, *([] if at is None else [at])], default=None)

    def next_look(self, campaign_id: str) -> float | None:
        """When this campaign is looked at where nothing happens to it before, `-inf` for at once; None where it never
        would be."""
        campaign = self._campaigns.get(campaign_id)
        if campaign is None:
            return None
        if campaign_id in self._ready:
            return float("-inf")
        times = [at for at in (campaign.look_at,) if (at, campaign_id) in self._later]
        at = self._caps.asked_at(campaign_id)
        return min([*times, *([] if at is None else [at])], default=None)

    def fairest(self, waiting: Iterable[str]) -> Iterator[str]:
        """Of those that wait for a cap the next to be served first. By their places in the line alone a tenant of
        many campaigns, or single calls, would get a cap that all share to itself."""
        by_tenant: dict[str, dict[str, int]] = defaultdict(dict)
        for campaign_id in waiting:
            by_tenant[self._campaigns[campaign_id].plan.tenant_id][campaign_id] = 1
        single = _single_calls(self._campaigns, chain.from_iterable(by_tenant.values()))
        yield from (campaign_id for _, campaign_id in self._fair.turns(by_tenant, single))


def _single_calls(campaigns: Mapping[str, DialledCampaign], names: Iterable[str]) -> frozenset[str]:
    return frozenset(name for name in names if campaigns[name].plan.single_call)
