"""Has a paused gateway probed as soon as its carrier answers pings again, not only when the probe's time has come.

Where a gateway pings its carrier, the nodes know that it is back before any call does. One that was seen down since
it was paused, and has been up on every node for 20 s, is probed at once; the probe is a call, and decides. While it
is down on every node nobody is called for a second leg by it: where one node alone cannot reach it, another may.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from campaigns.agent_needs import GATEWAY
from freeswitch.cluster import Cluster, NodeLink
from freeswitch.errors import FreeswitchError
from models import db, rows

log = structlog.get_logger()

STEADY_SECONDS: Final = 20.0
LOOK_SECONDS: Final = 2.0

_PAUSED = """
SELECT id::text AS gateway_id, dial_string, coalesce(probe_at > now() + interval '1 s', false) AS waits FROM gateway
WHERE deleted_at IS NULL AND paused_at IS NOT NULL
"""
_PROBE_NOW = """
UPDATE gateway SET probe_at = now()
WHERE id = %s AND outbound_enabled AND paused_at IS NOT NULL AND probe_at > now() RETURNING name
"""
_STATUS: Final = re.compile(r"^(Status|PingFreq)\s+(\S+)", re.MULTILINE)


def pings_up(status: str) -> bool | None:
    """What `sofia status gateway` says of a gateway's pings; None where it sends none, or is not known."""
    found = dict(_STATUS.findall(status))
    if found.get("PingFreq", "0") == "0" or "Status" not in found:
        return None
    return str(found["Status"]).startswith("UP")


@dataclass(slots=True)
class GatewayPings:
    """One process' part of it: every dialer looks for itself, and a probe is taken by one."""

    cluster: Cluster
    refresh: Callable[[], None]
    now: Callable[[], float]
    _down: set[str] = field(default_factory=set)
    """Those that were, since they were paused."""
    _down_now: set[str] = field(default_factory=set)
    _up_since: dict[str, float] = field(default_factory=dict)

    def round(self) -> None:
        """Look at what is paused. Raises what a database that is away raises."""
        with db.connection_context():
            paused = rows(_PAUSED)
        self._keep({row["gateway_id"] for row in paused})
        for row in paused:
            found = GATEWAY.search(row["dial_string"])
            if found is not None and self.is_back(row["gateway_id"], self._ask(found[1])) and row["waits"]:
                self._probe(row["gateway_id"])

    def is_down(self, gateway_id: str) -> bool:
        """Whether the nodes said of a paused gateway, when they were asked last, that nobody answers its pings: all
        that know. One that cannot reach it for good must not keep it paused for good."""
        return gateway_id in self._down_now

    def is_back(self, gateway_id: str, ups: Sequence[bool | None]) -> bool:
        """Whether a gateway that was down has just been up on every node for long enough; true once for each time."""
        known = [up for up in ups if up is not None]
        self._down_now.discard(gateway_id)
        if not all(known):
            self._down.add(gateway_id)
        if known and not any(known):
            self._down_now.add(gateway_id)
        if not known or not all(known):
            self._up_since.pop(gateway_id, None)
            return False
        since = self._up_since.setdefault(gateway_id, self.now())
        if gateway_id not in self._down or self.now() - since < STEADY_SECONDS:
            return False
        self._down.discard(gateway_id)
        return True

    def _keep(self, gateway_ids: Iterable[str]) -> None:
        paused = set(gateway_ids)
        self._down &= paused
        self._down_now &= paused
        self._up_since = {one: since for one, since in self._up_since.items() if one in paused}

    def _ask(self, name: str) -> list[bool | None]:
        return [self._ask_node(link, name) for link in self.cluster.connected()]

    def _ask_node(self, link: NodeLink, name: str) -> bool | None:
        try:
            return pings_up(link.api(f"sofia status gateway {name}"))
        except FreeswitchError as error:
            log.info("gateway_not_asked", node=link.name, gateway=name, error=str(error)[:200])
            return None

    def _probe(self, gateway_id: str) -> None:
        with db.connection_context():
            found = db.execute_sql(_PROBE_NOW, (uuid.UUID(gateway_id),)).fetchall()
        for (name,) in found:
            log.info("gateway_answers_pings", gateway_id=gateway_id, name=name)
            self.refresh()
