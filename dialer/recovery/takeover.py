"""Takes over what a dead dialer left: its permits, its calls in flight, its unpublished transitions.

One dialer at a time takes over from a dead one (`takeover_claim`), in an order that a further death does not upset:
filters first (so that no event falls between; what comes before its call does is kept by the recorder), then permits,
then rows, then transitions. Only a dialer of which nothing is left is marked settled; until then the next one starts
again. One that was frozen in the middle may wake beside the next: a permit is taken by whoever finds it in the dead
one's hands, a row likewise, and publishing may be repeated.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from coordination.membership import Membership
from dialer.call_rows import COUNTS_FOR_NUMBER, adopt_calls
from dialer.errors import DATABASE_AWAY
from dialer.fault_points import FaultPoint, hit
from dialer.identity import Identity
from dialer.live_calls import LiveCalls
from dialer.record.outbox import Outbox
from dialer.recovery.reconciler import Reconciler
from dialer.recovery.takeover_claim import claim_takeover, release_takeover
from freeswitch.cluster import Cluster
from limits.limiter import Limiter
from models import db, rows

log = structlog.get_logger()

IDLE_SECONDS = 60.0
"""What a dialer wrote before it died may show within seconds; later calls of its are taken over anew."""

# Asked with everything else that a dialer looks for each second (`dialer.lookout`).
# A process that was stopped in the middle of a claim or of a write may commit it after it was settled: whoever owns
# an open call or an unpublished transition is looked at again. The owners are found one by one in the index: a
# stopped campaign leaves 100,000 transitions of one owner.
UNSETTLED = """
WITH RECURSIVE teller AS (
    (SELECT owner FROM transition WHERE NOT published ORDER BY owner LIMIT 1)
    UNION ALL
    SELECT (SELECT owner FROM transition WHERE NOT published AND owner > teller.owner ORDER BY owner LIMIT 1)
    FROM teller WHERE teller.owner IS NOT NULL
), sender AS (
    (SELECT owner FROM outbox ORDER BY owner LIMIT 1)
    UNION ALL
    SELECT (SELECT owner FROM outbox WHERE owner > sender.owner ORDER BY owner LIMIT 1)
    FROM sender WHERE sender.owner IS NOT NULL
)
SELECT id FROM dialer WHERE settled_at IS NULL
UNION SELECT DISTINCT dialer_id FROM call WHERE ended_at IS NULL OR slot_until IS NOT NULL
UNION SELECT owner FROM sender WHERE owner IS NOT NULL
UNION SELECT owner FROM teller WHERE owner IS NOT NULL AND owner <> 'web' ORDER BY id
"""
SENDERS = "SELECT DISTINCT sent_by FROM call WHERE dialer_id = %s AND ended_at IS NULL"
"""Who sent the calls under way that a dialer owns."""
PERMITS = f"""
SELECT id::text AS id, (ended_at IS NULL OR slot_until IS NOT NULL) AS open, coalesce(billsec, 0) AS billsec,
    {COUNTS_FOR_NUMBER} AS reached FROM call
WHERE id = ANY(%s::uuid[]) AND (ended_at IS NULL OR sent_at IS NOT NULL)
"""
"""What rows say of the calls whose permits a dead dialer held."""
SETTLED = """
UPDATE dialer SET settled_at = now() WHERE id = %(id)s
    AND NOT EXISTS (SELECT 1 FROM call WHERE dialer_id = %(id)s AND (ended_at IS NULL OR slot_until IS NOT NULL))
    AND NOT EXISTS (SELECT 1 FROM transition WHERE owner = %(id)s AND NOT published)
    AND NOT EXISTS (SELECT 1 FROM outbox WHERE owner = %(id)s)
