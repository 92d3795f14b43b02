"""What a stop asks of whole dialers, judged by the rows."""

from __future__ import annotations

from collections.abc import Callable

from campaigns import lifecycle
from models import db, rows
from tests.factories import World, make_campaign
from tests.integration.dialer.dialer_rig import Dialer, contacts_of
from tests.waiting import wait_until


def test_a_dialer_finishes_what_a_web_process_left(world: World, start: Callable[[], Dialer]) -> None:
    campaign_id = make_campaign(world, 5)
    with db.connection_context(), db.atomic():
        lifecycle.stop(campaign_id, world.tenant_id)
    start()
    wait_until(lambda: contacts_of(campaign_id) == {"cancelled": 5}, "the list")

    def ended() -> bool:
        with db.connection_context():
            return bool(rows("SELECT 1 FROM transition WHERE contact_id IS NULL AND published"))

    wait_until(ended, "the end")
