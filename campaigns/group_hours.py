"""When the contacts of a zone group may be called, and what keeps them from it: a rule of a policy pack, or their
campaign's own window. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from campaigns import policy_choice
from campaigns.list_policies import barred_reason
from campaigns.policies import NOTHING, Demands
from campaigns.policy_packs import Hours, Rule
from campaigns.windows import DAY, Span, Windows, merged
from cooperative import let_others_run

AHEAD_SECONDS = 15 * DAY
LONGEST_SECONDS = 370 * DAY
"""A window that does not open for so long never does."""
STEP_SECONDS = 30 * DAY
"""Openings farther away than AHEAD_SECONDS are looked for so many at a time, until there are FEW."""
FEW = 50
"""Of openings that are farther away than AHEAD_SECONDS, which a holiday of weeks puts there, so many are kept."""


@dataclass(frozen=True, slots=True)
class GroupHours:
    """A campaign's `windows`, and what the packs that bind it ask of calls to one group of its contacts."""

    windows: Windows
    zones: Sequence[str]
    demands: Demands
    caller_id: str
    consented: bool

    @classmethod
    def of(cls, windows: Windows, campaign: Mapping[str, Any], group: Mapping[str, Any]) -> Self:
        """From the columns of the campaign and the group."""
        policy = policy_choice.of_row(campaign).policy
        demands = NOTHING if policy is None else policy.demands_on(tuple(group["places"]))
        zones = tuple(group["zones"] or [campaign["time_zone"]])
        return cls(windows, zones, demands, campaign["caller_id"], group["consented"])

    @property
    def barred_by(self) -> Rule | None:
        """The rule by which none of them may be called at any time."""
        return self.demands.bars(self.caller_id, consented=self.consented)

    def ahead(self, now: int) -> list[Span]:
        """The openings of the next AHEAD_SECONDS, or the first after that; none where there is none within
        LONGEST_SECONDS, or somebody bars them."""
        if self.barred_by is not None:
            return []
        return _ahead(self.windows.within(self.demands.hours), self.zones, now)

    def shut_by(self, now: int) -> tuple[bool, tuple[Rule, ...]]:
        """Whether the campaign's own window is shut now, and the rules whose hours are."""

        def shut(windows: Windows) -> bool:
            return not windows.openings_of_all(self.zones, now, now + 1)

        rules = _of_hours(self.demands)
        return shut(self.windows), tuple(rule for rule, hours in rules.items() if shut(hours))

    def never_within(self, now: int) -> tuple[Rule, ...]:
        """Where there is no opening: the rules whose hours keep the campaign's own window from having one; none
        where it has none by itself."""
        if not _ahead(self.windows, self.zones, now):
            return ()
        rules = _of_hours(self.demands)
        alone = [
            rule for rule, hours in rules.items() if not _ahead(self.windows.within([hours]), self.zones, now)
        ]
        return tuple(alone or rules)

    def why_never(self, now: int) -> str:
        """Where there is no opening: why they can never be called, as the rest of a sentence."""
        if (rule := self.barred_by) is not None:
            return barred_reason(rule, self.caller_id)
        return f"the calling window does not open in its time zones within a year{inside(self.never_within(now))}"


def inside(rules: Sequence[Rule]) -> str:
    """` inside` the hours of these rules, with their sources; nothing where there are none."""
    return f" inside {hours_of(rules)}" if rules else ""


def hours_of(rules: Sequence[Rule]) -> str:
    """The hours of these rules, as their sources name them."""
    return " and ".join(f"the hours of {rule.source}" for rule in rules)


def _of_hours(demands: Demands) -> dict[Rule, Windows]:
    return {rule: rule.demand.windows for rule in demands.rules if isinstance(rule.demand, Hours)}


def _ahead(windows: Windows, zones: Sequence[str], now: int) -> list[Span]:
    """The openings in all of these zones at once."""
    found: list[Span] = []
    start, end = now, now + AHEAD_SECONDS
    while start < now + LONGEST_SECONDS:
        found = merged([*found, *windows.openings_of_all(zones, start, end)])
        # The last of them may go on.
        if found and (start == now or len(found) > FEW):
            break
        let_others_run()
        start, end = end, min(end + STEP_SECONDS, now + LONGEST_SECONDS)
    return found if start == now else found[:FEW]
