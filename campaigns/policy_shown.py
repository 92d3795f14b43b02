"""What is told of the policy packs that bind a campaign."""

from __future__ import annotations

import uuid

from campaigns import policy_choice
from campaigns.policies import strictest
from campaigns.policy_packs import ADVICE


def of_campaign(campaign_id: uuid.UUID, packs: str, purpose: str | None) -> dict[str, object]:
    """What binds calls to each of the places where its contacts are, with its source: the strictest of each kind.
    `packs` and `purpose` are those of its row."""
    policy = policy_choice.of_row({"policy_packs": packs, "purpose": purpose}).policy
    places = [] if policy is None else policy_choice.demands(campaign_id, policy)
    return {
        "packs": packs,
        "purpose": purpose,
        "places": [
            {"places": asked.places, "rules": [rule.told() for rule in strictest(asked.rules)]}
            for asked in places
        ],
        "advice": ADVICE,
    }
