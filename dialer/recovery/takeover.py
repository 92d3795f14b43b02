"""Takes over what a dead dialer left: its permits, its calls in flight, its unpublished transitions.

One heir settles one dead dialer (`heirs`), in an order that a further death does not upset: filters first (so that no
event falls between), then permits, then rows, then transitions. Only a dialer of which nothing is left is marked
settled; until then the next heir starts again. A heir that was frozen may wake beside the next: a permit is taken by
whoever finds it in the dead one's hands, a row likewise, and publishing may be repeated.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog

from coordination.membership import Roster
from dialer.dispatch.claims import REJECTED, TRIED
from dialer.errors import DATABASE_AWAY
from dialer.fault_points import Point, reach
from dialer.identity import Identity
from dialer.live_calls import Book, Flight
from dialer.record.outbox import Outbox
from dialer.recovery.reconciler import Recovery
from dialer.recovery.takeover_claim import become_heir, stand_back
from freeswitch.cluster import Cluster
from limits.limiter import Limiter
from models import CallState, db, rows

log = structlog.get_logger()

IDLE_SECONDS = 60.0
"""What a dialer wrote before it died may show within seconds; later calls of its are taken over anew."""

_FLIGHTS = f"""
SELECT taken.id::text AS call_id, taken.contact_id::text, taken.campaign_id::text, taken.tenant_id,
    taken.gateway_id::text, taken.caller_id, taken.node, taken.core_uuid, taken.phone_number, taken.generation,
    taken.sent_by, taken.doubtful, taken.attempt, taken.state,
    extract(epoch FROM now() - taken.answered_at)::float8 AS answered_ago,
    extract(epoch FROM now() - taken.sent_at)::float8 AS sent_ago,
    extract(epoch FROM now() - taken.created_at)::float8 AS claimed_ago, contact.free_sends,
    contact.carrier_refusals, contact.gateway_faults,
    {REJECTED} AS rejected, campaign.retries_per_contact, campaign.retry_delay_seconds,
    coalesce(taken.ring_seconds, agent.ring_timeout_seconds) AS ring_seconds,
    coalesce(taken.max_seconds, agent.max_call_seconds) AS max_seconds, {TRIED.format(contact="contact.id")} AS tried
FROM taken JOIN contact ON contact.id = taken.contact_id JOIN campaign ON campaign.id = taken.campaign_id
    JOIN agent ON agent.id = campaign.agent_id
WHERE taken.state <> 'ended'
"""
_ADOPT = f"""
WITH mine AS (
    SELECT id FROM call WHERE dialer_id = %s AND (state <> 'ended' OR slot_until IS NOT NULL)
    ORDER BY id FOR UPDATE
), taken AS (
    UPDATE call SET dialer_id = %s FROM mine WHERE call.id = mine.id RETURNING call.*
)
{_FLIGHTS}
"""
_OPEN_FLIGHTS = f"""
WITH taken AS (SELECT * FROM call WHERE dialer_id = %s AND id = ANY(%s::uuid[]))
{_FLIGHTS}
"""
# A process that was stopped in the middle of a claim or of a write may commit it after it was settled: whoever owns
# an open call or an unpublished transition is looked at again. The owners are found one by one in the index: a
# stopped campaign leaves 100,000 transitions of one owner.
_UNSETTLED = """
WITH RECURSIVE teller AS (
    (SELECT owner FROM transition WHERE NOT published ORDER BY owner LIMIT 1)
    UNION ALL
    SELECT (SELECT owner FROM transition WHERE NOT published AND owner > teller.owner ORDER BY owner LIMIT 1)
    FROM teller WHERE teller.owner IS NOT NULL
)
SELECT id FROM dialer WHERE settled_at IS NULL
UNION SELECT DISTINCT dialer_id FROM call WHERE state <> 'ended' OR slot_until IS NOT NULL
UNION SELECT owner FROM teller WHERE owner IS NOT NULL AND owner <> 'web' ORDER BY id
"""
_SENDERS = "SELECT DISTINCT sent_by FROM call WHERE dialer_id = %s AND state <> 'ended'"
_HELD = """
SELECT id::text AS id, (state <> 'ended' OR slot_until IS NOT NULL) AS open, coalesce(billsec, 0) AS billsec FROM call
WHERE id = ANY(%s::uuid[]) AND (state <> 'ended' OR sent_at IS NOT NULL)
"""
_SETTLED = """
UPDATE dialer SET settled_at = now() WHERE id = %(id)s
    AND NOT EXISTS (SELECT 1 FROM call WHERE dialer_id = %(id)s AND (state <> 'ended' OR slot_until IS NOT NULL))
    AND NOT EXISTS (SELECT 1 FROM transition WHERE owner = %(id)s AND NOT published)
