"""A dead dialer has one successor, for as long as that successor lives."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest
from redis import Redis

from coordination.membership import LEASE_SECONDS, Membership
from dialer.identity import Identity
from dialer.recovery.takeover_claim import claim_takeover, release_takeover
from limits.keys import Keys
from models import db, rows
from tests.factories import World
from tests.waiting import wait_until

PREFIX = "carillon:"
DEAD = "d000000000000"


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def membership(redis: Redis) -> Membership:
    return Membership(redis, PREFIX)


@pytest.fixture
def successors(world: World, database_url: str, membership: Membership) -> Iterator[tuple[str, str]]:
    """Two dialers that live, and a dead one."""
    made = [Identity(database_url, membership) for _ in range(2)]
    for identity in made:
        identity.take({})
    with db.connection_context():
        rows("INSERT INTO dialer (id) VALUES (%s)", DEAD)
    yield made[0].dialer_id, made[1].dialer_id
    for identity in made:
        identity.drop_lock()


def heir_of_the_dead() -> str | None:
    with db.connection_context():
        (row,) = rows("SELECT heir FROM dialer WHERE id = %s", DEAD)
    successor: str | None = row["heir"]
    return successor


def test_a_dead_dialer_has_one_successor_until_that_one_stands_back(
    successors: tuple[str, str], membership: Membership
) -> None:
    first, second = successors
    assert claim_takeover(DEAD, first, membership)
    assert not claim_takeover(DEAD, second, membership)
    assert claim_takeover(DEAD, first, membership), "a note of its own keeps it from settling"
    release_takeover(DEAD, second)
    assert heir_of_the_dead() == first
    release_takeover(DEAD, first)
    assert claim_takeover(DEAD, second, membership)


def test_of_many_that_would_be_successors_at_once_one_is(
    successors: tuple[str, str], membership: Membership
) -> None:
    asking = [gevent.spawn(claim_takeover, DEAD, successor, membership) for successor in successors]
    gevent.joinall(asking, timeout=20)
    assert [one.value for one in asking].count(True) == 1


def test_a_successor_that_stands_still_is_followed_once_it_is_dead_although_its_session_stands(
    successors: tuple[str, str], membership: Membership, redis: Redis
) -> None:
    frozen, next_one = successors
    assert claim_takeover(DEAD, frozen, membership)
    redis.delete(Keys(PREFIX).lease(frozen))
    wait_until(lambda: claim_takeover(DEAD, next_one, membership), "the next successor")
    assert membership.fenced([frozen]) == {frozen}
    assert heir_of_the_dead() == next_one
    release_takeover(DEAD, frozen)
    assert heir_of_the_dead() == next_one, "one that woke has struck out the next"


def test_a_successor_whose_lease_may_still_run_is_not_followed(
    successors: tuple[str, str], membership: Membership, redis: Redis
) -> None:
    first, second = successors
    assert claim_takeover(DEAD, first, membership)
    redis.flushall()
    assert not claim_takeover(DEAD, second, membership)
    assert 0 < membership.fence(first) <= LEASE_SECONDS


def test_what_a_dialer_without_a_row_left_is_settled_by_one_successor(
    successors: tuple[str, str], membership: Membership
) -> None:
    first, second = successors
    with db.connection_context():
        rows("DELETE FROM dialer WHERE id = %s", DEAD)
    assert claim_takeover(DEAD, first, membership)
    assert not claim_takeover(DEAD, second, membership)
