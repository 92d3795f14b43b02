"""What an agent does with an answered call: typed data, never a string for the switch.

`parse_action` turns an agent's JSON into one of the types below, within what the platform gave the tenant; `fill`
puts a contact's columns into its templates (`{first_name}`) and checks the result again. The API parses before it
stores; the dialer parses with the permissions of the moment and fills for each call. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from campaigns.columns import variable_name
from campaigns.errors import CampaignsError, NumberRefused, shown
from campaigns.numbers import phone_number

MAX_TEXT = 500
MAX_FILE = 1_000
DEFAULT_VOICE = "flite/slt"
VOICES = frozenset({"flite/awb", "flite/kal", "flite/rms", "flite/slt"})

_TEMPLATE = re.compile(r"\{([^{}]{1,64})\}")
# Quotes, parentheses, braces, backslashes, ^ and $ mean something to the switch's own readers of an
# application's argument, as a | does where it speaks a text; control characters end a command.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff'\"`(){}\\\\^$|]")
_PATH = re.compile(r"[A-Za-z0-9_.~-]+(?:/[A-Za-z0-9_.~-]+)*")
_URL = re.compile(r"https://([A-Za-z0-9.-]+(?::[0-9]{1,5})?)/[A-Za-z0-9_./?&=%+~-]*")
# FreeSWITCH's tone language: settings (v=-7), then tones %(on ms, off ms, frequencies).
_TONE = re.compile(
    r"(?:[lvcdrw]=[-+]?[0-9]{1,5}(?:\.[0-9]{1,3})?;|L=[0-9]{1,3};)*"
    r"(?:%\([0-9]{1,5},[0-9]{1,5}(?:,[0-9]{1,5}(?:\.[0-9]{1,3})?){1,4}\);?){1,16}"
)
_EXTENSION = re.compile(r"[0-9A-Za-z_*#-]{1,64}")
# No dot: `tenant.room` then has one reading only, whatever the tenant is called.
_ROOM = re.compile(r"[0-9A-Za-z_-]{1,64}")
_NUMBER_CHARACTERS = re.compile(r"[+0-9 ()./-]*")


class ActionRefused(CampaignsError):  # noqa: N818 - it reads as what happened to the action
    """An action breaks a rule: `field` is where (`action.file`), `value` what it holds, `rule` what may be."""

    def __init__(self, field: str, value: object, rule: str) -> None:
        super().__init__(f"{field} is {'missing' if value is None else shown(str(value))}; {rule}")
        self.field = field
        self.value = value
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the platform lets a tenant's actions reach. `socket_hosts` and `audio_hosts` are `host` or `host:port`."""

    tenant_id: str
    sound_folder: str
    audio_hosts: frozenset[str] = frozenset()
    voices: frozenset[str] = VOICES
    gateway_ids: frozenset[str] = frozenset()
    queues: frozenset[str] = frozenset()
    socket_hosts: frozenset[str] = frozenset()
    dialplan_context: str | None = None


@dataclass(frozen=True, slots=True)
class PlayFile:
    """Play a file: an absolute path below the sound folder, or an https URL of an allowed host."""

    file: str


@dataclass(frozen=True, slots=True)
class PlayTone:
    """Play a tone of FreeSWITCH's tone language."""

    tone: str


@dataclass(frozen=True, slots=True)
class Say:
    """Speak a text. `voice` is `engine/voice`."""

    text: str
    voice: str = DEFAULT_VOICE


@dataclass(frozen=True, slots=True)
class Transfer:
    """Go on at an extension of the dialplan context that the platform gave the tenant."""

    extension: str
    context: str


@dataclass(frozen=True, slots=True)
class Bridge:
    """Connect to a number (E.164 once filled) through one of the tenant's gateways."""

    gateway_id: str
    number: str


@dataclass(frozen=True, slots=True)
class Queue:
    """Hand the call to one of the tenant's queues."""

    name: str


