"""Parts of pages that many look at, made once for all of them: as long as one is young, and while one is being made.

A hundred boards at one campaign ask for the same part every few seconds. Who may see it was judged before; it says
nothing of who looks. Of each process; what is shared is named by its tenant first.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from gevent.lock import BoundedSemaphore

YOUNG_SECONDS: Final = 1.0
MOST_PARTS: Final = 500
"""More are not kept: the oldest go."""


@dataclass(slots=True)
class _Part:
    making: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(1))
    text: str | None = None
    made_at: float = 0.0


class SharedParts:
    """Parts by their names. `now` counts seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._parts: dict[tuple[str, ...], _Part] = {}
        self._now = now

    def get(self, name: tuple[str, ...], make: Callable[[], str], *, after: float | None = None) -> str:
        """What `make` said within the last second, or says now; whoever comes while it is being made waits for it.

        One that was asked for before `after`, where that is given, is not good enough. What `make` raises its caller
        gets, and whoever waited makes it himself.
        """
        part = self._parts.setdefault(name, _Part())
        try:
            with part.making:
                began = self._now()
                old = began - part.made_at >= YOUNG_SECONDS or (after is not None and part.made_at < after)
                if part.text is None or old:
                    part.text = None
                    part.text = make()
                    # As old as the question: what came while it was made may not be in it.
                    part.made_at = began
                return part.text
        finally:
            self._forget()

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._parts)

    def now(self) -> float:
        """The moment, as `after` takes it."""
        return self._now()

    def _forget(self) -> None:
        """Leave out what is old, and the oldest of too many; one that is being made is kept."""
        if len(self._parts) <= MOST_PARTS:
            return
        old = sorted(self._parts, key=lambda name: self._parts[name].made_at)
        for name in old[: len(old) - MOST_PARTS // 2]:
            if not self._parts[name].making.locked():
                del self._parts[name]
