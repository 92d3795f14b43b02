"""Lets go who waits for a cap on a number that may not hold any more, once the dialers go by what holds now."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from api import notify
from api.services import Services
from api.transactions import transaction
from campaigns import number_waits
from coordination.topics import Topic


def let_go(services: Services, campaigns: Iterable[uuid.UUID]) -> None:
    """Who waits for a cap on its number in these campaigns is due now: by what holds now it may be called, or waits
    again. Whatever has changed, so that what a crash left is done by sending the same again."""
    freed = 0
    for campaign_id in campaigns:
        more = number_waits.SLICE
        while more == number_waits.SLICE:
            with transaction():
                more = number_waits.free_slice(campaign_id)
            freed += more
    if freed:
        notify.dialers(services, Topic.WAKE, {})