@dataclass(frozen=True, slots=True)
class Socket:
    """Hand the call to an outbound event socket server."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Conference:
    """Join a room. `name` is the room's on the switch, which no other tenant's room can have."""

    room: str
    tenant_id: str

    @property
    def name(self) -> str:
        """The tenant's id, a dot, and the room."""
        return f"{self.tenant_id}.{self.room}"


@dataclass(frozen=True, slots=True)
class Park:
    """Hold the call in silence."""


@dataclass(frozen=True, slots=True)
class Echo:
    """Play the called party's own voice back."""


Action = PlayFile | PlayTone | Say | Transfer | Bridge | Queue | Socket | Conference | Park | Echo


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


def fill(action: Action, custom_fields: Mapping[str, str], region: str | None = None) -> Action:
    """The action for one contact: each `{column}` replaced once by the contact's value, and the result checked.

    A column is found by its name as the list has it, or by the name of its variable (`{order_id}` for `Order ID`).
    `region` (`US`) is the country of a filled number without a `+`, as it is of the list's own numbers.
    Raises ActionRefused for a column that the contact lacks and for a result that is not allowed.
    """
    match action:
        case PlayFile(file):
            return replace(action, file=_filled("action.file", file, custom_fields, _checked_file))
        case Say(text):
            return replace(action, text=_filled("action.say.text", text, custom_fields, _checked_text))
        case Transfer(extension):
            filled = _filled("action.extension", extension, custom_fields, _checked_extension)
            return replace(action, extension=filled)
        case Bridge(_, number):

            def dialled(where: str, value: str) -> str:
                return _checked_number(where, value, region)

            return replace(action, number=_filled("action.number", number, custom_fields, dialled))
        case Conference(room):
            return replace(action, room=_filled("action.room", room, custom_fields, _checked_room))
        case _:
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
        if len(tone) > MAX_TEXT or not _TONE.fullmatch(tone):
            raise ActionRefused("action.tone", tone, "it must be a tone such as %(200,100,440)")
        return PlayTone(tone)
    written = given.take("file", "it must be a path below the sound folder or an https URL")
    return PlayFile(_resolved(written, allowed))


def _resolved(written: str, allowed: Allowed) -> str:
    """Where a file is, with its templates: the folder or the host in front of it is the platform's."""
    if "://" in written:
        url = _URL.fullmatch(_TEMPLATE.sub("0", written))
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
        if not _PATH.fullmatch(_TEMPLATE.sub("0", file.removeprefix(folder))):
            raise ActionRefused(
                "action.file",
                written,
                "it must be a path of letters, digits and _ . ~ - below the sound folder",
            )
    _check_sample("action.file", written, file, _checked_file)
    return file


def _say(given: _Fields, allowed: Allowed) -> Action:
    said = given.left.pop("say")
    parts = _Fields("action.say", dict(said) if isinstance(said, Mapping) else {"text": said})
    text = parts.take("text", f"it must be a text of 1 to {MAX_TEXT} characters")
    voice = parts.take("voice", "it must be a voice") if "voice" in parts.left else DEFAULT_VOICE
    parts.nothing_left()
    full = voice if "/" in voice else f"flite/{voice}"
    if full not in allowed.voices:
        raise ActionRefused(
            "action.say.voice", voice, f"it must be one of {', '.join(sorted(allowed.voices))}"
        )
    _check_sample("action.say.text", text, text, _checked_text)
    return Say(text, full)


def _transfer(given: _Fields, allowed: Allowed) -> Action:
    extension = given.take("extension", "it must be 1 to 64 of 0-9 A-Z a-z _ * # -")
    _check_sample("action.extension", extension, extension, _checked_extension)
    if allowed.dialplan_context is None:
        raise ActionRefused("action.type", "transfer", "the tenant has no dialplan context to transfer to")
    return Transfer(extension, allowed.dialplan_context)


