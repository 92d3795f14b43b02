"""Whether what an answered call was to do ran: read from its CHANNEL_HANGUP_COMPLETE, or from its CDR.

`applications` writes into the list of each call which action it is (`dialer_action`), and behind the action what the
node says of it (`dialer_ran`): that step is reached only where the person is still there when the action is over. So
whoever hung up first was answered, and a failure is told only where this side ended the call. As recorded on a node:
docs/freeswitch.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from freeswitch.headers import JsonEvent, header_int, header_text

SPOKEN_MS: Final = 100
"""No text is spoken in less: without its voice, `speak` is over after 20 ms and says nothing."""


class ActionKind(StrEnum):
    """What an agent does, as the call's `dialer_action` says it. What is not among them cannot fail by itself."""

    PLAYBACK = "playback"
    SAY = "say"
    SOCKET = "socket"
    TRANSFER = "transfer"
    BRIDGE = "bridge"
    QUEUE = "queue"
    CONFERENCE = "conference"


NEVER_SENT: Final = frozenset(
    {
        "INVALID_GATEWAY",
        "GATEWAY_DOWN",
        "INVALID_PROFILE",
        "INVALID_URL",
        "CHAN_NOT_IMPLEMENTED",
        "USER_NOT_REGISTERED",
    }
)
"""What becomes of a second leg whose INVITE never left. Whatever else becomes of one, somebody was called."""
_NO_APPLICATION: Final = "DESTINATION_OUT_OF_ORDER"
JOINED: Final = "SUCCESS"
"""What became of a second leg that was answered."""
SECOND_LEG: Final = "originate_disposition"
"""The variable that says what became of a call's second leg, from then on."""
_STATUS: Final = re.compile(r"sip:([1-6][0-9]{2})")


def failure(event: JsonEvent) -> str | None:
    """Why the action of this answered call, which this side ended, could not run; None where it ran or may have."""
    action = header_text(event, "variable_dialer_action")
    if action not in _FAILURES or _joined(event):
        return None
    return _FAILURES[ActionKind(action)](event)


def second_leg(event: JsonEvent) -> tuple[str | None, int | None]:
    """What became of the leg by which a bridge was to reach an agent, and with what final response it failed; None of
    a call that had no such leg, and where no response came."""
    if header_text(event, "variable_dialer_action") != ActionKind.BRIDGE:
        return None, None
    # Behind a leg that was answered it is that of its end.
    became = header_text(event, f"variable_{SECOND_LEG}") or None
    found = _STATUS.fullmatch(header_text(event, "variable_last_bridge_proto_specific_hangup_cause"))
    return became, None if found is None or became in (None, JOINED) else int(found[1])


def _playback(event: JsonEvent) -> str | None:
    said = header_text(event, "variable_dialer_ran")
    return said.replace(" ", "_") if said and said != "FILE PLAYED" else None


def _say(event: JsonEvent) -> str | None:
    # `speak` answers nothing: whether the node has the engine, and how long it took.
    said = header_text(event, "variable_dialer_ran")
    if not said or (said == "true" and header_int(event, "variable_billmsec") >= SPOKEN_MS):
        return None
    return "NOT_SPOKEN" if said == "true" else "NO_SPEECH_MODULE"


def _socket(event: JsonEvent) -> str | None:
    # Behind a connection that was refused `socket` is still what ran last, as it is behind a server that left without
    # having run anything; behind one that did something it is that.
    return "NO_SOCKET_SERVER" if header_text(event, "variable_dialer_ran") == "socket" else None


def _transfer(event: JsonEvent) -> str | None:
    cause = header_text(event, "Hangup-Cause") or header_text(event, "variable_hangup_cause")
    went_on = header_text(event, "variable_last_app") != "transfer"
    return cause if cause in ("NO_ROUTE_DESTINATION", _NO_APPLICATION) and not went_on else None


def _bridge(event: JsonEvent) -> str | None:
    became = header_text(event, f"variable_{SECOND_LEG}")
    if became == _NO_APPLICATION and not header_text(event, "variable_originate_causes"):
        # The node refused the second leg: no channel of it is told.
        return became
    return became if became in NEVER_SENT else None


def _queue(event: JsonEvent) -> str | None:
    if header_int(event, "variable_cc_queue_joined_epoch"):
        return None
    if _without_module(event):
        return "NO_QUEUE_MODULE"
    marked = header_text(event, "variable_dialer_abandoned") == "true"
    return "NO_SUCH_QUEUE" if marked else None


def _conference(event: JsonEvent) -> str | None:
    return "NO_CONFERENCE_MODULE" if _without_module(event) else None


def _without_module(event: JsonEvent) -> bool:
    """An application that the node does not have ends the call with this cause."""
    cause = header_text(event, "Hangup-Cause") or header_text(event, "variable_hangup_cause")
    return cause == _NO_APPLICATION


def _joined(event: JsonEvent) -> bool:
    return bool(
        header_int(event, "variable_bridge_uepoch")
        or header_int(event, "variable_conference_member_id")
        or header_text(event, "variable_dialer_left")
    )


_FAILURES: Final[Mapping[str, Callable[[JsonEvent], str | None]]] = {
    ActionKind.PLAYBACK: _playback,
    ActionKind.SAY: _say,
    ActionKind.SOCKET: _socket,
    ActionKind.TRANSFER: _transfer,
    ActionKind.BRIDGE: _bridge,
    ActionKind.QUEUE: _queue,
    ActionKind.CONFERENCE: _conference,
}
