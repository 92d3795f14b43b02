"""The states of a campaign, a contact and a call, and the only edges between them.

`campaigns/lifecycle_table.py` says which of a campaign's edges a client may ask for.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class CampaignStatus(StrEnum):
    """What a campaign is doing."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"


class ContactStatus(StrEnum):
    """Where one contact stands; the counts of these always add up to the total."""

    PENDING = "pending"
    ORIGINATED = "originated"
    CONNECTED = "connected"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class CallState(StrEnum):
    """Where one send stands. `dispatching` covers everything from the claim until the switch says more."""

    DISPATCHING = "dispatching"
    RINGING = "ringing"
    ANSWERED = "answered"
    ENDED = "ended"


CAMPAIGN_TRANSITIONS: Mapping[CampaignStatus, frozenset[CampaignStatus]] = {
    CampaignStatus.DRAFT: frozenset(
        {CampaignStatus.SCHEDULED, CampaignStatus.RUNNING, CampaignStatus.COMPLETED}
    ),
    CampaignStatus.SCHEDULED: frozenset(
        {CampaignStatus.DRAFT, CampaignStatus.RUNNING, CampaignStatus.COMPLETED}
    ),
    CampaignStatus.RUNNING: frozenset(
        {CampaignStatus.PAUSED, CampaignStatus.COMPLETED, CampaignStatus.FAILED}
    ),
    CampaignStatus.PAUSED: frozenset(
        {CampaignStatus.RUNNING, CampaignStatus.COMPLETED, CampaignStatus.FAILED}
    ),
    CampaignStatus.COMPLETED: frozenset(),
    CampaignStatus.FAILED: frozenset(),
}

CAMPAIGN_ENDED = frozenset({CampaignStatus.COMPLETED, CampaignStatus.FAILED})
"""From these no campaign comes back."""

CONTACT_TRANSITIONS: Mapping[ContactStatus, frozenset[ContactStatus]] = {
    ContactStatus.PENDING: frozenset({ContactStatus.ORIGINATED, ContactStatus.CANCELLED}),
    ContactStatus.ORIGINATED: frozenset(
        {
            ContactStatus.CONNECTED,
            ContactStatus.COMPLETED,
            ContactStatus.FAILED,
            ContactStatus.PENDING,
            ContactStatus.CANCELLED,
        }
    ),
    ContactStatus.CONNECTED: frozenset(
        {ContactStatus.COMPLETED, ContactStatus.FAILED, ContactStatus.PENDING}
    ),
    ContactStatus.COMPLETED: frozenset(),
    # `completed` only where its outcome was unknown, and the node's own record said later that it was answered;
    # `pending` only where its call tripped a breaker, and what that held turned out to be to blame.
    ContactStatus.FAILED: frozenset({ContactStatus.COMPLETED, ContactStatus.PENDING}),
    ContactStatus.CANCELLED: frozenset(),
}

CONTACT_REQUESTS: Mapping[ContactStatus, frozenset[ContactStatus]] = {
    ContactStatus.PENDING: frozenset({ContactStatus.PENDING, ContactStatus.CANCELLED}),
    ContactStatus.ORIGINATED: frozenset(),
    ContactStatus.CONNECTED: frozenset(),
    ContactStatus.COMPLETED: frozenset({ContactStatus.PENDING}),
    ContactStatus.FAILED: frozenset({ContactStatus.PENDING}),
    ContactStatus.CANCELLED: frozenset({ContactStatus.PENDING, ContactStatus.CANCELLED}),
}
"""Where somebody may ask a contact of an unfinished campaign to go; nothing that a call tells leads there."""
