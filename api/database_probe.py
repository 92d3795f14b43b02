"""Tells a slow query from a dead database.

A transaction that takes longer than a moment is watched from then on. While the server lets somebody else in, the
work may take its time; once it does not, waiting longer is no use.
"""

from __future__ import annotations

from typing import Final

import gevent
import psycopg
from greenlet import greenlet

import outages
from models import db

PROBE_AFTER_SECONDS: Final = 0.9
ANSWER_SECONDS: Final = 0.7
"""Together below the two seconds within which a client is told that the database is away."""
LOOK_SECONDS: Final = 0.05
"""How often an answer is looked for. So much of the wait at most is counted at a time, however long this process was
busy with something else: what it did not look for it cannot have missed."""


class WatchedQuery:
    """A transaction that is being watched, until `stop`: it gets `give_up` raised where the server falls silent."""

    def __init__(self, probe: DatabaseProbe, give_up: gevent.Timeout) -> None:
        self._probe = probe
        self._give_up = give_up
        self._worker: greenlet | None = gevent.getcurrent()
        self._watcher = gevent.spawn_later(PROBE_AFTER_SECONDS, self._watch)

    def stop(self) -> None:
        """The work is over, however it ended."""
        self._worker = None
        self._watcher.kill(block=False)

    def _watch(self) -> None:
        while self._probe.is_alive():
            gevent.sleep(PROBE_AFTER_SECONDS)
        outages.struck(outages.DATABASE, "it does not answer")
        gevent.get_hub().loop.run_callback(self._interrupt)

    def _interrupt(self) -> None:
        if self._worker is not None:
            self._worker.throw(self._give_up)


class DatabaseProbe:
    """Asks the server over a connection of its own, once for all who want to know at the same time."""

    def __init__(self) -> None:
        self._attempt: gevent.Greenlet[[], bool] | None = None

    def watch(self, give_up: gevent.Timeout) -> WatchedQuery:
        """Raise `give_up` in this greenlet when the server has fallen silent, unless it is stopped before."""
        return WatchedQuery(self, give_up)

    def is_alive(self) -> bool:
        """Whether the server answers within ANSWER_SECONDS, if only with a refusal."""
        if self._attempt is None or self._attempt.ready():
            self._attempt = gevent.spawn(_answers)
        return bool(self._attempt.get())


def _answers() -> bool:
    """Asked for in a greenlet of its own, which is given up once it has been looked for often enough."""
    attempt = gevent.spawn(_ask)
    for _ in range(round(ANSWER_SECONDS / LOOK_SECONDS)):
        attempt.join(LOOK_SECONDS)
        if attempt.ready():
            break
    answered = attempt.successful()
    attempt.kill(block=False)
    return answered


def _ask() -> None:
    try:
        psycopg.connect(db.database, **db.connect_params).close()
    except psycopg.Error as error:
        outages.struck(outages.DATABASE, error)
