"""What somebody who picks up hears, or where he is led, by an agent's action; and the action of a form. Pure."""

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


def _heard(action: Mapping[str, Any]) -> str:
    if said := action.get("say"):
        return f"Hears “{said.get('text') if isinstance(said, Mapping) else said}”, spoken."
    if action.get("tone"):
        return f"Hears the tone {action['tone']}."
    return f"Hears the recording {action.get('file')}."


def action_of(kind: str, value: str, gateway_id: str) -> Mapping[str, object]:
    """The action that a form asks for; whether it may be is for the API to say."""
    if kind in ("say", "file", "tone"):
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


def form_of(action: Mapping[str, Any]) -> tuple[str, str, str]:
    """The kind, the value and the gateway with which a form shows an action."""
    kind = str(action.get("type"))
    if kind == "playback":
        said = action.get("say")
        if said is not None:
            return "say", str(said.get("text", "") if isinstance(said, Mapping) else said), ""
        kind = "tone" if "tone" in action else "file"
        return kind, str(action[kind]), ""
    if kind == "bridge":
        kind = "queue" if action.get("queue") else "number"
        return kind, str(action.get(kind, "")), str(action.get("gateway_id") or "")
    if kind == "socket":
        return kind, f"{action.get('host')}:{action.get('port')}", ""
    return kind, str(action.get("extension") or action.get("room") or ""), ""
