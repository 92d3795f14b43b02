"""A campaign dialled call by call on a clock of its own, to hold forecasts against: each contact with a fate of its
own, each place, turn and day counted one by one. It knows nothing of how a forecast is reckoned."""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from campaigns.dispositions import Disposition
from campaigns.retry import History, after_call
from models import ContactStatus

DAY = 86_400


@dataclass(frozen=True)
class Ending:
    """How often calls end so, and for how long they are up: so many seconds, each a fifth more or less."""

    share: float
    seconds: float
    answered: bool = False


@dataclass(frozen=True)
class House:
    """What limits a campaign; None is unlimited."""

    places: int | None = None
    per_second: float | None = None
    per_day: int | None = None
    minutes_a_day: int | None = None
    retries: int = 0
    delay: int = 60
    openings: Sequence[Sequence[tuple[float, float]] | None] = (None,)
    """Of each group of contacts, who are dealt out to them in turn."""
    new_first: bool = False


@dataclass
class People:
    """A group of contacts: how many were never called, and by when the others are due again, for their n-th call."""

    openings: Sequence[tuple[float, float]] | None
    fresh: int = 0
    again: list[tuple[float, int]] = field(default_factory=list)

    def first_at(self, at: float, start: float) -> float:
        """When one of them may be called, from `at` on."""
        due = start if self.fresh else min((at for at, _ in self.again), default=math.inf)
        return _opens(self.openings, max(at, due))

    def place(self, at: float, new_first: bool) -> tuple[int, float]:
        """Where its next one stands among those who are due: as the list has them, and the others by their time."""
        if self.fresh and (new_first or not self.again or self.again[0][0] > at):
            return (0 if new_first else 1), -self.fresh
        return (1 if new_first else 0), self.again[0][0] if self.again else math.inf

    def take(self, at: float, *, new_first: bool) -> int:
        """Call one who is due: which call of his it is."""
        if self.fresh and (new_first or not self.again or self.again[0][0] > at):
            self.fresh -= 1
            return 1
        return heapq.heappop(self.again)[1]


def took(
    contacts: int, house: House, endings: Mapping[Disposition, Ending], start: float, seed: int
) -> float:
    """The seconds from `start` until the last of so many contacts is over."""
    lot = random.Random(seed)
    groups = [People(openings) for openings in house.openings]
    for number in range(contacts):
        groups[number % len(groups)].fresh += 1
    ends: list[float] = []
    calls_on, seconds_on = Counter[int](), Counter[int]()
    at, last_end = start, start
    while any(group.fresh or group.again for group in groups):
        while ends and ends[0] <= at:
            heapq.heappop(ends)
        if house.places is not None and len(ends) >= house.places:
            at = ends[0]
            continue
        begin, _, group = min(
            ((one.first_at(at, start), one.place(at, house.new_first), one) for one in groups),
            key=lambda candidate: candidate[:2],
        )
        if begin > at:
            at = begin
            continue
        day = int(at // DAY)
        if (house.per_day is not None and calls_on[day] >= house.per_day) or (
            house.minutes_a_day is not None and seconds_on[day] >= house.minutes_a_day * 60
        ):
            at = (day + 1.0) * DAY
            continue
        calls_on[day] += 1
        call = group.take(at, new_first=house.new_first)
        word = lot.choices(list(endings), [ending.share for ending in endings.values()])[0]
        end = at + endings[word].seconds * lot.uniform(0.8, 1.2)
        if endings[word].answered:
            seconds_on[int(end // DAY)] += round(end - at)
        heapq.heappush(ends, end)
        last_end = max(last_end, end)
        history = History(call, 0, False, house.retries, house.delay)
        after = after_call(word, history, refused=False, jitter=lot.random())
        if after.status is ContactStatus.PENDING:
            due = end + (after.delay_seconds or 0.0)
            opens = _opens(group.openings, due)
            heapq.heappush(group.again, (due if opens <= due else opens + lot.random() * 1800, call + 1))
        if house.per_second is not None:
            at += 1.0 / house.per_second
    return last_end - start


def _opens(openings: Sequence[tuple[float, float]] | None, at: float) -> float:
    if openings is None or at == math.inf:
        return at
    return next((max(at, opens) for opens, closes in openings if closes > at), math.inf)
