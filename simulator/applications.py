"""What an answered channel runs: `&app(arg)`, inline lists, extensions, and the execute_on_* hooks.

The switch starts it once an originate has won. An application lasts no time, some simulated seconds, or until the
channel ends; when the list is through, this side hangs up, as FreeSWITCH does.
"""

from __future__ import annotations

import re
import uuid as uuids
from collections.abc import Callable
from typing import Final

from simulator.bridging import Bridging
from simulator.calls import ARGUMENT, EXECUTING, RAN, Call
from simulator.causes import parse_cause
from simulator.core import Core
from simulator.dialstring import read_applications, separate
from simulator.hangup import Hangups
from simulator.integers import decimal
from simulator.limit_hash import Limit, LimitHash, parse_limit
from simulator.scheduler import tick

MESSAGE_SECONDS: Final = 5.0  # a file or a spoken text
FOREVER: Final = float("inf")
RESPONSE: Final = "current_application_response"
MAX_EXPANSIONS: Final = 10

_NOTHING_NAMES = """
    answer pre_answer ring_ready info log event start_dtmf stop_dtmf record_session stop_record_session hash db
    session_loglevel verbose_events sched_broadcast enable_heartbeat privacy presence sound_test
    set_audio_level avmd_start avmd_stop eval check_acl deduplicate_dtmf bind_meta_app curl respond
"""
_NOTHING = frozenset(_NOTHING_NAMES.split())
_UNTIL_HANGUP_NAMES = """
    echo delay_echo fifo endless_playback loop_playback valet_park eavesdrop
    hold att_xfer park_state lua javascript python3 detect_speech
"""
_UNTIL_HANGUP = frozenset(_UNTIL_HANGUP_NAMES.split())
_MESSAGES_NAMES = """
    playback speak socket say phrase play_and_get_digits read gentones play_fsv record ivr displace_session
"""
_MESSAGES = frozenset(_MESSAGES_NAMES.split())
_BRIDGING = frozenset({"bridge", "callcenter", "conference"})
_MODULES: Final = {"callcenter": "mod_callcenter", "conference": "mod_conference"}
_SCHEDULING = frozenset({"sched_hangup", "sched_transfer", "sched_cancel"})
_COMMANDS = frozenset({"system", "bg_system", "spawn", "bg_spawn"})
_TONE = re.compile(r"%\(([0-9]{1,9}),([0-9]{1,9})")
_EXPANSION = re.compile(r"(?<!\\)\$\{")
_HOOK = re.compile(r"([^ :]*)(?:::| |:)?(.*)", re.DOTALL)
_SCHEDULE = re.compile(r"\+?([0-9]{1,9})(?: +(\S+))?")
_SCHEDULED_TRANSFER = re.compile(r"\+([0-9]{1,9}) (\S+)(?: (\S+))?(?: (\S+))?")


