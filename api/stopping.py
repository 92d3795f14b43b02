"""Cancels the rest of a stopped campaign's list: of a short one before the answer, of a long one after it."""

from __future__ import annotations

import uuid

import peewee
import structlog

from api import notify
from api.errors import ApiError
from api.services import Services
from api.transactions import transaction
from campaigns.campaign_state import WEB
from campaigns.stopping import Slice, cancel_slice

log = structlog.get_logger(__name__)


def cancel_rest(services: Services, campaign_id: uuid.UUID) -> None:
    """Cancel the first slice, and in the background the others; each is published. What fails is left to the dialers,
    or to a repeated stop: the campaign is stopped all the same."""
    first = _slice(campaign_id)
    if first is None:
        return
    if first.over:
        notify.publish_later(services, campaign_id, WEB)
    else:
        services.background.spawn(_go_on, services, campaign_id)


def _go_on(services: Services, campaign_id: uuid.UUID) -> None:
    """Slice by slice, until nothing is left, or somebody else is at it."""
    notify.publish(services, campaign_id, WEB)
    while (done := _slice(campaign_id)) is not None:
        notify.publish(services, campaign_id, WEB)
        # Without progress a dialer is in the way of the last of them; one goes on.
        if done.over or not done.cancelled:
            return


def _slice(campaign_id: uuid.UUID) -> Slice | None:
    try:
        with transaction():
            return cancel_slice(campaign_id, WEB)
    except (ApiError, peewee.PeeweeException) as error:
        log.warning("stop_left_to_the_dialers", campaign_id=str(campaign_id), reason=str(error)[:200])
        return None
