"""Routes events to subscribed clients: subscriptions, filters, and rendering once for each format that is wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from simulator.calls import Call
from simulator.filters import Filter, passes
from simulator.framing import json_event, plain_event, xml_event
from simulator.layout import KINDS, PUBLISHED_AS
from simulator.render import JSON, PLAIN, XML, Renderer, system_names

_SYSTEM = system_names()
_BARE = frozenset(kind for kind, row in KINDS.items() if "variables" not in row[4] and "own" not in row[4])
_RENDERERS = {JSON: json_event, PLAIN: plain_event, XML: xml_event}


class Subscriber(Protocol):
    """What the hub knows of a connection."""

    @property
    def format(self) -> str:
        """json, plain or xml."""

    @property
    def filters(self) -> Sequence[Filter]:
        """What may pass."""

    def push(self, frame: bytes) -> None:
        """Queue one event frame."""


class Hub:
    """Delivers events to subscribers. `wall` returns seconds since the epoch, for the events' own dates."""

    def __init__(self, renderer: Renderer, wall: Callable[[], float]) -> None:
        self.renderer = renderer
        self.wall = wall
        self._subscribers: dict[str, list[Subscriber]] = {}

    def subscribe(self, subscriber: Subscriber, names: set[str]) -> None:
        """Make `names` the events this subscriber gets: kinds, and `CUSTOM <subclass>` for a custom event."""
        self.unsubscribe(subscriber)
        for name in names:
            self._subscribers.setdefault(name, []).append(subscriber)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Stop every event to this subscriber."""
        for subscribers in self._subscribers.values():
            if subscriber in subscribers:
                subscribers.remove(subscriber)

    def wanted(self, kind: str) -> bool:
        """Whether anybody is subscribed to `kind`."""
        return bool(self._subscribers.get(kind))

    def channel(self, kind: str, call: Call) -> None:
        """Publish an event of a channel as the channel is now."""
        renderer = self.renderer
        renderer.sequence += 1
        subscribers = self._subscribers.get(PUBLISHED_AS.get(kind, kind))
        if not subscribers:
            return
        fields = call.fields
        fields.update(renderer.clock(self.wall()))
        fields["sequence"] = str(renderer.sequence)
        frames: dict[str, bytes] = {}
        lookup: Callable[[str], str | None] | None = None
        for subscriber in subscribers:
            if subscriber.filters:
                lookup = lookup or self._lookup(kind, call)
                if not passes(subscriber.filters, lookup):
                    continue
            frame = frames.get(subscriber.format)
            if frame is None:
                frame = frames[subscriber.format] = self._frame(subscriber.format, kind, call)
            subscriber.push(frame)

    def channel_state(self, call: Call, state: str, number: str) -> None:
        """Set the state of a channel's machine, such as CS_ROUTING, and publish it."""
        call.fields.update(state=state, state_number=number)
        self.channel("CHANNEL_STATE", call)

    def call_state(self, call: Call, state: str) -> None:
        """Set what a phone would show, such as RINGING, and publish it."""
        call.set_call_state(state)
        self.channel("CHANNEL_CALLSTATE", call)

    def _frame(self, form: str, kind: str, call: Call) -> bytes:
        if form == JSON:
            return self.renderer.json(kind, call.flags, call.fields)
        if form == PLAIN:
            return self.renderer.plain(kind, call.flags, call.fields, call.blocks)
        return xml_event(call.snapshot(self.renderer, kind))

    def _lookup(self, kind: str, call: Call) -> Callable[[str], str | None]:
        whole: dict[str, str] = {}

        def lookup(header: str) -> str | None:
            if header.startswith("variable_") and not whole:
                # Filters name the dialer's own variables: answer those without rendering the event.
                name = header[9:]
                if kind in _BARE:
                    return None
                found = call.variable(name)
                if found is not None:
                    return found
                if name.lower() not in _SYSTEM and not _has_folded(call, name):
                    return None
            elif header == "Job-UUID":
                return None  # on no channel event
            elif header == "Event-Name":
                return PUBLISHED_AS.get(kind, kind)
            if not whole:
                # A header that stands twice answers with its first value.
                for key, value in reversed(call.snapshot(self.renderer, kind)):
                    if value:
                        whole[key.lower()] = value
            return whole.get(header.lower())

        return lookup

    def simple(
        self,
        kind: str,
        pairs: Sequence[tuple[str, str]],
        source: tuple[str, str, int],
        body: str = "",
        subclass: str = "",
    ) -> None:
        """Publish an event that is no channel's; `source` is its file, function and line."""
        renderer = self.renderer
        renderer.sequence += 1
        key = f"CUSTOM {subclass}" if kind == "CUSTOM" else kind
        subscribers = self._subscribers.get(key, [])
        if kind == "CUSTOM":
            subscribers = [
                *subscribers,
                *(one for one in self._subscribers.get("ALL", []) if one not in subscribers),
            ]
        if not subscribers:
            return
        headers = [*self.head(kind, source), *pairs]
        folded = {name.lower(): value for name, value in reversed(headers)}
        frames: dict[str, bytes] = {}
        for subscriber in subscribers:
            if subscriber.filters and not passes(subscriber.filters, lambda name: folded.get(name.lower())):
                continue
            frame = frames.get(subscriber.format)
            if frame is None:
                frame = frames[subscriber.format] = _RENDERERS[subscriber.format](headers, body)
            subscriber.push(frame)

    def head(self, kind: str, source: tuple[str, str, int]) -> list[tuple[str, str]]:
        """The thirteen headers every event starts with."""
        clock = self.renderer.clock(self.wall())
        node = self.renderer.node
        file, function, line = source
        return [
            ("Event-Name", kind),
            ("Core-UUID", node["core"]),
            ("FreeSWITCH-Hostname", node["hostname"]),
            ("FreeSWITCH-Switchname", node["switchname"]),
            ("FreeSWITCH-IPv4", "127.0.0.1"),
            ("FreeSWITCH-IPv6", "::1"),
            ("Event-Date-Local", clock["now_local"]),
            ("Event-Date-GMT", clock["now_gmt"]),
            ("Event-Date-Timestamp", clock["now_us"]),
            ("Event-Calling-File", file),
            ("Event-Calling-Function", function),
            ("Event-Calling-Line-Number", str(line)),
            ("Event-Sequence", str(self.renderer.sequence)),
        ]


def _has_folded(call: Call, name: str) -> bool:
    folded = name.lower()
    return any(key.lower() == folded for key in (*call.variables, *call.late))
