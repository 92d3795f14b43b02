"""Circuit breaker for each gateway: pauses it after five refusals in a row, and probes until it works.

What every dialer hears is counted in the gateway's row: five refusals in a row, for want of credit, of registration
or of capacity, pause it; anything that shows that it reaches people starts the count anew. A contact that was refused
while others got through says nothing of the gateway. A paused gateway is probed with one call after a delay that
grows; neither the probe's contact nor those whose refusals paused it are charged. Called by the process after each
commit, and by the batches for a probe.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from gevent.event import Event as Signal

from campaigns.dispositions import CARRIER_BUSY_STATUS, Disposition, Evidence, dispose
from dialer.errors import DATABASE_AWAY
from dialer.live_calls import LiveCall, LiveCalls
from dialer.record.commit import Commit
from dialer.record.outcomes import Ended
from freeswitch.events import ChannelEvent, ChannelEventKind, Event
from models import db

log = structlog.get_logger()

REACHED = frozenset({ChannelEventKind.PROGRESS, ChannelEventKind.PROGRESS_MEDIA, ChannelEventKind.ANSWERED})
FAULTS_THAT_PAUSE = 5
FAULTS_IN_DOUBT = 2
"""After so many in a row a gateway gets one call a second, until it is known what it is worth."""
FIRST_PROBE_SECONDS = 60
LAST_PROBE_SECONDS = 1800

_WORKS = """
UPDATE gateway SET faults_in_row = 0, faults_since = NULL, refused_calls = '[]',
    paused_at = NULL, paused_reason = NULL, probe_at = NULL, probes = 0
WHERE id = %(id)s AND (paused_at IS NULL AND faults_in_row > 0 OR paused_at IS NOT NULL AND %(probe)s)
RETURNING name, %(probe)s AS resumed
"""
# Whom this gateway or another refused before these refusals began was refused while others got through.
_FAULTS = """
WITH held AS (SELECT * FROM gateway WHERE id = %(id)s FOR UPDATE
), counted AS (
    SELECT held.id, %(faults)s + (SELECT count(*)
        FROM unnest(%(contacts)s::uuid[], %(charges)s::int[]) AS again (contact_id, charges)
        WHERE charges <= (SELECT count(*) FROM call WHERE call.contact_id = again.contact_id
            AND call.ended_at >= held.faults_since AND NOT call.id = ANY(%(calls)s::uuid[])
            AND (disposition = 'gateway_fault' OR disposition = 'congestion' AND sip_status IS NOT NULL))
    ) AS faults, (SELECT min(ended_at) FROM call WHERE id = ANY(%(calls)s::uuid[])) AS since
    FROM held
), before AS (
    SELECT counted.*, held.paused_at IS NULL AND held.faults_in_row + faults >= %(pause)s AS pausing,
        held.refused_calls || to_jsonb(%(charged)s::text[]) AS refused
    FROM held, counted WHERE faults > 0 OR held.paused_at IS NOT NULL
)
UPDATE gateway SET faults_in_row = faults_in_row + faults, faults_since = coalesce(faults_since, since, now()),
    refused_calls = CASE WHEN pausing OR paused_at IS NOT NULL THEN '[]' ELSE refused END,
    paused_at = CASE WHEN pausing THEN now() ELSE paused_at END,
    paused_reason = CASE WHEN pausing THEN %(reason)s ELSE paused_reason END,
    probes = CASE WHEN pausing THEN 0 ELSE probes END,
    probe_at = CASE WHEN pausing THEN now() + make_interval(secs => %(first)s) ELSE probe_at END
