"""Calls that were closed without proof of their end: they keep their slots until they are over.

A contact is settled in its bound whatever its switch does; the channel may be up all the same, at a node that nobody
could ask, and whoever took its slots meanwhile would be one too many. Its row says until when it may be up at the
latest (`slot_until`). It is let go of sooner by its end event, by its node's record, or by its node, which is asked
as soon as it can be. One that still rings when it is found is killed: its contact has been told that it is over.
The row is cleared first; a permit that is left behind then is found by the audit, or by whoever takes over.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from gevent.event import Event as Signal

from dialer.call_rows import COUNTS_FOR_NUMBER
from dialer.record.outcome_rows import LOCK_FREE_CALLS
from dialer.recovery.node_restart import NodeRestarts
from dialer.recovery.reconciler import ASK_SECONDS, question, sender_is_dead
from dialer.recovery.resend_or_close import ClosedCall, resolve_closed
from freeswitch.cluster import Cluster, LinkChange, NodeLink
from freeswitch.commands import uuid_kill
from freeswitch.errors import FreeswitchError
from freeswitch.events import ChannelEvent, ChannelEventKind, Event
from limits.caps import EndedCall
from limits.limiter import Limiter
from models import db, rows

log = structlog.get_logger()

AGAIN_SECONDS = 10.0
MOST = 50
"""Calls asked about in one round: a link that is back finds other work waiting too."""

HELD = """
SELECT id::text AS call_id, node, core_uuid, sent_by, slot_until < now() OR duration_ms IS NOT NULL AS over
FROM call WHERE dialer_id = %s AND slot_until IS NOT NULL
"""
"""The calls of a dialer's that are over and keep their slots."""
RELEASED = f"""
UPDATE call SET slot_until = NULL WHERE id = ANY(%s::uuid[]) AND dialer_id = %s AND slot_until IS NOT NULL
RETURNING id::text AS call_id, campaign_id::text, tenant_id, gateway_id::text, node, {COUNTS_FOR_NUMBER} AS reached
"""
"""Takes their slots from calls that are over for good."""


class MarkerDeleter(Protocol):
    """Who has the hangup markers of calls that are over deleted (`HangupMarkers`)."""

    def forget(self, node: str, call_ids: Iterable[str]) -> None:
        """These calls of `node` are over."""


@dataclass(frozen=True, slots=True)
class MaybeLiveCall:
    """A call that keeps its slots. `over`: its time has come, or its record."""

    call_id: str
    node: str
    core_uuid: str | None
    sent_by: str
    over: bool


@dataclass(slots=True)
class MaybeLiveSlots:
    """Looks after the calls of one dialer that may be up although they were closed. `on_free` is called when slots
    came free; `wake` asks for a round."""

    dialer_id: str
    cluster: Cluster
    limiter: Limiter
    hangup_markers: MarkerDeleter
    node_restarts: NodeRestarts
    on_free: Callable[[], None]
    wake: Signal = field(default_factory=Signal)
    _calls: dict[str, MaybeLiveCall] = field(default_factory=dict)
    _ended: set[str] = field(default_factory=set)
    _asked_at: dict[str, float] = field(default_factory=dict)
    _unseen_since: dict[str, float] = field(default_factory=dict)

    def on_event(self, node: str, event: Event) -> None:
        """Hear how a call ends; never waits."""
        if not isinstance(event, ChannelEvent) or event.kind is not ChannelEventKind.HANGUP_COMPLETE:
            return
        if event.call_id in self._calls:
            self._ended.add(event.call_id)
            self.wake.set()

    def on_link(self, change: LinkChange) -> None:
        """A node that can be asked again is."""
        if change.up:
            self.node_up(change.node)

    def node_up(self, node: str) -> None:
        """A node can be asked (again): at once, and what it said before it was away counts no more."""
        for call_id in self._of(node):
            self._asked_at.pop(call_id, None)
            self._unseen_since.pop(call_id, None)
        self.wake.set()

    def holds(self) -> bool:
        """Whether any is known here."""
        return bool(self._calls)

    def round(self) -> None:
        """Let go of what is over, and ask about the others. Called every second while there are any.

        Raises what a database that is away raises, and LimiterUnavailable; what is let go of is not forgotten then.
        """
        with db.connection_context():
            found = [MaybeLiveCall(**row) for row in rows(HELD, self.dialer_id)]
        new = [call.call_id for call in found if call.call_id not in self._calls]
        if new:
            log.warning("slots_kept", calls=len(new))
        self._calls = {call.call_id: call for call in found}
        self._ended &= self._calls.keys()
        for times in (self._asked_at, self._unseen_since):
            for call_id in times.keys() - self._calls.keys():
                del times[call_id]
        self._release([call.call_id for call in found if call.over or call.call_id in self._ended])
        self._release(self._gone())

    def _of(self, node: str) -> list[str]:
        return [call.call_id for call in self._calls.values() if call.node == node]

    def _gone(self) -> list[str]:
        """Those of which their node says now that they are over."""
        now = time.monotonic()
        links = {name: link for name, link in self.cluster.links.items() if link.connected}
        due = [
            call
            for call in self._calls.values()
            if call.node in links and now - self._asked_at.get(call.call_id, -math.inf) >= AGAIN_SECONDS
        ]
        due.sort(key=lambda call: self._asked_at.get(call.call_id, -math.inf))
        gone: list[str] = []
        for call in due[:MOST]:
            self._asked_at[call.call_id] = now
            if call.node not in links:
                continue
            try:
                if self._is_gone(links[call.node], call):
                    gone.append(call.call_id)
            except FreeswitchError as error:
                # The others there need not wait for their answers too.
                del links[call.node]
                for call_id in self._of(call.node):
                    self._unseen_since.pop(call_id, None)
                log.info("maybe_live_asked_later", node=call.node, error=str(error)[:200])
        return gone

    def _is_gone(self, link: NodeLink, call: MaybeLiveCall) -> bool:
        self.node_restarts.bring_back(link, call)
        answer = question(link, call.call_id)
        now = time.monotonic()
        unseen = now - self._unseen_since.setdefault(call.call_id, now)
        verdict = resolve_closed(call.core_uuid, answer, unseen, lambda: self._is_dead(call.sent_by))
        if verdict is ClosedCall.KILL:
            log.warning("maybe_live_call_killed", call_id=call.call_id, node=call.node)
            link.api(uuid_kill(call.call_id), timeout=ASK_SECONDS)
        return verdict is ClosedCall.OVER

    def _is_dead(self, sender: str) -> bool:
        # Of what this process closed it sends no more itself.
        return sender == self.dialer_id or sender_is_dead(sender)

    def _release(self, call_ids: Collection[str]) -> None:
        if not call_ids:
            return
        with db.connection_context(), db.atomic():
            locked = [row["id"] for row in rows(LOCK_FREE_CALLS, list(call_ids))]
            free = rows(RELEASED, locked, self.dialer_id)
        for call_id in locked:
            self._calls.pop(call_id, None)
        if not locked:
            return
        for row in free:
            self.hangup_markers.forget(row["node"], [row["call_id"]])
        log.info("slots_released", calls=len(free))
        # What they spoke is told by their records, and counted with those.
        self.limiter.release([EndedCall(**row, billsec=0) for row in free])
        self.on_free()
