"""What a dialer asks before each write: is the campaign paused or stopped, the tenant halted, the number suppressed,
this process ending? (Lease, permit, calling window and whether the call has to end: `dialer/dispatch/sender.py`.)

The API commits its change, then sends a control message; a dialer notes it here, and from then on the guard in front
of the socket refuses. An answer is given once no write that passed the guard before is still under way.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import gevent

from campaigns.calls_to_end import EVERYBODY

KEEP_SECONDS = 600.0
"""A call that was claimed before a campaign was blocked has left, or gone back, within seconds of it."""


@dataclass(frozen=True, slots=True)
class Suppressed:
    """What nobody is to call any more of a tenant (or of anybody, `*`): one number, those that begin with `prefix`,
    or whatever a list names that is too long for a message: all of it then is claimed anew. `campaign_id`: by calls
    of that campaign alone."""

    scope: str
    campaign_id: str | None = None
    number: str | None = None
    prefix: str | None = None

    def covers(self, tenant_id: str, campaign_id: str, number: str) -> bool:
        """Whether it is about this call."""
        if self.scope not in (EVERYBODY, tenant_id) or self.campaign_id not in (None, campaign_id):
            return False
        return self.number in (None, number) and (self.prefix is None or number.startswith(self.prefix))


class SendGate:
    """Campaigns blocked up to a generation, tenants halted, numbers suppressed, and the writes under way."""

    def __init__(self) -> None:
        # Of each campaign, by the time it was last blocked: oldest first.
        self._generations: dict[str, tuple[int, float]] = {}
        self._halted: dict[str, float] = {}
        # With the time of each: what was claimed since knows of it. The newest last.
        self._suppressed: deque[tuple[float, Suppressed]] = deque()
        self._writes: set[object] = set()
        self.draining = False

    def block(self, campaign_id: str, generation: int) -> None:
        """Calls of this campaign claimed before `generation` may not leave."""
        now = time.monotonic()
        before, _ = self._generations.pop(campaign_id, (0, now))
        self._generations[campaign_id] = (max(generation, before), now)
        while (oldest := next(iter(self._generations))) != campaign_id:
            if now - self._generations[oldest][1] < KEEP_SECONDS:
                break
            del self._generations[oldest]

    def halt(self, scope: str) -> None:
        """No call of this tenant (or of everybody, `*`) may leave."""
        self._halted[scope] = time.monotonic()

    def suppress(self, what: Suppressed) -> None:
        """No call that was claimed before this may leave to what was suppressed; a later claim asks the rows."""
        now = time.monotonic()
        while self._suppressed and now - self._suppressed[0][0] >= KEEP_SECONDS:
            self._suppressed.popleft()
        self._suppressed.append((now, what))

    def suppresses(self, tenant_id: str, campaign_id: str, number: str, asked_at: float) -> bool:
        """Whether a number was suppressed since the rows were asked about it at `asked_at` (monotonic)."""
        for at, what in reversed(self._suppressed):
            if at < asked_at:
                return False
            if what.covers(tenant_id, campaign_id, number):
                return True
        return False

    def sync(self, scopes: Iterable[str], read_at: float) -> list[str]:
        """Take over the halts that stood in the database at `read_at` (monotonic), as control messages may be lost.

        A halt that was noted since then stands. Returns those that are new here.
        """
        stand = set(scopes)
        new = [scope for scope in stand if scope not in self._halted]
        noted_since = {scope: at for scope, at in self._halted.items() if at >= read_at}
        self._halted = dict.fromkeys(stand, read_at) | noted_since
        return new

    def allows(self, tenant_id: str, campaign_id: str, generation: int) -> bool:
        """Whether a call claimed under `generation` may leave now."""
        return not (
            self.draining
            or EVERYBODY in self._halted
            or tenant_id in self._halted
            or generation < self._generations.get(campaign_id, (0, 0.0))[0]
        )

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Around one write to a socket, guard included."""
        write = object()
        self._writes.add(write)
        try:
            yield
        finally:
            self._writes.discard(write)

    def wait_for_writes(self, timeout: float) -> bool:
        """Wait until every write that is under way now has left or failed; False when one took longer."""
        under_way = set(self._writes)
        deadline = time.monotonic() + timeout
        while under_way & self._writes:
            if time.monotonic() > deadline:
                return False
            gevent.sleep(0.001)
        return True
