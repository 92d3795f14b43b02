"""A campaign's end is told after everything that led to it, whoever has that to tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from campaigns.lifecycle import complete_if_exhausted, stop
from campaigns.stopping import cancel_slice
from dialer.record.outbox import Outbox
from dialer.record.outcome_rows import write
from live.publisher import Publisher
from models import Contact, Transition, db
from tests.factories import World, make_campaign
from tests.integration.dialer.test_claims_and_outcomes import claim_all, ended

OURS, THEIRS = "d000000000001", "d000000000002"


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


def told(redis: Redis, campaign_id: object) -> list[str]:
    entries: Any = redis.xrange(f"carillon:live:{campaign_id}")
    return [fields["kind"] for _, fields in entries]


def test_the_end_waits_for_another_dialers_last_contact(world: World, redis: Redis) -> None:
    campaign_id = make_campaign(world, 1)
    (call,) = claim_all(campaign_id, THEIRS)
    write(THEIRS, [], [], [ended(call.call_id, "failed")])
    assert complete_if_exhausted(campaign_id, OURS)
    publisher = Publisher(redis, "carillon:")
    ours, theirs = Outbox(publisher, OURS), Outbox(publisher, THEIRS)
    assert ours.publish_leftovers(OURS) == 0
    assert told(redis, campaign_id) == []
    theirs.publish_leftovers(THEIRS)
    ours.publish_leftovers(OURS)
    assert told(redis, campaign_id) == ["contact", "contact", "campaign"]


def test_a_stop_is_told_after_the_contacts_that_it_cancelled(world: World) -> None:
    campaign_id = make_campaign(world, 3)
    with db.connection_context(), db.atomic():
        stop(campaign_id, world.tenant_id)
    cancel_slice(campaign_id, OURS)
    with db.connection_context():
        order = [row.status for row in Transition.select().order_by(Transition.id)]
        cancelled = Contact.select().where(Contact.status == "cancelled").count()
    assert cancelled == 3
    assert order == ["cancelled"] * 3 + ["completed"]
