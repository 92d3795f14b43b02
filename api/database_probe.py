"""Whether the database server answers anybody: what tells a query that is slow from a server that has fallen silent.

A unit of work that takes longer than a moment is watched from then on. While the server lets somebody else in, the
work may take its time; once it does not, waiting longer is no use.
"""

from __future__ import annotations

from typing import Any, Final

import gevent
import psycopg
import structlog
from greenlet import greenlet

from models import db

LOOK_SECONDS: Final = 0.9
ANSWER_SECONDS: Final = 0.7
"""Together below the two seconds within which a client is told that the database is away."""

log = structlog.get_logger(__name__)


class Watched:
    """One unit of work that is being watched, until `stop`."""

    def __init__(self, pulse: Pulse, give_up: gevent.Timeout) -> None:
        self._pulse = pulse
        self._give_up = give_up
        self._worker: greenlet | None = gevent.getcurrent()
        self._looks = gevent.spawn_later(LOOK_SECONDS, self._look)

    def stop(self) -> None:
        """The work is over, however it ended."""
        self._worker = None
        self._looks.kill(block=False)

    def _look(self) -> None:
        while self._pulse.beats():
            gevent.sleep(LOOK_SECONDS)
        log.error("database_silent")
        gevent.get_hub().loop.run_callback(self._end)

    def _end(self) -> None:
        if self._worker is not None:
            self._worker.throw(self._give_up)


class Pulse:
    """Asks the server over a connection of its own, one question for all who want to know at the same time."""

    def __init__(self) -> None:
        self._question: gevent.Greenlet[[], bool] | None = None

    def watch(self, give_up: gevent.Timeout) -> Watched:
        """Raise `give_up` in this greenlet when the server has fallen silent, unless it is stopped before."""
        return Watched(self, give_up)

    def beats(self) -> bool:
        """Whether the server answers within ANSWER_SECONDS, if only with a refusal."""
        if self._question is None or self._question.ready():
            self._question = gevent.spawn(_answers)
        return bool(self._question.get())


def _answers() -> bool:
    wait = gevent.Timeout(ANSWER_SECONDS)
    wait.start()
    try:
        connection: psycopg.Connection[Any] = psycopg.connect(db.database, **db.connect_params)
        connection.close()
    except gevent.Timeout as timeout:
        if timeout is not wait:
            raise
        return False
    except psycopg.Error as error:
        log.warning("database_refuses", error=str(error).strip()[:200])
    finally:
        wait.close()
    return True
