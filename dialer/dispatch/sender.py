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
from dialer.fault_points import Point, reach
from dialer.identity import Identity
from dialer.live_calls import Flight
from dialer.record.recorder import Recorder
from dialer.send_gate import Holds
from freeswitch.cluster import Cluster, NodeLink
from freeswitch.commands import OriginateRequest
from freeswitch.errors import CommandRefused, MaybeSent, NotConnected, Withheld
from freeswitch.protocol import ProtocolError

log = structlog.get_logger()


class Outcome(StrEnum):
    """What became of an attempt to send."""

    SENT = "sent"
    LAPSED = "lapsed"
    """Its permit is older than 50 ms: ask again."""
    HELD = "held"
    """The campaign was paused or stopped, its tenant halted, this process is ending, or the call was sent before."""
    NO_NODE = "no_node"
    """Its node's connection is gone and nothing was written."""
    REFUSED = "refused"
    """What its contact holds cannot be said to a switch; the contact has failed."""


class Sender:
    """Writes originates; never waits for a call."""

    def __init__(
        self,
        cluster: Cluster,
        recorder: Recorder,
        holds: Holds,
        identity: Identity,
        on_replied: Callable[[str, float], None],
    ) -> None:
        self._cluster = cluster
        self._recorder = recorder
        self._holds = holds
        self._identity = identity
        self._on_replied = on_replied

    def send(self, flight: Flight, request: OriginateRequest, permit_expires: float) -> Outcome:
        """Write the originate of a committed call, unless something forbids it. `permit_expires` is monotonic."""
        link = self._cluster.links.get(flight.node)
        if link is None:
            return Outcome.NO_NODE
        with self._holds.writing():
            try:
                link.originate(request, self._guard(flight, link, permit_expires), self._on_reply(flight))
            except Withheld:
                return Outcome.LAPSED if flight.unsent and self.allowed(flight) else Outcome.HELD
            except NotConnected:
                return Outcome.NO_NODE
            except (CommandRefused, ProtocolError) as refused:
                self.refuse(flight, refused)
                return Outcome.REFUSED
            except MaybeSent:
                log.warning("originate_cut_off", call_id=flight.call_id, node=flight.node)
        reach(Point.WRITTEN)
        return Outcome.SENT

    def allowed(self, flight: Flight) -> bool:
        """Whether pause, halt and lease let this call leave now."""
        return self.may_claim(flight.tenant_id, flight.campaign_id, flight.generation)

    def may_claim(self, tenant_id: str, campaign_id: str, generation: int) -> bool:
        """Whether a call that is claimed now under `generation` could leave: what cannot is not worth a claim."""
        return self._identity.may_send() and self._holds.allows(tenant_id, campaign_id, generation)

    def refuse(self, flight: Flight, refused: Exception) -> None:
        """This call cannot be said to any switch, because of what its contact or its columns are."""
        log.warning(
            "contact_refused", contact_id=flight.contact_id, call_id=flight.call_id, rule=str(refused)
        )
        name = f"{refused.name} {refused.rule}" if isinstance(refused, CommandRefused) else str(refused)
        self._recorder.refuse(flight, f"REFUSED: {name}"[:200])

    def _guard(self, flight: Flight, link: NodeLink, permit_expires: float) -> Callable[[], bool]:
        def may_leave() -> bool:
            now = time.monotonic()
            # A call that was sent, seen or closed meanwhile stays where it is: an id that has ended can be reused.
            if now >= permit_expires or not flight.unsent or not self.allowed(flight):
                return False
            flight.sent_at = now
            flight.unanswered = True
            flight.core_uuid = link.core_uuid or flight.core_uuid
            reach(Point.CHECKED)
            return True

        return may_leave

    def _on_reply(self, flight: Flight) -> Callable[[str | None], None]:
        def replied(reply: str | None) -> None:
            if reply is None:
                # The connection died first: recovery is told, and asks the node when it is back.
                return
            now = time.monotonic()
            flight.unanswered = False
            flight.let_go_at = now
            if flight.sent_at is not None:
                self._on_replied(flight.node, now - flight.sent_at)
            if not reply.startswith("+OK"):
                log.error("originate_refused", call_id=flight.call_id, node=flight.node, reply=reply[:200])
                self._recorder.close(flight, Disposition.CONGESTION, "COMMAND_REFUSED", no_channel=True)

        return replied
