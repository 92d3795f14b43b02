"""What the API asks of every dialer over the control bus: look again, block a campaign, halt a tenant, suppress a
number, hang up.

The API has committed its change before it sends. An answer (`ack`) means that it is in force here: no originate of
what is blocked or halted is on its way to a socket any more, and every node has those that were, but for one that
stands still. Messages may be lost, so every dialer also looks every second what is halted, by a statement of its own
that nothing else can hold up, which calls have to end, and which of those that wait to leave may not any more
(`lookout`); a pause and a stop are in the campaign's row, which each claim reads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import gevent
import structlog
from gevent.event import Event as Signal

from coordination.control_bus import ControlBus
from coordination.errors import ControlBusUnavailable
from coordination.topics import Topic
from dialer.calls_to_end import CallsToEnd
from dialer.dispatch.node_orders import STALLED_SECONDS
from dialer.send_gate import SendGate, Suppressed
from models import Pool, db

log = structlog.get_logger()

ACK_SECONDS = 1.5


@dataclass(slots=True)
class Control:
    """Acts on control messages; one for each process. `wait_for_nodes` waits so many seconds at most until the nodes
    have the orders that are under way. It reads by `pool`, or by the one that all share. `lifted` is set where a halt
    may be over: what is halted is to be read at once."""

    dialer_id: str
    control_bus: ControlBus
    send_gate: SendGate
    calls_to_end: CallsToEnd
    refresh: Callable[[], None]
    handing_over: Callable[[str], None]
    wait_for_nodes: Callable[[float], bool]
    pool: Pool | None = None
    lifted: Signal = field(default_factory=Signal)

    def on_message(self, topic: Topic, payload: Mapping[str, Any]) -> None:
        """Take one message. Called by the subscriber, in order; anything long is spawned."""
        if topic is Topic.HOLD:
            self.send_gate.block(payload["campaign_id"], payload["generation"])
        elif topic is Topic.HALT:
            self.send_gate.halt(payload["scope"])
            self.calls_to_end.wake.set()
        elif topic is Topic.UNHALT:
            # Another halt may have been answered since this was sent: the rows say.
            self.lifted.set()
        elif topic is Topic.SUPPRESS:
            self.send_gate.suppress(_suppressed(payload))
        elif topic is Topic.HANGUP:
            self.calls_to_end.on_hangup(payload["campaign_id"])
        elif topic is Topic.HANDOVER and payload["dialer_id"] != self.dialer_id:
            self.handing_over(payload["dialer_id"])
        if "token" in payload:
            gevent.spawn(self.answer, payload["token"])
        self.refresh()

    def on_connected(self) -> None:
        """Control messages may have been missed: the database says what is in force."""
        self.sync_halts()
        self.refresh()

    def sync_halts(self) -> None:
        """Halt what is halted in the database, and nothing else. Called every second.

        Raises what a database that is away raises; the halts that are known stand then.
        """
        read_at = time.monotonic()
        pool = db if self.pool is None else self.pool
        with pool.connection_context():
            scopes = [scope for (scope,) in pool.execute_sql("SELECT scope FROM halt").fetchall()]
        if self.send_gate.sync(scopes, read_at):
            self.calls_to_end.wake.set()

    def answer(self, token: str) -> None:
        """Say that what came is in force here, once it is. Never raises for a Redis that is away."""
        if not self.send_gate.wait_for_writes(ACK_SECONDS):
            return
        self.wait_for_nodes(STALLED_SECONDS)
        try:
            self.control_bus.ack(token, self.dialer_id)
        except ControlBusUnavailable as error:
            log.warning("control_message_not_answered", error=str(error)[:200])


def _suppressed(payload: Mapping[str, Any]) -> Suppressed:
    return Suppressed(
        payload["scope"], payload.get("campaign_id"), payload.get("number"), payload.get("prefix")
    )
