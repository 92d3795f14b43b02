"""The application that the API's tests talk to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.api.site import Site, settings_for, site_over


@pytest.fixture
def site(database_url: str, redis_url: str) -> Iterator[Site]:
    with site_over(settings_for(database_url, redis_url)) as found:
        yield found
