"""Measures a connection taken out of the pool, asked once and given back, beside a bare psycopg connection."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from bench.table import Bound, Figure
from database import connect, rows
from local.postgres import EmbeddedPostgres

STATEMENT = "SELECT 1 AS one"
WINDOWS = 40
TIMES = 50


def checking_out(quick: bool) -> Sequence[Figure]:
    """A connection taken out, asked once and given back, beside one psycopg connection that is asked as often.

    The CPU time of this process, and the shortest of many windows by turns: the clock has other work in it.
    """
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        with EmbeddedPostgres(Path(folder), durable=False) as server:
            pool = connect(server.url)
            bare = psycopg.connect(server.url, autocommit=True)

            def pooled() -> None:
                with pool.connection_context():
                    rows(STATEMENT)

            def alone() -> None:
                bare.execute(STATEMENT).fetchall()

            taken, asked = [], []
            for _ in range(WINDOWS if quick else 5 * WINDOWS):
                asked.append(_seconds(alone))
                taken.append(_seconds(pooled))
            bare.close()
            pool.close_all()
    for name, found in (("pooled", min(taken)), ("bare", min(asked))):
        print(f"{name}: {found / TIMES * 1e6:.0f} µs of CPU")
    return [
        Figure(
            "CPU of check-out, one statement and check-in",
            min(taken) / min(asked),
            "times",
            Bound.AT_MOST,
            2.5,
            "the statement on a bare psycopg connection",
        )
    ]


def _seconds(work: Callable[[], None]) -> float:
    begun = time.process_time()
    for _ in range(TIMES):
        work()
    return time.process_time() - begun
