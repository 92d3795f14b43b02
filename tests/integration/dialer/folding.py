"""Two dialers that add up the same changes at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent
import psycopg

from tests.waiting import HANG_SECONDS, wait_until

_WAITS = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@contextmanager
def two_at_once(database_url: str, statement: str, again: Callable[[], object]) -> Iterator[None]:
    """One has carried out `statement` and not committed; `again` waits for it. In the block something may happen; the
    first commits behind it, and the second is over."""
    with psycopg.connect(database_url) as one, psycopg.connect(database_url, autocommit=True) as observer:
        one.execute(statement.encode())
        other = gevent.spawn(again)
        wait_until(lambda: observer.execute(_WAITS).fetchone(), what="the second one")
        yield
        one.commit()
        other.get(timeout=HANG_SECONDS)
