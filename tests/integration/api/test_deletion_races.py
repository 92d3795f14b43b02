"""What is being put to use cannot be deleted under it: a deletion waits for whoever holds on, and then refuses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import psycopg
import pytest

from models import new_id
from tests.integration.api.resource_routes import create_one_of_each
from tests.integration.api.site import Site
from tests.waiting import HANG_SECONDS, wait_until

HOLD_AGENT = "SELECT 1 FROM agent WHERE id = %(agent)s AND deleted_at IS NULL FOR SHARE"
HOLD_NUMBER = "SELECT 1 FROM phone_number WHERE id = %(number)s AND deleted_at IS NULL FOR SHARE"
HOLD_GATEWAY = "SELECT 1 FROM gateway WHERE id = %(spare)s AND deleted_at IS NULL FOR SHARE"
CAMPAIGN = """
    INSERT INTO campaign (id, tenant_id, name, agent_id, phone_number_id, status, max_concurrent_calls,
        retries_per_contact, retry_delay_seconds, created_by)
    VALUES (%(id)s, 'demo', 'Late', %(agent)s, %(number)s, 'draft', 1, 0, 60, 'test')"""
NUMBER = """
    INSERT INTO phone_number (id, tenant_id, e164, gateway_id) VALUES (%(id)s, 'demo', '+14155550177', %(spare)s)"""


@contextmanager
def under_way(url: str, values: dict[str, Any], *statements: str) -> Iterator[psycopg.Connection[Any]]:
    """A transaction that has run `statements` and not yet committed."""
    with psycopg.connect(url) as connection:
        for statement in statements:
            connection.execute(statement.encode(), values)
        yield connection


def waiting(site: Site) -> bool:
    found = site.sql(
        "SELECT 1 AS one FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return bool(found)


@pytest.mark.parametrize(
    ("path", "statements", "text"),
    [
        ("/agents/{agent}", (HOLD_AGENT, HOLD_NUMBER, CAMPAIGN), "Agent is used by campaign 'Late'"),
        (
            "/phone-numbers/{number}",
            (HOLD_AGENT, HOLD_NUMBER, CAMPAIGN),
            "Phone number is used by campaign 'Late'",
        ),
        ("/tenants/demo", (HOLD_AGENT, HOLD_NUMBER, CAMPAIGN), "Tenant has campaign 'Late'"),
        ("/gateways/{spare}", (HOLD_GATEWAY, NUMBER), "Gateway is used by the number +14155550177"),
    ],
)
def test_a_deletion_sees_what_was_being_made_when_it_came(
    site: Site, path: str, statements: tuple[str, ...], text: str
) -> None:
    ids = create_one_of_each(site)
    site.sql("UPDATE campaign SET deleted_at = now()")
    path = path.format_map(ids)
    with under_way(site.database_url, ids | {"id": new_id()}, *statements) as maker:
        deletion = gevent.spawn(site.delete, path, role="platform", tenant="other", headers=_acting(path))
        wait_until(lambda: waiting(site), "the deletion waiting")
        maker.commit()
    response = deletion.get(timeout=HANG_SECONDS)
    assert response.status_code == 409
    assert response.text.startswith(text)


@pytest.mark.parametrize(
    ("path", "statements"),
    [("/agents/{agent}", (HOLD_AGENT,)), ("/phone-numbers/{number}", (HOLD_NUMBER,)),
     ("/tenants/demo", (HOLD_AGENT,)), ("/gateways/{spare}", (HOLD_GATEWAY,))],
)  # fmt: skip
def test_a_deletion_goes_on_when_what_was_being_made_was_not(
    site: Site, path: str, statements: tuple[str, ...]
) -> None:
    ids = create_one_of_each(site)
    site.sql("UPDATE campaign SET deleted_at = now()")
    path = path.format_map(ids)
    with under_way(site.database_url, ids, *statements) as maker:
        deletion = gevent.spawn(site.delete, path, role="platform", tenant="other", headers=_acting(path))
        wait_until(lambda: waiting(site), "the deletion waiting")
        maker.rollback()
    assert deletion.get(timeout=HANG_SECONDS).status_code == 204


def _acting(path: str) -> dict[str, str]:
    return {} if path.startswith(("/tenants", "/gateways")) else {"X-Tenant": "demo"}
