"""A dialer at work takes who is suppressed off its lists, by the switch's own ledger, and forgets whom it has to."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from models import CampaignStatus, db, rows
from simulator.ledger import read_ledger
from simulator.process import SimulatedNode
from tests.factories import World, counts, make_campaign
from tests.integration.dialer.dialer_rig import Dialer, change, is_over
from tests.integration.dialer.test_erasures import ask, is_done, mentions
from tests.integration.dialer.test_suppressions import FIRST, SECOND, THIRD, dispositions, suppress
from tests.waiting import wait_until

PEPPER = "pepper-for-the-tests-only"


@pytest.mark.parametrize("news", [True, False], ids=["told", "missed"])
def test_a_campaign_ends_without_whom_nobody_may_call(
    world: World, start: Callable[..., Dialer], node: SimulatedNode, news: bool
) -> None:
    """Also where the entry is no news any more, as where a list was imported beside it: the claim names him."""
    campaign_id = make_campaign(world, 3, status=CampaignStatus.PAUSED, refused=False)
    suppress(number=SECOND, news=news)
    suppress(prefix=THIRD, scope="*", news=news)
    dialer = start(SECRET_KEY=PEPPER)
    change(dialer, "UPDATE campaign SET status = 'running' WHERE id = %s", campaign_id)
    wait_until(lambda: is_over(campaign_id), "the end of the campaign")
    assert set(read_ledger(node.ledger or "").dialled()) == {FIRST}
    found = dispositions(campaign_id)
    assert found[SECOND] == found[THIRD] == ("cancelled", "suppressed")
    assert counts(campaign_id)["cancelled"] == 2
    with db.connection_context():
        assert rows("SELECT 1 FROM campaign WHERE end_reason = 'exhausted'")
    if news:
        asked = ask(world)
        wait_until(lambda: is_done(world, asked), "the erasure")
        assert mentions(FIRST) == set()
