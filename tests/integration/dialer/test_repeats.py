"""Whose contacts recovery may give back at once, as the rows say."""

from __future__ import annotations

from typing import Any

import pytest

from dialer.recovery.reconciler import campaign_is_over
from models import CampaignStatus
from tests.factories import World, make_campaign

OVER = (CampaignStatus.COMPLETED, CampaignStatus.FAILED)


@pytest.mark.parametrize("status", list(CampaignStatus))
def test_nobody_is_called_anew_of_a_campaign_that_has_ended(world: World, status: CampaignStatus) -> None:
    columns: dict[str, Any] = (
        {"completed_at": "2026-01-01", "end_reason": "stopped"} if status in OVER else {}
    )
    campaign_id = make_campaign(world, 0, status=status, **columns)
    assert campaign_is_over(str(campaign_id)) is (status in OVER)
