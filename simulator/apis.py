"""The api commands a dialer uses, with the replies a real node gives (`tests/recordings.tar.xz`, 04, 35, 42, 43).

Called for `api`, `bgapi` and the api_* hooks. A command either returns its reply or, like `originate`, answers later
through `done`.
"""

from __future__ import annotations

import re
import uuid as uuids
from collections.abc import Callable
from typing import Final

from simulator.applications import expanded, file_exists
from simulator.calls import Call
from simulator.causes import parse_cause
from simulator.fsctl import Fsctl
from simulator.integers import decimal
from simulator.scheduler import Timer, tick
from simulator.status_texts import (
    channels_json,
    gateway_lines,
    sofia_status,
    status_text,
    up_time,
)
from simulator.switch import Switch

VERSION: Final = "1.11.3-dev"
NO_CHANNEL: Final = "-ERR No such channel!\n"
_SHELL: Final = frozenset({"system", "bg_system", "spawn", "bg_spawn", "spawn_stream"})

_CONDITION: Final = re.compile(r"(\S*) (==|!=|>|<) (\S*) \? ([^:]*?) : (.*)")

_RECURRING: Final = re.compile(r"@([0-9]{1,9}) (\S+) (\S+) ?(.*)", re.DOTALL)
_CALLED: Final = re.compile(r"(\w+)\((.*)\)", re.DOTALL)

Api = Callable[[str, float], str]


