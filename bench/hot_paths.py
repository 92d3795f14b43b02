"""Benches of what is done for each call, or many times a second: escaping an originate's values, guarding a task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.table import Bound, Figure
from bench.work import fastest
from dialer.tasks import Tasks
from freeswitch.channel_variables import escape
from tests.unit.freeswitch.test_originate import PASSES

TIMES = 1000

VALUES = (
    *("01938c5e-7a70-7000-8000-000000000001",) * 5,
    *("15550000", "true", "31", "acme", "pid"),
    *("sched_hangup +31 NO_ANSWER",) * 2,
    "hash insert/carillon/01938c5e-7a70-7000-8000-000000000001/done",
    *("Jane Doe, Esq.", "AB-12345", "1,234.50 EUR", "it's the third time: call back"),
)
"""What the dial string of a call carries, its list's four columns last."""


def escaping(_quick: bool) -> Sequence[Figure]:
    """The values of one originate, escaped for FreeSWITCH's three passes at once, and by a `translate` for each."""
    tables = [str.maketrans(characters) for characters in PASSES]

    def in_three() -> None:
        for _ in range(TIMES):
            for value in VALUES:
                escaped = value
                for table in tables:
                    escaped = escaped.translate(table)

    def at_once() -> None:
        for _ in range(TIMES):
            for value in VALUES:
                escape(value)

    return [_figure("escaping of an originate's values", at_once, in_three, 0.5, "three translate passes")]


@dataclass
class _Part:
    """Something with a repeated task, in the middle of a hundred calls."""

    calls: list[tuple[str, int]] = field(default_factory=lambda: [(VALUES[0], n) for n in range(100)])

    def tick(self) -> None:
        """What is done on each tick, where nothing is to be done."""


def guarding(_quick: bool) -> Sequence[Figure]:
    """A task that is guarded against whatever it raises, beside writing out by name what it belongs to."""
    tasks = Tasks(lambda: None)
    part = _Part()

    def guarded() -> None:
        for _ in range(TIMES):
            tasks.guarded(part.tick)

    def written_out() -> None:
        for _ in range(TIMES):
            str(part.tick)

    return [_figure("a guarded tick", guarded, written_out, 0.1, "a str of its task")]


def _figure(
    what: str, ours: Callable[[], None], peer: Callable[[], None], bound: float, beside: str
) -> Figure:
    taken, other = fastest(ours), fastest(peer)
    print(f"{what}: {taken / TIMES * 1e6:.2f} µs, {beside}: {other / TIMES * 1e6:.2f} µs")
    return Figure(f"CPU of {what}", taken / other, "times", Bound.AT_MOST, bound, beside)
