"""Stops calls of running campaigns that lost what they leave by: the caller id, the gateway, or a grant of the
tenant.

Raises their generation in the transaction of the change; of a gateway, which no start of a campaign waits for, behind
it, so that none is missed that began to run meanwhile. A dialer claims under the generation of the plan that it has
read, so that none is claimed any more by a plan of before; what is claimed and not sent the caller holds back, as
with a pause (`api.notify.wait_until_blocked`).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from models import rows

# Locked in order, as whoever else takes several.
_RAISE = """
UPDATE campaign SET generation = campaign.generation + 1
FROM (SELECT campaign.id FROM campaign {uses}
    WHERE campaign.status = 'running' AND campaign.deleted_at IS NULL AND {condition}
    ORDER BY campaign.id FOR NO KEY UPDATE OF campaign) AS touched
WHERE campaign.id = touched.id RETURNING campaign.id::text AS campaign_id, campaign.generation
"""
_OF_NUMBER = _RAISE.format(uses="", condition="campaign.phone_number_id = %s")
_OF_TENANT = _RAISE.format(uses="", condition="campaign.tenant_id = %s")
_OF_GATEWAY = _RAISE.format(
    uses="JOIN phone_number ON phone_number.id = campaign.phone_number_id"
    " JOIN gateway ON gateway.id = phone_number.gateway_id JOIN tenant ON tenant.id = campaign.tenant_id",
    condition="%s::text IN (SELECT gateway.id::text UNION ALL SELECT jsonb_array_elements_text(gateway.failover)"
    " UNION ALL SELECT jsonb_array_elements_text(tenant.gateway_ids))",
)


@dataclass(frozen=True, slots=True)
class Held:
    """A campaign of which no call claimed below `generation` may leave."""

    campaign_id: str
    generation: int


def from_number(number_id: uuid.UUID) -> list[Held]:
    """Something that this caller id stood for."""
    return [Held(**row) for row in rows(_OF_NUMBER, number_id)]


def from_tenant(tenant_id: str) -> list[Held]:
    """Something that this tenant was granted."""
    return [Held(**row) for row in rows(_OF_TENANT, tenant_id)]


def from_gateway(gateway_id: uuid.UUID) -> list[Held]:
    """Something by which calls left that leave, or are bridged, by this gateway."""
    return [Held(**row) for row in rows(_OF_GATEWAY, str(gateway_id))]
