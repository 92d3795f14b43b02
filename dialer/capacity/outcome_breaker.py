"""Circuit breaker for suspicious outcomes: holds a gateway's destination, or a caller id, while most calls end so.

Each dialer counts its calls as soon as they ring or end, and how they end, and writes that down every second; where
its own part may trip, all that was counted is looked at before anything else is dialled (`suspicion` decides). One
call a minute probes what is held. When one gets through it is released, and the contacts that tripped it come back
uncounted. Called by the process with each event, after each commit and every second, and by the batches for a probe.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog
from gevent.lock import BoundedSemaphore

from dialer.capacity import outcome_breaker_rows
from dialer.capacity.gateway_breaker import REACHED, Way, by_country
from dialer.capacity.outcome_breaker_rows import Count, Key
from dialer.capacity.suspicion import SHORT_SECONDS, WINDOW, Sign, Suspect, may_trip, sign, suspects
from dialer.errors import DATABASE_AWAY
from dialer.live_calls import LiveCall, LiveCalls
from dialer.record.commit import Commit
from dialer.record.outcome_rows import Told
from freeswitch.events import ChannelEvent, Event

log = structlog.get_logger()

WINDOW_SECONDS = WINDOW.total_seconds()
FORGET_SECONDS = 30.0
LEFT_SECONDS = 10.0
"""So often one dialer looks for whoever is to come back by a way that no campaign's calls take any more, and for what
no call can be held by any more."""


@dataclass(slots=True)
class Recent:
    """How the calls that rang or ended here of late did, of one suspect."""

    seconds: deque[list[float]] = field(default_factory=deque)
    """When, how many calls, and how many of them suspicious; oldest first, a second each."""

    def add(self, now: float, calls: int, suspicious: int) -> None:
        if not self.seconds or now - self.seconds[-1][0] >= 1.0:
            self.seconds.append([now, 0, 0])
        self.seconds[-1][1] += calls
        self.seconds[-1][2] += suspicious

    def may_trip(self, now: float) -> bool:
        """Whether they can be the part of one dialer of calls that trip."""
        while self.seconds and now - self.seconds[0][0] > WINDOW_SECONDS + 1:
            self.seconds.popleft()
        calls = sum(int(second[1]) for second in self.seconds)
        return may_trip(calls, sum(int(second[2]) for second in self.seconds))


@dataclass(slots=True)
class OutcomeBreaker:
    """One process' part of it. `exempt` says of a campaign that it is not held, nor counted; `heed` reads the plans
    at once; `refresh` has every dialer read them again; `publish` tells the stream who came back; `take_turn` says
    whether this dialer forgets for all."""

    dialer_id: str
    live_calls: LiveCalls
    heed: Callable[[], None]
    refresh: Callable[[], None]
    publish: Callable[[Sequence[Told]], None]
    exempt: Callable[[str], bool] = lambda _campaign_id: False
    way_of: Callable[[LiveCall], Way] = by_country
    take_turn: Callable[[str, float], bool] = lambda _work, _seconds: False
    now: Callable[[], float] = time.monotonic
    held: set[str] = field(default_factory=set)
    """What is held, as the plans were read last."""
    _counts: dict[Key, Count] = field(default_factory=dict)
    _recent: dict[Suspect, Recent] = field(default_factory=dict)
    _writing: BoundedSemaphore = field(default_factory=BoundedSemaphore)
    _ringing: set[str] = field(default_factory=set)
    """Calls that are up, and were counted when they rang."""

    def on_event(self, node: str, event: Event) -> None:
        """Count a call as soon as it rings or is answered. Those that fail at once are over long before it, and would
        else be all that is known of a campaign's first seconds. Only a suspicious end is counted after that."""
        if not isinstance(event, ChannelEvent) or event.kind not in REACHED or event.call_id in self._ringing:
            return
        call = self.live_calls.get(event.call_id)
        if call is not None and not self.exempt(call.campaign_id):
            self._ringing.add(call.call_id)
            self._count(call, self.now(), anew=True, suspicious=False)

    def after_commit(self, commit: Commit) -> None:
        """Count how calls ended. Never raises for a database that is away: it is written with the next."""
        now, judge = self.now(), False
        probed: dict[str, bool] = {}
        for call in commit.over:
            ended = commit.ended[call.call_id]
            found = sign(call, ended)
            for breaker_id in call.breakers:
                if ended.sent_age is None:
                    self.return_probe(breaker_id)
                elif found is Sign.FINE:
                    probed[breaker_id] = True
            anew, suspicious = call.call_id not in self._ringing, found is Sign.SUSPICIOUS
            self._ringing.discard(call.call_id)
            if found is not None and (anew or suspicious) and not self.exempt(call.campaign_id):
                judge = self._count(call, now, anew=anew, suspicious=suspicious) or judge
        try:
            if judge:
                # Before the slots are free for the next, and before a campaign is over whose contacts may come back.
                self._judge()
            for breaker_id in probed:
                self.release(breaker_id)
        except DATABASE_AWAY as error:
            log.warning("outcomes_not_judged", error=type(error).__name__)

    def round(self) -> None:
        """To be called every second. Raises what a database that is away raises; it is done next time then."""
        self._write()
        if self.held:
            self._look_at_probes()
        # Also where no running campaign's calls are held any more, as when its number has got another gateway.
        turn = self.take_turn("breakers_left", LEFT_SECONDS)
        for breaker_id in outcome_breaker_rows.holding_nothing() if turn else ():
            self.release(breaker_id)
        looked = bool(self.held) or turn
        if looked and (told := outcome_breaker_rows.bring_probers_back(self.dialer_id)):
            self.publish(told)
            self.refresh()
        if self.take_turn("breaker_tally", FORGET_SECONDS):
            outcome_breaker_rows.forget()
        self._ringing = {call_id for call_id in self._ringing if call_id in self.live_calls}
        now = self.now()
        self._recent = {
            suspect: recent
            for suspect, recent in self._recent.items()
            if now - recent.seconds[-1][0] <= WINDOW_SECONDS
        }

    def take_probe(self, breaker_id: str) -> bool:
        """Whether the next call may leave that is held; of all dialers one gets the answer yes."""
        taken = outcome_breaker_rows.take_probe(breaker_id)
        if taken:
            log.info("breaker_probed", breaker_id=breaker_id)
        return taken

    def return_probe(self, breaker_id: str) -> None:
        """No call left with the probe that was taken: the next one need not wait for it. Never raises for a database
        that is away: the next probe is due in its time then."""
        try:
            outcome_breaker_rows.return_probe(breaker_id)
        except DATABASE_AWAY as error:
            log.warning("probe_not_returned", breaker_id=breaker_id, error=type(error).__name__)

    def bring_back(self, calls: Sequence[str]) -> None:
        """Nobody responded to these calls, nor to others by their gateway, which is paused: their contacts come back
        as well. Raises what a database that is away raises."""
        if told := outcome_breaker_rows.bring_unanswered_back(calls, self.dialer_id):
            self.publish(told)
            self.refresh()

    def _count(self, call: LiveCall, now: float, *, anew: bool, suspicious: bool) -> bool:
        """Count a call (`anew`: it was not before); whether what is counted here may trip."""
        key = Key(call.campaign_id, *self.way_of(call), call.caller_id)
        count = self._counts.setdefault(key, Count())
        count.calls += anew
        if suspicious:
            count.suspicious.append(call.call_id)
        recent = [self._recent.setdefault(suspect, Recent()) for suspect in key.suspects]
        for one in recent:
            one.add(now, anew, suspicious)
        return suspicious and any(one.may_trip(now) for one in recent)

    def _write(self) -> None:
        """Write down what was counted. Whoever judges next judges by that, whichever greenlet wrote it."""
        with self._writing:
            holding = self._add()
        if holding - self.held:
            # Held by another dialer, whose word may be late: the next call is not to leave before it is heeded.
            self.heed()

    def _add(self) -> set[str]:
        if not self._counts:
            return set()
        counts, self._counts = self._counts, {}
        try:
            return outcome_breaker_rows.add(counts)
        except BaseException:  # whatever ended it, what was counted is to be written the next time
            for key, later in self._counts.items():
                counted = counts.setdefault(key, Count())
                counted.calls += later.calls
                counted.suspicious += later.suspicious
            self._counts = counts
            raise

    def _judge(self) -> None:
        self._write()
        found = suspects(*outcome_breaker_rows.open_tallies())
        for suspect in found:
            held = outcome_breaker_rows.hold(suspect)
            if held is None:
                continue
            self._recent.pop(suspect, None)
            self.refresh()
            log.error(
                "breaker_tripped",
                breaker_id=held.breaker_id,
                gateway_id=suspect.gateway_id or None,
                prefix=suspect.prefix or None,
                caller_id=suspect.caller_id or None,
                top_causes=held.top_causes,
            )
        if found:
            # Also where another dialer was first.
            self.heed()

    def _look_at_probes(self) -> None:
        """A probe that was answered, and is talked for longer than what is suspicious, got through before its end."""
        now = self.now()
        for call in self.live_calls:
            if call.breakers and call.answered_at is not None and now - call.answered_at > SHORT_SECONDS + 1:
                for breaker_id in set(call.breakers) & self.held:
                    self.release(breaker_id)

    def release(self, breaker_id: str) -> None:
        """A probe got through, or nothing is held by this breaker any more. Raises what a database that is away
        raises."""
        self._write()
        told = outcome_breaker_rows.release(breaker_id, self.dialer_id)
        self.held.discard(breaker_id)
        if told is not None:
            self.publish(told)
            self.refresh()
            log.warning("breaker_released", breaker_id=breaker_id, back=len(told))
