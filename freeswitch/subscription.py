"""A link's event subscription: few events, in JSON, filtered on the dialers that it answers for."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import structlog
from gevent.lock import RLock

from freeswitch import commands
from freeswitch.connection import EslConnection
from freeswitch.errors import EslError, NotConnected
from freeswitch.events import Event

EVENT_NAMES: Final = (
    "CHANNEL_CREATE",
    "CHANNEL_PROGRESS",
    "CHANNEL_PROGRESS_MEDIA",
    "CHANNEL_ANSWER",
    "CHANNEL_HANGUP_COMPLETE",
    "BACKGROUND_JOB",
    "HEARTBEAT",
    "SHUTDOWN",
)
NODE_EVENT_NAMES: Final = ("HEARTBEAT", "SHUTDOWN")
# Under overload a node takes more than 4 s to answer one in a hundred commands; it is slow then, not dead.
REPLY_SECONDS: Final = 10.0

log = structlog.get_logger(__name__)


class Subscription:
    """The filters of one link, which each new connection is given before anything else is sent over it.

    They let through the calls and jobs of the link's own dialer and of those that were adopted, and what the node
    says of itself.
    """

    def __init__(self, node: str, dialer_id: str) -> None:
        self._node = node
        self._dialer_ids = [dialer_id]
        self._lock = RLock()
        self._connection: EslConnection[Event] | None = None
        self._filtered: set[str] = set()

    def subscribe(self, connection: EslConnection[Event]) -> set[str]:
        """Ask a new connection for the events; the dialers whose filters it has. Raises EslError."""
        for name in NODE_EVENT_NAMES:
            self._command(connection, commands.event_filter(name))
        filtered: set[str] = set()
        self._set_filters(connection, filtered)
        self._command(connection, commands.event_subscription(EVENT_NAMES))
        return filtered

    def attach(self, connection: EslConnection[Event], filtered: set[str]) -> None:
        """Keep the filters of this connection up to date from now on, those included that were adopted meanwhile."""
        with self._lock:
            self._set_filters(connection, filtered)
            self._filtered = filtered
            self._connection = connection

    def detach(self) -> None:
        """The connection is over."""
        with self._lock:
            self._connection = None
            self._filtered = set()

    def adopt(self, dialer_id: str) -> None:
        """Receive another dialer's events from now on, after reconnects too.

        What is sent afterwards is answered with its filters in force.
        """
        filters = commands.own_events_filters(dialer_id)
        if dialer_id not in self._dialer_ids:
            self._dialer_ids.append(dialer_id)
        with self._lock:
            if self._connection is None or dialer_id in self._filtered:
                return
            self._filtered.add(dialer_id)
            try:
                self._post(self._connection, filters)
            except NotConnected as exc:
                log.info("adoption_waits_for_link", node=self._node, of=dialer_id, error=exc.reason)

    def release(self, dialer_id: str) -> None:
        """Receive an adopted dialer's events no longer: none of its calls is left."""
        removed = commands.own_events_filters_removed(dialer_id)
        if dialer_id not in self._dialer_ids[1:]:
            return
        self._dialer_ids.remove(dialer_id)
        with self._lock:
            if self._connection is None or dialer_id not in self._filtered:
                return
            self._filtered.discard(dialer_id)
            with suppress(NotConnected):
                self._post(self._connection, removed)

    def _set_filters(self, connection: EslConnection[Event], filtered: set[str]) -> None:
        for dialer_id in list(self._dialer_ids):
            if dialer_id not in filtered:
                for line in commands.own_events_filters(dialer_id):
                    self._command(connection, line)
                filtered.add(dialer_id)

    def _command(self, connection: EslConnection[Event], line: str) -> None:
        reply = connection.send_command(line, timeout=REPLY_SECONDS)
        if not reply.startswith("+OK"):
            raise EslError(self._node, f"{line.split(maxsplit=1)[0]} refused: {reply[:200]}")

    def _post(self, connection: EslConnection[Event], lines: Sequence[str]) -> None:
        for line in lines:
            connection.post_command(line, on_reply=self._filter_changed, timeout=REPLY_SECONDS)

    def _filter_changed(self, answer: str | EslError) -> None:
        connection = self._connection
        if isinstance(answer, str) and not answer.startswith("+OK") and connection is not None:
            connection.close(f"filter refused: {answer[:200]}")
