"""What the API asks of every dialer over the control bus: look again, block a campaign, halt a tenant, hang up.

The API has committed its change before it sends. An answer (`ack`) means that it is in force here: no originate of
what is blocked or halted is on its way to a socket any more. Messages may be lost, so every dialer also looks
every second what is halted and which calls have to end (`lookout`); a pause and a stop are in the campaign's row,
which each claim reads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import gevent
import structlog

from coordination.control_bus import ControlBus
from coordination.errors import ControlBusUnavailable
from coordination.topics import Topic
from dialer.hangups import Hangups
from dialer.send_gate import SendGate
from models import db, rows

log = structlog.get_logger()

ACK_SECONDS = 1.5


@dataclass(slots=True)
class Control:
    """Acts on control messages; one for each process."""

    dialer_id: str
    control_bus: ControlBus
    send_gate: SendGate
    hangups: Hangups
    refresh: Callable[[], None]
    handing_over: Callable[[str], None]

    def on_message(self, topic: Topic, payload: Mapping[str, Any]) -> None:
        """Take one message. Called by the subscriber, in order; anything long is spawned."""
        if topic is Topic.HOLD:
            self.send_gate.block(payload["campaign_id"], payload["generation"])
        elif topic is Topic.HALT:
            self.send_gate.halt(payload["scope"])
            self.hangups.wake.set()
        elif topic is Topic.UNHALT:
            self.send_gate.unblock(payload["scope"])
        elif topic is Topic.HANGUP:
            self.hangups.on_hangup(payload["campaign_id"])
        elif topic is Topic.HANDOVER and payload["dialer_id"] != self.dialer_id:
            self.handing_over(payload["dialer_id"])
        if "token" in payload:
            gevent.spawn(self._answer, payload["token"])
        self.refresh()

    def on_connected(self) -> None:
        """Control messages may have been missed: the database says what is in force."""
        self.sync_halts()
        self.refresh()

    def sync_halts(self) -> None:
        """Halt what is halted in the database, and nothing else.

        Raises what a database that is away raises; the halts that are known stand then.
        """
        read_at = time.monotonic()
        with db.connection_context():
            scopes = [row["scope"] for row in rows("SELECT scope FROM halt")]
        self.halts_stand(scopes, read_at)

    def halts_stand(self, scopes: Iterable[str], read_at: float) -> None:
        """These scopes were halted in the database at `read_at` (monotonic), and no others. Called every second."""
        if self.send_gate.sync(scopes, read_at):
            self.hangups.wake.set()

    def _answer(self, token: str) -> None:
        if not self.send_gate.wait_for_writes(ACK_SECONDS):
            return
        try:
            self.control_bus.ack(token, self.dialer_id)
        except ControlBusUnavailable as error:
            log.warning("control_message_not_answered", error=str(error)[:200])
