"""Which campaigns policy packs bind, and what is refused since they do. In the caller's transaction.

Nothing binds a campaign that names no purpose, unless the tenant turned the packs on; a campaign with a purpose is
bound, unless it or its tenant turned them off. Decision 0075.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from campaigns import older_dialers
from campaigns.errors import CampaignsError
from campaigns.list_policies import ListPolicy, barred_reason
from campaigns.policies import Demands, Policy
from campaigns.windows import DAYS
from models import rows

KNOWN = 51
"""The migration of which a dialer has to know for it to heed policy packs."""
ON, OFF = "on", "off"
CHOICES = (ON, OFF)
ALL_DAY = [{"to": "24:00", "days": list(DAYS), "from": "00:00"}]
"""The window of a campaign that packs bind and that has none of its own: they narrow it."""

_DEFAULT = "SELECT policy_packs, default_purpose AS purpose FROM tenant WHERE id = %s"
_PLACES = """
    SELECT DISTINCT zone.places FROM campaign_zone AS zone
    WHERE zone.campaign_id = %s AND zone.places <> '[]' ORDER BY zone.places"""
_CAMPAIGN = """
    SELECT campaign.policy_packs, campaign.purpose, phone_number.e164 AS caller_id,
        agent.ring_timeout_seconds AS ring_seconds
    FROM campaign JOIN phone_number ON phone_number.id = campaign.phone_number_id
        JOIN agent ON agent.id = campaign.agent_id
    WHERE campaign.id = %s"""


class PolicyNotPossibleError(CampaignsError):
    """A choice of packs that cannot be made, or would not be heeded."""


class PolicyRefusedError(CampaignsError):
    """What the packs do not let a campaign do; its sentence names law and paragraph. `of_caller_id`: it is the number
    that it shows."""

    def __init__(self, message: str, *, of_caller_id: bool = False) -> None:
        super().__init__(message)
        self.of_caller_id = of_caller_id


class KeyColumnError(CampaignsError):
    """A key column that the campaign's list does not have."""


class PolicyChanges(TypedDict, total=False):
    """What is asked for; what is left out stays, or is as the tenant says."""

    policy_packs: str
    purpose: str | None


@dataclass(frozen=True, slots=True)
class PolicyChoice:
    """Whether packs bind a campaign, and what its calls are for; None is not said."""

    on: bool = False
    purpose: str | None = None

    @property
    def policy(self) -> Policy | None:
        """What the packs ask of it; None where they do not bind it."""
        return Policy(self.purpose) if self.on else None

    def of_list(self, caller_id: str) -> ListPolicy | None:
        """What they ask of each row of its list."""
        return ListPolicy(self.purpose, caller_id) if self.on else None


NO_PACKS = PolicyChoice()


def of_row(row: Mapping[str, Any]) -> PolicyChoice:
    """The choice that the columns of a campaign say."""
    return PolicyChoice(row["policy_packs"] == ON, row["purpose"])


def of_new(tenant_id: str, asked: PolicyChanges) -> PolicyChoice:
    """The choice of a new campaign. Raises PolicyNotPossibleError."""
    (default,) = rows(_DEFAULT, tenant_id)
    purpose = asked.get("purpose", default["purpose"])
    packs = asked.get("policy_packs", default["policy_packs"])
    on = purpose is not None if packs is None else packs == ON
    if on:
        _refuse_beside_older_dialers()
    return PolicyChoice(on, purpose)


def check_change(before: Mapping[str, Any], asked: PolicyChanges) -> None:
    """Raise PolicyNotPossibleError where a campaign cannot be changed so."""
    if asked.get("policy_packs", before["policy_packs"]) == ON:
        if before["policy_packs"] != ON:
            raise PolicyNotPossibleError(
                "policy_packs is 'on'; the campaign's list was read without what they ask of each row: "
                "create the campaign anew with them."
            )
        _refuse_beside_older_dialers()


def check_key_column(campaign_id: uuid.UUID, column: str | None) -> None:
    """Raise KeyColumnError where a campaign's list has no such column: nobody would be left alone by it."""
    (found,) = rows("SELECT import_columns AS columns FROM campaign WHERE id = %s", campaign_id)
    names = [one["column"] for one in found["columns"] or ()]
    if column is not None and column not in names:
        known = ", ".join(names) or "none"
        raise KeyColumnError(
            f"key_column is {column!r}; it must be a column of the list, which are: {known}."
        )


def demands(campaign_id: uuid.UUID, policy: Policy) -> Iterator[Demands]:
    """What is asked of calls to each of the places where a campaign's contacts are."""
    for row in rows(_PLACES, campaign_id):
        yield policy.demands_on(tuple(row["places"]))


def check(campaign_id: uuid.UUID) -> None:
    """Raise PolicyRefusedError where the packs do not let a campaign call from its number or with its agent, wherever
    its contacts are."""
    (campaign,) = rows(_CAMPAIGN, campaign_id)
    policy = of_row(campaign).policy
    if policy is not None:
        for asked in demands(campaign_id, policy):
            check_place(asked, campaign["caller_id"], campaign["ring_seconds"])


def check_place(asked: Demands, caller_id: str, ring_seconds: int | None) -> None:
    """Raise PolicyRefusedError where nobody may be called there from this number, or with an agent that lets it ring
    for so long, as far as that is known."""
    where, shortest = " or ".join(asked.places), asked.ring
    if shortest is not None and ring_seconds is not None and asked.ring_seconds > ring_seconds:
        raise PolicyRefusedError(
            f"ring_timeout_seconds of the campaign's agent is {ring_seconds}; in {where} it must be "
            f"{asked.ring_seconds} or more: {shortest.source}."
        )
    refusing = asked.refusing(caller_id)
    if refusing is not None:
        raise PolicyRefusedError(f"In {where} {barred_reason(refusing, caller_id)}.", of_caller_id=True)


def _refuse_beside_older_dialers() -> None:
    if older_dialers.may_run(KNOWN):
        raise PolicyNotPossibleError(
            "A dialer of an older release, which heeds no policy pack, is still running."
        )