class Applications:
    """Runs applications on the channels of one node."""

    def __init__(self, core: Core, hangups: Hangups) -> None:
        self._core = core
        self._hangups = hangups
        self.bridging = Bridging(core, hangups, self._run_next, self.execute_hook)
        self._limit_hash = LimitHash()

    def start(self, at: float, call: Call) -> None:
        """Hand an originated channel to the extension of its originate."""
        spec = call.job.spec
        if not call.alive():
            return
        call.executing = True
        call.flags |= EXECUTING
        self._core.hub.channel_state(call, "CS_EXECUTE", "4")
        self.transfer(at, call, spec.extension, spec.dialplan, spec.context)

    def transfer(self, at: float, call: Call, extension: str, dialplan: str, context: str) -> None:
        """Drop what runs and go to another extension.

        Context `default` holds none; any other context but `nosuch...` takes the call to a phone.
        """
        listed = read_applications(extension, dialplan)
        if listed is None:
            if context == "default" or context.startswith("nosuch") or extension.startswith("nosuch"):
                self._hangups.hang_up(at, call, "NO_ROUTE_DESTINATION")
                return
            listed = [("bridge", f"user/{extension}")]
        self._run_list(at, call, listed)

    def _run_list(self, at: float, call: Call, applications: list[tuple[str, str]]) -> None:
        call.applications = applications
        call.application_index = 0
        self._advance(at, call, applications)

    def _advance(self, at: float, call: Call, applications: list[tuple[str, str]]) -> None:
        """Run on until an application takes time. A list that was replaced meanwhile is dropped."""
        while call.alive() and call.applications is applications:
            if call.application_index >= len(applications):
                self._hangups.hang_up(at, call, "NORMAL_CLEARING")
                return
            name, argument = applications[call.application_index]
            call.application_index += 1
            seconds = self.execute(at, call, name, argument)
            if seconds == FOREVER:
                return
            if seconds:
                self._core.scheduler.at(at + seconds, self._advance, call, applications)
                return

    def _run_next(self, at: float, call: Call) -> None:
        if call.applications is not None:
            self._advance(at, call, call.applications)

    def hooks(self, at: float, call: Call, prefix: str) -> None:
        """Run a channel's execute_on_* variables of this name."""
        for value in list(call.hooks(prefix)):
            if call.alive():
                self.execute_hook(at, call, value)

    def execute_hook(self, at: float, call: Call, value: str) -> None:
        """An execute_on_* variable: `app arg` or `app::arg`."""
        match = _HOOK.fullmatch(value)
        if match is not None:
            self.execute(at, call, match[1], match[2])

    def execute(self, at: float, call: Call, name: str, argument: str) -> float:
        """Run one application; simulated seconds until it is done."""
        argument = self.expand(at, call, argument)
        if RESPONSE in call.late:
            # What one application answered is gone with the next.
            call.set_variable(RESPONSE, "")
        hub = self._core.hub
        call.set_foreign(application=name, application_data=argument)
        call.flags = (call.flags | ARGUMENT if argument else call.flags & ~ARGUMENT) | RAN
        if hub.wanted("CHANNEL_EXECUTE") or hub.wanted("CHANNEL_EXECUTE_COMPLETE"):
            call.set_foreign(application_uuid=str(uuids.uuid4()))
            hub.channel("CHANNEL_EXECUTE", call)
        seconds = self._run(at, call, name, argument)
        if not seconds and call.alive():
            hub.channel("CHANNEL_EXECUTE_COMPLETE", call)
        return seconds

    def _run(self, at: float, call: Call, name: str, argument: str) -> float:
        if name == "park":
            self._core.hub.channel("CHANNEL_PARK", call)
            return FOREVER
        if name in _UNTIL_HANGUP:
            return FOREVER
        if name in _BRIDGING:
            return self._bridge(at, call, name, argument)
        if name in _MESSAGES:
            return self._perform(call, name, argument)
        if name == "sleep":
            return (decimal(argument) or 0) / 1000
        if name in ("set", "export", "multiset", "unset", "push"):
            self._set(call, name, argument)
        elif name in _SCHEDULING:
            self._schedule(at, call, name, argument)
        elif name == "hangup":
            self._hangups.hang_up(at, call, parse_cause(argument))
        elif name in ("transfer", "execute_extension"):
            return self._branch(at, call, name, argument)
        elif name in ("limit", "limit_execute"):
            return self._limit(at, call, name, argument)
        elif name in _COMMANDS:
            self._core.journal.command(self._core.clock.wall(at), call.uuid, argument)
        elif name not in _NOTHING:
            # An unknown application ends the call.
            self._hangups.hang_up(at, call, "DESTINATION_OUT_OF_ORDER")
        return 0.0

    def _perform(self, call: Call, name: str, argument: str) -> float:
        """A file, a text or a socket's server, each of which may not be there: then it takes no time, and the next
        application runs."""
        if name == "socket":
            return 0.0 if refuses(argument.partition(" ")[0]) else FOREVER
        if name == "speak":
            return 0.0 if f"mod_{argument.partition('|')[0]}" in self._core.unloaded else duration(argument)
        if name != "playback":
            return duration(argument)
        there = file_exists(argument)
        call.set_variable(RESPONSE, "FILE PLAYED" if there else "FILE NOT FOUND")
        return duration(argument) if there else 0.0

    def _bridge(self, at: float, call: Call, name: str, argument: str) -> float:
        if _MODULES.get(name) in self._core.unloaded:
            self._hangups.hang_up(at, call, "DESTINATION_OUT_OF_ORDER")
            return 0.0
        if name == "bridge":
            self.bridging.bridge(at, call, argument)
        elif name == "callcenter":
            return FOREVER if self.bridging.queue(at, call, argument) else 0.0
        elif not self.bridging.conference(call, argument):
            if call.variable("hangup_after_conference") != "false":
                self._hangups.hang_up(at, call, "NORMAL_CLEARING")
            return 0.0
        return FOREVER

    def _branch(self, at: float, call: Call, name: str, argument: str) -> float:
        extension, dialplan, context = [*argument.split(" "), "", ""][:3]
        listed = read_applications(extension, dialplan) if name == "execute_extension" else None
        if listed is None:
            self.transfer(at, call, extension, dialplan or "XML", context or "default")
            return FOREVER
        # It comes back from an inline list, as from a subroutine.
        return sum(self.execute(at, call, inner, inner_argument) for inner, inner_argument in listed)

    def _limit(self, at: float, call: Call, name: str, argument: str) -> float:
        limit = parse_limit(argument)
        if limit is None:
            return 0.0
        within = self._within(at, call, limit)
        if name == "limit_execute":
            return self.execute(at, call, limit.beyond, limit.argument) if within and limit.argument else 0.0
        if within:
            return 0.0
        if limit.beyond.startswith("!"):
            self._hangups.hang_up(at, call, parse_cause(limit.beyond[1:]))
        else:
            self.transfer(at, call, limit.beyond, "XML", "default")
        return 0.0

    def _within(self, at: float, call: Call, limit: Limit) -> bool:
        times = self._limit_hash.count(self._core.clock.wall(at), limit)
        # Without its table the switch takes every rate for exceeded.
        if times > limit.most or "mod_hash" in self._core.unloaded:
            return False
        names = ("limit_usage", f"limit_usage_{limit.key}", "limit_rate", f"limit_rate_{limit.key}")
        call.learn(dict(zip(names, ("1", "1", str(times), str(times)), strict=True)))
        return True

    def _schedule(self, at: float, call: Call, name: str, argument: str) -> None:
        if name == "sched_cancel":
            self._hangups.unschedule(call, decimal(argument))
        elif name == "sched_hangup" and (match := _SCHEDULE.match(argument)) is not None:
            self._hangups.schedule(at, call, int(match[1]), parse_cause(match[2] or "ALLOTTED_TIMEOUT"))
        elif name == "sched_transfer" and (match := _SCHEDULED_TRANSFER.fullmatch(argument)) is not None:
            extension, dialplan, context = match[2], match[3] or "XML", match[4] or "default"
            due = tick(at, int(match[1]))
            timer = self._core.scheduler.at(due, self._transfer_if_up, call, extension, dialplan, context)
            call.tasks.append(timer)
            call.set_variable("last_sched_id", str(timer.number))

    def _transfer_if_up(self, at: float, call: Call, extension: str, dialplan: str, context: str) -> None:
        if call.alive():
            self.transfer(at, call, extension, dialplan, context)

    @staticmethod
    def _set(call: Call, name: str, argument: str) -> None:
        if name == "unset":
            call.set_variable(argument, "")
            return
        items = separate(argument, " ") if name == "multiset" else [argument]
        for item in items:
            variable, found, value = item.removeprefix("nolocal:").partition("=")
            if found:
                call.set_variable(variable, "" if value == "_undef_" else value)

    def expand(self, at: float, call: Call, text: str) -> str:
        """`${name}` and `${api argument}` in an application's argument, again and again."""
        return expanded(text, lambda inside: self._expansion(at, call, inside))

    def _expansion(self, at: float, call: Call, inside: str) -> str:
        match = re.fullmatch(r"(\w+)(?:\((.*)\)| (.*))", inside, re.DOTALL)
        if match is not None:
            return self._core.run_api(match[1], match[2] or match[3] or "", at)
        return call.value(self._core.hub.renderer, inside) or ""