"""
"""Notes that a dead dialer left nothing any more."""


def senders_of(other: str) -> list[str]:
    """Who sent the calls under way that a dialer owns. Raises what a database that is away raises."""
    with db.connection_context():
        return [row["sent_by"] for row in rows(SENDERS, other)]


@dataclass(slots=True)
class Takeover:
    """Looks for dead dialers and takes over what they left. `senders` says who sent the calls of a dialer; `now` is
    monotonic."""

    identity: Identity
    membership: Membership
    limiter: Limiter
    cluster: Cluster
    live_calls: LiveCalls
    outbox: Outbox
    reconciler: Reconciler
    senders: Callable[[str], Collection[str]] = senders_of
    now: Callable[[], float] = time.monotonic
    _needed_at: dict[str, float] = field(default_factory=dict)

    def round(self, handing_over: Iterable[str] = (), known: Sequence[str] | None = None) -> int:
        """Settle every dialer that is dead, or that is ending and hands over its calls; how many calls are ours now.
        `known` are the unsettled, where they were just read.

        A dead one is fenced first and waited for: from then on it cannot send, whenever it wakes. Raises what a
        server that is away raises, once everybody has been tried; the next round goes on.
        """
        leaving = set(handing_over)
        # Rows before membership: a dialer registers there first, so one whose row is found is in it or dead.
        if known is None:
            with db.connection_context():
                known = [row["id"] for row in rows(UNSETTLED)]
        alive = set(self.membership.alive())
        failure: Exception | None = None
        taken = 0
        for other in known:
            if other == self.identity.dialer_id or (other in alive and other not in leaving):
                continue
            if other not in alive and self.membership.fence(other) > 0:
                continue
            try:
                taken += self._take_over(other, dead=other not in alive)
            except Exception as error:
                # What is wrong with one dead dialer must not keep the others' calls waiting.
                log.warning("not_taken_over", of=other, error=str(error)[:200])
                failure = error
        self.release_unneeded()
        if failure is not None:
            raise failure
        return taken

    def release_unneeded(self) -> None:
        """Receive no events any more of a dialer that has had no call left for a while: filters cost the node."""
        now = self.now()
        for sender in {call.sent_by for call in self.live_calls}:
            self._needed_at[sender] = now
        for sender in self.cluster.adopted:
            if now - self._needed_at.setdefault(sender, now) >= IDLE_SECONDS:
                self.cluster.release(sender)
        adopted = set(self.cluster.adopted)
        self._needed_at = {sender: at for sender, at in self._needed_at.items() if sender in adopted}

    def _take_over(self, other: str, *, dead: bool) -> int:
        me = self.identity.dialer_id
        if not claim_takeover(other, me, self.membership):
            return 0
        try:
            hit(FaultPoint.TAKEOVER_CLAIMED)
            taken = self.take(other)
            self.outbox.publish_leftovers(other)
            if dead:
                with db.connection_context():
                    settled = db.execute_sql(SETTLED, {"id": other}).rowcount
                if settled:
                    self.membership.remove(other)
            return taken
        finally:
            # What stands then is ours, and our next round finds it so.
            with suppress(*DATABASE_AWAY):
                release_takeover(other, me)

    def take(self, other: str) -> int:
        """The events, permits and calls of a dialer are ours from now on; how many calls. What is told of them before
        they are here is kept for them. Raises what a server that is away raises."""
        recorder = self.reconciler.recorder
        recorder.expect_calls()
        more = True
        try:
            taken = self._adopt(other)
            # Those whose rows somebody kept locked come at the next look.
            more = bool(self.senders(other))
        finally:
            recorder.calls_came(more=more)
        return taken

    def _adopt(self, other: str) -> int:
        for sender in {other, *self.senders(other)}:
            self.cluster.adopt(sender)
            self._needed_at[sender] = self.now()
        self._take_permits(other)
        hit(FaultPoint.PERMITS_TAKEN)
        calls = adopt_calls(other, self.identity.dialer_id)
        if calls:
            # Of a limiter that was rebuilt since the first look, by rows that were still the other's.
            self._take_permits(other)
        hit(FaultPoint.ADOPTED)
        for call in calls:
            self.live_calls.add(call)
            self.reconciler.ask(call)
        if calls:
            log.info("calls_adopted", of=other, calls=len(calls))
        return len(calls)

    def _take_permits(self, other: str) -> None:
        """What the rows say of each call whose permit it holds; a permit that was not asked about is left alone."""
        holding = self.limiter.held_by(other)
        with db.connection_context():
            permits = rows(PERMITS, holding)
        ended = [row for row in permits if not row["open"]]
        self.limiter.take_over(
            other,
            {row["id"] for row in permits if row["open"]},
            {row["id"]: row["billsec"] for row in ended},
            {row["id"] for row in ended if row["reached"]},
            frozenset(holding),
        )
