"""What an agent's action and its safe-harbour message need of a node: modules, files, gateways, queues, and servers
that can be reached.

Made of both as they are stored, since whoever asks nodes asks for every tenant's agents. What depends on the
contact (a template) or cannot be asked for (an extension of a dialplan) is no need. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

GATEWAY = re.compile(r"sofia/gateway/(?:[^/]*::)?([^/{}]+)/")

# What is asked for becomes a word of a command to a node.
_PLAIN = re.compile(r"[A-Za-z0-9_./~@:+-]{1,1000}")


class NeedKind(StrEnum):
    """What a node is asked for."""

    MODULE = "module"
    FILE = "file"
    GATEWAY = "gateway"
    QUEUE = "queue"
    SERVER = "server"


@dataclass(frozen=True, slots=True, order=True)
class Need:
    """One thing that must be there: a module or file by its name, a gateway that is up, a server's `host:port`."""

    kind: NeedKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def module(name: str) -> Need:
    """A module that is loaded."""
    return Need(NeedKind.MODULE, name)


MODULES = tuple(
    module(name)
    for name in (
        "mod_callcenter",
        "mod_conference",
        "mod_dialplan_xml",
        "mod_flite",
        "mod_httapi",
        "mod_tone_stream",
    )
)
"""Every module that some action needs: they are asked for whether or not an agent needs them yet."""

SAYS_A_MESSAGE = frozenset({"bridge", "conference", "socket"})
"""The actions behind which the safe-harbour message is heard, where nobody comes."""

SETTLES: Mapping[str, NeedKind] = {
    "FILE_NOT_FOUND": NeedKind.FILE,
    "NO_SPEECH_MODULE": NeedKind.MODULE,
    "NO_QUEUE_MODULE": NeedKind.MODULE,
    "NO_CONFERENCE_MODULE": NeedKind.MODULE,
    "NO_SOCKET_SERVER": NeedKind.SERVER,
    "INVALID_GATEWAY": NeedKind.GATEWAY,
    "GATEWAY_DOWN": NeedKind.GATEWAY,
    "NO_SUCH_QUEUE": NeedKind.QUEUE,
}
"""By the cause of a failure (`freeswitch.action_proofs`): which of the agent's needs, once there, has mended it."""


def needs(
    action: Mapping[str, Any],
    sound_folder: str,
    dial_strings: Mapping[str, str],
    message: Mapping[str, Any] | None = None,
) -> tuple[Need, ...]:
    """What this action needs, and the safe-harbour message of those actions behind which it is heard.

    `dial_strings` are the gateways' by id.
    """
    found = _needs(action, sound_folder, dial_strings)
    if message is not None and action.get("type") in SAYS_A_MESSAGE:
        found += tuple(need for need in _of_playback(message, sound_folder) if need not in found)
    return tuple(need for need in found if _PLAIN.fullmatch(need.name))


def _needs(action: Mapping[str, Any], sound_folder: str, dial_strings: Mapping[str, str]) -> tuple[Need, ...]:
    match action:
        case {"type": "playback", **given}:
            return _of_playback(given, sound_folder)
        case {"type": "bridge", "queue": str(name)}:
            return module("mod_callcenter"), Need(NeedKind.QUEUE, name)
        case {"type": "bridge", "gateway_id": str(gateway_id)}:
            found = GATEWAY.search(dial_strings.get(gateway_id, ""))
            return (Need(NeedKind.GATEWAY, found[1]),) if found else ()
        case {"type": "transfer"}:
            return (module("mod_dialplan_xml"),)
        case {"type": "conference"}:
            return (module("mod_conference"),)
        case {"type": "socket", "host": str(host), "port": int(port)}:
            return (Need(NeedKind.SERVER, f"{host.strip().lower()}:{port}"),)
        case _:
            return ()


def that_settle(cause: str, wanted: Iterable[Need]) -> tuple[Need, ...]:
    """Those needs that are there again once this cause of a failure is mended; none where that cannot be asked."""
    return tuple(need for need in wanted if need.kind is SETTLES.get(cause))


def lacking(wanted: Iterable[Need], lacks: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
    """By node, what it lacks of `wanted`, where every node of `lacks` lacks some; empty where one has it all, or none
    is known."""
    names = [str(need) for need in wanted]
    found = {node: [name for name in names if name in there] for node, there in lacks.items()}
    return found if all(found.values()) else {}


def _of_playback(given: Mapping[str, Any], sound_folder: str) -> tuple[Need, ...]:
    match given:
        case {"tone": _}:
            return (module("mod_tone_stream"),)
        case {"say": say}:
            voice = say.get("voice", "") if isinstance(say, Mapping) else ""
            engine = voice.partition("/")[0] if "/" in voice else "flite"
            return (module(f"mod_{engine}"),)
        case {"file": str(written)}:
            file = written.strip()
            if "://" in file:
                return (module("mod_httapi"),)
            folder = sound_folder.rstrip("/") + "/"
            path = folder + file.removeprefix(folder)
            return () if "{" in path else (Need(NeedKind.FILE, path),)
        case _:
            return ()
