"""The application in this process, over servers of its own, and what its work is bounded by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from local.postgres import EmbeddedPostgres
from local.valkey import EmbeddedValkey
from migrations.runner import migrate
from tests.integration.api.site import Site, settings_for, site_over

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
