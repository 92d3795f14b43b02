"""How a greenlet waits for an answer of PostgreSQL's while the others of its process go on.

psycopg asks `poll` before each step of an exchange. Where gevent stands in for that, every step makes a watcher, an
event and a timer and passes through the hub, also to be told that a socket takes what it nearly always takes: more
work than the statement. Here the kernel is asked first, and only what has to be waited for is waited for in the hub.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from select import POLLIN, POLLOUT
from typing import Any, Final, TypeVar

import psycopg
from gevent import Timeout, get_hub, monkey
from psycopg.abc import PQGen
from psycopg.waiting import Ready, Wait

# gevent's own poll switches to the hub even where it is told not to wait.
poll: Final[Callable[[], Any]] = monkey.get_original("select", "poll")
MOST_AT_ONCE: Final = 16
"""So many steps an exchange takes without letting others run: a long answer, or a list on its way, has thousands."""
_BOTH: Final = POLLIN | POLLOUT
_ASKED: Final = (0, POLLIN, POLLOUT, _BOTH)
"""What the kernel is asked for, by what libpq wants: bit 1 to read, bit 2 to write, as for the hub's watchers."""
_TOLD: Final[Mapping[int, Ready]] = {POLLIN: Ready.R, POLLOUT: Ready.W, _BOTH: Ready.RW}

Answer = TypeVar("Answer")


def wait(steps: PQGen[Answer], fileno: int, silence: float | None = None) -> Answer:
    """The answer that an exchange comes to over this socket; for one thread, and any number of greenlets in it.

    Raises what the exchange raises, and OperationalError where the socket is closed, or where nothing comes over it
    for `silence` seconds (None: it is waited for as long as that takes).
    """
    at_once = 0
    try:
        wanted = next(steps)
        while True:
            at_once = 0 if at_once == MOST_AT_ONCE else at_once + 1
            wanted = steps.send(_ready(fileno, wanted, silence, ask_first=at_once > 0))
    except StopIteration as done:
        answer: Answer = done.value
        return answer


def _ready(fileno: int, wanted: Wait, silence: float | None, *, ask_first: bool) -> Ready:
    """For which of what is wanted the socket is ready, once it is for any; by way of the hub without `ask_first`."""
    if not ask_first:
        _wait_in_hub(fileno, int(wanted), silence)
    asked = poll()
    asked.register(fileno, _ASKED[wanted])
    while not (found := asked.poll(0)):
        _wait_in_hub(fileno, int(wanted), silence)
    ready = _TOLD.get(found[0][1] & _BOTH)
    if ready is None:
        raise psycopg.OperationalError("the connection's socket is closed")
    return ready


def _wait_in_hub(fileno: int, events: int, silence: float | None) -> None:
    hub = get_hub()
    watcher = hub.loop.io(fileno, events)
    deadline = Timeout.start_new(silence)
    try:
        hub.wait(watcher)
    except Timeout as timeout:
        if timeout is not deadline:
            raise
        raise psycopg.OperationalError(f"the server has said nothing for {silence:g} s") from timeout
    finally:
        deadline.close()
        watcher.close()