FROM before WHERE gateway.id = before.id
RETURNING gateway.name, gateway.faults_in_row, gateway.paused_at IS NOT NULL AS paused, pausing, refused
"""
_GIVE_BACK = """
WITH charged AS (
    SELECT contact_id, count(*) FILTER (WHERE disposition = 'congestion') AS carrier,
        count(*) FILTER (WHERE disposition = 'gateway_fault') AS gateway
    FROM call WHERE attempt IS NULL AND id = ANY(%s::uuid[]) GROUP BY contact_id
), owed AS (
    SELECT contact.id, charged.* FROM contact JOIN charged ON charged.contact_id = contact.id
    WHERE carrier_refusals + gateway_faults > 0 ORDER BY contact.id FOR UPDATE OF contact
)
UPDATE contact SET carrier_refusals = greatest(0, carrier_refusals - owed.carrier),
    gateway_faults = greatest(0, gateway_faults - owed.gateway)
FROM owed WHERE contact.id = owed.id
"""
_PROBE = """
UPDATE gateway SET probes = probes + 1,
    probe_at = now() + make_interval(secs => least(%(last)s, %(first)s * 2 ^ least(probes + 1, 20)))
WHERE id = %(id)s AND paused_at IS NOT NULL AND probe_at <= now() RETURNING name
"""
_UNPROBED = """
UPDATE gateway SET probes = greatest(probes - 1, 0), probe_at = now() WHERE id = %(id)s AND paused_at IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class HealthSigns:
    """What a group of calls that ended, in their order, says of one gateway.

    `works`: a call got through to somebody, or to a network that knows. `faults` are those in a row at the end:
    the calls that it refused. `reason` is what it said to the last of them.
    """

    works: bool = False
    probe_works: bool = False
    faults: tuple[LiveCall, ...] = ()
    reason: str = ""


def health_signs(over: Sequence[LiveCall], ended: Mapping[str, Ended]) -> dict[str, HealthSigns]:
    """The signs by gateway; only of gateways that gave one."""
    found: dict[str, HealthSigns] = {}
    for call in over:
        end = ended[call.call_id]
        before = found.get(call.gateway_id, HealthSigns())
        if is_fault(call, end):
            reason = f"{end.sip_status} {end.sip_phrase or end.cause}" if end.sip_status else end.cause
            found[call.gateway_id] = HealthSigns(
                before.works, before.probe_works, (*before.faults, call), reason
            )
        elif shows_that_it_works(call, end):
            found[call.gateway_id] = HealthSigns(True, before.probe_works or call.probe)
    return found


def is_fault(call: LiveCall, ended: Ended) -> bool:
    """Whether the gateway, and nobody behind it, ended this call: it would not have it, or had no capacity for it."""
    if ended.sent_age is None or ended.answered:
        return False
    if ended.disposition == Disposition.CONGESTION and ended.sip_status in CARRIER_BUSY_STATUS:
        return True
    evidence = Evidence(
        cause=ended.cause, channel=call.seen, progress=call.progress, sip_status=ended.sip_status
    )
    return dispose(evidence) is Disposition.GATEWAY_FAULT


def shows_that_it_works(call: LiveCall, ended: Ended) -> bool:
    """Whether this call rang, was answered, or got a final response for which the number is to blame."""
    if ended.sent_age is None:
        return False
    if ended.answered or call.progress or call.answered_at is not None:
        return True
    return ended.sip_status is not None and ended.disposition != Disposition.CONGESTION


def charges(call: LiveCall) -> int:
    """How often its contact had been refused by a gateway, and charged for it, when it was claimed."""
    return call.carrier_refusals + call.gateway_faults


