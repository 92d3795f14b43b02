"""Circuit breaker for each gateway: pauses it after five refusals in a row, or silence, and probes until it works.

What every dialer hears is counted in the rows of the gateway and of its destinations: five refusals in a row, for
want of credit, of registration or of capacity, pause it, or only the destination where it reaches others
(`gateway_pauses`); anything that shows that it reaches people starts the count anew. A contact that was refused while
others got through says nothing of the gateway. What is paused is probed with one call after a delay that grows;
neither the probe's contact nor those whose refusals paused it are charged. Ten calls in a row to which nobody
responded, each of another number, pause alike (`silence`, decision 0098). Called by the process after each commit,
and by the batches for a probe.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog
from gevent.event import Event as Signal

from campaigns.dispositions import CARRIER_BUSY_STATUS, Disposition, Evidence, dispose
from campaigns.routing import destination
from dialer.capacity import gateway_rows
from dialer.capacity.far_end import rang, responded
from dialer.capacity.gateway_pauses import (
    Gateway,
    Refusals,
    Silence,
    got_through,
    refused,
    return_probe,
    take_probe,
    unanswered,
)
from dialer.capacity.silence import Run, SilentRuns, is_silent, said
from dialer.errors import DATABASE_AWAY
from dialer.live_calls import LiveCall, LiveCalls
from dialer.record.commit import Commit
from dialer.record.outcome_rows import Ended
from freeswitch.events import ChannelEvent, ChannelEventKind, Event
from models import db

log = structlog.get_logger()

REACHED = frozenset({ChannelEventKind.PROGRESS, ChannelEventKind.PROGRESS_MEDIA, ChannelEventKind.ANSWERED})
FAULTS_IN_DOUBT = 2
"""After so many in a row a gateway gets one call a second, until it is known what it is worth."""
WORKS_SECONDS = 5.0
"""So often it is noted of a destination that calls get through."""


@dataclass(frozen=True, slots=True)
class HealthSigns:
    """What a group of calls that ended, in their order, says of one gateway's calls to one destination.

    `works`: a call got through to somebody, or to a network that knows; `alive`: the far end ended one, so that it
    does now. `faults` are those in a row at the end: the calls that it refused. `reason` is what it said to the last
    of them.
    """

    works: bool = False
    alive: bool = False
    probe_works: bool = False
    faults: tuple[LiveCall, ...] = ()
    reason: str = ""


Way = tuple[str, str]
"""A gateway's id, and one of its destinations."""


def by_country(call: LiveCall) -> Way:
    """The way that a call left by, where nothing is known of the gateway's prefixes."""
    return call.gateway_id, destination(call.phone_number, ())


def health_signs(
    over: Sequence[LiveCall], ended: Mapping[str, Ended], way_of: Callable[[LiveCall], Way] = by_country
) -> dict[Way, HealthSigns]:
    """The signs by gateway and destination, in the order in which each gave its last; only where there was one."""
    found: dict[Way, HealthSigns] = {}
    for call in over:
        end, way = ended[call.call_id], way_of(call)
        before = found.get(way, HealthSigns())
        if is_fault(call, end):
            reason = f"{end.sip_status} {end.sip_phrase or end.cause}" if end.sip_status else end.cause
            found.pop(way, None)
            faults = (*before.faults, call)
            found[way] = HealthSigns(before.works, before.alive, before.probe_works, faults, reason)
        elif shows_that_it_works(call, end):
            found.pop(way, None)
            alive = before.alive or responded(end)
            found[way] = HealthSigns(True, alive, before.probe_works or call.probe)
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
    return rang(call, ended) or (responded(ended) and ended.disposition != Disposition.CONGESTION)


def charges(call: LiveCall) -> int:
    """How often its contact had been refused by a gateway, and charged for it, when it was claimed."""
    return call.carrier_refusals + call.gateway_faults


