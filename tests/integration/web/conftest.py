"""One application for the tests of a file, put back before each: its browsers, keys, tenants, halts and breakers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from api.key_digest import digest
from local.postgres import EmbeddedPostgres
from local.valkey import EmbeddedValkey
from models import new_id
from tests.databases import Databases
from tests.integration.api.site import OTHER, PEPPER, ROLES, TENANT, Site, key, settings_for, site_over
from web.pages import SHARED

KEY = """
    INSERT INTO api_key (id, tenant_id, name, role, digest, prefix) VALUES (%s, %s, %s, %s, %s, 'sk')
    ON CONFLICT (digest) DO NOTHING"""


@pytest.fixture(scope="module")
def shared_site(postgres: EmbeddedPostgres, databases: Databases, valkey: EmbeddedValkey) -> Iterator[Site]:
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
    name = databases.new()
    with site_over(settings_for(postgres.url_of(name), valkey.url)) as found:
        yield found
    databases.give_back(name)


@pytest.fixture
def site(shared_site: Site) -> Site:
    for known in ("carillon-callers", SHARED):
        shared_site.app.extensions.pop(known, None)
    for table in ("board_session", "board_link", "halt", "breaker_tally", "breaker"):
        shared_site.sql(f"DELETE FROM {table}")
    shared_site.sql("UPDATE tenant SET deleted_at = NULL")
    shared_site.sql("UPDATE campaign SET deleted_at = now(), name = 'of an earlier test'")
    for tenant in (TENANT, OTHER):
        for role in ROLES:
            shared_site.sql(KEY, new_id(), tenant, f"{role} key", role, digest(key(role, tenant), PEPPER))
    shared_site.bus.messages.clear()
    return shared_site
