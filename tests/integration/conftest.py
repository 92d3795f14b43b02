"""The application that the tests of the API and of the board talk to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.valkey import EmbeddedValkey
from tests.databases import Databases
from tests.integration.api.site import SharedSites, Site


@pytest.fixture(scope="session")
def sites(databases: Databases, valkey: EmbeddedValkey) -> Iterator[SharedSites]:
    shared = SharedSites(databases, valkey.url)
    yield shared
    shared.end()


@pytest.fixture
def site(sites: SharedSites, redis_url: str) -> Iterator[Site]:
    """Over servers with nothing in them but the seed."""
    with sites.site() as found:
        yield found
