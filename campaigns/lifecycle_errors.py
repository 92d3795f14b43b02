"""Errors of refused campaign actions, each one sentence for the client."""

from __future__ import annotations

import uuid

from campaigns.errors import CampaignsError
from campaigns.lifecycle_table import Action
from models import CampaignStatus

_PAST = {
    Action.START: "started",
    Action.PAUSE: "paused",
    Action.RESUME: "resumed",
    Action.STOP: "stopped",
    Action.DELETE: "deleted",
}


class CampaignNotFoundError(CampaignsError):
    """No such campaign of this tenant, or a deleted one."""


class SingleCallError(CampaignsError):
    """The campaign is one call that somebody asked for by itself: it is read and ended, and nothing else."""

    def __init__(self) -> None:
        super().__init__("Campaign is a single call; it can be stopped or hung up on, and not changed.")


class NotAllowedError(CampaignsError):
    """The lifecycle has no such action in the campaign's state."""

    def __init__(self, status: CampaignStatus, action: Action) -> None:
        super().__init__(f"Campaign is {status}; it cannot be {_PAST[action]}.")
        self.status = status
        self.action = action


class CallsInFlightError(CampaignsError):
    """The campaign still has calls in flight; `count` of them."""

    def __init__(self, count: int) -> None:
        super().__init__(f"Campaign has {count} calls in flight; it can be deleted when they have ended.")
        self.count = count


class StoppingError(CampaignsError):
    """The campaign was ended a moment ago, and the rest of its list is being cancelled."""

    def __init__(self) -> None:
        super().__init__(
            "Campaign is being stopped; it can be deleted when the rest of its list is cancelled."
        )


class UnusableError(CampaignsError):
    """What the campaign needs is gone or was taken away; `blocked_reason` is the word for it."""

    def __init__(self, message: str, blocked_reason: str = "agent") -> None:
        super().__init__(message)
        self.blocked_reason = blocked_reason


class BudgetExceededError(CampaignsError):
    """The tenant's concurrency budget has no room; `holders` are the running campaigns that hold it, and so much of
    it is `kept` for single calls."""

    def __init__(
        self, wanted: int, limit: int, holders: list[tuple[uuid.UUID, str, int]], kept: int = 0
    ) -> None:
        held = sum(calls for _, _, calls in holders)
        named = ", ".join(f"{name} ({calls}, {campaign_id})" for campaign_id, name, calls in holders[:10])
        more = f" and {len(holders) - 10} more" if len(holders) > 10 else ""
        super().__init__(
            f"The campaign's max_concurrent_calls is {wanted} and running campaigns hold {held} of the tenant's "
            f"concurrent_max of {limit}"
            + (f", of which {kept} are kept for single calls" if kept else "")
            + (f": {named}{more}." if holders else ".")
        )
        self.wanted = wanted
        self.limit = limit
        self.holders = holders