def _bridge(given: _Fields, allowed: Allowed) -> Action:
    if given.only("gateway_id", "queue") == "queue":
        queue = given.take("queue", "it must be a queue of the tenant")
        if queue not in allowed.queues:
            raise ActionRefused("action.queue", queue, "it is not a queue of the tenant")
        return Queue(queue)
    gateway = given.take("gateway_id", "it must be a gateway of the tenant")
    if gateway not in allowed.gateway_ids:
        raise ActionRefused("action.gateway_id", gateway, "it is not a gateway of the tenant")
    number = given.take("number", "it must be a number in international form, such as +12125550100")
    if not _TEMPLATE.search(number):
        return Bridge(gateway, _checked_number("action.number", number, None))
    if not _NUMBER_CHARACTERS.fullmatch(_TEMPLATE.sub("", number)):
        raise ActionRefused(
            "action.number", number, "around its templates only a number's characters may stand"
        )
    return Bridge(gateway, number)


def _socket(given: _Fields, allowed: Allowed) -> Action:
    written = given.take("host", "it must be a host that the platform allows")
    host = written.lower()
    port = given.left.pop("port", None)
    if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 65_535:
        raise ActionRefused("action.port", port, "it must be an integer from 1 to 65535")
    if not {host, f"{host}:{port}"} & {known.lower() for known in allowed.socket_hosts}:
        raise ActionRefused("action.host", written, "it is not a host that the platform allows")
    return Socket(host, port)


def _conference(given: _Fields, allowed: Allowed) -> Action:
    room = given.take("room", "it must be 1 to 64 of 0-9 A-Z a-z _ -")
    _check_sample("action.room", room, room, _checked_room)
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


def _check_sample(where: str, written: str, value: str, check: Callable[[str, str], str]) -> None:
    """Check `value` with a digit for each template; what is refused is told as it was `written`."""
    try:
        check(where, _TEMPLATE.sub("0", value))
    except ActionRefused as refused:
        raise ActionRefused(where, written, refused.rule) from refused


def _filled(where: str, written: str, fields: Mapping[str, str], check: Callable[[str, str], str]) -> str:
    if "{" not in written:
        return written
    by_variable = {variable_name(name): value for name, value in fields.items()}

    def value(template: re.Match[str]) -> str:
        name = template[1].strip()
        found = fields.get(name, by_variable.get(variable_name(name)))
        if found is None:
            raise ActionRefused(where, written, f"the contact has no column {shown(name)}")
        return found

    return check(where, _TEMPLATE.sub(value, written))


def _checked_text(where: str, text: str) -> str:
    text = text.strip()
    if not 1 <= len(text) <= MAX_TEXT:
        raise ActionRefused(where, text, f"it must be a text of 1 to {MAX_TEXT} characters")
    return _without_forbidden(where, text)


def _checked_file(where: str, file: str) -> str:
    _without_forbidden(where, file)
    path = file.removeprefix("https://").partition("?")[0]
    if len(file) > MAX_FILE or "//" in path or ".." in path or path.endswith("/"):
        raise ActionRefused(where, file, "it must name a file, without .. and empty parts")
    if file.startswith("https://"):
        if not _URL.fullmatch(file):
            raise ActionRefused(where, file, "it must be an https URL, with anything unusual percent-encoded")
    elif not _PATH.fullmatch(file.removeprefix("/")):
        raise ActionRefused(where, file, "it must be a path of letters, digits and _ . ~ -")
    return file


def _checked_extension(where: str, extension: str) -> str:
    if not _EXTENSION.fullmatch(extension):
        raise ActionRefused(where, extension, "it must be 1 to 64 of 0-9 A-Z a-z _ * # -")
    return extension


def _checked_number(where: str, number: str, region: str | None) -> str:
    try:
        return phone_number(number, region)
    except NumberRefused as refused:
        raise ActionRefused(where, number, refused.reason) from refused


def _checked_room(where: str, room: str) -> str:
    if not _ROOM.fullmatch(room):
        raise ActionRefused(where, room, "it must be 1 to 64 of 0-9 A-Z a-z _ -")
    return room


def _without_forbidden(where: str, value: str) -> str:
    found = _FORBIDDEN.search(value)
    if found is not None:
        raise ActionRefused(where, value, f"{shown(found[0])} may not stand in it")
    return value
