"""The last step before the socket: one claimed call, one frame, and every reason why it may not leave.

The guard runs under the connection's write lock, right before the bytes: lease, permit, pause and halt are asked
there and nowhere later.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum

import structlog

from campaigns.dispositions import Disposition
from dialer.book import Flight
from dialer.holds import Holds
from dialer.identity import Identity
from dialer.recorder import Recorder
from freeswitch.cluster import Cluster, NodeLink
from freeswitch.commands import OriginateRequest
from freeswitch.connection import MaybeSent, NotConnected, Withheld

log = structlog.get_logger()


class Outcome(StrEnum):
    """What became of an attempt to send."""

    SENT = "sent"
    LAPSED = "lapsed"
    """Its permit is older than 50 ms: ask again."""
    HELD = "held"
    """The campaign was paused or stopped, its tenant halted, or this process is ending."""
    NO_NODE = "no_node"
    """Its node's connection is gone and nothing was written."""


class Sender:
    """Writes originates; never waits for a call."""

    def __init__(self, cluster: Cluster, recorder: Recorder, holds: Holds, identity: Identity) -> None:
        self._cluster = cluster
        self._recorder = recorder
        self._holds = holds
        self._identity = identity

    def send(self, flight: Flight, request: OriginateRequest, permit_expires: float | None) -> Outcome:
        """Write the originate of a committed call, unless something forbids it.

        `permit_expires` is monotonic; None for a repeat by recovery, whose slots and rates are counted already.
        """
        link = self._cluster.links.get(flight.node)
        if link is None:
            return Outcome.NO_NODE
        with self._holds.writing():
            try:
                link.originate(request, self._guard(flight, link, permit_expires), self._on_reply(flight))
            except Withheld:
                return Outcome.LAPSED if self.allowed(flight) else Outcome.HELD
            except NotConnected:
                return Outcome.NO_NODE
            except MaybeSent:
                log.warning("originate_cut_off", call_id=flight.call_id, node=flight.node)
        return Outcome.SENT

    def allowed(self, flight: Flight) -> bool:
        """Whether pause, halt and lease let this call leave now."""
        return self._identity.may_send() and self._holds.allows(
            flight.tenant_id, flight.campaign_id, flight.generation
        )

    def _guard(self, flight: Flight, link: NodeLink, permit_expires: float | None) -> Callable[[], bool]:
        def may_leave() -> bool:
            now = time.monotonic()
            if (permit_expires is not None and now >= permit_expires) or not self.allowed(flight):
                return False
            flight.sent_at = now
            flight.core_uuid = link.core_uuid or flight.core_uuid
            return True

        return may_leave

    def _on_reply(self, flight: Flight) -> Callable[[str | None], None]:
        def replied(reply: str | None) -> None:
            # None: the connection died first, and recovery asks the node when it is back.
            if reply is not None and not reply.startswith("+OK"):
                log.error("originate_refused", call_id=flight.call_id, node=flight.node, reply=reply[:200])
                self._recorder.close(flight, Disposition.CONGESTION, "COMMAND_REFUSED")

        return replied
