"""Every interleaving of a small model: breadth first, so that what is found wrong is told by the shortest history."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

S = TypeVar("S", bound=Hashable)

Steps = Callable[[S], Iterable[tuple[str, S]]]
Check = Callable[[S], str | None]


@dataclass(frozen=True, slots=True)
class Found(Generic[S]):
    """What an exploration came to. `wrong` is None where everything holds, else what broke; `history` leads there."""

    states: int
    wrong: str | None = None
    history: tuple[str, ...] = ()


def explore(
    start: S, steps: Steps[S], check: Check[S], is_done: Callable[[S], bool], *, most: int = 2_000_000
) -> Found[S]:
    """Look at every state that `steps` lead to from `start`.

    In each `check` must find nothing wrong, and from each a state that `is_done` must be within reach: nobody is lost
    in a corner. Raises RuntimeError past `most` states.
    """
    came: dict[S, tuple[S, str] | None] = {start: None}
    before: dict[S, list[S]] = {start: []}
    done: list[S] = []
    waiting = deque([start])
    while waiting:
        state = waiting.popleft()
        wrong = check(state)
        if wrong is not None:
            return Found(len(came), wrong, _history(came, state))
        if is_done(state):
            done.append(state)
        for label, following in steps(state):
            if following not in came:
                if len(came) >= most:
                    raise RuntimeError(f"more than {most} states")
                came[following] = (state, label)
                before[following] = []
                waiting.append(following)
            before[following].append(state)
    lost = _not_leading_to(done, before, came)
    if lost is not None:
        return Found(len(came), "somebody is lost: nothing leads to the end from here", _history(came, lost))
    return Found(len(came))


def _not_leading_to(done: Iterable[S], before: dict[S, list[S]], came: Iterable[S]) -> S | None:
    """The first state found from which none of `done` can be reached."""
    leading = set(done)
    waiting = deque(leading)
    while waiting:
        for earlier in before[waiting.popleft()]:
            if earlier not in leading:
                leading.add(earlier)
                waiting.append(earlier)
    return next((state for state in came if state not in leading), None)


def _history(came: dict[S, tuple[S, str] | None], state: S) -> tuple[str, ...]:
    labels: list[str] = []
    step = came[state]
    while step is not None:
        labels.append(step[1])
        step = came[step[0]]
    return tuple(reversed(labels))
