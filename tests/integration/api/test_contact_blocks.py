"""Wherever somebody has ended, by whom and when ever, the part of the list is marked; else a page would lack him."""

from __future__ import annotations

import gevent
import psycopg
import pytest

from campaigns.contact_pages import BLOCK
from migrations.runner import migrate
from tests.integration.api.site import Site
from tests.waiting import HANG_SECONDS

MIGRATIONS = ["0021_contact_blocks", "0055_ended_so"]
"""The second marks by how a call ended, too."""
OVER = ("completed", "failed", "cancelled")


def marked(site: Site, campaign_id: str) -> set[tuple[str, int]]:
    found = site.sql("SELECT status, block FROM contact_block WHERE campaign_id = %s", campaign_id)
    return {(row["status"], row["block"]) for row in found}


def ended(site: Site, campaign_id: str) -> set[tuple[str, int]]:
    found = site.sql("SELECT status, disposition, position FROM contact WHERE campaign_id = %s", campaign_id)
    return {
        (word, row["position"] // BLOCK)
        for row in found
        for word in (row["status"], row["disposition"])
        if word in OVER or (word == row["disposition"] and word is not None)
    }


@pytest.fixture
def campaign_id(site: Site) -> str:
    return site.create(3 * BLOCK)


def test_a_part_is_marked_by_the_first_that_ends_so(site: Site, campaign_id: str) -> None:
    assert marked(site, campaign_id) == set()
    for position, status in ((1, "failed"), (BLOCK - 1, "failed"), (BLOCK, "failed"), (7, "completed")):
        site.sql(
            "UPDATE contact SET status = %s WHERE campaign_id = %s AND position = %s",
            status,
            campaign_id,
            position,
        )
        assert marked(site, campaign_id) == ended(site, campaign_id)
    assert len(site.sql("SELECT 1 FROM contact_block")) == 3
    # A correction: the mark it leaves behind does no harm.
    site.sql(
        "UPDATE contact SET status = 'completed' WHERE campaign_id = %s AND position = %s", campaign_id, BLOCK
    )
    assert marked(site, campaign_id) == ended(site, campaign_id) | {("failed", 1)}
    path = f"/campaigns/{campaign_id}/contacts?status=failed"
    assert [contact["status"] for contact in site.get(path).json["contacts"]] == ["failed"] * 2


def test_a_part_is_marked_by_how_a_call_ended_whatever_follows(site: Site, campaign_id: str) -> None:
    of = "campaign_id = %s AND position = %s"
    change = f"UPDATE contact SET status = %s, disposition = %s, call_id = NULL WHERE {of}"
    for position, status, disposition in (
        (1, "pending", "busy"),
        (2, "failed", "busy"),
        (BLOCK, "pending", "no_answer"),
    ):
        site.sql(change, status, disposition, campaign_id, position)
        assert marked(site, campaign_id) == ended(site, campaign_id)
    # While he is called again he stays where he is found.
    site.sql("DELETE FROM contact_block")
    site.sql(change.replace("NULL", "id"), "originated", "busy", campaign_id, 1)
    assert marked(site, campaign_id) == set()
    site.sql(change, "completed", "answered", campaign_id, 1)
    assert marked(site, campaign_id) == {("completed", 0), ("answered", 0)}


def test_a_stop_marks_every_part(site: Site, campaign_id: str) -> None:
    assert site.post(f"/campaigns/{campaign_id}/stop").status_code == 200
    assert marked(site, campaign_id) == {("cancelled", block) for block in range(4)}
    assert (
        len(site.get(f"/campaigns/{campaign_id}/contacts?status=cancelled&limit=1000").json["contacts"])
        == 3 * BLOCK
    )


def test_two_that_end_in_one_part_do_not_wait_for_each_other(site: Site, campaign_id: str) -> None:
    end = "UPDATE contact SET status = 'failed' WHERE campaign_id = %s AND position = %s"
    with psycopg.connect(site.database_url) as one, psycopg.connect(site.database_url) as other:
        one.execute(end, (campaign_id, 1))
        other.execute("SET lock_timeout = '10s'")
        other.execute(end, (campaign_id, 2))
        one.rollback()
        other.commit()
    assert marked(site, campaign_id) == ended(site, campaign_id) == {("failed", 0)}


def test_what_had_ended_before_is_marked_while_others_end(site: Site, campaign_id: str) -> None:
    url = site.database_url
    with psycopg.connect(url, autocommit=True) as operator, psycopg.connect(url) as writer:
        operator.execute("ALTER TABLE contact DISABLE TRIGGER USER")
        operator.execute("UPDATE contact SET status = 'failed', disposition = 'busy' WHERE position < 5")
        operator.execute("ALTER TABLE contact ENABLE TRIGGER USER")
        operator.execute("DELETE FROM schema_migration WHERE name = ANY(%s)", (MIGRATIONS,))
        assert marked(site, campaign_id) == set()
        writer.execute("UPDATE contact SET status = 'completed' WHERE position = 9")
        release = gevent.spawn(migrate, url)
        gevent.sleep(0.1)
        writer.commit()
        assert release.get(timeout=HANG_SECONDS) == MIGRATIONS
    assert marked(site, campaign_id) == ended(site, campaign_id)
