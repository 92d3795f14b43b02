"""A list of 100,000 through the web process as it is served, and what others notice of it."""

from __future__ import annotations

import io
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import gevent
import psycopg
import requests

from bench.stand import wait_for
from bench.table import Bound, Figure
from campaigns.columns import Limits
from campaigns.copy_rows import copy_rows
from campaigns.importer import read_list
from campaigns.store import COPY_CONTACTS
from local.postgres import EmbeddedPostgres
from local.valkey import EmbeddedValkey
from migrations.runner import migrate
from tests.integration.api.site import Site, key, settings_for, site_over
from tests.integration.api.test_concurrency import Service, started
from tests.unit.campaigns.test_importer import many

ROWS = 100_000
EVERY_SECONDS = 1 / 50
IDLE_ANSWERS = 150
"""So many say what others wait without an import."""
HEADERS = {"Authorization": f"Bearer {key('operate')}"}


@contextmanager
def served(workers: int, application: str = "app:create_app()") -> Iterator[tuple[Site, Service, str]]:
    """gunicorn over servers of its own; what it was seeded with, and its database."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)
        with (
            EmbeddedPostgres(folder, durable=False) as postgres,
            EmbeddedValkey(folder, durable=False) as valkey,
        ):
            migrate(postgres.url)
            with (
                site_over(settings_for(postgres.url, valkey.url)) as site,
                started(postgres.url, valkey.url, workers, application) as service,
            ):
                yield site, service, postgres.url


class Others:
    """Who asks for something else, fifty times a second: how long each waits, from when it should have been sent."""

    def __init__(self, service: Service) -> None:
        self.waited: list[float] = []
        self.failures: Counter[str] = Counter()
        self._url = f"{service.url}/api/v1/campaigns?limit=1"
        self._session = requests.Session()
        self._session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=50))

    @contextmanager
    def asking(self) -> Iterator[Others]:
        """Let them ask for the time of this block."""
        greenlet = gevent.spawn(self._run)
        try:
            yield self
        finally:
            greenlet.kill()

    def wait_for_answers(self, count: int) -> None:
        """Return once so many of them were answered since their p99 was last asked for."""
        wait_for(lambda: len(self.waited) >= count, f"{count} answers to others")

    def p99_ms(self) -> float:
        """What the slowest in a hundred waited, since this was last asked."""
        waited, self.waited = self.waited, []
        return statistics.quantiles(waited, n=100)[98] * 1000

    def _run(self) -> None:
        due = time.monotonic()
        while True:
            gevent.spawn(self._ask, due)
            due += EVERY_SECONDS
            gevent.sleep(max(0.0, due - time.monotonic()))

    def _ask(self, due: float) -> None:
        answer = self._session.get(self._url, headers=HEADERS, timeout=60)
        if answer.status_code != 200:
            self.failures[f"{answer.status_code} {answer.text}"] += 1
        self.waited.append(time.monotonic() - due)


def beside_others(quick: bool) -> Sequence[Figure]:
    """An import beside bare COPY of the very same rows, and others' answers meanwhile, with one web worker."""
    count = ROWS // 5 if quick else ROWS
    data = many(count)
    times, waits, idle_waits = [], [], []
    with served(workers=1) as (site, service, database_url):
        others = Others(service)
        upload(site, service, many(1000))
        for _ in range(1 if quick else 3):
            copied = copy_seconds(site, database_url, data)
            with others.asking():
                others.wait_for_answers(IDLE_ANSWERS)
                idle_waits.append(others.p99_ms())
                times.append(upload(site, service, data) / copied)
                waits.append(others.p99_ms())
    what = f"an import of {count:,}"
    return [
        Figure(what, statistics.median(times), "×", Bound.AT_MOST, 2.5, "bare COPY of its rows"),
        Figure(f"others' p99 beside {what}", statistics.median(waits), "ms", Bound.AT_MOST, 50.0,
               f"{statistics.median(idle_waits):.0f} ms without it"),
        Figure(f"others' failures beside {what}", others.failures.total(), "answers", Bound.AT_MOST, 0,
               "; ".join(others.failures) or "no failure without it"),
    ]  # fmt: skip


def back_to_back(quick: bool) -> Sequence[Figure]:
    """An import while others ask back to back, who leave one web worker no moment to itself."""
    count = ROWS // 5 if quick else ROWS
    data = many(count)
    with served(workers=1) as (site, service, _):
        alone = upload(site, service, data)

        def ask() -> None:
            with requests.Session() as session:
                while True:
                    session.get(f"{service.url}/api/v1/campaigns?limit=1", headers=HEADERS, timeout=60)

        asking = [gevent.spawn(ask) for _ in range(8)]
        beside = upload(site, service, data)
        gevent.killall(asking)
    return [
        Figure(f"an import of {count:,} beside eight who ask back to back", beside, "s", Bound.AT_MOST, 30.0,
               f"{alone:.1f} s alone; 120 s it may take")
    ]  # fmt: skip


def upload(site: Site, service: Service, data: bytes) -> float:
    """Seconds until a list is imported."""
    form = {name: str(value) for name, value in site.fields().items()}
    began = time.monotonic()
    answer = service.send("POST", "/campaigns", data=form, files={"contacts": ("list.csv", data)})
    took = time.monotonic() - began
    assert answer.status_code == 201, answer.text
    return took


def copy_seconds(site: Site, database_url: str, data: bytes) -> float:
    """Seconds that PostgreSQL takes for the same rows where they are at hand as it reads them."""
    campaign_id = site.create(1)
    site.sql("DELETE FROM contact WHERE campaign_id = %s", campaign_id)
    batches = read_list(io.BytesIO(data), default_region="US", limits=Limits())
    lines = b"".join(piece.contacts for piece in copy_rows(batches, UUID(campaign_id)))
    with psycopg.connect(database_url) as connection:
        began = time.monotonic()
        with connection.cursor().copy(COPY_CONTACTS) as copy:
            copy.write(lines)
        connection.commit()
        return time.monotonic() - began
