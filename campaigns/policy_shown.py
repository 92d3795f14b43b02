"""What is told of the policy packs that bind a campaign."""

from __future__ import annotations

import uuid

from campaigns import abandon_rates, policy_choice
from campaigns.policies import Policy, strictest
from campaigns.policy_packs import ADVICE


def of_campaign(campaign_id: uuid.UUID, packs: str, purpose: str | None) -> dict[str, object] | None:
    """What binds calls to each of the places where its contacts are, with its source: the strictest of each kind.
    `packs` and `purpose` are those of its row; None where packs are off."""
    policy = policy_choice.of_row({"policy_packs": packs, "purpose": purpose}).policy
    if policy is None:
        return None
    return {
        "packs": packs,
        "purpose": purpose,
        "places": [
            {"places": asked.places, "rules": [rule.told() for rule in strictest(asked.rules)]}
            for asked in policy_choice.demands(campaign_id, policy)
        ],
        "abandoned": _abandoned(campaign_id, policy),
        "advice": ADVICE,
    }


def _abandoned(campaign_id: uuid.UUID, policy: Policy) -> list[dict[str, object]]:
    """Each rate with its two figures, and what the packs allow."""
    allowed = abandon_rates.limits(campaign_id, policy)
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
