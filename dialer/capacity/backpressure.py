"""Backs off from nodes and gateways that refuse, and from nodes that answer slowly.

Hears how calls ended (from the recorder) and when orders were written and answered (from the sender); the cuts are
shared by all dialers through `limits.rate_cuts`. The schedulers pass what is left to the limiter. A refusal is told
from a number that is out of order by whether there was a channel: FreeSWITCH refuses in the same words. A single one
is no reason: a node that takes hardly more sessions in a second than it is asked for refuses one now and then. Of the
time that an answer took, that in which this process was late itself is not the node's (`own_lag`).
"""

from __future__ import annotations

import math
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import gevent
import structlog
from gevent.event import Event as Signal

from campaigns.dispositions import Disposition
from dialer.capacity.own_lag import TICK_SECONDS, OwnLag
from dialer.live_calls import LiveCall, LiveCalls
from dialer.record.call_end import NO_PORT, lacked_media
from dialer.record.commit import Commit
from dialer.record.outcome_rows import Ended
from dialer.tasks import wait_for_work
from limits.errors import LimiterUnavailable
from limits.rate_cuts import DOWN_EVERY_MS, Kind, RateCuts, ReducedRate, Target

log = structlog.get_logger()

SLOW_REPLY_SECONDS = 0.020
"""A node's median reply takes longer at the knee of what it can do."""
SAMPLE_SECONDS = 5.0
SAMPLES = 64
FEWEST_SAMPLES = 10
WATCH_SECONDS = 1.0
"""For so long after an order it is watched how late this process is."""
RECENT_SECONDS = 1.0
WINDOW_SECONDS = 5.0
FEWEST_REFUSALS = 10
FEWEST_OF_NODE = 3
REFUSED_SHARE = 0.10
"""A carrier answers single numbers with 503, whatever its capacity: only so large a share of its calls, and not fewer
than `FEWEST_REFUSALS` of them within the window, says that it has too many. Of a node the share is of its orders, and
three say so: whom it refuses it refuses at once."""


SHUTS_DOWN = "SYSTEM_SHUTDOWN"


def refused_by(call: LiveCall, ended: Ended) -> Target | None:
    """Who refused this call for want of capacity; None where nobody did."""
    if ended.sent_age is None:
        return None
    if ended.cause in (SHUTS_DOWN, NO_PORT) or lacked_media(ended):
        return Kind.NODE, call.node
    if ended.disposition != Disposition.CONGESTION:
        return None
    return (Kind.GATEWAY, call.gateway_id) if call.seen else (Kind.NODE, call.node)


@dataclass(slots=True)
class Replies:
    """When one node's orders were written and their answers read lately, both monotonic."""

    _samples: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=SAMPLES))

    def add(self, sent_at: float, read_at: float) -> None:
        self._samples.append((sent_at, read_at))

    def are_slow(self, now: float, own_lag: OwnLag) -> bool:
        """Whether the median of its own time says that the node is at its limit.

        What was judged slow is forgotten, so that it is not held against the slower rate that follows.
        """
        recent = [(sent, read) for sent, read in self._samples if now - read <= SAMPLE_SECONDS]
        if len(recent) < FEWEST_SAMPLES:
            return False
        slow = statistics.median(read - sent for sent, read in recent) > SLOW_REPLY_SECONDS
        if slow:
            own = (read - sent - own_lag.within(sent, read) for sent, read in recent)
            slow = statistics.median(own) > SLOW_REPLY_SECONDS
        if slow:
            self._samples.clear()
        return slow


@dataclass(slots=True)
class RefusalWindow:
    """When one gateway's calls ended lately, or when one node answered orders, and when it refused for want of
    capacity; all monotonic. It takes `fewest` refusals to say anything."""

    fewest: int
    _asked: deque[float] = field(default_factory=deque)
    _refused: deque[float] = field(default_factory=deque)

    def asked(self, now: float) -> None:
        """It was asked for a call: of so many the refusals are a share."""
        self._asked.append(now)

    def refused(self, now: float) -> None:
        """It refused one of these."""
        self._refused.append(now)

    def say_full(self, now: float) -> bool:
        """Whether its refusals are more than single ones. What was judged full is forgotten, so that it is not held
        against the slower rate that follows."""
        for moments in (self._asked, self._refused):
            while moments and now - moments[0] > WINDOW_SECONDS:
                moments.popleft()
        refused = len(self._refused)
        full = refused >= self.fewest and refused >= REFUSED_SHARE * len(self._asked)
        if full:
            self._asked.clear()
            self._refused.clear()
        return full


