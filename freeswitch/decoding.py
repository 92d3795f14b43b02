"""Decodes an event's bytes to a record, reading no more of them than the record needs.

FreeSWITCH writes the name of an event first, a channel's own headers next, and the channel's variables, most of the
bytes, behind them. Only the end of a channel is judged by its variables; the few headers that count are looked up in
the bytes, by the lists here: `_moment` has those of a call that goes on, `_OF_AN_END` those of its end beside all
variables. What looks like a key within a value has its quotes behind backslashes, and is not found.
"""

from __future__ import annotations

from typing import Final

from freeswitch.events import ChannelEvent, ChannelEventKind, Event, event_from_json
from freeswitch.headers import number
from freeswitch.protocol import decode_json

_NAME: Final = b'{"Event-Name":"'
_WHOLE: Final = frozenset({b"BACKGROUND_JOB", b"HEARTBEAT", b"SHUTDOWN"})
_END: Final = b"CHANNEL_HANGUP_COMPLETE"
_MOMENTS: Final = {
    b"CHANNEL_CREATE": ChannelEventKind.CREATED,
    b"CHANNEL_PROGRESS": ChannelEventKind.PROGRESS,
    b"CHANNEL_PROGRESS_MEDIA": ChannelEventKind.PROGRESS_MEDIA,
    b"CHANNEL_ANSWER": ChannelEventKind.ANSWERED,
}
_ID: Final = b',"Unique-ID":"'
_AT: Final = b',"Event-Date-Timestamp":"'
_CORE: Final = b',"Core-UUID":"'
_OF_AN_END: Final = {
    "Unique-ID": _ID,
    "Event-Date-Timestamp": _AT,
    "Core-UUID": _CORE,
    "Hangup-Cause": b',"Hangup-Cause":"',
}
_VARIABLES: Final = b',"variable_'


def decode_event(body: bytes) -> Event | None:
    """The record of the JSON body of an event; None for one that says nothing about us.

    A channel's `dialer_id` is read at its end only. Raises ProtocolError where what is read is no JSON object.
    """
    if not body.startswith(_NAME):
        return event_from_json(decode_json(body))
    name = body[15 : body.find(b'"', 15)]
    kind = _MOMENTS.get(name)
    if kind is not None:
        moment = _moment(body, kind)
        if moment is not None:
            return moment
    elif name == _END:
        variables = body.find(_VARIABLES)
        if variables > 0:
            return event_from_json(_end(body, variables))
    elif name not in _WHOLE:
        return None
    return event_from_json(decode_json(body))


def _moment(body: bytes, kind: ChannelEventKind) -> ChannelEvent | None:
    """What counts of a channel that goes on; None where it is not written as FreeSWITCH does."""
    call_id, at, core = _value(body, _ID), _value(body, _AT), _value(body, _CORE)
    if not call_id or at is None or core is None:
        return None
    return ChannelEvent(kind, call_id, core, number(at), None)


def _end(body: bytes, variables: int) -> dict[str, str]:
    """What counts of a channel that ended; its variables begin at `variables`."""
    event = decode_json(b"{" + body[variables + 1 :])
    event["Event-Name"] = "CHANNEL_HANGUP_COMPLETE"
    for key, opening in _OF_AN_END.items():
        value = _value(body, opening)
        if not value:
            return decode_json(body)
        event[key] = value
    return event


def _value(body: bytes, opening: bytes) -> str | None:
    """The value behind the first `opening`, empty where there is none; None for one that is not written as it is."""
    start = body.find(opening)
    if start < 0:
        return ""
    start += len(opening)
    value = body[start : body.find(b'"', start)]
    return None if b"\\" in value else value.decode("utf-8", "replace")
