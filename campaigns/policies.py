"""What the policy packs ask of a call: of all rules that bind it the strictest of each kind. Pure.

`Policy` is of one purpose; `demands_on` of the places of a number. Everything here narrows: hours are those that are
open by every rule and by the campaign, a cap is the least, a time the longest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import orjson
import phonenumbers
from phonenumbers import PhoneNumberType

from campaigns.places import Places, countries_of, places_of
from campaigns.policy_packs import (
    CAP_HOURS,
    Abandoned,
    CallerId,
    Calls,
    Consent,
    CoolOff,
    Hours,
    Pack,
    Ring,
    Rule,
    packs,
)
from campaigns.windows import Windows

_KINDS = {
    PhoneNumberType.MOBILE: ("mobile",),
    PhoneNumberType.FIXED_LINE: ("geographic",),
    # In North America nobody can tell which of both it is: neither is refused for what it may not be.
    PhoneNumberType.FIXED_LINE_OR_MOBILE: (),
    PhoneNumberType.PREMIUM_RATE: ("premium",),
    PhoneNumberType.SHARED_COST: ("shared_cost",),
    PhoneNumberType.VOIP: ("voip",),
    PhoneNumberType.PERSONAL_NUMBER: ("personal",),
}


@dataclass(frozen=True, slots=True)
class Demands:
    """All that binds calls to some places. `places` are those, `rules` each rule that binds any of them."""

    places: Places = ()
    rules: tuple[Rule, ...] = ()

    @property
    def hours(self) -> tuple[Windows, ...]:
        """A call may leave only while all of these are open."""
        return tuple(rule.demand.windows for rule in self.rules if isinstance(rule.demand, Hours))

    @property
    def consent(self) -> Rule | None:
        """The first rule that wants consent."""
        return next((rule for rule in self.rules if isinstance(rule.demand, Consent)), None)

    @property
    def ring(self) -> Rule | None:
        """The rule that wants a call to ring for longest."""
        found = [(rule.demand.seconds, rule) for rule in self.rules if isinstance(rule.demand, Ring)]
        return max(found, key=lambda one: one[0])[1] if found else None

    @property
    def ring_seconds(self) -> int:
        """For how long a call must ring at least; 0 where nobody says."""
        return max((rule.demand.seconds for rule in self.rules if isinstance(rule.demand, Ring)), default=0)

    def calls(self, hours: int) -> int | None:
        """How many calls to one number there may be in any so many hours; None where nobody says."""
        found = [rule.demand for rule in self.rules if isinstance(rule.demand, Calls)]
        return min((one.most for one in found if one.hours == hours), default=None)

    def cool_off_hours(self, disposition: str) -> int:
        """For how long a number is left alone after a call that ended so; 0 where nobody says."""
        found = [rule.demand for rule in self.rules if isinstance(rule.demand, CoolOff)]
        return max((one.hours for one in found if one.after == disposition), default=0)

    def abandoned(self) -> list[Rule]:
        """The rules on abandon rates, of each formula and time the strictest."""
        least: dict[tuple[str, int], tuple[float, Rule]] = {}
        for rule in self.rules:
            if isinstance(rule.demand, Abandoned):
                key = rule.demand.of, rule.demand.hours
                if key not in least or rule.demand.percent < least[key][0]:
                    least[key] = rule.demand.percent, rule
        return [rule for _, rule in least.values()]

    def refusing(self, caller_id: str) -> Rule | None:
        """The first rule by which a number (E.164) may not be shown to who is called; None where it may be."""
        for rule in self.rules:
            if isinstance(rule.demand, CallerId) and not _may_be_shown(rule, caller_id, self.places):
                return rule
        return None

    def bars(self, caller_id: str, *, consented: bool) -> Rule | None:
        """The rule by which nobody there may be called at all from this number; None where there is none."""
        if not consented and (consent := self.consent) is not None:
            return consent
        return self.refusing(caller_id)


NOTHING = Demands()


@dataclass(frozen=True, slots=True)
class Policy:
    """The packs as they bind a campaign: by its `purpose`, or where that is None by the rules of every purpose."""

    purpose: str | None
    packs: tuple[Pack, ...] = field(default_factory=packs)

    def demands_on(self, places: Places) -> Demands:
        """What is asked of calls to a number that may be in any of these places."""
        found: dict[int, Rule] = {}
        for pack in self.packs:
            for place in places:
                found |= {id(rule): rule for rule in pack.binding(place, self.purpose)}
        return Demands(places, tuple(found.values())) if found else NOTHING

    def demands_of(self, number: str) -> Demands:
        """The same, of a number in E.164."""
        return _demands(self, places_of(number))

    def limits_of(self, number: str) -> NumberLimits:
        """How often it may be called."""
        return _limits(self, places_of(number))

    def rests_of(self, number: str) -> str | None:
        """After which calls it is left alone: JSON of `[{"after", "seconds", "purposes"}]`, by the outcome of such
        a call and what its campaign was for; None where there are none."""
        return _rests(self, places_of(number))


@lru_cache(maxsize=4096)
def _demands(policy: Policy, places: Places) -> Demands:
    return policy.demands_on(places)


@lru_cache(maxsize=4096)
def _limits(policy: Policy, places: Places) -> NumberLimits:
    return NumberLimits().strictest(_demands(policy, places))


@lru_cache(maxsize=4096)
def _rests(policy: Policy, places: Places) -> str | None:
    rests = [
        {"after": rule.demand.after, "seconds": rule.demand.hours * 3600, "purposes": sorted(rule.purposes)}
        for rule in _demands(policy, places).rules
        if isinstance(rule.demand, CoolOff)
    ]
    return orjson.dumps(rests).decode() if rests else None


@dataclass(frozen=True, slots=True)
class NumberLimits:
    """How often one number may be called, in any 24 hours, 7 and 30 days; None is as often as anybody likes."""

    calls_24h: int | None = None
    calls_7d: int | None = None
    calls_30d: int | None = None

    def strictest(self, demands: Demands) -> NumberLimits:
        """These, or what is asked for where that is less."""
        own = (self.calls_24h, self.calls_7d, self.calls_30d)
        return NumberLimits(
            *(_least(one, demands.calls(hours)) for one, hours in zip(own, CAP_HOURS, strict=True))
        )


def _least(*limits: int | None) -> int | None:
    return min((one for one in limits if one is not None), default=None)


def _may_be_shown(rule: Rule, caller_id: str, places: Places) -> bool:
    demand = rule.demand
    assert isinstance(demand, CallerId)
    if demand.own_country and not countries_of(places_of(caller_id)) & countries_of(places):
        return False
    return not demand.refused.intersection(_kinds(caller_id))


@lru_cache(maxsize=1024)
def _kinds(number: str) -> Sequence[str]:
    return _KINDS.get(phonenumbers.number_type(phonenumbers.parse(number)), ())


def strictest(rules: Iterable[Rule]) -> list[Rule]:
    """Of some rules those that matter: each on hours, caller ids and consent, and of the others the strictest."""
    found = list(rules)
    demands = Demands((), tuple(found))
    kept = [rule for rule in found if isinstance(rule.demand, Hours | CallerId | Consent)]
    kept += [
        rule
        for rule in found
        if isinstance(rule.demand, Calls) and rule.demand.most == demands.calls(rule.demand.hours)
    ]
    kept += [rule for rule in (demands.ring,) if rule is not None]
    kept += [
        rule
        for rule in found
        if isinstance(rule.demand, CoolOff) and rule.demand.hours == demands.cool_off_hours(rule.demand.after)
    ]
    return kept + demands.abandoned()
