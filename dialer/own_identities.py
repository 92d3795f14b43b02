"""One process, one identity after another: who has lost its own ends it, and goes on dialling under a new one.

A lease that lapsed never comes back, since others may have taken over by then. That is no reason for the process to
end: it begins anew beside what it was, and takes over the calls of that as of any dead dialer. Until then what it was
goes on listening and writes what it hears, so that no event falls between the two. Who takes over from a dead dialer:
`dialer/recovery/takeover_claim.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import gevent
import structlog

from dialer.process import Process

log = structlog.get_logger()


class OwnIdentities:
    """Runs what `make` makes, and makes another one whenever its identity was lost, until the order to end."""

    def __init__(self, make: Callable[[], Process]) -> None:
        self._make = make
        self._ending = False
        self.finishing: list[gevent.Greenlet[[], None]] = []
        """The ends, not over yet, of what it was."""
        self.process = make()

    def end(self) -> None:
        """Begin to end; called from a signal handler."""
        self._ending = True
        self.process.end()

    def run(self) -> None:
        """Return once the order to end was carried out."""
        former: list[Process] = []
        while not self._ending:
            if self.process.begin():
                self._finish(former)
                former = []
                self.process.wait()
            if self.process.lost and not self._ending:
                former.append(self.process)
                self.process = self._make()
                log.warning(
                    "dialer_begins_anew", dialer_id=self.process.dialer_id, former=former[-1].dialer_id
                )
        self._finish([*former, self.process])
        gevent.joinall(self.finishing)

    def _finish(self, processes: list[Process]) -> None:
        self.finishing = [finishing for finishing in self.finishing if not finishing.dead]
        self.finishing += [gevent.spawn(process.finish) for process in processes]
