"""What a web process logs of an outage, however many requests meet it."""

from __future__ import annotations

import pytest
import structlog

import outages
from tests.integration.api.site import settings_for, site_over
from tests.wire import Wire


@pytest.fixture(autouse=True)
def no_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of another test goes on, and the end of one is told at once."""
    for server in (outages.DATABASE, outages.REDIS):
        monkeypatch.setitem(outages.OUTAGES, server, outages.Outage(server))
    monkeypatch.setattr(outages, "QUIET_SECONDS", 0.0)


def test_it_is_told_when_it_begins_and_when_it_is_over(database_url: str, redis_url: str) -> None:
    wire = Wire.to(database_url)
    with site_over(settings_for(wire.url(database_url), redis_url)) as site:
        assert site.get("/campaigns").status_code == 200
        with structlog.testing.capture_logs() as logged:
            port = wire.port or 0
            wire.close()
            assert {site.get("/campaigns").status_code for _ in range(20)} == {503}
            wire = Wire(*_address(database_url), port=port)
            assert site.get("/campaigns").status_code == 200
        wire.close()
    assert [(line["event"], line["server"]) for line in logged] == [
        ("outage_began", "database"),
        ("outage_over", "database"),
    ]
    assert logged[0]["reason"] == "consuming input failed: server closed the connection unexpectedly"
    assert logged[1]["failures"] == 20


def _address(database_url: str) -> tuple[str, int]:
    host, port = database_url.split("@")[1].split("/", maxsplit=1)[0].split(":")
    return host, int(port)
