"""A node that does only what it is told to, one step at a time, and the dialers' connections to it.

A frame that was written waits in the node's buffer until `execute`; an event waits until `arrives`. So a test decides
what is late, repeated, out of order or lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from freeswitch.cluster import NodeConfig
from freeswitch.errors import NotConnected, Withheld
from freeswitch.events import ChannelEvent, ChannelEventKind, Event, JobResult
from freeswitch.hangup import Hangup
from freeswitch.originate import OriginateRequest

NODE = "fs1"
CORE = "core-1"
SECOND = 1_000_000


@dataclass(slots=True)
class Channel:
    """A call that is up; the times are the node's, in seconds."""

    sender: str
    created: float
    ringing: bool = False
    answered: float | None = None


@dataclass(slots=True)
class Switch:
    """The node. `lines` are the originates that it was asked for, in order, and whether it made a channel."""

    clock: Callable[[], float]
    alive: dict[str, Channel] = field(default_factory=dict)
    hangup_markers: set[str] = field(default_factory=set)
    frames: list[tuple[str, str]] = field(default_factory=list)
    """(dialer, call) that were written and not yet executed."""
    executed: Counter[str] = field(default_factory=Counter)
    """How often each call had a channel."""
    events: list[tuple[str, Event]] = field(default_factory=list)
    """(dialer whose filters let it through, event) that have not arrived anywhere."""
    spool: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """(call, variables) of records that wait for their shipper."""

    def execute(self, index: int = 0) -> None:
        """Carry out one of the frames in the buffer: a channel, or a refusal where its id is alive."""
        sender, call_id = self.frames.pop(index)
        if call_id in self.alive:
            self._tell(sender, JobResult(call_id, sender, False, "DESTINATION_OUT_OF_ORDER", CORE, 0))
            return
        self.alive[call_id] = Channel(sender, self.clock())
        self.executed[call_id] += 1
        self._report(call_id, ChannelEventKind.CREATED)

    def refuse(self, index: int = 0) -> None:
        """Turn one of the frames down before it has a channel."""
        sender, call_id = self.frames.pop(index)
        self._tell(sender, JobResult(call_id, sender, False, "DESTINATION_OUT_OF_ORDER", CORE, 0))

    def ring(self, call_id: str) -> None:
        """The called party's phone rings."""
        self.alive[call_id].ringing = True
        self._report(call_id, ChannelEventKind.PROGRESS)

    def answer(self, call_id: str) -> None:
        """The called party answers."""
        self.alive[call_id].answered = self.clock()
        self._report(call_id, ChannelEventKind.ANSWERED)

    def hang_up(self, call_id: str) -> None:
        """The call ends: answered, where it was, else busy. It leaves its marker before it stops existing."""
        channel = self.alive[call_id]
        answered = channel.answered is not None
        self.hangup_markers.add(call_id)
        self._report(call_id, ChannelEventKind.HANGUP_COMPLETE, _hangup(answered))
        self.spool.append((call_id, _variables(answered)))
        del self.alive[call_id]

    def answer_to(self, line: str) -> str:
        """What the node says to a command."""
        command, _, argument = line.partition(" ")
        if command == "uuid_dump":
            channel = self.alive.get(argument.split()[0])
            return "-ERR No such channel!\n" if channel is None else self._dump(argument.split()[0], channel)
        if command == "hash":
            verb, _, name = argument.rpartition("/")
            if verb.startswith("delete"):
                self.hangup_markers.discard(name)
                return "+OK\n"
            return "done" if name in self.hangup_markers else "-ERR no reply\n"
        if command == "uuid_kill" and argument.split()[0] in self.alive:
            self.hang_up(argument.split()[0])
        return "+OK\n"

    def _dump(self, call_id: str, channel: Channel) -> str:
        shown = {
            "Unique-ID": call_id,
            "Core-UUID": CORE,
            "Event-Date-Timestamp": str(int(self.clock() * SECOND)),
            "Caller-Channel-Created-Time": str(int(channel.created * SECOND)),
            "Caller-Channel-Progress-Time": str(int(channel.created * SECOND) if channel.ringing else 0),
            "Caller-Channel-Answered-Time": str(int((channel.answered or 0) * SECOND)),
            "Answer-State": "answered" if channel.answered else "ringing",
            "variable_dialer_id": channel.sender,
        }
        return orjson.dumps(shown).decode()

    def _report(self, call_id: str, kind: ChannelEventKind, hangup: Hangup | None = None) -> None:
        sender = self.alive[call_id].sender
        self._tell(sender, ChannelEvent(kind, call_id, CORE, 0, sender, hangup))

    def _tell(self, sender: str, event: Event) -> None:
        self.events.append((sender, event))


