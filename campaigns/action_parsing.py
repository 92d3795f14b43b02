"""Parses an agent's `action` from JSON to one of the types of `actions`, within what the tenant is granted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from campaigns.action_values import (
    MAX_TEXT,
    NUMBER_CHARACTERS,
    PATH,
    TEMPLATE,
    TONE,
    URL,
    check_sample,
    checked_extension,
    checked_file,
    checked_number,
    checked_room,
    checked_written_text,
)
from campaigns.actions import (
    DEFAULT_VOICE,
    Action,
    ActionRefused,
    Allowed,
    Bridge,
    Conference,
    Echo,
    NotGranted,
    Park,
    PlayFile,
    PlayTone,
    Queue,
    Say,
    Socket,
    Transfer,
)
from campaigns.routing import match_length


def parse_action(data: object, allowed: Allowed) -> Action:
    """Check an agent's `action`.

    A template counts as one digit here: what stands around it must already be right.
    Raises ActionRefused for the first thing that is wrong.
    """
    if not isinstance(data, Mapping):
        raise ActionRefused("action", data, "it must be an object with a type")
    kind = data.get("type")
    parser = _PARSERS.get(kind) if isinstance(kind, str) else None
    if parser is None:
        raise ActionRefused("action.type", kind, f"it must be one of {', '.join(_PARSERS)}")
    given = _Fields("action", {key: value for key, value in data.items() if key != "type"})
    action = parser(given, allowed)
    given.nothing_left()
    return action


@dataclass(slots=True)
class _Fields:
    """The fields of an object, taken one by one, so that what is left over is unknown."""

    path: str
    left: dict[object, object] = field(default_factory=dict)

    def take(self, name: str, rule: str) -> str:
        """A required string. Raises ActionRefused with `rule` where there is none."""
        value = self.left.pop(name, None)
        if not isinstance(value, str) or not value.strip():
            raise ActionRefused(f"{self.path}.{name}", value, rule)
        return value.strip()

    def only(self, *names: str) -> str:
        """The one of these fields that is there. Raises ActionRefused for none and for several."""
        there = [name for name in names if name in self.left]
        if len(there) == 1:
            return there[0]
        at_fault = f"{self.path}.{there[1] if there else names[0]}"
        value = self.left[there[1]] if there else None
        raise ActionRefused(at_fault, value, f"there must be exactly one of {', '.join(names)}")

    def nothing_left(self) -> None:
        """Raise ActionRefused for a field that nobody took."""
        for name, value in self.left.items():
            raise ActionRefused(f"{self.path}.{name}", value, "there is no such field for this type")


def _playback(given: _Fields, allowed: Allowed) -> Action:
    way = given.only("file", "tone", "say")
    if way == "say":
        return _say(given, allowed)
    if way == "tone":
        tone = given.take("tone", "it must be a tone such as %(200,100,440)")
        if len(tone) > MAX_TEXT or not TONE.fullmatch(tone):
            raise ActionRefused("action.tone", tone, "it must be a tone such as %(200,100,440)")
        return PlayTone(tone)
    written = given.take("file", "it must be a path below the sound folder or an https URL")
    return _resolved(written, allowed)


def _resolved(written: str, allowed: Allowed) -> PlayFile:
    """Where a file is, with its templates: the folder or the host in front of it is the platform's."""
    folder = ""
    if "://" in written:
        url = URL.fullmatch(TEMPLATE.sub("0", written))
        if url is None or not written.startswith(f"https://{url[1]}/"):
            raise ActionRefused(
                "action.file", written, "it must be an https URL without a template in its host"
            )
        if url[1].lower() not in {host.lower() for host in allowed.audio_hosts}:
            raise ActionRefused("action.file", written, f"{url[1]} is not a host that audio may come from")
        file = written
    else:
        folder = allowed.sound_folder.rstrip("/") + "/"
        file = folder + written.removeprefix(folder)
        if not PATH.fullmatch(TEMPLATE.sub("0", file.removeprefix(folder))):
            raise ActionRefused(
                "action.file",
                written,
                "it must be a path of letters, digits and _ . ~ - below the sound folder",
            )
    check_sample("action.file", written, file, checked_file)
    return PlayFile(file, folder)


