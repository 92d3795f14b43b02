"""Estimates how long a campaign will take: its contacts flow through its caps, window by window. Pure.

Calls are begun as fast as every cap lets them: a rate, places for calls at a time (each is free again when its call
is over, after the mean of a call's length), the day's calls and minutes, and the openings of each group of contacts.
Of those that are over a share comes back, as the campaign's retry rules say. Nothing here is ever faster than a cap:
by any moment no more were begun than the caps had room for. Decision 0080.

Times are seconds since 1970; a day is a UTC day, as the caps have it.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from campaigns.slow_start import DOUBLES_AFTER, FIRST_SHARE
from campaigns.windows import SPREAD_SECONDS

DAY = 86_400.0
FEW = 0.5
"""Less than half a contact is nobody."""
STEPS = 2_000
"""So many steps a forecast is divided into while calls are begun; past MOST_STEPS of any kind they are longer."""
MOST_STEPS = 20_000
SHORTEST_STEP = 0.05
YIELD_STEPS = 20
LONGEST_SECONDS = 400 * DAY
"""What is not over by then has no end that is told."""

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One way in which calls end: which share of them does, how long they are up, how many seconds are billed, and
    for a contact's n-th call (from 1) how long after its end the next is due; None: there is none."""

    share: float
    seconds: float
    billed_seconds: float
    again: Callable[[int], float | None]
    word: str = ""
    """Its disposition."""


@dataclass(frozen=True, slots=True)
class Cap:
    """A cap by its `blocked_reason` word; None is unlimited."""

    word: str
    limit: float | None


@dataclass(frozen=True, slots=True)
class DayCap:
    """A cap on a UTC day, of which `left` is left today; `each` is what a call takes of it on average."""

    word: str
    limit: float | None
    left: float
    each: float = 1.0


@dataclass(frozen=True, slots=True)
class Caps:
    """Every cap over a campaign: calls a second, calls at a time, and those on a day."""

    rates: Sequence[Cap] = ()
    places: Sequence[Cap] = ()
    days: Sequence[DayCap] = ()
    slow_start: bool = False
    new_first: bool = False
    """Whether contacts that were never called go before those that are called again."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Contacts of one group that are due at `at`, for their n-th call."""

    at: float
    contacts: float
    call: int = 1


@dataclass(frozen=True, slots=True)
class Group:
    """Contacts that share every opening; `openings` None is always."""

    waiting: Sequence[Waiting]
    openings: Sequence[Span] | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """When it is over, None where that is farther away than is known; how many calls are begun by then; how many are
    never called, since no opening is left; and for how many seconds each word bound it."""

    ends_at: float | None
    calls: float
    uncalled: float
    bound_seconds: Mapping[str, float]


def forecast(
    groups: Sequence[Group],
    caps: Caps,
    outcomes: Sequence[Outcome],
    now: float,
    *,
    until: float | None = None,
    let_others_run: Callable[[], None] = lambda: None,
) -> Forecast:
    """What becomes of these contacts from `now` on; `until`: nobody is called from then on."""
    limits = [(one.word, one.limit) for one in (*caps.rates, *caps.places)]
    limits += [(one.word, one.limit) for one in caps.days]
    shut = next((word for word, limit in limits if limit == 0), None)
    if shut is not None:
        contacts = sum(one.contacts for group in groups for one in group.waiting)
        return Forecast(None if contacts else now, 0.0, contacts, {shut: 0.0} if contacts else {})
    end = now + LONGEST_SECONDS if until is None else max(now, until)
    found = _Flow(groups, caps, outcomes, now).run(end, let_others_run)
    return found if until is not None or found.uncalled < FEW else replace(found, ends_at=None)


class _Hours:
    """The openings of a group, asked for moments that only go forward but for what lies ahead."""

    def __init__(self, openings: Sequence[Span] | None) -> None:
        self._spans = [(-math.inf, math.inf)] if openings is None else sorted(openings)
        self._first = 0

    def ahead(self, now: float) -> Iterator[Span]:
        """Those that are not over."""
        while self._first < len(self._spans) and self._spans[self._first][1] <= now:
            self._first += 1
        return map(self._spans.__getitem__, range(self._first, len(self._spans)))

    def is_open(self, now: float) -> bool:
        first = next(self.ahead(now), None)
        return first is not None and first[0] <= now

    def next_change(self, now: float) -> float:
        """When it opens or closes next."""
        opens, closes = next(self.ahead(now), (math.inf, math.inf))
        return opens if opens > now else closes

    def within(self, at: float, now: float) -> float:
        """`at`, or where it is shut then a moment behind the next opening: the middle of those over whom retries are
        spread. `inf` where there is none."""
        for opens, closes in self.ahead(now):
            if closes > at:
                return at if opens <= at else opens + min(SPREAD_SECONDS, closes - opens) / 2
        return math.inf