class Link:
    """One dialer's connection. `point` is told where a step of the dialer has got to, and may stop it there."""

    def __init__(
        self, config: NodeConfig, switch: Switch, dialer_id: str, point: Callable[[str], None]
    ) -> None:
        self.name = NODE
        self.config = config
        self.core_uuid: str | None = CORE
        self.connected = True
        self.heartbeat = None
        self.last_error: str | None = None
        self.lag_ms: int | None = None
        self.hears = {dialer_id}
        self._switch = switch
        self.dialer_id = dialer_id
        self._point = point
        self.before_write: Callable[[str], None] = lambda call_id: None

    def originate(
        self,
        request: OriginateRequest,
        guard: Callable[[], bool],
        _on_reply: Callable[[str | None], None],
        on_read: Callable[[], None],
    ) -> None:
        """Write one frame, if the guard lets it through."""
        if not self.connected:
            raise NotConnected(NODE, "down")
        if not guard():
            raise Withheld(NODE, "no")
        self._point("past the guard")
        self.before_write(request.call_id)
        self._switch.frames.append((self.dialer_id, request.call_id))
        self._point("written")

    def adopt(self, dialer_id: str) -> None:
        """Hear the events of another dialer's calls too."""
        self.hears.add(dialer_id)
        self._point("filters set")

    def api(self, line: str, timeout: float = 5.0) -> str:
        """Ask the node."""
        answer = self._switch.answer_to(line)
        if line.startswith(("uuid_dump", "hash")):
            self._point(f"asked {line.partition(' ')[0]}")
        return answer

    def api_many(self, lines: Sequence[str], timeout: float = 5.0) -> list[str]:
        """Ask the node one thing after the other."""
        return [self.api(line, timeout) for line in lines]


class Cluster:
    """What `dialer.process` takes for its cluster: a link to the switch for each node that it is told of."""

    def __init__(self, configs: Iterable[NodeConfig], make: Callable[[NodeConfig], Link]) -> None:
        self._make = make
        self.links: dict[str, Link] = {}
        for config in configs:
            self.add(config)

    def add(self, node: NodeConfig) -> None:
        """There is another node."""
        self.links[node.name] = self._make(node)

    def remove(self, name: str) -> None:
        """This node is gone."""
        del self.links[name]

    def adopt(self, dialer_id: str) -> None:
        """Hear the events of another dialer's calls too."""
        for link in self.links.values():
            link.adopt(dialer_id)

    @property
    def adopted(self) -> list[str]:
        """The other dialers whose events are heard."""
        return sorted({other for link in self.links.values() for other in link.hears - {link.dialer_id}})

    def release(self, dialer_id: str) -> None:
        """Hear them no longer."""
        for link in self.links.values():
            link.hears.discard(dialer_id)

    def connected_core(self, name: str) -> str | None:
        """The run of the switch that a node's link is up to."""
        link = self.links.get(name)
        return link.core_uuid if link is not None and link.connected else None

    def connected(self) -> list[Link]:
        """The links that are up."""
        return [link for link in self.links.values() if link.connected]

    def stop(self) -> None:
        """Nothing runs here."""


def cluster_of(switch: Switch, point: Callable[[str], None]) -> Callable[..., Cluster]:
    """What stands in for the class `Cluster` while a dialer is made."""

    def make(configs: list[NodeConfig], dialer_id: str, **_: Any) -> Cluster:
        return Cluster(configs, lambda config: Link(config, switch, dialer_id, point))

    return make


def _hangup(answered: bool) -> Hangup:
    return Hangup(
        cause="NORMAL_CLEARING" if answered else "USER_BUSY",
        q850=16 if answered else 17,
        sip_status=200 if answered else 486,
        sip_phrase=None,
        sip_reason=None,
        sip_603plus_reason=None,
        hung_up_by="remote",
        answered=answered,
        progress=answered,
        billsec=1 if answered else 0,
        billmsec=1000 if answered else 0,
        duration_ms=1500,
        pdd_ms=20,
        ring_ms=480,
        gateway="carrier",
    )


def _variables(answered: bool) -> dict[str, str]:
    start = 1_795_428_430 * SECOND
    common = {"start_uepoch": str(start), "end_uepoch": str(start + SECOND), "mduration": "1500"}
    if not answered:
        return common | {
            "hangup_cause": "USER_BUSY",
            "hangup_cause_q850": "17",
            "sip_invite_failure_status": "486",
        }
    return common | {
        "hangup_cause": "NORMAL_CLEARING",
        "hangup_cause_q850": "16",
        "sip_term_status": "200",
        "answer_uepoch": str(start + SECOND // 2),
        "billsec": "1",
    }
