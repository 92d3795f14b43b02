"""Chooses the gateway of each due contact, and who is passed over for a while. Pure.

Used by each batch. A contact whose gateways are all shut, or at their caps, must not keep those behind it waiting
who have another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from campaigns.number_waits import NUMBER_CAP
from dialer.dispatch.due import Due
from dialer.dispatch.plans import GatewayPlan, Plan
from dialer.holds import Hold, HoldKind
from limits.caps import Denied

NUMBER_SECONDS = 1.0
UNCLAIMABLE = "contact_not_claimable"
"""Why a contact is passed over whose claim the database refuses, whatever else is claimed with it."""
WRITTEN_BACK_SECONDS = 2.0
"""Whose number may not be called for longer than that is written back with its time (`postponing.postpone`)."""
HELD_SECONDS = 1.0
MOST_SKIPPED = 1000
"""Who is passed over is read again with each look at the list."""


@dataclass(frozen=True, slots=True)
class GatewayCandidate:
    """A contact and the gateway it would leave by; `others` may take it where that has no channel free, or is paused
    and another call probes it. `probes` is what this call would probe."""

    due: Due
    gateway: GatewayPlan
    others: tuple[GatewayPlan, ...] = ()
    probes: tuple[Hold, ...] = ()

    def next(self) -> GatewayCandidate | None:
        """The same contact by the next gateway; None where there is none."""
        return GatewayCandidate(self.due, self.others[0], self.others[1:]) if self.others else None


def candidates(plan: Plan, wanted: Sequence[Due]) -> tuple[list[GatewayCandidate], list[tuple[Due, Denied]]]:
    """The first choice of each contact, and those that have none now.

    One of the contacts that a paused gateway would have taken first may probe it when that is due; where none is open
    to a contact, it may probe any. A number that no gateway carries goes by the campaign's own, for the sender to
    refuse it.
    """
    found: list[GatewayCandidate] = []
    closed: list[tuple[Due, Denied]] = []
    probed: set[Hold] = set()
    for due in wanted:
        route = plan.route(due.phone_number, due.tried) or plan.gateways[:1]
        held = [(gateway, tuple(plan.holds(gateway, due.phone_number))) for gateway in route]
        carrying = [gateway for gateway, holds in held if not holds]
        asked = held[:1] if carrying else held
        probing = [one for one in asked if one[1] and all(hold.probe_due for hold in one[1])]
        gateway, probes = next((one for one in probing if probed.isdisjoint(one[1])), (None, ()))
        if gateway is not None:
            probed.update(probes)
            carrying.insert(0, gateway)
        if carrying:
            found.append(GatewayCandidate(due, carrying[0], tuple(carrying[1:]), probes))
        elif held:
            closed.append((due, denied_by(held[0][1])))
    return found, closed


def denied_by(holds: Sequence[Hold]) -> Denied:
    """The denial of a call that these hold: by the word of the first that may not be probed now."""
    binding = next((hold for hold in holds if not hold.probe_due), holds[0])
    return Denied("", binding.kind, HELD_SECONDS, of_second_leg=binding.second_leg)


def postponed(denied: Denied) -> bool:
    """Whether what denies a call is its number's, for so long that its contact is written back."""
    return denied.reason == NUMBER_CAP and not denied.of_tenant and denied.retry_after > WRITTEN_BACK_SECONDS


@dataclass(frozen=True, slots=True)
class Deferral:
    """Why a contact is passed over, and for how many seconds from now."""

    reason: str
    seconds: float


@dataclass(slots=True)
class Deferred:
    """The contacts that are passed over; times are monotonic."""

    _until: dict[str, tuple[float, str]] = field(default_factory=dict)

    def now(self, now: float) -> Mapping[str, object]:
        """Those that still are, by contact id."""
        self._until = {key: value for key, value in self._until.items() if value[0] > now}
        return self._until

    def first(self, now: float) -> Deferral | None:
        """The one whose time is over first."""
        until, reason = min(self._until.values(), default=(0.0, ""))
        return Deferral(reason, max(0.0, until - now)) if reason else None

    def add(self, plan: Plan, due: Due, denied: Denied, now: float) -> bool:
        """Pass over a contact where what denied it need not deny the next; whether it did."""
        if denied.of_tenant:
            return False
        if postponed(denied):
            # It is not due before then, as its row says.
            return True
        if denied.reason == NUMBER_CAP:
            seconds = NUMBER_SECONDS
        elif denied.reason == UNCLAIMABLE or (
            plan.held_in_part
            and denied.reason.startswith(("gateway_", HoldKind.BREAKER))
            and not denied.of_second_leg
        ):
            seconds = denied.retry_after
        else:
            return False
        if len(self._until) >= MOST_SKIPPED:
            return False
        self._until[due.contact_id] = (now + seconds, denied.reason)
        return True
