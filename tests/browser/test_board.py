"""The board in Chromium: a day at it, from upload to end, with five jobs; each of its pages, and /docs, as read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import pytest
import redis
from gevent.pywsgi import WSGIServer

from campaigns import call_outcomes, window_waits
from campaigns.call_outcomes import Figures
from limits.limiter import Limiter
from local.api_client import ApiClient
from local.demo import create, demo_stack
from local.postgres import EmbeddedPostgres
from local.stack import ROOT, Stack
from local.valkey import EmbeddedValkey
from tests.browser.seed import NOW, in_use, seed, waits
from tests.databases import Databases
from tests.examples import long, share
from tests.integration.api.site import OTHER, TENANT, Site, key, settings_for, site_over
from tests.integration.web.browser import Browser
from tests.integration.web.every_page import addresses, is_page
from web import contact_pages

CHROMIUM = Path("/usr/bin/chromium")
HANG_SECONDS = 1800
RATE = 39.6
PICTURES = "CARILLON_TEST_PICTURES"
"""Names a folder into which the pictures of the documentation are written."""

pytestmark = [
    pytest.mark.skipif(
        not CHROMIUM.exists(), reason=f"no browser: apt-get install chromium, or there is no {CHROMIUM}"
    ),
    pytest.mark.skipif(
        not (find_spec("playwright") and find_spec("axe_playwright_python")),
        reason="no driver: pip install -r requirements-browser.txt",
    ),
    pytest.mark.timeout(HANG_SECONDS),
]


@pytest.fixture
def stack(server_home: Path) -> Iterator[Stack]:
    with demo_stack(server_home / "board", port=0, durable=False, output=lambda name, line: None) as running:
        running.wait_ready()
        yield running


@pytest.fixture
def site(postgres: EmbeddedPostgres, databases: Databases, valkey: EmbeddedValkey) -> Iterator[Site]:
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
    name = databases.new()
    with site_over(settings_for(postgres.url_of(name), valkey.url)) as found:
        yield found
    databases.give_back(name)


@pytest.fixture
def served(site: Site) -> Iterator[str]:
    """The address of the application, served on this machine."""
    server = WSGIServer(("127.0.0.1", 0), site.app, log=None)
    server.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.stop(timeout=1)


def driven(module: str, *arguments: str) -> None:
    """Nothing was found wrong."""
    argv = [sys.executable, "-m", f"tests.browser.{module}", *arguments]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=HANG_SECONDS, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_a_day_at_the_board(stack: Stack) -> None:
    secret = (stack.home / "demo.key").read_text().strip()
    # With it come a gateway, an agent and a number.
    create(ApiClient(stack.web_url, secret))
    driven("drive", stack.web_url, secret)


LOOKS = ["desk light", "telephone dark"]
"""Each page in one of them in every run; with --full in both, and in the other two."""


@pytest.mark.parametrize("look", [*LOOKS, long("desk dark"), long("telephone light")])
def test_every_page_is_readable(site: Site, served: str, monkeypatch: pytest.MonkeyPatch, look: str) -> None:
    monkeypatch.setattr(Limiter, "in_use", in_use)
    pages = pages_of(site, TENANT, seed(site).addressed)
    if look in LOOKS:
        pages = share(pages, LOOKS.index(look), len(LOOKS))
    driven("pages", served, key("platform", TENANT), look, json.dumps(pages))


def test_nothing_that_a_tenant_wrote_runs_on_any_page(site: Site, served: str) -> None:
    pages = pages_of(site, OTHER, seed(site).hostile)
    driven("pages", served, key("platform", OTHER), "hostile", json.dumps(pages))


def pages_of(site: Site, tenant: str, values: Mapping[str, list[str]]) -> Sequence[str]:
    """The addresses of all its pages, parts of pages left out."""
    browser = Browser(site, "platform", tenant)
    answers = {address: browser.get(address) for address in addresses(site.app, values)}
    refused = [one for one, answer in answers.items() if answer.status_code >= 400]
    # Somebody of one campaign is not found in the other.
    assert all("/contacts/" in one for one in refused), refused
    pages = [one for one, answer in answers.items() if answer.status_code == 200 and is_page(answer.text)]
    assert len(pages) > 30
    return pages


def test_numbers_and_times_are_written_as_where_the_viewer_is(
    site: Site, served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window_waits, "waits", waits)
    monkeypatch.setattr(contact_pages, "utcnow", lambda: NOW)
    driven("pages", served, key("platform", TENANT), "elsewhere", json.dumps(asdict(seed(site))))


@pytest.mark.usefixtures("site")
def test_the_reference_is_read_on_a_telephone(served: str) -> None:
    driven("reference", served)


@pytest.mark.skipif(PICTURES not in os.environ, reason=f"pictures are taken where {PICTURES} names a folder")
def test_pictures_are_taken(site: Site, served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = asdict(seed(site))
    figures = call_outcomes.figures

    def standing(campaigns: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, Figures]:
        """At a rate that is the same whenever somebody looks."""
        found = figures(campaigns)
        running = {one: found[one] for one in campaigns if str(one) == ids["running"]}
        return {**found, **{one: {**told, "calls_per_second": RATE} for one, told in running.items()}}

    monkeypatch.setattr(call_outcomes, "figures", standing)
    monkeypatch.setattr(window_waits, "waits", waits)
    monkeypatch.setattr(contact_pages, "utcnow", lambda: NOW)
    monkeypatch.setattr(Limiter, "in_use", in_use)
    driven("pages", served, key("platform", TENANT), "pictures", json.dumps(ids), os.environ[PICTURES])