def expanded(text: str, value: Callable[[str], str]) -> str:
    """`text` with each `${...}` replaced, the inner ones first; a backslash before one keeps it for whoever is passed
    the text."""
    for _ in range(MAX_EXPANSIONS):
        if (found := _innermost(text)) is None:
            break
        start, end = found
        text = text[:start] + value(text[start + 2 : end].replace("\\$", "$")) + text[end + 1 :]
    return text.replace("\\$", "$")


def _innermost(text: str) -> tuple[int, int] | None:
    """Where the last `${` that waits for nobody stands, and the brace that closes it."""
    starts = [match.start() for match in _EXPANSION.finditer(text)]
    for start in reversed(starts):
        depth = 0
        for place in range(start + 1, len(text)):
            depth += (text[place] == "{") - (text[place] == "}")
            if depth == 0:
                return start, place
    return None


def file_exists(path: str) -> bool:
    """Whether the node has a file: every one but those whose name, or a folder's on the way to it, begins with
    `nosuch`."""
    return not any(part.startswith("nosuch") for part in path.split("/"))


def refuses(address: str) -> bool:
    """Whether nobody listens at `host:port`: at port 1, as on a real machine."""
    return address.endswith(":1")


def duration(media: str) -> float:
    """Simulated seconds a file, a tone, a silence or a text lasts."""
    if media.startswith("silence_stream://"):
        milliseconds = media.removeprefix("silence_stream://").partition(",")[0]
        if milliseconds == "-1":
            return FOREVER
        length = decimal(milliseconds)
        return MESSAGE_SECONDS if length is None else length / 1000
    if media.startswith("tone_stream://"):
        seconds = sum(int(on) + int(off) for on, off in _TONE.findall(media)) / 1000
        loops = re.search(r"loops=(-?[0-9]{1,9})", media)
        if loops is not None and int(loops[1]) < 0:
            return FOREVER
        return (seconds or MESSAGE_SECONDS) * (int(loops[1]) if loops is not None else 1)
    return MESSAGE_SECONDS
