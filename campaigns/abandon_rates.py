"""How many of a campaign's calls are abandoned, by both formulas, and who abandons more than packs allow.

`abandon_count`, which a trigger keeps, has the figures, of whole ten minutes: a figure of 24 hours is of
these and of what of the ten minutes before them began earlier. In the caller's transaction, where nothing else
is said.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from campaigns import policy_choice
from campaigns.campaign_state import ActionResult, set_status
from campaigns.policies import Demands, Policy
from campaigns.policy_packs import RATE_HOURS, RATES_OF, Abandoned, Rule
from models import CampaignStatus, db, rows, transaction

WORD = "abandon_rate"
"""The `blocked_reason` of a campaign that was paused since it abandoned too many."""
FEWEST = 30
"""No rate is judged of fewer calls: one call in ten says nothing yet."""

_FIGURES = """
    SELECT hours, coalesce(sum(attempts), 0)::int AS attempts, coalesce(sum(live), 0)::int AS live,
        coalesce(sum(abandoned), 0)::int AS abandoned
    FROM unnest(%s::int[]) AS hours LEFT JOIN abandon_count ON campaign_id = %s
        AND since > now() - make_interval(hours => hours) - interval '10 minutes'
    GROUP BY hours ORDER BY hours"""
_MAY_BE_OVER = """
    SELECT id FROM campaign
    WHERE status = 'running' AND deleted_at IS NULL AND policy_packs = 'on' AND EXISTS (
        SELECT FROM abandon_count WHERE campaign_id = campaign.id AND abandoned > 0
            AND since > now() - interval '31 days')
    ORDER BY id"""
_CAMPAIGN = """
    SELECT policy_packs, purpose, now() AS now FROM campaign
    WHERE id = %s AND status = 'running' AND deleted_at IS NULL"""
_LOCK = f"{_CAMPAIGN} FOR NO KEY UPDATE"


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of so many calls were abandoned within so many hours; `of` is the formula (`RATES_OF`)."""

    of: str
    hours: int
    abandoned: int
    calls: int

    @property
    def percent(self) -> float | None:
        """None of no calls."""
        return round(100 * self.abandoned / self.calls, 2) if self.calls else None

    def exceeds(self, most: float) -> bool:
        """Whether it is over so many percent, of calls that are enough to say so."""
        return self.calls >= FEWEST and 100 * self.abandoned > most * self.calls


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A rate that is over what a rule allows."""

    rate: Rate
    most: float
    rule: Rule

    def __str__(self) -> str:
        rate, of = self.rate, "that somebody answered" if self.rate.of == "live" else "placed"
        return (
            f"{rate.abandoned} of {rate.calls} calls {of} within {rate.hours} hours were abandoned "
            f"({rate.percent} %); {self.rule.source} allows {self.most:g} %"
        )


@dataclass(frozen=True, slots=True)
class Paused:
    """A campaign that was paused, and why."""

    campaign_id: uuid.UUID
    result: ActionResult
    exceeded: Exceeded


def rates(campaign_id: uuid.UUID) -> list[Rate]:
    """Both formulas over 24 hours and 30 days."""
    found: list[Rate] = []
    for row in rows(_FIGURES, list(RATE_HOURS), campaign_id):
        found += [Rate(of, row["hours"], row["abandoned"], _calls(row, of)) for of in RATES_OF]
    return found


def limits(demands: Iterable[Demands]) -> Mapping[tuple[str, int], tuple[float, Rule]]:
    """By formula and hours the strictest of what is asked of calls to some places, in percent."""
    found: dict[tuple[str, int], tuple[float, Rule]] = {}
    for rule in (rule for asked in demands for rule in asked.abandoned()):
        demand = rule.demand
        assert isinstance(demand, Abandoned)
        key = demand.of, demand.hours
        if key not in found or demand.percent < found[key][0]:
            found[key] = demand.percent, rule
    return found


def exceeded(campaign_id: uuid.UUID, policy: Policy) -> Exceeded | None:
    """The first rate that is over its limit."""
    allowed = limits(policy_choice.demands(campaign_id, policy))
    if not allowed:
        return None
    for rate in rates(campaign_id):
        most = allowed.get((rate.of, rate.hours))
        if most is not None and rate.exceeds(most[0]):
            return Exceeded(rate, *most)
    return None


def may_be_over() -> list[uuid.UUID]:
    """The running campaigns that packs bind and that have abandoned any call. On a connection of its own."""
    with db.connection_context():
        return [row["id"] for row in rows(_MAY_BE_OVER)]


def is_over(campaign_id: uuid.UUID) -> bool:
    """Whether a running campaign abandons more than it may, by what is there now: nobody is kept waiting for the
    answer. On a connection of its own."""
    with db.connection_context():
        return _over(rows(_CAMPAIGN, campaign_id), campaign_id) is not None


def pause_over(campaign_id: uuid.UUID, owner: str) -> Paused | None:
    """Pause a running campaign that abandons more than it may, in a transaction of its own; None where it does not
    any more. `owner` names whose transition row this is. The caller then has the dialers hold its calls."""
    with transaction():
        locked = rows(_LOCK, campaign_id)
        over = _over(locked, campaign_id)
        if over is None:
            return None
        result = set_status(
            campaign_id,
            CampaignStatus.RUNNING,
            CampaignStatus.PAUSED,
            owner,
            blocked_reason=WORD,
            blocked_since=locked[0]["now"],
            next_action_at=None,
        )
    return Paused(campaign_id, result, over)


def _over(found: Sequence[Mapping[str, Any]], campaign_id: uuid.UUID) -> Exceeded | None:
    """By the row of a running campaign; of none, None."""
    policy = policy_choice.of_row(found[0]).policy if found else None
    return None if policy is None else exceeded(campaign_id, policy)


def _calls(row: Mapping[str, Any], of: str) -> int:
    calls: int = row["live"] if of == "live" else row["attempts"]
    return calls
