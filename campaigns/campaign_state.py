"""Writes a campaign's state: compare-and-set, the transition row that the event stream is fed from, its contacts.

Runs in the caller's transaction, under the campaign's row lock. `owner` names whose transition rows these are: a
dialer's id, or WEB for what the API does.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict, Unpack

from models import CAMPAIGN_TRANSITIONS, Campaign, CampaignStatus, rows

WEB = "web"


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What an action led to. `generation` is what the dialers must now go by; `changed` is False for a no-op."""

    status: CampaignStatus
    generation: int
    changed: bool


class CampaignColumns(TypedDict, total=False):
    """What may be written together with a campaign's status."""

    blocked_reason: str | None
    blocked_since: datetime | None
    next_action_at: datetime | None
    scheduled_at: datetime | None
    completed_at: datetime | None
    stopping_at: datetime | None
    end_reason: str | None


def set_status(
    campaign_id: uuid.UUID,
    status: CampaignStatus,
    to: CampaignStatus,
    owner: str,
    **columns: Unpack[CampaignColumns],
) -> ActionResult:
    """Compare-and-set, and the transition row."""
    _change(campaign_id, status, to, **columns)
    (found,) = rows(
        """
        WITH written AS (
            INSERT INTO transition (campaign_id, version, status, cause, owner)
            SELECT id, version, status, end_reason, %s FROM campaign WHERE id = %s)
        SELECT generation FROM campaign WHERE id = %s""",
        owner,
        campaign_id,
        campaign_id,
    )
    return ActionResult(to, found["generation"], changed=True)


def end(
    campaign_id: uuid.UUID, status: CampaignStatus, to: CampaignStatus, end_reason: str, owner: str
) -> ActionResult:
    (now,) = rows("SELECT now()")
    return set_status(
        campaign_id,
        status,
        to,
        owner,
        end_reason=end_reason,
        completed_at=now["now"],
        blocked_reason=None,
        blocked_since=None,
        next_action_at=None,
    )


def mark_stopped(campaign_id: uuid.UUID, status: CampaignStatus, end_reason: str = "stopped") -> ActionResult:
    """End a campaign whose list is not over. The transition is left to whoever cancels the rest of that
    (`campaigns.stopping`)."""
    (now,) = rows("SELECT now()")
    _change(
        campaign_id,
        status,
        CampaignStatus.COMPLETED,
        end_reason=end_reason,
        completed_at=now["now"],
        stopping_at=now["now"],
        blocked_reason=None,
        next_action_at=None,
    )
    return ActionResult(CampaignStatus.COMPLETED, generation(campaign_id), changed=True)


def generation(campaign_id: uuid.UUID) -> int:
    (found,) = rows("SELECT generation FROM campaign WHERE id = %s", campaign_id)
    found_generation: int = found["generation"]
    return found_generation


def _change(
    campaign_id: uuid.UUID, status: CampaignStatus, to: CampaignStatus, **columns: Unpack[CampaignColumns]
) -> None:
    """The row lock is held, so only a bug can make it fail."""
    if not _compare_and_set(campaign_id, frozenset({status}), to, **columns):
        raise RuntimeError(f"campaign {campaign_id} was not {status} under its lock")


def _compare_and_set(
    campaign_id: uuid.UUID,
    from_status: frozenset[CampaignStatus],
    to: CampaignStatus,
    **columns: Unpack[CampaignColumns],
) -> bool:
    """Compare-and-set of a campaign's status: True when this caller made the change.

    Its generation and version rise with it. Raises ValueError for an edge that the state machine lacks.
    """
    for status in from_status:
        if to not in CAMPAIGN_TRANSITIONS[status]:
            raise ValueError(f"no campaign goes from {status} to {to}")
    changed: int = (
        Campaign.update(
            status=to, generation=Campaign.generation + 1, version=Campaign.version + 1, **columns
        )
        .where(
            Campaign.id == campaign_id, Campaign.status.in_(list(from_status)), Campaign.deleted_at.is_null()
        )
        .execute()
    )
    return changed == 1
