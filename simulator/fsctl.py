"""`fsctl`: limits, pause and the ways to shut a node down (recordings 33-35, 55-57 of `tests/recordings.tar.xz`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from simulator.core import Core
from simulator.hangup import Hangups
from simulator.integers import decimal

USAGE: Final = (
    "[recover|hupall|pause [inbound|outbound]|resume [inbound|outbound]|shutdown [cancel|elegant|asap|now]|"
    "sps|last_sps|max_sessions|min_idle_cpu|loglevel [level]|pause_check|ready_check|shutdown_check]\n"
)


class Fsctl:
    """The control command of one node. `shut_down` asks the server to end, and is called once."""

    def __init__(self, core: Core, hangups: Hangups, shut_down: Callable[[], None]) -> None:
        self._core = core
        self._hangups = hangups
        self._shut_down = shut_down
        self._waiting: list[Callable[[str], None]] = []

    @property
    def waiting(self) -> bool:
        """Whether the node ends as soon as its last call does."""
        return bool(self._waiting)

    def shut_down_when_empty(self, refuse: bool, done: Callable[[str], None]) -> None:
        """`shutdown elegant` still lets new calls in, `asap` refuses them; both answer when they are through."""
        limits = self._core.session_limits
        limits.shutting_down = True
        limits.refusing = limits.refusing or refuse
        self._waiting.append(done)

    def check_empty(self) -> None:
        """End the node if it was told to and no call is left."""
        if self._waiting and not self._core.channels:
            self._answer_waiting()
            self._shut_down()

    def _answer_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            done("+OK\n")

    def run(self, argument: str, at: float) -> str:
        """One fsctl command that answers at once."""
        words = argument.split()
        if not words:
            return f"-USAGE: {USAGE}"
        command, rest = words[0], words[1:]
        if command in ("pause", "resume"):
            return self._pause(command == "pause", rest)
        if command == "shutdown":
            return self._shutdown(rest)
        if command == "hupall":
            self._hangups.hang_up_all(at, "MANAGER_REQUEST")
            return "+OK hangup all channels with cause MANAGER_REQUEST\n"
        return self._ask(command, rest)

    def _ask(self, command: str, rest: list[str]) -> str:
        limits = self._core.session_limits
        number = decimal(rest[0]) if rest else None
        if command == "sps":
            if number:
                limits.set_sps(number)
            return f"+OK sessions per second: {limits.sps}\n"
        if command == "max_sessions":
            if number:
                limits.max_sessions = number
            return f"+OK max sessions: {limits.max_sessions}\n"
        outbound = rest[:1] == ["outbound"]
        both = limits.paused_inbound and limits.paused_outbound
        paused = (
            limits.paused_outbound if outbound else limits.paused_inbound if rest[:1] == ["inbound"] else both
        )
        answers = {
            "last_sps": f"+OK last sessions per second: {limits.last_sps}\n",
            "min_idle_cpu": "+OK min idle cpu: DISABLED\n",
            "ready_check": _word(limits.ready),
            "shutdown_check": _word(limits.shutting_down),
            "pause_check": _word(paused),
            "loglevel": "+OK log level: DISABLE [-1]\n",
        }
        return answers.get(command, f"-ERR Invalid command\nUSAGE: fsctl {USAGE}")

    def _pause(self, paused: bool, rest: list[str]) -> str:
        limits = self._core.session_limits
        if rest[:1] != ["outbound"]:
            limits.paused_inbound = paused
        if rest[:1] != ["inbound"]:
            limits.paused_outbound = paused
        return "+OK\n"

    def _shutdown(self, rest: list[str]) -> str:
        limits = self._core.session_limits
        if rest[:1] == ["cancel"]:
            limits.shutting_down = limits.refusing = False
            self._answer_waiting()
            return "+OK\n"
        if rest[:1] in (["elegant"], ["asap"]):
            # From a hook nobody waits for the answer.
            self.shut_down_when_empty(rest[0] == "asap", lambda _text: None)
            return "+OK\n"
        limits.shutting_down = limits.refusing = True
        self._shut_down()
        return "+OK\n"


def _word(value: bool) -> str:
    return "true" if value else "false"
