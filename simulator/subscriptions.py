"""Which events a connection asked for: `event`, `nixevent`, `noevents` and their exact replies. Pure."""

from __future__ import annotations

from typing import Final

from simulator.render import JSON, PLAIN, XML

_NAMES = """
    CUSTOM CLONE CHANNEL_CREATE CHANNEL_DESTROY CHANNEL_STATE CHANNEL_CALLSTATE CHANNEL_ANSWER CHANNEL_HANGUP
    CHANNEL_HANGUP_COMPLETE CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_HOLD CHANNEL_UNHOLD CHANNEL_BRIDGE
    CHANNEL_UNBRIDGE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_OUTGOING CHANNEL_PARK CHANNEL_UNPARK
    CHANNEL_APPLICATION CHANNEL_ORIGINATE CHANNEL_UUID API LOG INBOUND_CHAN OUTBOUND_CHAN STARTUP SHUTDOWN PUBLISH
    UNPUBLISH TALK NOTALK SESSION_CRASH MODULE_LOAD MODULE_UNLOAD DTMF MESSAGE PRESENCE_IN NOTIFY_IN PRESENCE_OUT
    PRESENCE_PROBE MESSAGE_WAITING MESSAGE_QUERY ROSTER CODEC BACKGROUND_JOB DETECTED_SPEECH DETECTED_TONE
    PRIVATE_COMMAND HEARTBEAT TRAP ADD_SCHEDULE DEL_SCHEDULE EXE_SCHEDULE RE_SCHEDULE RELOADXML NOTIFY
    PHONE_FEATURE PHONE_FEATURE_SUBSCRIBE SEND_MESSAGE RECV_MESSAGE REQUEST_PARAMS CHANNEL_DATA GENERAL COMMAND
    SESSION_HEARTBEAT CLIENT_DISCONNECTED SERVER_DISCONNECTED SEND_INFO RECV_INFO RECV_RTCP_MESSAGE
    SEND_RTCP_MESSAGE CALL_SECURE NAT
    RECORD_START RECORD_STOP PLAYBACK_START PLAYBACK_STOP CALL_UPDATE FAILURE SOCKET_DATA MEDIA_BUG_START
    MEDIA_BUG_STOP CONFERENCE_DATA_QUERY CONFERENCE_DATA CALL_SETUP_REQ CALL_SETUP_RESULT CALL_DETAIL DEVICE_STATE
    TEXT SHUTDOWN_REQUESTED CERT_RELOAD
"""
EVENT_NAMES: Final = frozenset(_NAMES.split())
_NO_KEYWORDS = "-ERR no keywords supplied"


class Subscriptions:
    """The events one connection wants; `names` holds kinds, `CUSTOM <subclass>`, and `ALL`."""

    def __init__(self) -> None:
        self.format = PLAIN
        self.names: set[str] = set()
        self.listening = False

    def add(self, words: list[str]) -> str:
        """`event [format] name...`; the reply. A format is taken over even when no name is known."""
        if words and words[0].lower() in (PLAIN, JSON, XML):
            self.format = words[0].lower()
            words = words[1:]
        found = _names(words)
        if not found:
            return _NO_KEYWORDS
        self.names |= found
        self.listening = True
        return f"+OK event listener enabled {self.format}"

    def remove(self, words: list[str]) -> str:
        """`nixevent name...`; the reply."""
        found = _names(words)
        if not found:
            return _NO_KEYWORDS
        if "ALL" in found:
            self.names.clear()
        self.names -= found
        return "+OK events nixed"

    def clear(self) -> str:
        """`noevents`; the reply."""
        if not self.listening:
            return "-ERR not listening for events"
        self.names.clear()
        self.listening = False
        return "+OK no longer listening for events"


def _names(words: list[str]) -> set[str]:
    """What the keywords name; everything after CUSTOM is a subclass, unknown names are ignored."""
    found: set[str] = set()
    custom = False
    for word in words:
        name = word.upper().removeprefix("SWITCH_EVENT_")
        if custom:
            found.add(f"CUSTOM {word}")
        elif name == "ALL":
            found |= EVENT_NAMES | {"ALL"}
        elif name in EVENT_NAMES:
            found.add(name)
            custom = name == "CUSTOM"
    return found
