"""Who of a campaign is called first: callbacks, then retries that are due, then who was never called."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from models import Contact, db
from tests.factories import World, make_campaign
from tests.integration.dialer.one_campaign import due
from tests.integration.dialer.test_claims_and_outcomes import claim_all, end, ended

# By the last two digits of the number: new are 0, 1 and 5.
CALLBACKS, RETRIES, LATER = {4: 10, 6: 5}, {2: 30, 3: 60}, {7: -60, 8: -60}


@pytest.fixture
def listed(world: World) -> uuid.UUID:
    """A campaign of nine: three new, two retries and two callbacks that are due, and one of each that is not."""
    return arranged(world)


def arranged(world: World, **columns: Any) -> uuid.UUID:
    campaign_id = make_campaign(world, 9, **columns)
    with db.connection_context():
        for position, seconds in (CALLBACKS | RETRIES | LATER).items():
            db.execute_sql(
                "UPDATE contact SET next_attempt_at = now() - make_interval(secs => %s), callback = %s"
                " WHERE campaign_id = %s AND position = %s",
                (seconds, position in CALLBACKS or position == 7, campaign_id, position),
            )
    return campaign_id


def order(campaign_id: uuid.UUID, limit: int = 100, share: tuple[int, int] = (0, 1)) -> list[int]:
    return [int(item.phone_number[-2:]) for item in due(str(campaign_id), limit, share)]


def test_callbacks_go_first_then_retries_that_are_due_then_new_contacts(listed: uuid.UUID) -> None:
    assert order(listed) == [4, 6, 3, 2, 0, 1, 5]


def test_new_ones_go_before_retries_where_the_campaign_says_so_but_not_before_callbacks(world: World) -> None:
    assert order(arranged(world, dial_order="new_first")) == [4, 6, 0, 1, 5, 3, 2]


def test_a_long_list_does_not_keep_its_retries_waiting(listed: uuid.UUID) -> None:
    assert order(listed, 3) == [4, 6, 3]
    assert order(listed, 4) == [4, 6, 3, 2]


def test_each_dialer_sees_the_order_in_its_own_part(listed: uuid.UUID) -> None:
    assert [order(listed, share=(rank, 2)) for rank in (0, 1)] == [[4, 6, 2, 0], [3, 1, 5]]


def test_a_callback_that_never_left_stays_one_and_is_over_with_its_call(world: World) -> None:
    # Where new ones go before retries, so that only a callback is before them.
    listed = arranged(world, dial_order="new_first")
    with db.connection_context():
        Contact.delete().where(Contact.position != 4).execute()
    (call,) = claim_all(listed)
    end(ended(call.call_id, "pending", counts=False, delay=None, sent_age=None, disposition=None))
    with db.connection_context():
        Contact.update(phone_number="+14155560099", position=9).execute()
        Contact.create(campaign=listed, position=1, phone_number="+14155560001")
    assert order(listed) == [99, 1]
    (call,) = [one for one in claim_all(listed) if one.phone_number.endswith("99")]
    end(ended(call.call_id, "pending", delay=0.0))
    with db.connection_context():
        assert not Contact.get_by_id(call.contact_id).callback
