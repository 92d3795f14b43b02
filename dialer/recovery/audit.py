"""Finds open calls and permits of this dialer that it does not know of.

Either comes of a commit whose answer was lost and which arrived late, or of a greenlet that died in between. What is
found twice in a row is settled: a call by recovery, as after a takeover; a permit by what its row says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from dialer.call_rows import COUNTS_FOR_NUMBER, open_calls
from dialer.capacity.permits import Permits
from dialer.live_calls import LiveCalls
from dialer.recovery.reconciler import Reconciler
from limits.caps import EndedCall, Permit
from limits.limiter import Limiter
from models import db, rows

log = structlog.get_logger()

OPEN = """
SELECT id::text AS id FROM call WHERE dialer_id = %s AND ended_at IS NULL AND created_at < now() - interval '3 s'
"""
"""The calls under way of a dialer's, but for the newest."""
ROWS = f"""
SELECT id::text AS id, campaign_id::text, tenant_id, gateway_id::text, node,
    (ended_at IS NULL OR slot_until IS NOT NULL) AS open, sent_at IS NOT NULL AS sent,
    coalesce(billsec, 0) AS billsec, {COUNTS_FOR_NUMBER} AS reached
FROM call WHERE id = ANY(%s::uuid[])
"""
"""What rows say of calls that somebody remembers."""


@dataclass(slots=True)
class Audit:
    """Compares the live calls of this process with its rows and with its permits, and with what its recorder is still
    to write."""

    dialer_id: str
    live_calls: LiveCalls
    permits: Permits
    limiter: Limiter
    reconciler: Reconciler
    _strangers: set[str] = field(default_factory=set)
    _unclaimed: set[str] = field(default_factory=set)
    _unwritten: set[str] = field(default_factory=set)

    def calls(self) -> None:
        """Settle open calls of ours that are not among the live ones. Raises what a database that is away raises."""
        with db.connection_context():
            owned = {row["id"] for row in rows(OPEN, self.dialer_id)}
        self._forget_lost_ends()
        found = self._unknown(owned)
        again, self._strangers = found & self._strangers, found
        for call in open_calls(self.dialer_id, sorted(again)) if again else ():
            log.warning("call_found", call_id=call.call_id, node=call.node)
            self.live_calls.add(call)
            self.reconciler.ask(call)

    def _forget_lost_ends(self) -> None:
        """A call whose end is known here and is nobody's to write would be asked about by nobody: it is looked for as
        one of which nothing is known."""
        knows = self.reconciler.recorder.knows_end_of
        found = {call.call_id for call in self.live_calls if call.over and not knows(call.call_id)}
        for call_id in found & self._unwritten:
            log.error("end_lost", call_id=call_id)
            self.live_calls.remove(call_id)
        self._unwritten = found

    def slots(self) -> None:
        """Let go of permits of ours whose call is over or never was. Raises also LimiterUnavailable."""
        found = self._unknown(set(self.limiter.held_by(self.dialer_id)))
        again, self._unclaimed = found & self._unclaimed, found
        if not again:
            return
        with db.connection_context():
            known: Mapping[str, dict[str, Any]] = {row["id"]: row for row in rows(ROWS, sorted(again))}
        over = [row for row in known.values() if not row["open"] and row["sent"]]
        unused = [call_id for call_id in again if call_id not in known]
        unused += [row["id"] for row in known.values() if not row["open"] and not row["sent"]]
        if over or unused:
            log.warning("permits_found", ended=len(over), unused=len(unused))
        self.limiter.give_back([Permit(call_id, "", 0.0, 0.0) for call_id in unused])
        self.limiter.release([_ended(row) for row in over])

    def _unknown(self, call_ids: set[str]) -> set[str]:
        unknown_claims = self.permits.unknown_claims()
        return {
            call_id
            for call_id in call_ids
            if call_id not in self.live_calls and call_id not in unknown_claims
        }


def _ended(row: Mapping[str, Any]) -> EndedCall:
    return EndedCall(
        row["id"],
        row["campaign_id"],
        row["tenant_id"],
        row["gateway_id"],
        row["node"],
        row["billsec"],
        row["reached"],
    )
