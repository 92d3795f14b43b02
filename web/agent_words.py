"""What an agent has those hear who pick up, or where it leads them, in words; and an agent in a form. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

KINDS: Final = (
    ("say", "Say a text", "text"),
    ("file", "Play a recording", "file below the sound folder, or https address"),
    ("tone", "Play a tone", "tone, such as %(1000,0,640)"),
    ("queue", "Connect to a queue", "queue"),
    ("number", "Connect to a number", "number, through a gateway"),
    ("transfer", "Go on in the dialplan", "extension"),
    ("conference", "Join a conference room", "room"),
    ("socket", "Hand over to a server", "host:port"),
    ("park", "Wait on the line", "nothing"),
    ("echo", "Hear oneself (a test)", "nothing"),
)
"""What an agent may do, as a form offers it: its word, what it is called, and what has to be given."""
MESSAGES: Final = (("", "Nothing"), ("say", "A spoken text"), ("file", "A recording"))
"""What somebody may hear whom nobody joins, as a form offers it."""
ALL, THESE = "all", "these"
COLUMNS: Final = ((ALL, "Every column of the list"), (THESE, "Only the columns named below"))
FIELDS: Final = frozenset(
    {"name", "kind", "value", "voice", "gateway_id", "ring_timeout_seconds", "max_call_seconds", "columns",
     "variables", "message", "message_value", "message_voice"}
)  # fmt: skip
"""The fields of an agent's form."""
SECONDS: Final = ("ring_timeout_seconds", "max_call_seconds")
"""Those of them that are numbers."""


def action_sentence(action: Mapping[str, Any]) -> str:
    """Of an action as the API tells it, or one of a newer release."""
    kind = action.get("type")
    if kind == "playback":
        return _heard(action)
    if kind == "transfer":
        return f"Goes on at the extension {action.get('extension')} of the dialplan."
    if kind == "bridge":
        where = (
            f"the queue {action['queue']}" if action.get("queue") else f"the number {action.get('number')}"
        )
        return f"Is connected to {where}."
    if kind == "socket":
        return f"Is handed to the server at {action.get('host')}:{action.get('port')}."
    if kind == "conference":
        return f"Joins the conference room {action.get('room')}."
    return {"park": "Waits on the line for whoever takes the call.", "echo": "Hears himself."}.get(
        str(kind), f"Does what this page does not know ({kind})."
    )


def message_sentence(message: Mapping[str, Any] | None) -> str:
    """What somebody hears whom nobody joins; empty where that is nothing."""
    return f"Whom nobody joins in time {_heard(message).replace('Hears', 'hears', 1)}" if message else ""


def _heard(played: Mapping[str, Any]) -> str:
    if said := played.get("say"):
        text, voice = _spoken(said)
        return f"Hears “{text}”, spoken{f' by {voice}' if voice else ''}."
    if played.get("tone"):
        return f"Hears the tone {played['tone']}."
    return f"Hears the recording {played.get('file')}."


def _spoken(said: object) -> tuple[str, str]:
    """The text and the voice of a say; an empty voice is the usual one."""
    if isinstance(said, Mapping):
        return str(said.get("text", "")), str(said.get("voice") or "")
    return str(said), ""


def said_by(fields: Mapping[str, Any]) -> dict[str, object]:
    """The agent that the FIELDS of a form say; whether it may be is for the API to say."""
    columns = [name.strip() for name in fields["variables"].splitlines()]
    return {
        "name": fields["name"],
        "action": _action(fields["kind"], fields["value"], fields["voice"], fields["gateway_id"]),
        "ring_timeout_seconds": fields["ring_timeout_seconds"],
        "max_call_seconds": fields["max_call_seconds"],
        "variables": [name for name in columns if name] if fields["columns"] == THESE else None,
        "safe_harbour": _message(fields["message"], fields["message_value"], fields["message_voice"]),
    }


def changed(fields: Mapping[str, Any], filled: Mapping[str, Any]) -> dict[str, object]:
    """What the fields say otherwise than those with which the form was `filled`: a form holds less than an action may
    have, and is not told what somebody else has changed since."""
    before = said_by(filled) if filled.keys() >= FIELDS else {}
    return {
        name: value for name, value in said_by(fields).items() if name not in before or value != before[name]
    }


def _action(kind: str, value: str, voice: str, gateway_id: str) -> Mapping[str, object]:
    if kind == "say":
        return {"type": "playback", "say": _say(value, voice)}
    if kind in ("file", "tone"):
        return {"type": "playback", kind: value}
    if kind == "queue":
        return {"type": "bridge", "queue": value}
    if kind == "number":
        return {"type": "bridge", "number": value} | ({"gateway_id": gateway_id} if gateway_id else {})
    if kind == "socket":
        host, _, port = value.rpartition(":")
        return {
            "type": "socket",
            "host": host or value,
            "port": int(port) if port.isascii() and port.isdigit() else port,
        }
    named = {"transfer": "extension", "conference": "room"}
    return {"type": kind} | ({named[kind]: value} if kind in named else {})


def _message(kind: str, value: str, voice: str) -> Mapping[str, object] | None:
    if not kind:
        return None
    return {kind: _say(value, voice) if kind == "say" else value}


def _say(text: str, voice: str) -> object:
    return {"text": text, "voice": voice} if voice else text


def fields_of(agent: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with which a form shows an agent as the API tells it."""
    kind, value, voice, gateway_id = _action_fields(agent["action"])
    message = agent["safe_harbour"] or {}
    text, message_voice = _spoken(message["say"]) if "say" in message else (message.get("file", ""), "")
    columns = agent["variables"]
    return {
        "name": agent["name"],
        "kind": kind,
        "value": _one_line(value),
        "voice": voice,
        "gateway_id": gateway_id,
        "ring_timeout_seconds": agent["ring_timeout_seconds"],
        "max_call_seconds": agent["max_call_seconds"],
        "columns": ALL if columns is None else THESE,
        "variables": "\n".join(columns or ()),
        "message": next(iter(message), ""),
        "message_value": _one_line(text),
        "message_voice": message_voice,
    }


def _one_line(text: str) -> str:
    """As it stands in a field of one line, whose browser would join the words at a line break."""
    return " ".join(text.splitlines())


def _action_fields(action: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """The kind, the value, the voice and the gateway."""
    kind = str(action.get("type"))
    if kind == "playback":
        if "say" in action:
            return "say", *_spoken(action["say"]), ""
        kind = "tone" if "tone" in action else "file"
        return kind, str(action[kind]), "", ""
    if kind == "bridge":
        kind = "queue" if action.get("queue") else "number"
        return kind, str(action.get(kind, "")), "", str(action.get("gateway_id") or "")
    if kind == "socket":
        return kind, f"{action.get('host')}:{action.get('port')}", "", ""
    return kind, str(action.get("extension") or action.get("room") or ""), "", ""
