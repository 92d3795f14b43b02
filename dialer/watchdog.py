"""Ends a process whose event loop hangs: it holds calls, a lease and sockets that others wait for.

Two watchers that the loop cannot hold up. A thread of the operating system, no greenlet, adds up the time in which
the loop has not turned. A timer of the kernel on the process' own CPU time is for C code that does not let go of the
interpreter, under which no thread of Python runs. Both leave the stacks on stderr.

Neither takes a process that was stopped and continued for one that hangs: CPU time stands still meanwhile, and the
thread counts each of its looks for as long as it meant to sleep, so that the loop has its whole time again.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import time
from typing import Final, NoReturn

import gevent
from gevent import monkey

STILL_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 0.5
EXIT_STATUS: Final = 70
"""Of a process that the thread ends; one that the timer ends dies of SIGPROF."""


class Watchdog:
    """Watches the loop of this process for `still_seconds`; one for each process, started once."""

    def __init__(self, still_seconds: float = STILL_SECONDS, look_seconds: float = LOOK_SECONDS) -> None:
        self._still_seconds = still_seconds
        self._look_seconds = look_seconds
        self._turns = 0

    def start(self) -> None:
        """Begin to watch. From the main thread, after monkey patching."""
        faulthandler.register(signal.SIGPROF, all_threads=True, chain=True)
        gevent.spawn(self._turn)
        monkey.get_original("_thread", "start_new_thread")(self._watch, ())

    def _turn(self) -> None:
        while True:
            self._turns += 1
            signal.setitimer(signal.ITIMER_PROF, self._still_seconds)
            gevent.sleep(self._look_seconds)

    def _watch(self) -> None:
        sleep = monkey.get_original("time", "sleep")
        still, turns = 0.0, self._turns
        while still < self._still_seconds:
            before = time.monotonic()
            sleep(self._look_seconds)
            passed = min(time.monotonic() - before, self._look_seconds)
            still = still + passed if self._turns == turns else 0.0
            turns = self._turns
        end_process(f"the loop has not turned for {still:.1f} s: ending\n")


def end_process(reason: str) -> NoReturn:
    """End this process at once, with `reason` and its threads' stacks on stderr: others take over."""
    os.write(2, reason.encode())
    faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
    os._exit(EXIT_STATUS)
