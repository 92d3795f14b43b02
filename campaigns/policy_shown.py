"""What is told of the policy packs that bind a campaign."""

from __future__ import annotations

import uuid

from campaigns import policy_choice
from campaigns.policies import strictest
from campaigns.policy_packs import ADVICE
from models import rows

_CHOICE = "SELECT policy_packs, purpose FROM campaign WHERE id = %s"


def of_campaign(campaign_id: uuid.UUID) -> dict[str, object]:
    """What binds calls to each of the places where its contacts are, with its source: the strictest of each kind."""
    (found,) = rows(_CHOICE, campaign_id)
    policy = policy_choice.of_row(found).policy
    places = [] if policy is None else policy_choice.demands(campaign_id, policy)
    return {
        "packs": found["policy_packs"],
        "purpose": found["purpose"],
        "places": [
            {"places": asked.places, "rules": [rule.told() for rule in strictest(asked.rules)]}
            for asked in places
        ],
        "advice": ADVICE,
    }
