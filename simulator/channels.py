"""The channels of a node by their uuid, and what `show channels` says of them, which lags behind."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from simulator.calls import Call

SHOW_LAG_SECONDS = 0.2  # the database behind `show channels` lags (recording 64 of `tests/recordings.tar.xz`)


class Channels:
    """Every channel from its creation to its destruction, the oldest first."""

    def __init__(self) -> None:
        self._by_uuid: dict[str, Call] = {}
        self._destroyed: deque[tuple[float, Call]] = deque()

    def __len__(self) -> int:
        return len(self._by_uuid)

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self._by_uuid.values()))

    def __contains__(self, uuid: object) -> bool:
        return uuid in self._by_uuid

    def add(self, call: Call) -> None:
        """A channel has been made; one that had its uuid before cannot be found any more."""
        self._by_uuid[call.uuid] = call

    def remove(self, at: float, call: Call) -> None:
        """A channel has been destroyed."""
        if self._by_uuid.get(call.uuid) is call:
            del self._by_uuid[call.uuid]
        destroyed = self._destroyed
        destroyed.append((at, call))
        while destroyed[0][0] < at - SHOW_LAG_SECONDS:
            destroyed.popleft()

    def find(self, uuid: str) -> Call | None:
        """The channel with this uuid, if it has not hung up."""
        call = self._by_uuid.get(uuid)
        return call if call is not None and call.alive() else None

    def shown(self, at: float) -> list[Call]:
        """What `show channels` lists: late to come and late to go."""
        alive = [call for call in self._by_uuid.values() if call.at <= at - SHOW_LAG_SECONDS / 2]
        return alive + [call for end, call in self._destroyed if end > at - SHOW_LAG_SECONDS]