"""


@dataclass(slots=True)
class Adoption:
    """Looks for dead dialers and becomes their heir."""

    identity: Identity
    roster: Roster
    limiter: Limiter
    cluster: Cluster
    book: Book
    outbox: Outbox
    recovery: Recovery
    _needed_at: dict[str, float] = field(default_factory=dict)

    def round(self, handing_over: Iterable[str] = ()) -> None:
        """Settle every dialer that is dead, or that is ending and hands over its calls.

        A dead one is fenced first and waited for: from then on it cannot send, whenever it wakes. Raises what a
        server that is away raises, once everybody has been tried; the next round goes on.
        """
        leaving = set(handing_over)
        # Rows before roster: a dialer enters the roster first, so one whose row is found is in it or dead.
        with db.connection_context():
            known = [row["id"] for row in rows(_UNSETTLED)]
        alive = set(self.roster.alive())
        failure: Exception | None = None
        for other in known:
            if other == self.identity.dialer_id or (other in alive and other not in leaving):
                continue
            if other not in alive and self.roster.fence(other) > 0:
                continue
            try:
                self._settle(other, dead=other not in alive)
            except Exception as error:
                # What is wrong with one dead dialer must not keep the others' calls waiting.
                log.warning("not_settled", of=other, error=str(error)[:200])
                failure = error
        self._release()
        if failure is not None:
            raise failure

    def _release(self) -> None:
        """Receive no events any more of a dialer that has had no call left for a while: filters cost the node."""
        now = time.monotonic()
        for sender in {flight.sent_by for flight in self.book}:
            self._needed_at[sender] = now
        for sender in self.cluster.adopted:
            if now - self._needed_at.setdefault(sender, now) >= IDLE_SECONDS:
                self.cluster.release(sender)
        adopted = set(self.cluster.adopted)
        self._needed_at = {sender: at for sender, at in self._needed_at.items() if sender in adopted}

    def _settle(self, other: str, *, dead: bool) -> None:
        me = self.identity.dialer_id
        if not become_heir(other, me, self.roster):
            return
        try:
            reach(Point.HEIR)
            self._take(other)
            self.outbox.sweep(other)
            if dead:
                with db.connection_context():
                    settled = db.execute_sql(_SETTLED, {"id": other}).rowcount
                if settled:
                    self.roster.forget(other)
        finally:
            # What stands then is ours, and our next round finds it so.
            with suppress(*DATABASE_AWAY):
                stand_back(other, me)

    def _take(self, other: str) -> None:
        holding = self.limiter.held_by(other)
        with db.connection_context():
            senders = [row["sent_by"] for row in rows(_SENDERS, other)]
            held = rows(_HELD, holding)
        for sender in {other, *senders}:
            self.cluster.adopt(sender)
            self._needed_at[sender] = time.monotonic()
        live = {row["id"] for row in held if row["open"]}
        self.limiter.take_over(other, live, {row["id"]: row["billsec"] for row in held if not row["open"]})
        reach(Point.PERMITS_TAKEN)
        with db.connection_context(), db.atomic():
            flights = [_flight(row) for row in rows(_ADOPT, other, self.identity.dialer_id)]
        reach(Point.ADOPTED)
        for flight in flights:
            self.book.add(flight)
            self.recovery.ask(flight)
        if flights:
            log.info("calls_adopted", of=other, calls=len(flights))


def open_flights(dialer_id: str, call_ids: list[str]) -> list[Flight]:
    """Those of `call_ids` that are open and this dialer's, as flights."""
    with db.connection_context():
        return [_flight(row) for row in rows(_OPEN_FLIGHTS, dialer_id, call_ids)]


def _flight(row: dict[str, Any]) -> Flight:
    now = time.monotonic()
    answered = row["state"] == CallState.ANSWERED
    seen = row["state"] != CallState.DISPATCHING or row["sent_ago"] is not None
    return Flight(
        call_id=row["call_id"],
        contact_id=row["contact_id"],
        campaign_id=row["campaign_id"],
        tenant_id=row["tenant_id"],
        gateway_id=row["gateway_id"],
        caller_id=row["caller_id"],
        tried=tuple(row["tried"]),
        node=row["node"],
        core_uuid=row["core_uuid"],
        phone_number=row["phone_number"],
        generation=row["generation"],
        attempt=row["attempt"],
        free_sends=row["free_sends"],
        carrier_refusals=row["carrier_refusals"],
        gateway_faults=row["gateway_faults"],
        rejected=row["rejected"],
        retries_per_contact=row["retries_per_contact"],
        retry_delay_seconds=row["retry_delay_seconds"],
        ring_seconds=row["ring_seconds"],
        max_seconds=row["max_seconds"],
        sent_by=row["sent_by"],
        claimed_at=now - row["claimed_ago"],
        sent_at=None if row["sent_ago"] is None else now - row["sent_ago"],
        answered_at=now - (row["answered_ago"] or 0.0) if answered else None,
        created=seen,
        progress=row["state"] == CallState.RINGING,
        adopted_at=now,
        doubtful=row["doubtful"],
        missed=True,
    )
