"""Backs off from nodes and gateways that refuse, and from nodes that answer slowly.

Hears how calls ended (from the recorder) and how long nodes take to answer (from the sender); the cuts are shared by
all dialers through `limits.rate_cuts`. The schedulers pass what is left to the limiter. A refusal is told from a
number that is out of order by whether there was a channel: FreeSWITCH refuses in the same words.
"""

from __future__ import annotations

import math
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from campaigns.dispositions import Disposition
from dialer.live_calls import LiveCall, LiveCalls
from dialer.record.commit import Commit
from dialer.record.outcomes import Ended
from limits.errors import LimiterUnavailable
from limits.rate_cuts import DOWN_EVERY_MS, Kind, RateCuts, ReducedRate, Target

log = structlog.get_logger()

SLOW_REPLY_SECONDS = 0.020
"""A node's median reply takes longer at the knee of what it can do."""
SAMPLE_SECONDS = 5.0
SAMPLES = 64
FEWEST_SAMPLES = 10
TICK_SECONDS = 0.1
RECENT_SECONDS = 1.0
WINDOW_SECONDS = 5.0
FEWEST_REFUSALS = 10
REFUSED_SHARE = 0.10
"""A carrier answers single numbers with 503, whatever its capacity: only so large a share of its calls, and not fewer
than `FEWEST_REFUSALS` of them within the window, says that it has too many."""


def refused_by(call: LiveCall, ended: Ended) -> Target | None:
    """Who refused this call for want of capacity; None where nobody did."""
    if ended.sent_age is None:
        return None
    if ended.cause == "SYSTEM_SHUTDOWN":
        return Kind.NODE, call.node
    if ended.disposition != Disposition.CONGESTION:
        return None
    return (Kind.GATEWAY, call.gateway_id) if call.seen else (Kind.NODE, call.node)


@dataclass(slots=True)
class Replies:
    """How long one node took to answer lately: (monotonic time, seconds)."""

    _samples: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=SAMPLES))

    def add(self, now: float, seconds: float) -> None:
        self._samples.append((now, seconds))

    def are_slow(self, now: float, own_lag: float) -> bool:
        """Whether the median says that the node is at its limit; `own_lag` is what this process adds to each.

        What was judged slow is forgotten, so that it is not held against the slower rate that follows.
        """
        recent = [seconds for at, seconds in self._samples if now - at <= SAMPLE_SECONDS]
        if len(recent) < FEWEST_SAMPLES:
            return False
        slow = statistics.median(recent) - own_lag > SLOW_REPLY_SECONDS
        if slow:
            self._samples.clear()
        return slow


@dataclass(slots=True)
class RefusalWindow:
    """How the calls of one gateway ended lately: (monotonic time, whether it refused for want of capacity)."""

    _ends: deque[tuple[float, bool]] = field(default_factory=deque)

    def add(self, now: float, refused: bool) -> None:
        self._ends.append((now, refused))

    def say_full(self, now: float) -> bool:
        """Whether its refusals are more than those of single numbers. What was judged full is forgotten, so that it
        is not held against the slower rate that follows."""
        while self._ends and now - self._ends[0][0] > WINDOW_SECONDS:
            self._ends.popleft()
        refused = sum(refused for _, refused in self._ends)
        full = refused >= FEWEST_REFUSALS and refused >= REFUSED_SHARE * len(self._ends)
        if full:
            self._ends.clear()
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
    _slowed: Mapping[Target, ReducedRate] = field(default_factory=dict)
    _cut_at: dict[Target, float] = field(default_factory=dict)
    _replies: dict[str, Replies] = field(default_factory=dict)
    _refusals: dict[str, RefusalWindow] = field(default_factory=dict)
    _ticked_at: float | None = None
    _lags: deque[float] = field(default_factory=lambda: deque(maxlen=20))

    def cps(self, kind: Kind, name: str, configured: int | None) -> int | None:
        """The calls per second to ask the limiter for."""
        left = self._slowed.get((kind, name))
        return configured if left is None else left.rate(configured)

    def after_commit(self, commit: Commit) -> None:
        """Judge how calls ended; never raises for a Redis that is away."""
        now = self.now()
        full: set[Target] = set()
        for call in commit.over:
            target = refused_by(call, commit.ended[call.call_id])
            if target is not None and target[0] is Kind.NODE:
                full.add(target)
            elif call.seen:
                self._refusals.setdefault(call.gateway_id, RefusalWindow()).add(now, target is not None)
        full |= {(Kind.GATEWAY, name) for name, verdicts in self._refusals.items() if verdicts.say_full(now)}
        for target in full:
            self._refuse(target, commit.over)

    def on_reply(self, node: str, seconds: float) -> None:
        """A node took so long to answer an originate."""
        self._replies.setdefault(node, Replies()).add(self.now(), seconds)

    def tick(self) -> None:
        """To be called every 0.1 s: how late that is, is what this process adds to what it measures."""
        now = self.now()
        if self._ticked_at is not None:
            self._lags.append(max(0.0, now - self._ticked_at - TICK_SECONDS))
        self._ticked_at = now

    def round(self) -> None:
        """To be called every second: judge the replies, read what others cut. Raises LimiterUnavailable."""
        lag = statistics.median(self._lags) if self._lags else 0.0
        for node, replies in self._replies.items():
            if replies.are_slow(self.now(), lag):
                self._refuse((Kind.NODE, node), ())
        self._read()

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
