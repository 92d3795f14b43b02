"""What a hundred thousand contacts cost those who ask the API for something else."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.bystander import Bystander
from bench.table import Bound, Figure
from local.postgres import EmbeddedPostgres
from local.valkey import EmbeddedValkey
from migrations.runner import migrate
from models import new_id
from tests.integration.api.site import Site, settings_for, site_over
from tests.integration.api.test_long_lists import CONTACTS, csv_form, json_body, seeded

TICK_SECONDS = 0.005
LONGEST_MS = 50.0


@contextmanager
def served() -> Iterator[Site]:
    """The application in this process, over servers of its own."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)
        with (
            EmbeddedPostgres(folder, durable=False) as postgres,
            EmbeddedValkey(folder, durable=False) as valkey,
        ):
            migrate(postgres.url)
            with site_over(settings_for(postgres.url, valkey.url)) as site:
                yield site


def waited_for_a_processor(site: Site) -> float:
    """Seconds that the processes at work here were ready to run and had no processor, since they began."""
    backends = site.sql("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
    files = [Path("/proc/self/schedstat"), *(Path(f"/proc/{row['pid']}/schedstat") for row in backends)]
    return sum(int(file.read_text().split()[1]) for file in files) / 1e9


def imports(quick: bool) -> Sequence[Figure]:
    """An upload and a JSON body that are imported: the longest others wait for a turn."""
    figures = []
    json_rows = CONTACTS // 5 if quick else CONTACTS
    with served() as site:
        for what, given in (
            ("an upload of 100,000", csv_form(site, CONTACTS)),
            (f"a JSON body of {json_rows:,}", json_body(site, json_rows)),
        ):
            with Bystander(TICK_SECONDS).running() as bystander:
                assert site.post("/campaigns", **given).status_code == 201
            figures.append(
                Figure(
                    f"longest turn of {what}",
                    bystander.longest * 1000,
                    "ms of CPU",
                    Bound.AT_MOST,
                    LONGEST_MS,
                    "what a request may wait",
                )
            )
    return figures


def stop(_quick: bool) -> Sequence[Figure]:
    """A stop that cancels 100,000: how long it takes, and others wait for a turn."""
    with served() as site:
        campaign_id = seeded(site)
        site.move_contact(campaign_id, 7, "originated")
        site.sql("UPDATE contact SET call_id = %s WHERE call_id IS NOT NULL", new_id())
        site.get("/campaigns")
        before = waited_for_a_processor(site)
        with Bystander(TICK_SECONDS).running() as bystander:
            began = time.monotonic()
            answer = site.post(f"/campaigns/{campaign_id}/stop")
            took = time.monotonic() - began
        took -= waited_for_a_processor(site) - before
        # Its 100,000 transitions are published behind its back.
        site.services.background.join(timeout=60)
        assert answer.json["counts"]["cancelled"] == CONTACTS - 1
    what = "a stop of 100,000"
    return [
        Figure(what, took, "s", Bound.AT_MOST, 2.0, "what a stop may take"),
        Figure(
            f"longest turn of {what}",
            bystander.longest * 1000,
            "ms of CPU",
            Bound.AT_MOST,
            LONGEST_MS,
            "what a request may wait",
        ),
    ]