@dataclass(slots=True)
class GatewayBreaker:
    """One process' part of it. `changed(gateway_id, as_it_is)` is called before anything else is dialled;
    `way_of` says which destination a call's gateway takes its number for. `bring_back` has the contacts of calls back
    as if they had not been called. `change` changes a gateway's rows."""

    live_calls: LiveCalls
    changed: Callable[[str, Gateway], None]
    refresh: Callable[[], None]
    way_of: Callable[[LiveCall], Way] = by_country
    bring_back: Callable[[Sequence[str]], None] = lambda _calls: None
    degraded: set[str] = field(default_factory=set)
    """Gateways whose last calls were at fault, or those to one of their destinations, as far as is known here."""
    heard: Signal = field(default_factory=Signal)
    now: Callable[[], float] = time.monotonic
    change: gateway_rows.Change = gateway_rows.change
    _reached: dict[Way, bool] = field(default_factory=dict)
    _works: dict[Way, float] = field(default_factory=dict)
    """When it was last noted of each that calls get through; `-inf` where that is to be noted."""
    _silence: SilentRuns = field(default_factory=SilentRuns)
    _said: dict[str, str] = field(default_factory=dict)
    """How the last silent call by each gateway ended."""

    def on_event(self, node: str, event: Event) -> None:
        """Hear which calls ring or are answered. What follows is done by `round`."""
        if not isinstance(event, ChannelEvent) or event.kind not in REACHED:
            return
        call = self.live_calls.get(event.call_id)
        if call is None:
            return
        way = self.way_of(call)
        self._silence.alive(*way)
        self._is_to_be_noted(way)
        if call.probe or call.gateway_id in self.degraded:
            self._reached[way] = call.probe or self._reached.get(way, False)
            self.heard.set()

    def round(self) -> None:
        """To be called every second, and when `heard` is set. Raises what a database that is away raises; it is done
        next time then."""
        for way, probe in list(self._reached.items()):
            self._got_through(way, probe)
            self._reached.pop(way, None)
        self._note()
        for gateway_id in self.degraded.intersection(self._silence.untold()):
            self._tell_silence(gateway_id, in_doubt=True)

    def after_commit(self, commit: Commit) -> None:
        """Count how calls ended. Never raises for a database that is away: the next faults say it again."""
        for call in commit.over:
            if call.probe and commit.ended[call.call_id].sent_age is None:
                self.return_probe(*self.way_of(call))
        silent = self._hear_silence(commit)
        signs_by_way = health_signs(commit.over, commit.ended, self.way_of)
        for way, signs in signs_by_way.items():
            if signs.alive:
                self._is_to_be_noted(way)
        for way, signs in signs_by_way.items():
            try:
                if signs.works and (signs.probe_works or way[0] in self.degraded):
                    self._got_through(way, signs.probe_works, alive=signs.alive)
                if signs.faults:
                    # By others it is decided whether a destination alone is refused.
                    self._note()
                    self._refused(way, signs)
            except DATABASE_AWAY as error:
                log.warning(
                    "gateway_not_judged", gateway_id=way[0], prefix=way[1], error=type(error).__name__
                )
        for gateway_id, probed in silent.items():
            try:
                self._tell_silence(gateway_id, in_doubt=probed or gateway_id in self.degraded)
            except DATABASE_AWAY as error:
                log.warning("gateway_not_judged", gateway_id=gateway_id, error=type(error).__name__)

    def take_probe(self, gateway_id: str, prefix: str) -> bool:
        """Whether the next call to a destination may leave by this gateway, which is paused or is for it; of all
        dialers one gets the answer yes."""
        taken = self.change(gateway_id, lambda gateway, now: take_probe(gateway, prefix, now))
        if taken is not None:
            log.info("gateway_probed", gateway_id=gateway_id, prefix=prefix)
        return taken is not None

    def probe_got_through(self, way: Way) -> None:
        """The second leg of a call that probed got through. Raises what a database that is away raises."""
        self._got_through(way, True)

    def second_leg_refused(self, way: Way, reason: str) -> None:
        """The gateway refused to reach an agent; whoever waited for him is charged with nothing. Raises what a
        database that is away raises."""

        def decide(gateway: Gateway, now: datetime) -> Gateway | None:
            after, _ = refused(gateway, Refusals(way[1], 1, 1, (), now, reason), now)
            return after if after != gateway else None

        self._note()
        self._fell_ill(way[0], self.change(way[0], decide), reason)

    def second_leg_got_through(self, way: Way) -> None:
        """An agent was reached by it, or somebody answered for him. Raises what a database that is away raises."""
        if way[0] in self.degraded:
            self._got_through(way, False)
        else:
            self._is_to_be_noted(way)

    def return_probe(self, gateway_id: str, prefix: str) -> None:
        """No call left with the probe that was taken: the next one need not wait for it. Never raises for a
        database that is away: the next probe is due in its time then."""
        try:
            self.change(gateway_id, lambda gateway, now: return_probe(gateway, prefix, now))
        except DATABASE_AWAY as error:
            log.warning("probe_not_returned", gateway_id=gateway_id, error=type(error).__name__)

    def _is_to_be_noted(self, way: Way) -> None:
        """A call got through there just now."""
        if self._works.get(way, float("-inf")) < self.now() - WORKS_SECONDS:
            self._works[way] = float("-inf")

    def _hear_silence(self, commit: Commit) -> dict[str, bool]:
        """Note which calls nobody responded to; their gateways, and whether a probe was among them."""
        silent: dict[str, bool] = {}
        for call in commit.over:
            ended, way = commit.ended[call.call_id], self.way_of(call)
            if is_silent(call, ended):
                self._silence.add(*way, call.call_id)
                self._said[call.gateway_id] = said(ended)
                silent[call.gateway_id] = silent.get(call.gateway_id, False) or call.probe
            elif responded(ended):
                self._silence.alive(*way)
        return silent

    def _tell_silence(self, gateway_id: str, *, in_doubt: bool) -> None:
        if runs := self._silence.take(gateway_id, in_doubt=in_doubt):
            # By others it is decided whether a destination alone is silent.
            self._note()
        for run in runs:
            self._unanswered(gateway_id, run)

    def _note(self) -> None:
        """Note which destinations calls get through to."""
        if due := [way for way, at in self._works.items() if at == float("-inf")]:
            gateway_rows.work(due)
            self._works |= dict.fromkeys(due, self.now())

    def _got_through(self, way: Way, probe: bool, *, alive: bool = True) -> None:
        gateway_id, prefix = way
        seen = self.change(
            gateway_id, lambda gateway, now: got_through(gateway, prefix, now, probe=probe, alive=alive)
        )
        self._works[way] = self.now()
        if seen is None:
            return
        if not any(one.faults or one.silent for one in (seen.after.whole, *seen.after.prefixes.values())):
            self.degraded.discard(gateway_id)
        if replace(seen.after, prefixes={}) == replace(seen.before, prefixes={}) and _paused(
            seen.before
        ) == _paused(seen.after):
            return
        self.refresh()
        if seen.before.whole.paused_at is not None and seen.after.whole.paused_at is None:
            log.warning("gateway_resumed", gateway_id=gateway_id, name=seen.name)
        for other in sorted(_paused(seen.before) - _paused(seen.after)):
            log.warning("gateway_prefix_resumed", gateway_id=gateway_id, name=seen.name, prefix=other)
        self._tell_paused(gateway_id, seen, _paused(seen.after) - _paused(seen.before))

    def _refused(self, way: Way, signs: HealthSigns) -> None:
        gateway_id, prefix = way
        given_back: tuple[str, ...] = ()

        def decide(gateway: Gateway, now: datetime) -> Gateway | None:
            nonlocal given_back
            after, given_back = refused(gateway, self._refusals(gateway, prefix, signs, now), now)
            return after if after != gateway else None

        self._fell_ill(gateway_id, self.change(gateway_id, decide), signs.reason)
        if given_back:
            # Not before: calls leave until it is known that it is paused.
            with db.connection_context():
                gateway_rows.give_back(given_back)

    def _unanswered(self, gateway_id: str, run: Run) -> None:
        back: tuple[str, ...] = ()
        reason = self._said[gateway_id]

        def decide(gateway: Gateway, now: datetime) -> Gateway | None:
            nonlocal back
            known = (*gateway.whole.silent, *gateway.prefix(run.prefix).silent)
            telling = gateway_rows.telling(run.calls, known)
            of_gateway = [call for call in telling if call in run.of_gateway]
            after, back = unanswered(
                gateway, Silence(run.prefix, run.calls, telling, of_gateway, reason), now
            )
            return after if after != gateway else None

        self._fell_ill(gateway_id, self.change(gateway_id, decide), reason)
        if back:
            # Not before: calls leave until it is known that it is paused.
            self.bring_back(back)

    def _fell_ill(self, gateway_id: str, seen: gateway_rows.Changed | None, reason: str) -> None:
        """Heed what was counted, and say what it paused."""
        if seen is None:
            return
        self.degraded.add(gateway_id)
        self.changed(gateway_id, seen.after)
        # A reading of the plans that is under way may be older than this.
        self.refresh()
        if seen.before.whole.paused_at is None and seen.after.whole.paused_at is not None:
            log.error("gateway_paused", gateway_id=gateway_id, name=seen.name, reason=reason)
        self._tell_paused(gateway_id, seen, _paused(seen.after) - _paused(seen.before))

    def _refusals(self, gateway: Gateway, prefix: str, signs: HealthSigns, now: datetime) -> Refusals:
        """What these refusals say, by what the contacts were charged before."""
        again = [call for call in signs.faults if charges(call)]
        calls = [call.call_id for call in signs.faults]
        anew, anew_there, began = gateway_rows.refused_anew(
            [(call.contact_id, charges(call)) for call in again],
            calls,
            gateway.whole.since,
            gateway.prefix(prefix).since,
        )
        first = len(signs.faults) - len(again)
        charged = tuple(call.call_id for call in signs.faults if not call.probe)
        return Refusals(prefix, first + anew, first + anew_there, charged, began or now, signs.reason)

    def _tell_paused(self, gateway_id: str, seen: gateway_rows.Changed, prefixes: set[str]) -> None:
        for prefix in sorted(prefixes):
            reason = seen.after.prefix(prefix).reason
            log.error(
                "gateway_prefix_paused", gateway_id=gateway_id, name=seen.name, prefix=prefix, reason=reason
            )


def _paused(gateway: Gateway) -> set[str]:
    return {prefix for prefix, one in gateway.prefixes.items() if one.paused_at is not None}