class Apis:
    """The api commands of one node."""

    def __init__(self, switch: Switch, started: float, fsctl: Fsctl) -> None:
        self._switch = switch
        self._core = core = switch.core
        self._hangups = switch.hangups
        self._started = started
        self._fsctl = fsctl
        self._scheduled: dict[str, list[Timer]] = {}
        self.recover: Callable[[float], int] = lambda _at: 0
        self._globals = {
            "core_uuid": core.hub.renderer.node["core"],
            "hostname": "simulator",
            "domain": "127.0.0.1",
            "local_ip_v4": "127.0.0.1",
        }
        self._table = {**self._channel_commands(), **self._node_commands()}

    def _channel_commands(self) -> dict[str, Api]:
        return {
            "uuid_exists": self._exists,
            "uuid_kill": self._kill,
            "uuid_dump": self._dump,
            "uuid_getvar": self._getvar,
            "uuid_setvar": self._setvar,
            "uuid_setvar_multi": self._setvar_multi,
            "uuid_transfer": self._transfer,
            "uuid_broadcast": self._broadcast,
            "hupall": self._hupall,
            "sched_hangup": self._sched_hangup,
            "sched_del": self._sched_del,
            "sched_api": self._sched_api,
            "expand": self._expand,
            "conference": self._conference,
        }

    def _node_commands(self) -> dict[str, Api]:
        core, fsctl = self._core, self._fsctl
        return {
            "hash": self._hash,
            "hash_dump": self._hash_dump,
            "show": self._show,
            "status": lambda _argument, at: self._status(at),
            "uptime": lambda argument, at: up_time(self._uptime(at), argument),
            "version": lambda argument, _at: _version(argument),
            "hostname": lambda _argument, _at: core.hub.renderer.node["hostname"],
            "switchname": lambda _argument, _at: core.name,
            "global_getvar": lambda argument, _at: self._globals.get(argument, ""),
            "global_setvar": self._global_setvar,
            "create_uuid": lambda _argument, _at: str(uuids.uuid4()),
            "strepoch": lambda _argument, at: str(int(core.clock.wall(at))),
            "echo": lambda argument, _at: argument,
            "cond": lambda argument, _at: _chosen(argument),
            "fsctl": fsctl.run,
            "sofia": self._sofia,
            "limit_usage": lambda _argument, _at: "0",
            "module_exists": self._module_exists,
            "file_exists": lambda argument, _at: "true" if file_exists(argument) else "false",
            "callcenter_config": self._callcenter_config,
            "load": self._load,
            "unload": self._unload,
        }

    def _uptime(self, at: float) -> float:
        return self._core.clock.wall(at) - self._started

    def run(self, name: str, argument: str, at: float) -> str:
        """Run a command that answers at once; an originate started this way is left to itself."""
        if name == "originate":
            self._switch.originate(at, argument, lambda _text: None)
            return ""
        if name in _SHELL:
            self._core.journal.command(self._core.clock.wall(at), "", argument)
            return ""
        command = self._table.get(name.lower())
        if command is None:
            return f"-ERR {name} Command not found!\n"
        return command(argument, at)

    def start(self, name: str, argument: str, at: float, done: Callable[[str], None]) -> None:
        """Run a command; `done` gets its reply when it has one."""
        hub = self._core.hub
        if hub.wanted("API"):
            done = self._announcing(name, argument, done)
        if name == "originate":
            self._switch.originate(at, argument, done)
        elif name == "fsctl" and argument.strip() in ("shutdown elegant", "shutdown asap"):
            # These hold their connection until the last call has ended.
            self._fsctl.shut_down_when_empty(argument.strip().endswith("asap"), done)
        else:
            done(self.run(name, argument, at))

    def _announcing(self, name: str, argument: str, done: Callable[[str], None]) -> Callable[[str], None]:
        """`done` preceded by the API event, which the real node fires when the command is through."""
        pairs = [("API-Command", name)] + ([("API-Command-Argument", argument)] if argument else [])

        def announce(text: str) -> None:
            self._core.hub.simple("API", pairs, ("switch_loadable_module.c", "switch_api_execute", 3140))
            done(text)

        return announce

    # Channels

    def _channel(self, text: str) -> tuple[Call | None, str]:
        uuid, _, rest = text.partition(" ")
        return self._core.channels.find(uuid), rest

    def _exists(self, argument: str, _at: float) -> str:
        return "true" if argument and self._core.channels.find(argument) is not None else "false"

    def _kill(self, argument: str, at: float) -> str:
        call, cause = self._channel(argument)
        if call is None:
            return NO_CHANNEL
        self._hangups.hang_up(at, call, parse_cause(cause.strip() or "NORMAL_CLEARING"))
        return "+OK\n"

    def _dump(self, argument: str, at: float) -> str:
        call, form = self._channel(argument)
        if call is None:
            return NO_CHANNEL
        renderer = self._core.hub.renderer
        # Dated in the call's own time, so that its ages come out in simulated seconds.
        call.fields.update(renderer.clock(call.microseconds(at) / 1e6))
        call.fields["sequence"] = renderer.next_sequence()
        if form.strip() == "json":
            frame = renderer.json("CHANNEL_DATA", call.flags, call.fields)
            return frame.partition(b"\n\n")[2].decode("utf-8", "surrogateescape")
        return "".join(f"{name}: {value}\n" for name, value in call.snapshot(renderer, "CHANNEL_DATA")) + "\n"

    def _getvar(self, argument: str, _at: float) -> str:
        call, name = self._channel(argument)
        if not name:
            return "-USAGE: <uuid> <var>\n"
        if call is None:
            return NO_CHANNEL
        return call.value(self._core.hub.renderer, name) or "_undef_"

    def _setvar(self, argument: str, _at: float) -> str:
        call, rest = self._channel(argument)
        name, _, value = rest.partition(" ")
        if not name:
            return "-USAGE: <uuid> <var> [value]\n"
        if call is None:
            return NO_CHANNEL
        # Quotes are eaten, blanks and commas are not.
        call.set_variable(name, value.replace("'", ""))
        return "+OK\n"

    def _setvar_multi(self, argument: str, _at: float) -> str:
        call, rest = self._channel(argument)
        if call is None:
            return NO_CHANNEL
        for name, value in _assignments(rest):
            call.set_variable(name, value)
        return "+OK\n"

    def _transfer(self, argument: str, at: float) -> str:
        call, rest = self._channel(argument)
        if call is None:
            return NO_CHANNEL
        extension, dialplan, context = [*(rest.split(" ")), "", ""][:3]
        self._switch.applications.transfer(at, call, extension, dialplan or "XML", context or "default")
        return "+OK\n"

    def _broadcast(self, argument: str, at: float) -> str:
        call, rest = self._channel(argument)
        if call is None:
            return "-ERR invalid uuid\n"
        name, found, data = rest.removesuffix(" aleg").partition("::")
        if found:
            self._switch.applications.execute(at, call, name, data)
        return "+OK Message sent\n"

    def _hupall(self, argument: str, at: float) -> str:
        cause, variable, value = [*argument.split(" ", 2), "", "", ""][:3]
        cause = parse_cause(cause, "MANAGER_REQUEST") if cause else "MANAGER_REQUEST"
        if variable and value:
            self._hangups.hang_up_all(at, cause, variable, value)
            return f"+OK hangup all channels matching [{variable}]=[{value}] with cause: {cause}\n"
        self._hangups.hang_up_all(at, cause)
        return f"+OK hangup all channels with cause {cause}\n"

    def _sched_hangup(self, argument: str, at: float) -> str:
        words = argument.split()
        seconds = decimal(words[0].removeprefix("+")) if len(words) > 1 else None
        if seconds is None:
            return "-USAGE: [+]<time> <uuid> [<cause>]\n"
        call = self._core.channels.find(words[1])
        if call is None:
            return NO_CHANNEL
        if not words[0].startswith("+"):
            # A moment of the epoch instead of a span.
            seconds = max(0, int(words[0]) - int(at))
        cause = parse_cause(words[2] if len(words) > 2 else "ALLOTTED_TIMEOUT")
        self._hangups.schedule(at, call, seconds, cause)
        return "+OK\n"

    def _sched_del(self, argument: str, _at: float) -> str:
        group = self._scheduled.pop(argument.strip(), [])
        for timer in group:
            self._core.scheduler.cancel(timer)
        call = self._core.channels.find(argument.strip())
        deleted = len(group) + (self._hangups.unschedule(call) if call is not None else 0)
        return f"+OK Deleted: {deleted}\n"

    def _sched_api(self, argument: str, at: float) -> str:
        """`@N GROUP COMMAND`: the command every N seconds, until the group is deleted."""
        match = _RECURRING.fullmatch(argument)
        if match is None:
            return "-ERR Invalid syntax. USAGE: [+@]<time> <group_name> <command_string>[&]\n"
        self._recur(at, int(match[1]), match[2], match[3], match[4])
        return "+OK Added: 1\n"

    def _recur(self, at: float, seconds: int, group: str, name: str, argument: str) -> None:
        def again(due: float) -> None:
            self._scheduled[group].remove(timer)
            self._recur(due, seconds, group, name, argument)
            self.run(name, argument, due)

        timer = self._core.scheduler.at(tick(at, seconds), again)
        self._scheduled.setdefault(group, []).append(timer)

    def _expand(self, argument: str, at: float) -> str:
        """A command with the expansions of its argument; its name is taken as it is."""
        name, _, rest = argument.partition(" ")

        def value(inside: str) -> str:
            match = _CALLED.fullmatch(inside)
            return self.run(match[1], match[2], at) if match is not None else ""

        return self.run(name, expanded(rest, value), at)

    def _conference(self, argument: str, at: float) -> str:
        room, _, rest = argument.partition(" ")
        bridging = self._switch.applications.bridging
        inside = bridging.in_room(room)
        if not inside:
            return f"-ERR Conference {room} not found\n"
        if rest == "get count":
            return str(len(inside))
        uuid = rest.removeprefix("kick uuid=")
        return f"OK kicked {uuid}\n" if bridging.kick(at, room, uuid) else "Non-Existant ID\n"

    # The rest

    def _status(self, at: float) -> str:
        limits = self._core.session_limits
        limits.refill(self._core.clock.wall(at))
        return status_text(limits, len(self._core.channels), self._uptime(at))

    def _module_exists(self, argument: str, _at: float) -> str:
        loaded = argument.startswith("mod_") and argument not in self._core.unloaded
        return "true" if loaded else "false"

    def _callcenter_config(self, argument: str, _at: float) -> str:
        """`queue list`: the head of its table. Queues are not configured here; a call finds any but `nosuch...`."""
        if "mod_callcenter" in self._core.unloaded:
            return "-ERR callcenter_config Command not found!\n"
        return "name|strategy|moh_sound\n+OK\n" if argument.strip() == "queue list" else "-USAGE:\n"

    def _load(self, argument: str, _at: float) -> str:
        self._core.unloaded.discard(argument)
        return "+OK\n"

    def _unload(self, argument: str, _at: float) -> str:
        """What goes with a module: rates with mod_hash, queues and rooms with theirs, a voice with its engine."""
        self._core.unloaded.add(argument)
        return "+OK\n"

    def _hash(self, argument: str, _at: float) -> str:
        action, realm, key, value = [*argument.split("/", 3), "", "", "", ""][:4]
        table = self._core.hash_table
        name = f"{realm}_{key}"
        if not realm or not key:
            return "-USAGE: [insert|insert_ifempty|delete|select]/<realm>/<key>/<value>\n"
        if action == "select":
            return table.get(name, "")
        if action in ("insert", "insert_ifempty"):
            if action == "insert_ifempty" and name in table:
                return "-ERR key already exists\n"
            table[name] = value
            return "+OK\n"
        if action == "delete":
            return "+OK\n" if table.pop(name, None) is not None else "-ERR Not found\n"
        return "-USAGE: [insert|insert_ifempty|delete|select]/<realm>/<key>/<value>\n"

    def _hash_dump(self, argument: str, _at: float) -> str:
        """What is in the hash; of `limit`s, which no dialer lists, nothing is told."""
        what, _, realm = argument.partition(" ")
        if what not in ("all", "db", "limit"):
            return "Usage: all|limit|db [<realm>]\n"
        table = self._core.hash_table.items() if what != "limit" else ()
        return "".join(f"D/{name}/{value}\n" for name, value in table if not realm or f"{realm}_" in name)

    def _show(self, argument: str, at: float) -> str:
        words = argument.split()
        what = words[0] if words else ""
        rows = self._core.channels.shown(at) if what in ("channels", "calls") else []
        if "like" in words:
            wanted = words[words.index("like") + 1] if words.index("like") + 1 < len(words) else ""
            rows = [call for call in rows if wanted in (call.uuid, call.number, call.fields["channel"])]
        if what not in ("channels", "calls", "registrations", "tasks", "modules"):
            return "-USAGE: channels [count|like <match string>]|calls|modules|tasks\n"
        if "json" in words:
            return channels_json(rows, self._core.name)
        return f"\n{len(rows)} total.\n"

    def _global_setvar(self, argument: str, _at: float) -> str:
        name, _, value = argument.partition("=")
        self._globals[name] = value
        return "+OK"

    def _sofia(self, argument: str, at: float) -> str:
        words = argument.split()
        if words[:3] == ["status", "gateway", *words[2:3]] and len(words) == 3:
            if not self._core.router.knows(words[2]):
                return "Invalid Gateway!\n"
            return gateway_lines(words[2], up=self._core.router.up(words[2]))
        if words == ["recover"]:
            count = self.recover(at)
            return f"Recovered {count} call(s)\n" if count else "No calls to recover.\n"
        if words[:1] == ["status"]:
            return sofia_status(self._core.router.gateways or frozenset(), len(self._core.channels))
        return "-USAGE: sofia <help|status|profile>\n"


def _version(argument: str) -> str:
    if argument.strip() == "short":
        return f"{VERSION}\n"
    return f"FreeSWITCH Version {VERSION}+simulator~64bit (simulator 64bit)\n"


def _chosen(argument: str) -> str:
    """`cond a > b ? yes : no`, for numbers and for texts; the texts end at the first colon."""
    match = _CONDITION.fullmatch(argument)
    if match is None:
        return "-ERR"
    left, right = decimal(match[1]), decimal(match[3])
    if left is None or right is None:
        true = (match[1] == match[3]) == (match[2] == "==")
    else:
        true = {"==": left == right, "!=": left != right, ">": left > right, "<": left < right}[match[2]]
    return match[4] if true else match[5]


def _assignments(text: str) -> list[tuple[str, str]]:
    """`a=1;b=2 3;c='x;y'`: quotes protect semicolons and are eaten."""
    found = []
    item = ""
    quoted = False
    for letter in text + ";":
        if letter == "'":
            quoted = not quoted
        elif letter == ";" and not quoted:
            name, equals, value = item.partition("=")
            if equals:
                found.append((name, value))
            item = ""
        else:
            item += letter
    return found
