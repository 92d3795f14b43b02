"""What the API asks of every dialer over the control bus: look again, block a campaign, halt a tenant, hang up.

The API has committed its change before it sends. An answer (`ack`) means that it is in force here: no originate of
what is blocked or halted is on its way to a socket any more. Messages may be lost, so every dialer also reads the
halt table every second (`sync_halts`); a pause and a stop are in the campaign's row, which each claim reads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import gevent
import structlog

from coordination.control_bus import ControlBus
from coordination.errors import ControlBusUnavailable
from coordination.topics import Topic
from dialer.errors import DATABASE_AWAY
from dialer.send_gate import SendGate
from freeswitch.cluster import Cluster, NodeLink
from freeswitch.errors import FreeswitchError
from models import db, rows

log = structlog.get_logger()

ACK_SECONDS = 1.5
HANGUP_SECONDS = 15.0
HANGUP_EVERY_SECONDS = 0.5
CAUSE = "MANAGER_REQUEST"

_OPEN_OF_CAMPAIGN = "SELECT 1 FROM call WHERE campaign_id = %s::uuid AND ended_at IS NULL LIMIT 1"
_OPEN_TENANTS = "SELECT DISTINCT tenant_id FROM call WHERE ended_at IS NULL AND %s IN ('*', tenant_id)"


@dataclass(slots=True)
class Control:
    """Acts on control messages; one for each process."""

    dialer_id: str
    control_bus: ControlBus
    send_gate: SendGate
    cluster: Cluster
    refresh: Callable[[], None]
    handing_over: Callable[[str], None]
    _hanging_up: set[str] = field(default_factory=set)

    def on_message(self, topic: Topic, payload: Mapping[str, Any]) -> None:
        """Take one message. Called by the subscriber, in order; anything long is spawned."""
        if topic is Topic.HOLD:
            self.send_gate.block(payload["campaign_id"], payload["generation"])
        elif topic is Topic.HALT:
            self.send_gate.halt(payload["scope"])
            self._once(f"tenant {payload['scope']}", self._hang_up_tenants, payload["scope"])
        elif topic is Topic.UNHALT:
            self.send_gate.unblock(payload["scope"])
        elif topic is Topic.HANGUP:
            self._once(f"campaign {payload['campaign_id']}", self._hang_up_campaign, payload["campaign_id"])
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
        """Halt what is halted in the database, and nothing else; called every second, as messages may be lost.

        Raises what a database that is away raises; the halts that are known stand then.
        """
        read_at = time.monotonic()
        with db.connection_context():
            scopes = [row["scope"] for row in rows("SELECT scope FROM halt")]
        for scope in self.send_gate.sync(scopes, read_at):
            self._once(f"tenant {scope}", self._hang_up_tenants, scope)

    def _answer(self, token: str) -> None:
        if not self.send_gate.wait_for_writes(ACK_SECONDS):
            return
        try:
            self.control_bus.ack(token, self.dialer_id)
        except ControlBusUnavailable as error:
            log.warning("control_message_not_answered", error=str(error)[:200])

    def _once(self, target: str, job: Callable[[str], None], argument: str) -> None:
        """Run a hang-up unless the same one is under way: a message is repeated until it is answered."""
        if target in self._hanging_up:
            return
        self._hanging_up.add(target)

        def run() -> None:
            try:
                job(argument)
            finally:
                self._hanging_up.discard(target)

        gevent.spawn(run)

    def _hang_up_campaign(self, campaign_id: str) -> None:
        def left() -> set[tuple[str, str]]:
            with db.connection_context():
                return {("dialer_campaign", campaign_id)} if rows(_OPEN_OF_CAMPAIGN, campaign_id) else set()

        self._hang_up(left)

    def _hang_up_tenants(self, scope: str) -> None:
        def left() -> set[tuple[str, str]]:
            if not self.send_gate.is_halted(scope):
                return set()
            with db.connection_context():
                return {("dialer_tenant", row["tenant_id"]) for row in rows(_OPEN_TENANTS, scope)}

        self._hang_up(left)

    def _hang_up(self, left: Callable[[], set[tuple[str, str]]]) -> None:
        """Hang up on every node, whoever placed the calls, until none is left.

        Again and again, because an originate may still sit in a node's buffer when the first one runs.
        """
        deadline = time.monotonic() + HANGUP_SECONDS
        while time.monotonic() < deadline:
            try:
                targets = left()
            except DATABASE_AWAY as error:
                log.warning("hangup_without_database", error=type(error).__name__)
            else:
                if not targets:
                    return
                # All nodes at once: one that does not answer must not keep the others' calls alive.
                orders = [
                    gevent.spawn(self._hang_up_on, link, targets) for link in self.cluster.links.values()
                ]
                gevent.joinall(orders, timeout=HANGUP_EVERY_SECONDS)
            gevent.sleep(HANGUP_EVERY_SECONDS)

    def _hang_up_on(self, link: NodeLink, targets: set[tuple[str, str]]) -> None:
        for variable, value in targets:
            try:
                link.hupall(CAUSE, variable, value)
            except FreeswitchError as error:
                log.warning("hangup_not_sent", node=link.name, error=str(error)[:200])
                return
