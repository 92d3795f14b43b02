"""What is told of the policy packs that bind a campaign, or would bind one of a list that is looked at."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from campaigns import abandon_rates, policy_choice
from campaigns.places import Places
from campaigns.policies import Demands, Policy, strictest
from campaigns.policy_packs import ADVICE


def of_campaign(campaign_id: uuid.UUID, packs: str, purpose: str | None) -> dict[str, object] | None:
    """What binds calls to each of the places where its contacts are, with its source: the strictest of each kind.
    `packs` and `purpose` are those of its row; None where packs are off."""
    policy = policy_choice.of_row({"policy_packs": packs, "purpose": purpose}).policy
    if policy is None:
        return None
    demands = list(policy_choice.demands(campaign_id, policy))
    return _bound(policy, demands) | {"abandoned": _abandoned(campaign_id, demands)}


def of_places(policy: Policy, places: Iterable[Places]) -> dict[str, object]:
    """What binds calls to people who are in these places, in the same words."""
    return _bound(policy, [policy.demands_on(one) for one in places])


def _bound(policy: Policy, demands: Iterable[Demands]) -> dict[str, object]:
    told: list[dict[str, object]] = []
    for asked in demands:
        one: dict[str, object] = {"places": asked.places, "rules": [r.told() for r in strictest(asked.rules)]}
        # Places of which no pack says anything are not told apart.
        if one not in told:
            told.append(one)
    return {"packs": policy_choice.ON, "purpose": policy.purpose, "places": told, "advice": ADVICE}


def _abandoned(campaign_id: uuid.UUID, demands: Iterable[Demands]) -> list[dict[str, object]]:
    """Each rate with its two figures, and what the packs allow."""
    allowed = abandon_rates.limits(demands)
    told: list[dict[str, object]] = []
    for rate in abandon_rates.rates(campaign_id):
        most, rule = allowed.get((rate.of, rate.hours), (None, None))
        told.append(
            {
                "of": rate.of,
                "hours": rate.hours,
                "abandoned": rate.abandoned,
                "calls": rate.calls,
                "percent": rate.percent,
                "most_percent": most,
                "source": None if rule is None else str(rule.source),
            }
        )
    return told
