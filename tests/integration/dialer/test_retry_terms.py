"""A change of a campaign's retries holds for the calls that are up, whatever it said when they were claimed."""

from __future__ import annotations

import pytest

from campaigns.retry_rules import RetryTerms
from dialer.live_calls import LiveCall
from freeswitch.events import ChannelEventKind
from models import db, rows
from tests.integration.dialer.dialer_rig import contacts_of
from tests.integration.dialer.house import RINGS, House
from tests.unit.dialer.factories import busy, channel_event
from tests.waiting import wait_until


@pytest.mark.parametrize("status", ["running", "paused"])
def test_whoever_is_in_a_call_is_called_again_by_what_was_changed_meanwhile(
    house: House, patient: None, status: str
) -> None:
    process = house.dialer().process
    campaign_id = house.campaign(RINGS, retries_per_contact=3)

    def live() -> LiveCall:
        (call,) = process.live_calls
        return call

    with db.connection_context():
        rows("UPDATE campaign SET status = %s WHERE id = %s", status, campaign_id)
        rows("UPDATE campaign SET retries_per_contact = 0 WHERE id = %s", campaign_id)
    wait_until(
        lambda: process.dispatch.retry_terms(live()) == RetryTerms(0, live().retry_delay_seconds, {}),
        "the dialer's look",
    )
    assert (process.dispatch.board.plan(str(campaign_id)) is None) == (status == "paused")
    assert live().retries_per_contact == 3, "as it was claimed"
    process.recorder.on_event("fs1", channel_event(live().call_id, ChannelEventKind.HANGUP_COMPLETE, busy()))
    wait_until(lambda: contacts_of(campaign_id) == {"failed": 1}, "the end of its call")
