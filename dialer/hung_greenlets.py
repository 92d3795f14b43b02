"""Finds the greenlet that hangs: it waits in one place for far longer than anything there may take.

Every exchange with a server has a deadline, so that none should. One that does all the same holds what it has for
ever: a recorder that hangs writes nothing any more of the calls that its process owns, and the process, whose lease
is renewed beside it, keeps everybody else from them. That is no better than a loop that hangs (`dialer/watchdog.py`),
and ends the same way: others take over.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any, Final

import gevent

from dialer.tasks import wait_for_work

LOOK_SECONDS: Final = 5.0
LOOKS: Final = 36
"""Counted in looks and not by a clock: a process that was stopped has all its time again. The longest that anything
waits for one answer is 90 s: for a server that stands still (`database.SILENCE_SECONDS` after a statement's 60), or
for the end of a connection that an order was written to."""
_IDLE: Final[CodeType] = wait_for_work.__code__


@dataclass(slots=True)
class _Place:
    """Where a greenlet was at the last look, and for how many looks. The frame is kept: of one that is gone another
    may have the address."""

    frame: FrameType
    instruction: int
    looks: int = 0


@dataclass(slots=True)
class HungGreenlets:
    """Looks at the `greenlets` of a process; `end` is told of one that has not moved for more than `looks`
    looks, and where it is."""

    greenlets: Callable[[], Iterable[gevent.Greenlet[..., Any]]]
    end: Callable[[str], None]
    looks: int = LOOKS
    _places: dict[gevent.Greenlet[..., Any], _Place] = field(default_factory=dict)

    def look(self) -> None:
        """To be called every LOOK_SECONDS."""
        places: dict[gevent.Greenlet[..., Any], _Place] = {}
        for greenlet in self.greenlets():
            # None of one that runs, has not begun or is over.
            frame = greenlet.gr_frame
            if frame is None or _is_idle(frame):
                continue
            before = self._places.get(greenlet)
            if before is None or before.frame is not frame or before.instruction != frame.f_lasti:
                before = _Place(frame, frame.f_lasti)
            before.looks += 1
            places[greenlet] = before
            if before.looks > self.looks:
                stack = "".join(traceback.format_stack(frame))
                self.end(f"a greenlet has not moved for {before.looks * LOOK_SECONDS:.0f} s: ending\n{stack}")
        self._places = places


def _is_idle(frame: FrameType) -> bool:
    """Whether it waits for something to do."""
    caller: FrameType | None = frame
    while caller is not None and caller.f_code is not _IDLE:
        caller = caller.f_back
    return caller is not None
