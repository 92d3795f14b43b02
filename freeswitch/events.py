"""Typed records of what FreeSWITCH reports, made from decoded JSON events.

The cluster turns every event into one of these at the edge; nothing further in sees a header name. Values that
a remote party controls (phrases, reasons) are passed on as text and never interpreted here. The records of a
channel, of which there are thousands a second, are named tuples: they take a third of a frozen dataclass' time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import Any, Final, Literal, NamedTuple

from freeswitch.causes import HANGUP_CAUSES

__all__ = [
    "HANGUP_CAUSES",
    "ChannelEvent",
    "ChannelEventKind",
    "Event",
    "Hangup",
    "Heartbeat",
    "JobResult",
    "LiveChannel",
    "Shutdown",
    "channel_from_dump",
    "event_from_json",
    "hangup_from_variables",
    "number",
]

JsonEvent = Mapping[str, Any]
Party = Literal["remote", "us"]


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


_REDIRECTION: Final = re.compile(r"sip:(3[0-9]{2})")


class Hangup(NamedTuple):
    """How and why a channel ended.

    Key outcomes on the whole of it: the carrier controls the name of the cause. `sip_status` is the final
    response the INVITE got (or, for an answered call that the far end cleared, 200); 487 with
    `hung_up_by == "us"` is our own CANCEL. `q850` is 16 for every cause that is FreeSWITCH's own, 0 when the
    node gave none. `billsec` may be 0 on an answered call: `answered` is what counts. `pdd_ms` runs from the
    start to the first of 180, 183 and 200, `ring_ms` from the first 18x to the answer or the end; each is None
    when that never came. `alert_ms` runs from the start to the first 180. `abandoned`: it was answered to be
    joined by an agent (`applications.connect`), and this side ended it before anybody did.
    """

    cause: str
    q850: int
    sip_status: int | None
    sip_phrase: str | None
    sip_reason: str | None
    sip_603plus_reason: str | None
    hung_up_by: Party | None
    answered: bool
    progress: bool
    billsec: int
    billmsec: int
    duration_ms: int
    pdd_ms: int | None
    ring_ms: int | None
    gateway: str | None
    alert_ms: int | None = None
    abandoned: bool = False


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
    name = _text(event, "Event-Name")
    kind = _CHANNEL_KINDS.get(name)
    if kind is not None:
        return _channel_event(event, kind)
    if name == "BACKGROUND_JOB":
        return _job_result(event)
    if name == "HEARTBEAT":
        return _heartbeat(event)
    if name == "SHUTDOWN":
        return Shutdown(_text(event, "Core-UUID"), _int(event, "Event-Date-Timestamp"))
    return None


def channel_from_dump(event: JsonEvent) -> LiveChannel | None:
    """The channel in the answer of `uuid_dump <uuid> json`; None when the answer has no channel in it."""
    call_id = _text(event, "Unique-ID")
    if not call_id:
        return None
    now = _int(event, "Event-Date-Timestamp")
    created = _int(event, "Caller-Channel-Created-Time")
    answered = _int(event, "Caller-Channel-Answered-Time")
    first_ring = _int(event, "Caller-Channel-Progress-Time") or _int(
        event, "Caller-Channel-Progress-Media-Time"
    )
    return LiveChannel(
        call_id=call_id,
        core_uuid=_text(event, "Core-UUID"),
        dialer_id=_optional(event, "variable_dialer_id"),
        answered=answered != 0,
        progress=first_ring != 0,
        ended=_text(event, "Answer-State") == "hangup",
        age_ms=_milliseconds(created or now, now),
        answered_ms_ago=_milliseconds(answered, now) if answered else None,
        gateway=_optional(event, "variable_sip_gateway_name"),
    )


def hangup_from_variables(variables: JsonEvent) -> Hangup | None:
    """The end of a call from the `variables` of its CDR, as its CHANNEL_HANGUP_COMPLETE would have told it.

    None for one that names no cause.
    """
    hangup = _hangup({f"variable_{name}": value for name, value in variables.items()})
    return hangup if hangup.cause else None


def _channel_event(event: JsonEvent, kind: ChannelEventKind) -> ChannelEvent | None:
    call_id = _text(event, "Unique-ID")
    if not call_id:
        return None
    return ChannelEvent(
        kind=kind,
        call_id=call_id,
        core_uuid=_text(event, "Core-UUID"),
        at_us=_int(event, "Event-Date-Timestamp"),
        dialer_id=_optional(event, "variable_dialer_id"),
        hangup=_hangup(event) if kind is ChannelEventKind.HANGUP_COMPLETE else None,
    )


def _hangup(event: JsonEvent) -> Hangup:
    get = event.get
    disposition = _text(event, "variable_sip_hangup_disposition")
    start = number(get("variable_start_uepoch"))
    answer = _moment(event, "variable_answer_uepoch", "variable_answer_epoch")
    alert = _moment(event, "variable_progress_uepoch", "variable_progress_epoch")
    first_ring = _first(
        alert, _moment(event, "variable_progress_media_uepoch", "variable_progress_media_epoch")
    )
    first_sign = _first(first_ring, answer)
    end = answer or _moment(event, "variable_end_uepoch", "variable_end_epoch")
    status = _sip_status(event)
    redirected = status is not None and 300 <= status < 400
    return Hangup(
        _text(event, "Hangup-Cause") or _text(event, "variable_hangup_cause"),
        q850=number(get("variable_hangup_cause_q850")),
        sip_status=status,
        sip_phrase=None if redirected else _said(get("variable_sip_invite_failure_phrase")),
        sip_reason=_said(get("variable_sip_reason")),
        sip_603plus_reason=_said(get("variable_sip_603plus_reason")),
        hung_up_by="remote" if redirected else _party(disposition),
        answered=answer != 0,
        progress=first_ring != 0,
        billsec=number(get("variable_billsec")),
        billmsec=number(get("variable_billmsec")),
        duration_ms=number(get("variable_mduration")),
        pdd_ms=_milliseconds(start, first_sign) if start and first_sign else None,
        ring_ms=_milliseconds(first_ring, end) if end and first_ring else None,
        gateway=_said(get("variable_sip_gateway_name")),
        alert_ms=_milliseconds(start, alert) if start and alert else None,
        abandoned=_abandoned(event, _party(disposition)) and answer != 0,
    )


def _abandoned(event: JsonEvent, party: Party | None) -> bool:
    # The node marks a call that it gives up. Without the mark it was ended by something else on this side (a queue's
    # module that is not loaded, a halt), or the person had no patience, and then nobody is at fault.
    marked = _text(event, "variable_dialer_abandoned") == "true"
    connects = _text(event, "variable_dialer_connect") == "true"
    joined = _int(event, "variable_bridge_uepoch") + _int(event, "variable_conference_member_id")
    return marked or (connects and not joined and party == "us")


def _party(disposition: str) -> Party | None:
    # recv_bye, recv_refuse, recv_cancel; send_bye, send_refuse, send_cancel (our timers and uuid_kill alike).
    if disposition.startswith("recv_"):
        return "remote"
    return "us" if disposition.startswith("send_") else None


def _sip_status(event: JsonEvent) -> int | None:
    # A redirection that is not followed is ended by the node itself, which then notes its own CANCEL as the failure.
    redirection = _text(event, "variable_proto_specific_hangup_cause")
    if redirection and (found := _REDIRECTION.fullmatch(redirection)):
        return int(found[1])
    # FreeSWITCH writes 900 for a URI it could not even send to.
    for name in ("variable_sip_term_status", "variable_sip_invite_failure_status"):
        status = number(event.get(name))
        if 100 <= status <= 699:
            return status
    return None


def _job_result(event: JsonEvent) -> JobResult | None:
    dialer_id, dot, call_id = _text(event, "Job-UUID").partition(".")
    if not (dot and dialer_id and call_id):
        return None
    body = _text(event, "_body").strip()
    ok = body.startswith("+OK")
    text = body.removeprefix("+OK" if ok else "-ERR").strip()
    return JobResult(
        call_id=call_id,
        dialer_id=dialer_id,
        ok=ok,
        text=text,
        core_uuid=_text(event, "Core-UUID"),
        at_us=_int(event, "Event-Date-Timestamp"),
    )


def _heartbeat(event: JsonEvent) -> Heartbeat:
    return Heartbeat(
        core_uuid=_text(event, "Core-UUID"),
        hostname=_text(event, "FreeSWITCH-Hostname"),
        sessions=_int(event, "Session-Count"),
        max_sessions=_int(event, "Max-Sessions"),
        sessions_per_second=_int(event, "Session-Per-Sec"),
        idle_cpu=_float(event, "Idle-CPU"),
        at_us=_int(event, "Event-Date-Timestamp"),
    )


def _text(event: JsonEvent, name: str) -> str:
    value = event.get(name)
    return value if isinstance(value, str) else ""


def _optional(event: JsonEvent, name: str) -> str | None:
    return _said(event.get(name))


def _said(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _int(event: JsonEvent, name: str) -> int:
    return number(event.get(name))


def number(value: object) -> int:
    """A header's value as a whole number of at most 18 digits; 0 for what is none."""
    if isinstance(value, str) and len(value) <= 18 and value.isascii() and value.isdigit():
        return int(value)
    return 0


def _float(event: JsonEvent, name: str) -> float:
    try:
        value = float(_text(event, name))
    except ValueError:
        return 0.0
    return value if isfinite(value) else 0.0


def _moment(event: JsonEvent, microseconds: str, seconds: str) -> int:
    """When it happened, in microseconds of the node's clock; 0 when it never did."""
    return number(event.get(microseconds)) or number(event.get(seconds)) * 1_000_000


def _first(one: int, other: int) -> int:
    """The earlier of two moments, of which either may never have come."""
    return min(one, other) if one and other else one or other


def _milliseconds(start_us: int, end_us: int) -> int:
    return max(0, end_us - start_us) // 1000
