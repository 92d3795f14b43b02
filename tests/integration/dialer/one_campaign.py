"""Reading and claiming for one campaign at a time, as most tests want it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from campaigns.number_hash import NumberHash
from dialer.dispatch import claims
from dialer.dispatch import due as reading
from dialer.dispatch.claims import Claimed, ClaimRequest
from dialer.dispatch.due import Due, NextDue
from models import db, new_id, rows

GATEWAY = str(new_id())


def due(campaign_id: str, limit: int, share: tuple[int, int] = (0, 1)) -> list[Due]:
    """Who of this campaign may be called now."""
    return reading.due({campaign_id: limit}, share)[campaign_id]


def next_due(campaign_id: str) -> NextDue | None:
    """When its first pending contact is due."""
    return reading.next_due([campaign_id]).get(campaign_id)


def wanted(item: Due) -> ClaimRequest:
    """A call to this contact, by a node and a gateway that stand for any; `claim` says of which campaign."""
    return ClaimRequest(
        "",
        0,
        item.contact_id,
        str(new_id()),
        "fs1",
        None,
        GATEWAY,
        item.sends,
        phone_number=item.phone_number,
    )


def claim(
    campaign_id: str, dialer_id: str, items: Sequence[ClaimRequest], number_hash: NumberHash | None = None
) -> list[Claimed]:
    """Claim contacts of this campaign, under the generation that it has now."""
    with db.connection_context():
        (now,) = rows("SELECT generation FROM campaign WHERE id = %s", campaign_id)
    generation = now["generation"]
    planned = [replace(item, campaign_id=campaign_id, generation=generation) for item in items]
    return claims.claim(dialer_id, planned, number_hash=number_hash)
