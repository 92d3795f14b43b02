"""An event's bytes made a record, with no more of them read than the record needs.

FreeSWITCH writes the name of an event first, a channel's own headers next, and the channel's variables, most of the
bytes, behind them. Only the end of a channel is judged by its variables.
"""

from __future__ import annotations

from typing import Final

from freeswitch.events import Event, event_from_json
from freeswitch.protocol import decode_json

_NAME: Final = b'{"Event-Name":"'
_WHOLE: Final = frozenset({b"CHANNEL_HANGUP_COMPLETE", b"BACKGROUND_JOB", b"HEARTBEAT", b"SHUTDOWN"})
_WITHOUT_VARIABLES: Final = frozenset(
    {b"CHANNEL_CREATE", b"CHANNEL_PROGRESS", b"CHANNEL_PROGRESS_MEDIA", b"CHANNEL_ANSWER"}
)
_VARIABLES: Final = b',"variable_'


def decode_event(body: bytes) -> Event | None:
    """The record of the JSON body of an event; None for one that says nothing about us.

    A channel's `dialer_id` is read at its end only. Raises ProtocolError where what is read is no JSON object.
    """
    if not body.startswith(_NAME):
        return event_from_json(decode_json(body))
    name = body[len(_NAME) : body.find(b'"', len(_NAME))]
    if name in _WITHOUT_VARIABLES:
        # What looks like a key within a value has its quotes behind backslashes, and is not found.
        end = body.find(_VARIABLES)
        if end >= 0:
            body = body[:end] + b"}"
    elif name not in _WHOLE:
        return None
    return event_from_json(decode_json(body))
