"""Asks the nodes for what agents need of them: modules, files, gateways, queues, servers. No call is made.

What each node lacks is in what this dialer says of itself, so that the API can refuse a start that no node could
serve. One dialer in turn asks a node. A server is asked by a TCP connection from here that is closed at once; one on
a loopback address means something else on each machine, and is asked for only where the node is on this one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import gevent
import structlog
from gevent import socket

from campaigns import agent_holds
from campaigns.agent_needs import MODULES, Need, NeedKind, needs, that_settle
from campaigns.agent_reports import FRESH_SECONDS
from freeswitch.cluster import Cluster, NodeLink
from freeswitch.errors import EslError, FreeswitchError
from models import db, rows

log = structlog.get_logger()

ASK_SECONDS: Final = 4.0
MOST_AGENTS: Final = 1_000
BATCH: Final = 50
"""Asked in one round trip: a node hears nothing else on that connection meanwhile."""
CONNECT_SECONDS: Final = 1.0
LOOPBACK: Final = ("127.", "localhost", "::1")

_AGENTS = """
SELECT DISTINCT action, safe_harbour FROM (
    SELECT action, safe_harbour FROM agent
        LEFT JOIN (SELECT DISTINCT agent_id FROM campaign WHERE completed_at IS NULL AND deleted_at IS NULL) AS wanted
            ON wanted.agent_id = agent.id
    WHERE deleted_at IS NULL ORDER BY wanted.agent_id IS NULL, created_at DESC LIMIT %s) AS a
"""
_DIAL_STRINGS = "SELECT id::text AS id, dial_string FROM gateway WHERE deleted_at IS NULL"

Connects = Callable[[str, int], bool]


def connects(host: str, port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def missing(link: NodeLink, wanted: Iterable[Need], reaches: Connects = connects) -> set[Need]:
    """What a node lacks of `wanted`. Raises FreeswitchError where it does not answer."""
    found = {
        need
        for need in wanted
        if need.kind is NeedKind.SERVER and not _reached(link.config.host, need, reaches)
    }
    asked = [need for need in wanted if need.kind in _QUESTIONS]
    for some in _slices(asked):
        answers = link.api_many([_QUESTIONS[need.kind].format(need.name) for need in some])
        if len(answers) < len(some):
            raise EslError(link.name, "it did not answer")
        found |= {
            need
            for need, answer in zip(some, answers, strict=True)
            if not _IS_THERE[need.kind](need.name, answer)
        }
    return found


def _reached(node_host: str, need: Need, reaches: Connects) -> bool:
    host, _, port = need.name.rpartition(":")
    if host.startswith(LOOPBACK) and not node_host.startswith(LOOPBACK):
        # Nobody here can tell.
        return True
    return reaches(host, int(port))


def can_tell(node_host: str, need: Need) -> bool:
    """Whether the answer to this need says anything."""
    return not (
        need.kind is NeedKind.SERVER and need.name.startswith(LOOPBACK) and not node_host.startswith(LOOPBACK)
    )


_QUESTIONS: Mapping[NeedKind, str] = {
    NeedKind.MODULE: "module_exists {}",
    NeedKind.FILE: "file_exists {}",
    NeedKind.GATEWAY: "sofia status gateway {}",
    NeedKind.QUEUE: "callcenter_config queue list",
}
_IS_THERE: Mapping[NeedKind, Callable[[str, str], bool]] = {
    NeedKind.MODULE: lambda _name, answer: answer.strip() == "true",
    NeedKind.FILE: lambda _name, answer: answer.strip() == "true",
    # A gateway that is not known, or that its pings say is down, takes no second leg.
    NeedKind.GATEWAY: lambda _name, answer: "Invalid Gateway" not in answer and "\tDOWN" not in answer,
    NeedKind.QUEUE: lambda name, answer: any(line.startswith(f"{name}|") for line in answer.splitlines()),
}


def needed_by_agents(sound_folder: str, most: int = MOST_AGENTS) -> set[Need]:
    """What the agents of all tenants need: where there are more than `most`, of those that unfinished campaigns have,
    then of the latest."""
    agents = rows(_AGENTS, most)
    dial_strings = _dial_strings()
    return {
        need
        for row in agents
        for need in needs(row["action"], sound_folder, dial_strings, row["safe_harbour"])
    }


def _dial_strings() -> dict[str, str]:
    return {row["id"]: row["dial_string"] for row in rows(_DIAL_STRINGS)}


@dataclass(slots=True)
class NodeNeeds:
    """What this process found. `may_ask` says whether it is its turn to ask for this work now."""

    cluster: Cluster
    sound_folder: str
    may_ask: Callable[[str, float], bool]
    refresh: Callable[[], None]
    reaches: Connects = connects
    wall: Callable[[], float] = time.time
    _found: dict[str, tuple[float, list[str]]] = field(default_factory=dict)

    def round(self) -> None:
        """Ask those nodes whose turn it is. Raises what a database or a Redis that is away raises."""
        # Whoever looks for sounds in another folder has other questions.
        work = f"needs:{self.sound_folder}:"
        turn = [link for link in self.cluster.connected() if self.may_ask(work + link.name, ASK_SECONDS)]
        if not turn:
            return
        with db.connection_context():
            wanted = sorted({*needed_by_agents(self.sound_folder), *MODULES})
        gevent.joinall([gevent.spawn(self._ask, link, wanted) for link in turn])

    def probe(self) -> None:
        """Ask every node for what held agents need, and let those go that can run again on all of them.

        Raises what a database or a Redis that is away raises.
        """
        if not self.may_ask("held_agents", ASK_SECONDS / 2):
            return
        with db.connection_context():
            held = agent_holds.due()
            dial_strings = _dial_strings() if held else {}
        for agent in held:
            works = self._works(agent, dial_strings)
            with db.connection_context():
                name = agent_holds.probed(agent, works)
            log.info("agent_probed", agent_id=agent.agent_id, works=works, reason=agent.cause)
            if name is not None:
                log.warning("agent_released", agent_id=agent.agent_id, name=name)
                self.refresh()

    def info(self) -> dict[str, Any]:
        """By node, when it was asked, what it lacks and where sounds were looked for, for the membership."""
        now = self.wall()
        return {
            node: {"at": at, "lacks": lacks, "folder": self.sound_folder}
            for node, (at, lacks) in self._found.items()
            if now - at < FRESH_SECONDS
        }

    def _ask(self, link: NodeLink, wanted: Sequence[Need]) -> None:
        try:
            lacks = missing(link, wanted, self.reaches)
        except FreeswitchError as error:
            log.info("needs_not_asked", node=link.name, error=str(error)[:200])
            self._found.pop(link.name, None)
            return
        self._found[link.name] = self.wall(), sorted(str(need) for need in lacks)

    def _works(self, agent: agent_holds.HeldAgent, dial_strings: Mapping[str, str]) -> bool | None:
        """Whether it can run again on every node that is connected; None where nobody can tell."""
        wanted = that_settle(agent.cause, needs(agent.action, self.sound_folder, dial_strings))
        links = self.cluster.connected()
        if not wanted or not all(can_tell(link.config.host, need) for link in links for need in wanted):
            return None
        try:
            return bool(links) and not any(missing(link, wanted, self.reaches) for link in links)
        except FreeswitchError as error:
            log.info("needs_not_asked", agent_id=agent.agent_id, error=str(error)[:200])
            return False


def _slices(found: Sequence[Need]) -> Iterator[list[Need]]:
    left = iter(found)
    while some := list(islice(left, BATCH)):
        yield some
