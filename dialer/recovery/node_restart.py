"""Recovers a restarted node's answered calls before anybody asks for them, and bounds them again.

A node that was killed leaves its callees connected to silence. Its next run knows nothing of them until it is told to
recover: it then takes each up again under its id, with its variables and its answer, but without the timer that ends
it. So "no such call" right after a restart means nothing until this was done.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Protocol

import structlog
from gevent.lock import RLock

from dialer.live_calls import LiveCall
from freeswitch.cluster import NodeLink
from freeswitch.commands import recover, sched_hangup
from freeswitch.errors import FreeswitchError
from freeswitch.events import LiveChannel

log = structlog.get_logger()

RECOVER_SECONDS = 30.0
"""A node takes its calls up again one after the other, and answers when it has gone through all: over the connection
that sends originates they would wait in its buffers for so long."""
ASK_SECONDS = 10.0
AGAIN_SECONDS = 5.0
"""A node that did not recover when it was told to is told again after so long."""


class Placed(Protocol):
    """A call, by the run of the node that placed it: None where that is not known."""

    @property
    def core_uuid(self) -> str | None: ...


class NodeRestarts:
    """Used by recovery. Every method raises FreeswitchError when the node cannot be told; it is told again then."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._recovered: dict[str, str] = {}
        self._failed: dict[str, tuple[float, FreeswitchError]] = {}
        self._locks: dict[str, RLock] = {}

    def bring_back(self, link: NodeLink, call: Placed) -> None:
        """Where this call was placed by an earlier run of its node, have the present run recover, once.

        Returns when every call that can come back is there to be asked for. Several dialers may do this to one node:
        the first has the effect. A node that just failed to is not asked again for each of its calls: who waits for
        the one attempt fails with it.
        """
        if not self._is_from_earlier_run(link, call):
            return
        with self._locks.setdefault(link.name, RLock()):
            core = link.core_uuid
            if core is None or self._recovered.get(link.name) == core:
                return
            failed_at, failure = self._failed.get(link.name, (-math.inf, None))
            if failure is not None and self._now() - failed_at < AGAIN_SECONDS:
                raise failure
            try:
                answer = link.api_apart(recover(), timeout=RECOVER_SECONDS)
            except FreeswitchError as error:
                self._failed[link.name] = (self._now(), error)
                raise
            self._failed.pop(link.name, None)
            self._recovered[link.name] = core
            log.warning("node_recovered", node=link.name, answer=answer.strip()[:100])

    def bound(self, link: NodeLink, call: LiveCall, channel: LiveChannel) -> None:
        """Give a call that came back the rest of its maximum duration."""
        if not self._is_from_earlier_run(link, call):
            return
        spoken = 0.0 if channel.answered_ms_ago is None else channel.answered_ms_ago / 1000
        left = max(1, math.ceil(call.max_seconds - spoken))
        link.api(sched_hangup(call.call_id, left), timeout=ASK_SECONDS)
        log.info("call_recovered", call_id=call.call_id, node=link.name, seconds_left=left)
        call.core_uuid, call.recovered = link.core_uuid, True

    def _is_from_earlier_run(self, link: NodeLink, call: Placed) -> bool:
        return call.core_uuid is not None and call.core_uuid != link.core_uuid
