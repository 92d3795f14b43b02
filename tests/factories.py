"""Rows for tests: a tenant with everything that a campaign needs, and campaigns with contacts."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any, cast

from peewee import fn

from ids import new_ids
from models import (
    Agent,
    CallLimits,
    Campaign,
    CampaignCount,
    CampaignStatus,
    Contact,
    Gateway,
    PhoneNumber,
    Tenant,
    db,
    transaction,
)


@dataclass(frozen=True, slots=True)
class World:
    """One tenant's rows."""

    tenant_id: str
    gateway_id: uuid.UUID
    agent_id: uuid.UUID
    phone_number_id: uuid.UUID


def make_world(tenant_id: str = "demo", caller_id: str = "+14155550100", **limits: int | None) -> World:
    """A tenant with a gateway, an agent that parks, a caller id and caps."""
    with transaction():
        tenant = Tenant.create(id=tenant_id, name=tenant_id)
        CallLimits.create(tenant=tenant, **limits)
        gateway = Gateway.create(name=f"carrier-{tenant_id}", dial_string="sofia/gateway/carrier/{number}")
        agent = Agent.create(tenant=tenant, name="agent", action={"type": "park"})
        number = PhoneNumber.create(tenant=tenant, e164=caller_id, gateway=gateway)
    return World(tenant_id, gateway.id, agent.id, number.id)


def make_campaign(
    world: World,
    contacts: int = 10,
    *,
    status: CampaignStatus = CampaignStatus.RUNNING,
    refused: bool = True,
    **columns: Any,
) -> uuid.UUID:
    """A campaign with that many contacts, whose numbers end with 00, 01, ...; where nobody is to be `refused` 94
    stands for 04, whose carrier is full, so that a call is sent again and again for half a minute."""
    columns = {"max_concurrent_calls": 5, "retries_per_contact": 0, "retry_delay_seconds": 60} | columns
    with transaction():
        campaign = Campaign.create(
            tenant=world.tenant_id,
            name="campaign",
            agent=world.agent_id,
            phone_number=world.phone_number_id,
            status=status,
            started_at=fn.now(),
            created_by="test",
            **columns,
        )
        people = [
            {
                # Whoever is first on the list has the least, as where a list is imported.
                "id": contact_id,
                "campaign": campaign,
                "position": position,
                "phone_number": f"+1415556{position + (90 if not refused and position % 100 == 4 else 0):04d}",
                "custom_fields": {"first_name": f"Ann {position}"},
            }
            for position, contact_id in enumerate(sorted(new_ids(contacts)))
        ]
        if people:
            Contact.insert_many(people).execute()
        CampaignCount.create(campaign=campaign, lane="import", pending=contacts)
    campaign_id: uuid.UUID = campaign.id
    return campaign_id


def counts(campaign_id: uuid.UUID | str) -> dict[str, int]:
    """The campaign's counts, summed over lanes, without states that nobody is in."""
    names = ("pending", "originated", "connected", "completed", "failed", "cancelled")
    with db.connection_context():
        query = CampaignCount.select(*(fn.sum(getattr(CampaignCount, name)) for name in names))
        row = query.where(CampaignCount.campaign == campaign_id).tuples().get()
    sums = cast("tuple[int | None, ...]", row)
    return {name: number for name, number in zip(names, sums, strict=True) if number}
