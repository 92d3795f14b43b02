"""The process' greenlets: guarded, repeated, restarted, and ended together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial

import gevent
import structlog
from gevent.event import Event as Signal

from coordination.errors import Fenced
from dialer.errors import UNAVAILABLE, note

log = structlog.get_logger()

RESTART_SECONDS = 1.0


def wait_for_work(signal: Signal, timeout: float | None = None) -> bool:
    """Wait until a greenlet has something to do. No other wait may last: of one that does, the process ends
    (`dialer/hung_greenlets.py`)."""
    return bool(signal.wait(timeout=timeout))


class Tasks:
    """Nothing that a task raises ends it, but for the loss of the lease, which ends the process: `on_fenced`."""

    def __init__(
        self,
        on_fenced: Callable[[], None],
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = gevent.sleep,
    ) -> None:
        self._on_fenced = on_fenced
        self._now = now
        self._sleep = sleep
        self._greenlets: list[gevent.Greenlet[..., None]] = []
        self._ending = False

    def spawn(self, work: Callable[[], None]) -> gevent.Greenlet[..., None]:
        """Run `work` in a greenlet until it returns; where it raises, start it again."""
        self._greenlets = self.greenlets()
        greenlet = gevent.spawn(self._keep, work)
        self._greenlets.append(greenlet)
        return greenlet

    def once(self, task: Callable[[], object]) -> None:
        """Run a task in a greenlet of its own, as `guarded` does."""
        gevent.spawn(self.guarded, task)

    def every(
        self, seconds: float, task: Callable[[], object], sooner: Signal | None = None, gap: float = 0.0
    ) -> gevent.Greenlet[..., None]:
        """Run `task` every `seconds`, and whenever `sooner` is set: at once, but never within `gap` seconds of the
        time before. However often it is set meanwhile is once."""
        signal = sooner or Signal()

        def repeat() -> None:
            while not self._is_ending():
                began = self._now()
                self.guarded(task)
                if self._is_ending():
                    return
                wait_for_work(signal, seconds)
                if (early := began + gap - self._now()) > 0:
                    self._sleep(early)
                signal.clear()

        return self.spawn(repeat)

    def whenever(self, signal: Signal, task: Callable[[], object]) -> None:
        """Run `task` whenever `signal` is set."""

        def follow() -> None:
            while not self._is_ending():
                wait_for_work(signal)
                signal.clear()
                self.guarded(task)

        self.spawn(follow)

    def guarded(self, task: Callable[[], object]) -> None:
        """Run a task; a server that is away is for the next time, and so is whatever else went wrong."""
        try:
            task()
        except Fenced:
            self._on_fenced()
        except UNAVAILABLE as error:
            if not note(error):
                log.warning("task_waits", task=_name_of(task), error=str(error)[:200])
        except (Exception, gevent.Timeout):
            # A fault in one round must not end what is done every second for as long as the process lives.
            log.exception("task_failed", task=_name_of(task))

    def greenlets(self) -> list[gevent.Greenlet[..., None]]:
        """All that run."""
        return [greenlet for greenlet in self._greenlets if not greenlet.dead]

    def end(self, timeout: float) -> None:
        """Kill what still runs, and wait `timeout` seconds for it at most."""
        self._ending = True
        kill_all(self._greenlets, timeout)

    def _is_ending(self) -> bool:
        return self._ending

    def _keep(self, work: Callable[[], None]) -> None:
        while True:
            began = time.monotonic()
            try:
                work()
            except (Exception, gevent.Timeout):
                # Somebody's deadline that struck where nobody awaited it is no exception to gevent.
                # It is started again: a part that is missing for good would leave calls to nobody.
                log.exception("greenlet_failed", work=_name_of(work))
            else:
                return
            if self._ending:
                return
            gevent.sleep(max(0.0, RESTART_SECONDS - (time.monotonic() - began)))


def _name_of(task: Callable[[], object]) -> str:
    """What the log calls it. Never by `str` of what it belongs to: that may hold every call in flight, and who only
    might need a name does not ask for one, many times a second."""
    function = task.func if isinstance(task, partial) else task
    return getattr(function, "__qualname__", type(function).__qualname__)


def kill_all(greenlets: Iterable[gevent.Greenlet[..., None]], timeout: float) -> None:
    """Kill greenlets and wait for them, `timeout` seconds at most.

    One that takes its kill for something else may go on, and gevent's own way of killing with a timeout raises when
    that happens.
    """
    left = list(greenlets)
    gevent.killall(left, block=False)
    gevent.joinall(left, timeout=timeout)