@dataclass(slots=True)
class BackPressure:
    """One process' part of it. `targets` says whose rates it wants to know, `changed` is called after a cut."""

    rate_cuts: RateCuts
    live_calls: LiveCalls
    targets: Callable[[], Iterable[Target]]
    dialers: Callable[[], int]
    changed: Callable[[], None]
    now: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = gevent.sleep
    own_lag: OwnLag = field(default_factory=OwnLag)
    _slowed: Mapping[Target, ReducedRate] = field(default_factory=dict)
    _cut_at: dict[Target, float] = field(default_factory=dict)
    _replies: dict[str, Replies] = field(default_factory=dict)
    _refusals: dict[Target, RefusalWindow] = field(default_factory=dict)
    _ordered: Signal = field(default_factory=Signal)
    _ordered_at: float = 0.0

    def cps(self, kind: Kind, name: str, configured: int | None) -> int | None:
        """The calls per second to ask the limiter for."""
        left = self._slowed.get((kind, name))
        return configured if left is None else left.rate(configured)

    def after_commit(self, commit: Commit) -> None:
        """Judge how calls ended; never raises for a Redis that is away."""
        now = self.now()
        full: set[Target] = set()
        for call in commit.over:
            ended = commit.ended[call.call_id]
            target = refused_by(call, ended)
            if target is not None and ended.cause == SHUTS_DOWN:
                full.add(target)
            elif target is not None:
                self._window(target).refused(now)
            if call.seen:
                self._window((Kind.GATEWAY, call.gateway_id)).asked(now)
        full |= {target for target, window in self._refusals.items() if window.say_full(now)}
        for target in full:
            self._refuse(target, commit.over)

    def on_order(self) -> None:
        """An originate was written."""
        if not self._ordered.is_set():
            self._ordered_at = self.now()
            self._ordered.set()

    def on_reply(self, node: str, sent_at: float, read_at: float) -> None:
        """A node's answer to an originate that was written at `sent_at` was read at `read_at`, both monotonic."""
        self._replies.setdefault(node, Replies()).add(sent_at, read_at)
        self._window((Kind.NODE, node)).asked(read_at)

    def watch(self) -> None:
        """The greenlet that notes how late this process is, while answers are awaited. Never returns."""
        while True:
            wait_for_work(self._ordered)
            # Nobody else could run since the order either.
            due = self._ordered_at + TICK_SECONDS
            until = self._ordered_at + WATCH_SECONDS
            self._ordered.clear()
            while True:
                self.own_lag.note(due, self.now())
                if self.now() >= until and not self._ordered.is_set():
                    break
                if self._ordered.is_set():
                    until = self._ordered_at + WATCH_SECONDS
                    self._ordered.clear()
                due = self.now() + TICK_SECONDS
                self.pause(TICK_SECONDS)

    def round(self) -> None:
        """To be called every second: judge the replies, read what others cut. Raises LimiterUnavailable."""
        for node, replies in self._replies.items():
            if replies.are_slow(self.now(), self.own_lag):
                self._refuse((Kind.NODE, node), ())
        self._read()

    def _window(self, target: Target) -> RefusalWindow:
        fewest = FEWEST_OF_NODE if target[0] is Kind.NODE else FEWEST_REFUSALS
        return self._refusals.setdefault(target, RefusalWindow(fewest))

    def _refuse(self, target: Target, over: Sequence[LiveCall]) -> None:
        now = self.now()
        if now - self._cut_at.get(target, -math.inf) < DOWN_EVERY_MS / 1000:
            return
        self._cut_at[target] = now
        kind, name = target
        try:
            if self.rate_cuts.record_refusal(kind, name, self._asked_for(target, over)):
                log.warning("slowed_down", kind=str(kind), name=name)
            self._read()
        except LimiterUnavailable as error:
            log.warning("refusal_not_shared", kind=str(kind), name=name, error=str(error)[:200])
        self.changed()

    def _asked_for(self, target: Target, over: Sequence[LiveCall]) -> int:
        """About how many calls a second it was asked for, by all dialers, as seen from this one."""
        kind, name = target
        since = self.now() - RECENT_SECONDS
        recent = {
            call.call_id
            for call in (*self.live_calls, *over)
            if (call.node if kind is Kind.NODE else call.gateway_id) == name
            and (call.sent_at or 0.0) >= since
        }
        return len(recent) * self.dialers()

    def _read(self) -> None:
        self._slowed = self.rate_cuts.read([*self.targets(), *self._cut_at])
