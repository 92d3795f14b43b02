"""Several connections to one node, for more calls a second than one connection can originate.

FreeSWITCH spends at least a millisecond on each `bgapi` of a connection. All events come over the first connection,
which is also asked and told everything else; the others only send originates.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import Final

from gevent.event import Event as Signal

from freeswitch.connection import EslConnection
from freeswitch.errors import EslError
from freeswitch.events import Event

CALLS_PER_SECOND: Final = 400
"""For each connection: about half of the 861 that one took at most, as a busy node answers in 2 to 3 ms."""
MOST: Final = 8


def connections_for(cps: int | None) -> int:
    """How many connections a node of `cps` calls per second needs; one where there is no bound."""
    return min(MOST, max(1, -(-(cps or 1) // CALLS_PER_SECOND)))


class ConnectionPool:
    """The connections of one link, in turn. They live and die together: one that is lost closes the first.

    `connections` are all that were made, the first of which brings the events.
    """

    def __init__(self, first: EslConnection[Event]) -> None:
        self.connections = [first]
        self._turns: Iterator[EslConnection[Event]] = cycle([first])

    def next(self) -> EslConnection[Event]:
        """The connection whose turn it is to send an originate."""
        return next(self._turns)

    @property
    def peer_closed(self) -> tuple[Signal, ...]:
        """Set, each once the node has closed its side of one of them."""
        return tuple(connection.peer_closed for connection in self.connections)

    def open(self, count: int, core_uuid: str | None, connect_seconds: float, reply_seconds: float) -> None:
        """Connect until there are `count`, each to the run of FreeSWITCH that `core_uuid` names.

        Raises EslError; close then. Heartbeats are all that the others hear, to know that they are alive.
        """
        first = self.connections[0]
        while len(self.connections) < count:
            connection: EslConnection[Event] = EslConnection(
                first.host,
                first.port,
                first.password,
                decode=lambda _: None,
                on_event=lambda _: None,
                on_close=lambda reason: first.close(f"a sending connection was lost: {reason}"),
            )
            self.connections.append(connection)
            connection.connect(connect_seconds)
            if core_uuid and connection.api("global_getvar core_uuid", reply_seconds).strip() != core_uuid:
                raise EslError(connection.node, "restarted while it was connected to")
            reply = connection.send_command("event json HEARTBEAT", timeout=reply_seconds)
            if not reply.startswith("+OK"):
                raise EslError(connection.node, f"event refused: {reply[:200]}")
        self._turns = cycle(list(self.connections))

    def close(self, reason: str) -> None:
        """Close all of them; never waits."""
        for connection in list(self.connections):
            connection.close(reason)
