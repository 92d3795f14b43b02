"""Who wants nothing but a turn: how long others compute before they let it have one."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager

import gevent

from cooperative import let_others_run


class Bystander:
    """A greenlet that wants to run again `every` so many seconds, at once by default.

    `longest` is the most CPU time between two of its turns, in seconds: what other processes take of this machine
    does not count. The collector leaves alone what was there before, as in the processes of Carillon: a walk through
    all that is imported is a pause of its own.
    """

    def __init__(self, every: float = 0.0) -> None:
        self.longest = 0.0
        self._every = every
        self._stop = False

    @contextmanager
    def running(self) -> Iterator[Bystander]:
        """Let it run for the time of this block."""
        gc.collect()
        gc.freeze()
        greenlet = gevent.spawn(self._run)
        let_others_run()
        try:
            yield self
        finally:
            self._stop = True
            greenlet.join()
            gc.unfreeze()

    def _run(self) -> None:
        last = time.thread_time()
        while not self._stop:
            gevent.sleep(self._every)
            now = time.thread_time()
            self.longest = max(self.longest, now - last)
            last = now
