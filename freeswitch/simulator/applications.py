"""What an answered channel runs: `&app(arg)`, inline lists, extensions, and the execute_on_* hooks.

The switch starts it once an originate has won. An application lasts no time, some simulated seconds, or until the
channel ends; when the list is through, this side hangs up, as FreeSWITCH does.
"""

from __future__ import annotations

import re
import uuid as uuids
from typing import TYPE_CHECKING, Final

from freeswitch.simulator.calls import ARGUMENT, EXECUTING, RAN, Call
from freeswitch.simulator.causes import parse_cause
from freeswitch.simulator.dialstring import read_applications, separate
from freeswitch.simulator.numerals import decimal

if TYPE_CHECKING:
    from freeswitch.simulator.switch import Switch

MESSAGE_SECONDS: Final = 5.0  # a file or a spoken text
FOREVER: Final = float("inf")
MAX_EXPANSIONS: Final = 10

_NOTHING_NAMES = """
    answer pre_answer ring_ready info log event start_dtmf stop_dtmf record_session stop_record_session limit hash
    db session_loglevel verbose_events sched_transfer sched_broadcast enable_heartbeat privacy presence sound_test
    set_audio_level avmd_start avmd_stop eval check_acl deduplicate_dtmf bind_meta_app curl respond
"""
_NOTHING = frozenset(_NOTHING_NAMES.split())
_UNTIL_HANGUP_NAMES = """
    echo delay_echo conference bridge fifo callcenter socket endless_playback loop_playback valet_park eavesdrop
    hold att_xfer park_state lua javascript python3 detect_speech
"""
_UNTIL_HANGUP = frozenset(_UNTIL_HANGUP_NAMES.split())
_MESSAGES_NAMES = """
    playback speak say phrase play_and_get_digits read gentones play_fsv record ivr displace_session
"""
_MESSAGES = frozenset(_MESSAGES_NAMES.split())
_COMMANDS = frozenset({"system", "bg_system", "spawn", "bg_spawn"})
_TONE = re.compile(r"%\(([0-9]{1,9}),([0-9]{1,9})")
_EXPANSION = re.compile(r"\$\{([^{}]*)\}")
_HOOK = re.compile(r"([^ :]*)(?:::| |:)?(.*)", re.DOTALL)
_SCHEDULE = re.compile(r"\+?([0-9]{1,9})(?: +(\S+))?")


class Applications:
    """Runs applications on the channels of one switch."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch

    def start(self, at: float, call: Call) -> None:
        """Hand an originated channel to the extension of its originate."""
        spec = call.attempt.spec
        if not call.alive():
            return
        call.executing = True
        call.flags |= EXECUTING
        self._switch.change_state(call, "CS_EXECUTE", "4")
        self.transfer(at, call, spec.extension, spec.dialplan, spec.context)

    def transfer(self, at: float, call: Call, extension: str, dialplan: str, context: str) -> None:
        """Drop what runs and go to another extension.

        Context `default` holds none; any other context but `nosuch...` takes the call to a phone.
        """
        listed = read_applications(extension, dialplan)
        if listed is None:
            if context == "default" or context.startswith("nosuch") or extension.startswith("nosuch"):
                self._switch.hang_up(at, call, "NO_ROUTE_DESTINATION")
                return
            listed = [("bridge", f"user/{extension}")]
        self._run_list(at, call, listed)

    def stop(self, call: Call) -> None:
        """The channel ended: tell who listens that its application did."""
        if not call.flags & RAN:
            return
        if call.fields["application"] == "park":
            self._switch.hub.channel("CHANNEL_UNPARK", call)
        self._switch.hub.channel("CHANNEL_EXECUTE_COMPLETE", call)

    def _run_list(self, at: float, call: Call, applications: list[tuple[str, str]]) -> None:
        call.applications = applications
        call.application_index = 0
        self._advance(at, call, applications)

    def _advance(self, at: float, call: Call, applications: list[tuple[str, str]]) -> None:
        """Run on until an application takes time. A list that was replaced meanwhile is dropped."""
        while call.alive() and call.applications is applications:
            if call.application_index >= len(applications):
                self._switch.hang_up(at, call, "NORMAL_CLEARING")
                return
            name, argument = applications[call.application_index]
            call.application_index += 1
            seconds = self.execute(at, call, name, argument)
            if seconds == FOREVER:
                return
            if seconds:
                self._switch.scheduler.at(at + seconds, self._advance, call, applications)
                return

    def execute_hook(self, at: float, call: Call, value: str) -> None:
        """An execute_on_* variable: `app arg` or `app::arg`."""
        match = _HOOK.fullmatch(value)
        if match is not None:
            self.execute(at, call, match[1], match[2])

    def execute(self, at: float, call: Call, name: str, argument: str) -> float:
        """Run one application; simulated seconds until it is done."""
        argument = self.expand(at, call, argument)
        hub = self._switch.hub
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
        switch = self._switch
        if name == "park":
            switch.hub.channel("CHANNEL_PARK", call)
            return FOREVER
        if name in _UNTIL_HANGUP:
            return FOREVER
        if name in _MESSAGES:
            return duration(argument)
        if name == "sleep":
            return (decimal(argument) or 0) / 1000
        if name in ("set", "export", "multiset", "unset", "push"):
            self._set(call, name, argument)
        elif name == "sched_hangup":
            match = _SCHEDULE.match(argument)
            if match is not None:
                switch.schedule_hang_up(at, call, int(match[1]), parse_cause(match[2] or "ALLOTTED_TIMEOUT"))
        elif name == "hangup":
            switch.hang_up(at, call, parse_cause(argument))
        elif name in ("transfer", "execute_extension"):
            extension, dialplan, context = [*argument.split(" "), "", ""][:3]
            self.transfer(at, call, extension, dialplan or "XML", context or "default")
            return FOREVER
        elif name in _COMMANDS:
            switch.journal.command(switch.clock.wall(at), call.uuid, argument)
        elif name not in _NOTHING:
            # An unknown application ends the call (fact B).
            switch.hang_up(at, call, "DESTINATION_OUT_OF_ORDER")
        return 0.0

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
        """`${name}` and `${api argument}` in an application's argument, again and again (fact A12)."""
        for _ in range(MAX_EXPANSIONS):
            if "${" not in text:
                break
            text = _EXPANSION.sub(lambda match: self._expansion(at, call, match[1]), text)
        return text

    def _expansion(self, at: float, call: Call, inside: str) -> str:
        match = re.fullmatch(r"(\w+)(?:\((.*)\)| (.*))", inside, re.DOTALL)
        if match is not None:
            return self._switch.run_api(match[1], match[2] or match[3] or "", at)
        return self._switch.value(call, inside) or ""


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