def _say(given: _Fields, allowed: Allowed) -> Action:
    say = given.left.pop("say")
    parts = _Fields("action.say", dict(say) if isinstance(say, Mapping) else {"text": say})
    text = parts.take("text", f"it must be a text of 1 to {MAX_TEXT} characters")
    voice = parts.take("voice", "it must be a voice") if "voice" in parts.left else DEFAULT_VOICE
    parts.nothing_left()
    full = voice if "/" in voice else f"flite/{voice}"
    if full not in allowed.voices:
        raise ActionRefused(
            "action.say.voice", voice, f"it must be one of {', '.join(sorted(allowed.voices))}"
        )
    return Say(checked_written_text("action.say.text", text), full)


def _transfer(given: _Fields, allowed: Allowed) -> Action:
    extension = given.take("extension", "it must be 1 to 64 of 0-9 A-Z a-z _ * # -")
    check_sample("action.extension", extension, extension, checked_extension)
    if allowed.dialplan_context is None:
        raise NotGranted("action.type", "transfer", "the tenant has no dialplan context to transfer to")
    return Transfer(extension, allowed.dialplan_context)


def _bridge(given: _Fields, allowed: Allowed) -> Action:
    if given.only("gateway_id", "queue") == "queue":
        queue = given.take("queue", "it must be a queue of the tenant")
        if queue not in allowed.queues:
            raise NotGranted("action.queue", queue, "it is not a queue of the tenant")
        return Queue(queue)
    gateway = given.take("gateway_id", "it must be a gateway of the tenant")
    if gateway not in allowed.gateway_ids:
        raise NotGranted("action.gateway_id", gateway, "it is not a gateway of the tenant")
    number = given.take("number", "it must be a number in international form, such as +12125550100")
    if not TEMPLATE.search(number):
        return checked_bridge(Bridge(gateway, checked_number("action.number", number, None)), allowed)
    if not NUMBER_CHARACTERS.fullmatch(TEMPLATE.sub("", number)):
        raise ActionRefused(
            "action.number", number, "around its templates only a number's characters may stand"
        )
    return Bridge(gateway, number)


def checked_bridge(bridge: Bridge, allowed: Allowed) -> Bridge:
    """A bridge whose number is filled, where its gateway carries that. Raises NotGranted."""
    prefixes = allowed.prefixes.get(bridge.gateway_id, ())
    if match_length(prefixes, bridge.number) is None:
        raise NotGranted("action.number", bridge.number, f"the gateway carries {', '.join(prefixes)} only")
    return bridge


def _socket(given: _Fields, allowed: Allowed) -> Action:
    written = given.take("host", "it must be a host that the platform allows")
    host = written.lower()
    port = given.left.pop("port", None)
    if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 65_535:
        raise ActionRefused("action.port", port, "it must be an integer from 1 to 65535")
    if not {host, f"{host}:{port}"} & {allowed_host.lower() for allowed_host in allowed.socket_hosts}:
        raise ActionRefused("action.host", written, "it is not a host that the platform allows")
    return Socket(host, port)


def _conference(given: _Fields, allowed: Allowed) -> Action:
    room = given.take("room", "it must be 1 to 64 of 0-9 A-Z a-z _ -")
    check_sample("action.room", room, room, checked_room)
    return Conference(room, allowed.tenant_id)


_PARSERS: dict[str, Callable[[_Fields, Allowed], Action]] = {
    "playback": _playback,
    "transfer": _transfer,
    "bridge": _bridge,
    "socket": _socket,
    "conference": _conference,
    "park": lambda _given, _allowed: Park(),
    "echo": lambda _given, _allowed: Echo(),
}
