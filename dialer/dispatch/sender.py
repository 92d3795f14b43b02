"""Writes one call's originate, after the last check: lease, permit, pause, halt, calling window, whether the contact
has expired, do-not-call lists, whether the call has to end, and whether it was sent before.

The guard runs under the connection's write lock, right before the bytes: these are asked there and nowhere later.
Pause, halt, lists and whether this process is ending: of `dialer/send_gate.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

import structlog

from campaigns.actions import ActionRefused
from campaigns.dispositions import Disposition
from dialer.dispatch.node_orders import NodeOrders
from dialer.fault_points import FaultPoint, hit
from dialer.identity import Identity
from dialer.live_calls import LiveCall
from dialer.record.recorder import Recorder
from dialer.send_gate import SendGate
from freeswitch.cluster import Cluster, NodeLink
from freeswitch.errors import CommandRefused, MaybeSent, NotConnected, Withheld
from freeswitch.originate import OriginateRequest
from freeswitch.protocol import ProtocolError
from limits.acquire_request import WIRE_SECONDS

log = structlog.get_logger()


class SendOutcome(StrEnum):
    """What became of an attempt to send."""

    SENT = "sent"
    LAPSED = "lapsed"
    """Its permit is older than 50 ms: ask again."""
    BLOCKED = "blocked"
    """The campaign was paused or stopped, its tenant halted, the contact's calling window has closed, this process is
    ending, or the call was sent before."""
    NO_NODE = "no_node"
    """Its node's connection is gone and nothing was written."""
    REFUSED = "refused"
    """What its contact holds cannot be said to a switch; the contact has failed."""


class OrderListener(Protocol):
    """Hears of orders and of their answers."""

    def on_order(self) -> None:
        """An originate was written."""

    def on_reply(self, node: str, sent_at: float, read_at: float) -> None:
        """The answer of `node` to an originate written at `sent_at` was read at `read_at`, both monotonic."""


class Sender:
    """Writes originates; never waits for a call."""

    def __init__(
        self,
        cluster: Cluster,
        recorder: Recorder,
        send_gate: SendGate,
        identity: Identity,
        node_orders: NodeOrders,
        *,
        order_listeners: Sequence[OrderListener] = (),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._recorder = recorder
        self._send_gate = send_gate
        self._identity = identity
        self._node_orders = node_orders
        self._order_listeners = order_listeners
        self._now = now
        # The call that passed its check last, and what this thread had computed by then.
        self._checked: tuple[LiveCall | None, float] = (None, 0.0)

    def send(self, call: LiveCall, request: OriginateRequest, permit_expires: float) -> SendOutcome:
        """Write the originate of a committed call, unless something forbids it. `permit_expires` is monotonic."""
        link = self._cluster.links.get(call.node)
        if link is None:
            return SendOutcome.NO_NODE
        with self._send_gate.writing():
            try:
                link.originate(
                    request,
                    self._guard(call, link, permit_expires),
                    self._on_reply(call),
                    on_read=self._on_read(call),
                )
            except Withheld:
                return SendOutcome.LAPSED if call.unsent and self.allowed(call) else SendOutcome.BLOCKED
            except NotConnected:
                return SendOutcome.NO_NODE
            except (CommandRefused, ProtocolError) as refused:
                self.refuse(call, refused)
                return SendOutcome.REFUSED
            except MaybeSent:
                log.warning("originate_cut_off", call_id=call.call_id, node=call.node)
        self._note_hold_up(call)
        hit(FaultPoint.WRITTEN)
        for listener in self._order_listeners:
            listener.on_order()
        return SendOutcome.SENT

    def allowed(self, call: LiveCall) -> bool:
        """Whether pause, halt, lease, do-not-call lists, calling window and the expiry of its contact let this call
        leave now. One that has to end may not, though the halt that said so be lifted since."""
        if call.suppressed or self._suppressed(call) or self._now() >= call.leaves_before:
            return False
        return not call.must_end and self.may_claim(call.tenant_id, call.campaign_id, call.generation)

    def _suppressed(self, call: LiveCall) -> bool:
        return self._send_gate.suppresses(
            call.tenant_id, call.campaign_id, call.phone_number, call.unsuppressed_at
        )

    def may_claim(self, tenant_id: str, campaign_id: str, generation: int) -> bool:
        """Whether a call that is claimed now under `generation` could leave: what cannot is not worth a claim."""
        return self._identity.may_send() and self._send_gate.allows(tenant_id, campaign_id, generation)

    def leased(self) -> bool:
        """Whether this process is known to live; it is not for longer than a lease after Redis went away."""
        return self._identity.lease.valid()

    def refuse(self, call: LiveCall, refused: Exception) -> None:
        """This call cannot be said to any switch, because of what its contact or its columns are."""
        log.warning("contact_refused", contact_id=call.contact_id, call_id=call.call_id, rule=str(refused))
        match refused:
            case CommandRefused():
                name = f"{refused.name} {refused.rule}"
            case ActionRefused():
                name = str(refused)
            case _:
                # What nobody foresaw may name anything of this machine.
                name = type(refused).__name__
        self._recorder.refuse(call, f"REFUSED: {name}"[:200])

    def _guard(self, call: LiveCall, link: NodeLink, permit_expires: float) -> Callable[[], bool]:
        def may_leave() -> bool:
            now = self._now()
            # A call that was sent, seen or closed meanwhile stays where it is: an id that has ended can be reused.
            if now >= permit_expires or not self.allowed(call) or not call.write(now, link.core_uuid):
                return False
            self._node_orders.note(call)
            self._checked = call, time.thread_time()
            hit(FaultPoint.CHECKED)
            return True

        return may_leave

    def _note_hold_up(self, call: LiveCall) -> None:
        """Say where the machine took the processor from this process between the check and the write: the order may
        have left later than its permit allows, which nobody can rule out and whoever judges a cap has to know. What
        this process itself did meanwhile is no excuse."""
        checked, computed = self._checked
        if checked is not call or call.sent_at is None:
            return
        held, computed = self._now() - call.sent_at, time.thread_time() - computed
        if held > WIRE_SECONDS > 2 * computed:
            log.info("originate_held_up", call_id=call.call_id, seconds=round(held, 4))

    def _on_read(self, call: LiveCall) -> Callable[[], None]:
        def read() -> None:
            if call.sent_at is not None:
                for listener in self._order_listeners:
                    listener.on_reply(call.node, call.sent_at, self._now())

        return read

    def _on_reply(self, call: LiveCall) -> Callable[[str | None], None]:
        def replied(reply: str | None) -> None:
            if reply is None:
                # The connection died first: recovery is told, and asks the node when it is back.
                return
            now = self._now()
            call.acknowledge(now)
            if not reply.startswith("+OK"):
                log.error("originate_refused", call_id=call.call_id, node=call.node, reply=reply[:200])
                if call.may_have_earlier_order:
                    # Says nothing of the other one: recovery asks for long before its contact is called anew.
                    call.refusal = "COMMAND_REFUSED"
                    return
                self._recorder.close(call, Disposition.CONGESTION, "COMMAND_REFUSED", no_channel=True)

        return replied
