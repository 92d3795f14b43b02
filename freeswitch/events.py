"""The records of what FreeSWITCH reports.

`decoding` makes them of an event's bytes, as `link` receives it, and reads only the headers that it lists: a new one
goes there too. How a call ended is read by `hangup`. Nothing further in sees a header's name. The records of a
channel, of which there are thousands a second, are named tuples: they take a third of a frozen dataclass' time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from freeswitch.hangup import Hangup, hangup_from_event
from freeswitch.headers import (
    JsonEvent,
    header_float,
    header_int,
    header_or_none,
    header_text,
    milliseconds_between,
)


class ChannelEventKind(StrEnum):
    """The moments of a call that FreeSWITCH reports, in their usual order."""

    CREATED = "created"
    PROGRESS = "progress"
    PROGRESS_MEDIA = "progress_media"
    ANSWERED = "answered"
    HANGUP_COMPLETE = "hangup_complete"


_CHANNEL_KINDS: Final[Mapping[str, ChannelEventKind]] = {
    "CHANNEL_CREATE": ChannelEventKind.CREATED,
    "CHANNEL_PROGRESS": ChannelEventKind.PROGRESS,
    "CHANNEL_PROGRESS_MEDIA": ChannelEventKind.PROGRESS_MEDIA,
    "CHANNEL_ANSWER": ChannelEventKind.ANSWERED,
    "CHANNEL_HANGUP_COMPLETE": ChannelEventKind.HANGUP_COMPLETE,
}


class ChannelEvent(NamedTuple):
    """One moment of one channel. `at_us` is the node's clock.

    `dialer_id` and `hangup` are sure to stand on hangup_complete only.
    """

    kind: ChannelEventKind
    call_id: str
    core_uuid: str
    at_us: int
    dialer_id: str | None
    hangup: Hangup | None = None


@dataclass(frozen=True, slots=True)
class JobResult:
    """The end of a `bgapi originate`. `text` is the uuid when `ok`, else the cause.

    It says nothing about an answer, and comes before or after the channel's own events.
    """

    call_id: str
    dialer_id: str
    ok: bool
    text: str
    core_uuid: str
    at_us: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A node's report on itself, every 20 s.

    `sessions_per_second` is what is left of the current second's allowance: the limit itself on an idle node,
    give or take one. `idle_cpu` is in per cent. A figure that the node left out is 0.
    """

    core_uuid: str
    hostname: str
    sessions: int
    max_sessions: int
    sessions_per_second: int
    idle_cpu: float
    at_us: int


@dataclass(frozen=True, slots=True)
class Shutdown:
    """The node is going down; its calls end with SYSTEM_SHUTDOWN right after."""

    core_uuid: str
    at_us: int


Event = ChannelEvent | JobResult | Heartbeat | Shutdown


@dataclass(frozen=True, slots=True)
class LiveChannel:
    """A channel that a node still has, as `uuid_dump` shows it. Ages are by the node's own clock."""

    call_id: str
    core_uuid: str
    dialer_id: str | None
    answered: bool
    progress: bool
    ended: bool
    age_ms: int
    answered_ms_ago: int | None
    gateway: str | None


def event_from_json(event: JsonEvent) -> Event | None:
    """The record of a decoded event; None for one that says nothing about us, or lacks an id."""
    name = header_text(event, "Event-Name")
    kind = _CHANNEL_KINDS.get(name)
    if kind is not None:
        return _channel_event(event, kind)
    if name == "BACKGROUND_JOB":
        return _job_result(event)
    if name == "HEARTBEAT":
        return _heartbeat(event)
    if name == "SHUTDOWN":
        return Shutdown(header_text(event, "Core-UUID"), header_int(event, "Event-Date-Timestamp"))
    return None


def channel_from_dump(event: JsonEvent) -> LiveChannel | None:
    """The channel in the answer of `uuid_dump <uuid> json`; None when the answer has no channel in it."""
    call_id = header_text(event, "Unique-ID")
    if not call_id:
        return None
    now = header_int(event, "Event-Date-Timestamp")
    created = header_int(event, "Caller-Channel-Created-Time")
    answered = header_int(event, "Caller-Channel-Answered-Time")
    first_ring = header_int(event, "Caller-Channel-Progress-Time") or header_int(
        event, "Caller-Channel-Progress-Media-Time"
    )
    return LiveChannel(
        call_id=call_id,
        core_uuid=header_text(event, "Core-UUID"),
        dialer_id=header_or_none(event, "variable_dialer_id"),
        answered=answered != 0,
        progress=first_ring != 0,
        ended=header_text(event, "Answer-State") == "hangup",
        age_ms=milliseconds_between(created or now, now),
        answered_ms_ago=milliseconds_between(answered, now) if answered else None,
        gateway=header_or_none(event, "variable_sip_gateway_name"),
    )


def _channel_event(event: JsonEvent, kind: ChannelEventKind) -> ChannelEvent | None:
    call_id = header_text(event, "Unique-ID")
    if not call_id:
        return None
    return ChannelEvent(
        kind=kind,
        call_id=call_id,
        core_uuid=header_text(event, "Core-UUID"),
        at_us=header_int(event, "Event-Date-Timestamp"),
        dialer_id=header_or_none(event, "variable_dialer_id"),
        hangup=hangup_from_event(event) if kind is ChannelEventKind.HANGUP_COMPLETE else None,
    )


def _job_result(event: JsonEvent) -> JobResult | None:
    dialer_id, dot, call_id = header_text(event, "Job-UUID").partition(".")
    if not (dot and dialer_id and call_id):
        return None
    body = header_text(event, "_body").strip()
    ok = body.startswith("+OK")
    text = body.removeprefix("+OK" if ok else "-ERR").strip()
    return JobResult(
        call_id=call_id,
        dialer_id=dialer_id,
        ok=ok,
        text=text,
        core_uuid=header_text(event, "Core-UUID"),
        at_us=header_int(event, "Event-Date-Timestamp"),
    )


def _heartbeat(event: JsonEvent) -> Heartbeat:
    return Heartbeat(
        core_uuid=header_text(event, "Core-UUID"),
        hostname=header_text(event, "FreeSWITCH-Hostname"),
        sessions=header_int(event, "Session-Count"),
        max_sessions=header_int(event, "Max-Sessions"),
        sessions_per_second=header_int(event, "Session-Per-Sec"),
        idle_cpu=header_float(event, "Idle-CPU"),
        at_us=header_int(event, "Event-Date-Timestamp"),
    )