class _Flow:
    """One forecast under way: who is due, who will be, what is up, and what the day's caps have given."""

    def __init__(self, groups: Sequence[Group], caps: Caps, outcomes: Sequence[Outcome], now: float) -> None:
        self._hours = [_Hours(group.openings) for group in groups]
        self._caps = caps
        self._outcomes = outcomes
        share = sum(outcome.share for outcome in outcomes) or 1.0
        mean = sum(outcome.share * outcome.seconds for outcome in outcomes) / share
        self._mean_seconds = max(mean, 0.001)
        self._began = self.now = now
        self._grain = self.step = self._first_step(groups)
        self._shortest_rest = 0.0
        self._due: dict[tuple[int, int], float] = {}
        self._later: dict[tuple[int, int, int], float] = {}
        self._order: list[tuple[int, int, int]] = []
        self._spent: dict[tuple[str, int], float] = defaultdict(float)
        self._bound: dict[str, float] = defaultdict(float)
        self._up = self._calls = 0.0
        self._first_begun: float | None = None
        self._last_begun: float | None = None
        for number, group in enumerate(groups):
            for one in group.waiting:
                self._wait(one.at, number, one.call, one.contacts)

    def run(self, end: float, let_others_run: Callable[[], None]) -> Forecast:
        steps = 0
        while self.now < end:
            steps += 1
            if steps % YIELD_STEPS == 0:
                let_others_run()
            if steps % MOST_STEPS == 0:
                self.step *= 2
                self._shortest_rest = self.step
            self._fall_due()
            left = sum(self._due.values()) + sum(self._later.values())
            change = self._next_change()
            open_now = [key for key in self._due if self._hours[key[0]].is_open(self.now)]
            if left < FEW or (not open_now and change == math.inf):
                return self._told(left)
            spent = self._spent_day()
            if not open_now or spent is not None:
                until = max(change, self.now + self._shortest_rest)
                self._rest(min(until, end), spent or self._why_nobody())
                continue
            self._dial(open_now, min(self.step, change - self.now, end - self.now))
        return self._told(sum(self._due.values()) + sum(self._later.values()))

    def _first_step(self, groups: Sequence[Group]) -> float:
        contacts = sum(one.contacts for group in groups for one in group.waiting)
        rate = min((cap.limit for cap in self._caps.rates if cap.limit), default=math.inf)
        places = min((cap.limit for cap in self._caps.places if cap.limit), default=math.inf)
        return max(SHORTEST_STEP, max(contacts / rate, contacts * self._mean_seconds / places) / STEPS)

    # Who is due.

    def _wait(self, at: float, group: int, call: int, contacts: float) -> None:
        if contacts <= 0:
            return
        if at == math.inf:
            # No opening is left for them.
            self._due[group, call] = self._due.get((group, call), 0.0) + contacts
            return
        key = (max(0, math.ceil((at - self._began) / self._grain - 1e-9)), group, call)
        if key not in self._later:
            heapq.heappush(self._order, key)
            self._later[key] = 0.0
        self._later[key] += contacts

    def _fall_due(self) -> None:
        while self._order and self._at(self._order[0][0]) <= self.now + 1e-6:
            key = heapq.heappop(self._order)
            _, group, call = key
            self._due[group, call] = self._due.get((group, call), 0.0) + self._later.pop(key)

    def _at(self, step: int) -> float:
        return self._began + step * self._grain

    def _next_change(self) -> float:
        """When the next window opens or closes, somebody falls due or a day begins, as far as that matters."""
        times = [self._hours[group].next_change(self.now) for group in {group for group, _ in self._due}]
        times += [self._at(self._order[0][0])] if self._order else []
        if self._due and any(cap.limit for cap in self._caps.days):
            times.append((math.floor(self.now / DAY) + 1) * DAY)
        return min((at for at in times if at > self.now), default=math.inf)

    def _why_nobody(self) -> str:
        """Nobody is due whose window is open: whether it is the window that is waited for."""
        waits = bool(self._due) or not self._hours[self._order[0][1]].is_open(self.now)
        return "window" if waits else "retry_wait"

    def _rest(self, until: float, word: str) -> None:
        """Nobody can be called before then."""
        seconds = until - self.now
        self._bound[word] += seconds
        self._up *= math.exp(-seconds / self._mean_seconds)
        self.now = until

    # What the caps let through.

    def _dial(self, keys: Sequence[tuple[int, int]], seconds: float) -> None:
        """Begin what every cap has room for within so many seconds; where nobody is left before, it takes less."""
        wanted = sum(self._due[key] for key in keys)
        room = [
            (cap.word, cap.limit * self._ramp() * seconds)
            for cap in self._caps.rates
            if cap.limit is not None
        ]
        grown = 1.0 + seconds / self._mean_seconds
        room += [
            (cap.word, max(0.0, cap.limit * grown - self._up))
            for cap in self._caps.places
            if cap.limit is not None
        ]
        room += self._left_today()
        word, most = min(room, key=lambda one: one[1], default=("", math.inf))
        begun = min(wanted, most)
        if begun >= wanted:
            seconds *= 0.0 if most == math.inf else min(1.0, begun / most)
        if most < math.inf:
            self._bound[word] += seconds
        self._begin(keys, begun, seconds)

    def _begin(self, keys: Sequence[tuple[int, int]], begun: float, seconds: float) -> None:
        middle = self.now + seconds / 2
        if begun > 0:
            self._first_begun = self.now if self._first_begun is None else self._first_begun
            self._last_begun = self.now + seconds
        day = math.floor(self.now / DAY)
        for cap in self._caps.days:
            self._spent[cap.word, day] += begun * cap.each
        self._up = (self._up + begun) / (1.0 + seconds / self._mean_seconds)
        self._calls += begun
        self.now += seconds
        for key, contacts in self._shares(keys, begun):
            self._due[key] -= contacts
            if self._due[key] < 1e-9:
                del self._due[key]
            self._come_back(key, contacts, middle)

    def _shares(self, keys: Sequence[tuple[int, int]], begun: float) -> list[tuple[tuple[int, int], float]]:
        """How many of those who are begun are of each: those first that go before the others, all groups alike."""
        fresh = [key for key in keys if key[1] == 1]
        again = [key for key in keys if key[1] > 1]
        found: list[tuple[tuple[int, int], float]] = []
        for some in (fresh, again) if self._caps.new_first else (again, fresh):
            wanted = sum(self._due[key] for key in some)
            taken = min(begun, wanted)
            begun -= taken
            found += [(key, self._due[key] * taken / wanted) for key in some if wanted > 0]
        return found

    def _come_back(self, key: tuple[int, int], contacts: float, begun_at: float) -> None:
        group, call = key
        for outcome in self._outcomes:
            delay = outcome.again(call)
            if delay is not None:
                at = self._hours[group].within(begun_at + outcome.seconds + delay, self.now)
                self._wait(max(at, self.now), group, call + 1, contacts * outcome.share)

    def _ramp(self) -> float:
        if not self._caps.slow_start:
            return 1.0
        gone = 0.0 if self._first_begun is None else self.now - self._first_begun
        return min(1.0, FIRST_SHARE * math.exp2(min(60.0, gone / DOUBLES_AFTER)))

    def _left_today(self) -> list[tuple[str, float]]:
        """The calls that each cap on a day has room for."""
        day = math.floor(self.now / DAY)
        today = day == math.floor(self._began / DAY)
        found: list[tuple[str, float]] = []
        for cap in self._caps.days:
            if cap.limit is not None:
                left = max(0.0, (cap.left if today else cap.limit) - self._spent[cap.word, day])
                found.append((cap.word, left / cap.each if cap.each > 0 else math.inf))
        return found

    def _spent_day(self) -> str | None:
        """The word of a cap on the day that has no room for another call."""
        return next((word for word, left in self._left_today() if left < FEW / 2), None)

    # What is told.

    def _told(self, left: float) -> Forecast:
        begun = self._began if self._last_begun is None else self._last_begun + self._longest_of_the_last()
        return Forecast(begun, self._calls, left if left >= FEW else 0.0, dict(self._bound))

    def _longest_of_the_last(self) -> float:
        """How long the last calls are up: as long as the longest of them that is likely to be among those."""
        among = min([self._calls, *(cap.limit for cap in self._caps.places if cap.limit is not None)])
        likely = [one.seconds for one in self._outcomes if one.share * max(among, 1.0) >= 1.0]
        return max(likely, default=self._mean_seconds)
