"""A call whose end is known to its dialer and is nobody's to write any more is found, and asked about."""

from __future__ import annotations

from models import db, rows
from tests.integration.dialer.dialer_rig import contacts_of
from tests.integration.dialer.house import TALKS, House
from tests.waiting import wait_until


def test_an_end_that_was_lost_before_it_was_written_is_found_at_the_switch(
    house: House, patient: None
) -> None:
    process = house.dialer().process
    campaign_id = house.campaign(TALKS, TALKS, retries_per_contact=0)
    lost, other = process.live_calls
    # As where a fault struck between what was heard and its row.
    lost.end()
    with db.connection_context():
        rows("UPDATE call SET created_at = created_at - interval '4 s'")

    # Twice to be sure that it is lost, and twice that nobody knows of its row.
    for _ in range(4):
        process.audit.calls()
    found = process.live_calls.get(lost.call_id)
    assert found is not None
    assert found is not lost
    assert process.live_calls.get(other.call_id) is other
    house.api("POST", f"/campaigns/{campaign_id}/stop?hangup=true")
    wait_until(lambda: contacts_of(campaign_id) == {"completed": 2}, "how they ended")