@dataclass(slots=True)
class GatewayBreaker:
    """One process' part of it. `changed(gateway_id, paused, faults)` is called before anything else is dialled."""

    live_calls: LiveCalls
    changed: Callable[[str, bool, int], None]
    refresh: Callable[[], None]
    degraded: set[str] = field(default_factory=set)
    """Gateways whose last calls were at fault, as far as this process knows."""
    heard: Signal = field(default_factory=Signal)
    _reached: dict[str, bool] = field(default_factory=dict)

    def on_event(self, node: str, event: Event) -> None:
        """Hear which calls ring or are answered. What follows is done by `round`."""
        if not isinstance(event, ChannelEvent) or event.kind not in REACHED:
            return
        call = self.live_calls.get(event.call_id)
        if call is not None and (call.probe or call.gateway_id in self.degraded):
            self._reached[call.gateway_id] = call.probe or self._reached.get(call.gateway_id, False)
            self.heard.set()

    def round(self) -> None:
        """To be called when `heard` is set. Raises what a database that is away raises; it is done next time then."""
        for gateway_id, probe in list(self._reached.items()):
            self._works(gateway_id, probe)
            self._reached.pop(gateway_id, None)

    def after_commit(self, commit: Commit) -> None:
        """Count how calls ended. Never raises for a database that is away: the next faults say it again."""
        for call in commit.over:
            if call.probe and commit.ended[call.call_id].sent_age is None:
                self.return_probe(call.gateway_id)
        for gateway_id, signs in health_signs(commit.over, commit.ended).items():
            try:
                if signs.works and (signs.probe_works or gateway_id in self.degraded):
                    self._works(gateway_id, signs.probe_works)
                if signs.faults:
                    self._faults(gateway_id, signs)
            except DATABASE_AWAY as error:
                log.warning("gateway_not_judged", gateway_id=gateway_id, error=type(error).__name__)

    def take_probe(self, gateway_id: str) -> bool:
        """Whether the next call may leave by this paused gateway; of all dialers one gets the answer yes."""
        parameters = {
            "id": uuid.UUID(gateway_id),
            "first": FIRST_PROBE_SECONDS,
            "last": LAST_PROBE_SECONDS,
        }
        with db.connection_context():
            taken = bool(db.execute_sql(_PROBE, parameters).fetchall())
        if taken:
            log.info("gateway_probed", gateway_id=gateway_id)
        return taken

    def return_probe(self, gateway_id: str) -> None:
        """No call left with the probe that was taken: the next one need not wait for it. Never raises for a
        database that is away: the next probe is due in its time then."""
        try:
            with db.connection_context():
                db.execute_sql(_UNPROBED, {"id": uuid.UUID(gateway_id)})
        except DATABASE_AWAY as error:
            log.warning("probe_not_returned", gateway_id=gateway_id, error=type(error).__name__)

    def _works(self, gateway_id: str, probe: bool) -> None:
        with db.connection_context():
            found = db.execute_sql(_WORKS, {"id": uuid.UUID(gateway_id), "probe": probe}).fetchall()
        self.degraded.discard(gateway_id)
        for name, resumed in found:
            self.refresh()
            if resumed:
                log.warning("gateway_resumed", gateway_id=gateway_id, name=name)

    def _faults(self, gateway_id: str, signs: HealthSigns) -> None:
        again = [call for call in signs.faults if charges(call)]
        parameters = {
            "id": uuid.UUID(gateway_id),
            "faults": len(signs.faults) - len(again),
            "contacts": [call.contact_id for call in again],
            "charges": [charges(call) for call in again],
            "calls": [call.call_id for call in signs.faults],
            "charged": [call.call_id for call in signs.faults if not call.probe],
            "pause": FAULTS_THAT_PAUSE,
            "reason": signs.reason,
            "first": FIRST_PROBE_SECONDS,
        }
        with db.connection_context():
            found = db.execute_sql(_FAULTS, parameters).fetchall()
        for name, faults, paused, pausing, refused in found:
            self.degraded.add(gateway_id)
            self.changed(gateway_id, paused, faults)
            # A reading of the plans that is under way may be older than this.
            self.refresh()
            if pausing:
                log.error("gateway_paused", gateway_id=gateway_id, name=name, reason=signs.reason)
            if paused and refused:
                # Not before: calls leave until it is known that it is paused.
                with db.connection_context():
                    db.execute_sql(_GIVE_BACK, (refused,))
