"""What a node does about a fault beyond noting that it is in force: limits, pause, mute, restart, kill, zombies,
standing still."""

from __future__ import annotations

from collections.abc import Callable

from simulator.core import Core
from simulator.faults import MOMENTARY, Fault, Faults
from simulator.hangup import Hangups


class FaultActions:
    """Begins and ends the faults of one node, and acts on its parts where that takes more than noting it.

    The server gives what concerns its sockets: `mute` stops every connection that stands without closing it, `unmute`
    lets them go on (True) or drops them; `restart` ends the process for a new one in its place, `kill` without one;
    `stand_still` does nothing for these simulated seconds.
    `heartbeat` publishes a HEARTBEAT, `moment` is the simulated time, `connections` counts those that are heard.
    """

    def __init__(
        self,
        core: Core,
        hangups: Hangups,
        *,
        mute: Callable[[], None],
        unmute: Callable[[bool], None],
        restart: Callable[[], None],
        kill: Callable[[], None],
        stand_still: Callable[[float], None],
        heartbeat: Callable[[], None],
        moment: Callable[[], float],
        connections: Callable[[], int],
    ) -> None:
        self.faults: Faults = core.faults
        self._core = core
        self._hangups = hangups
        self._mute = mute
        self._unmute = unmute
        self._restart = restart
        self._kill = kill
        self._stand_still = stand_still
        self._heartbeat = heartbeat
        self._moment = moment
        self._connections = connections
        self._configured: tuple[int, int] | None = None

    @property
    def sessions(self) -> int:
        """Channels that exist now."""
        return len(self._core.channels)

    @property
    def connections(self) -> int:
        """Connections that have given the password and are heard, as one that is half open is not."""
        return self._connections()

    def begin(self, fault: Fault) -> None:
        """Let a fault strike, or put it in force."""
        if fault.name in MOMENTARY:
            self.faults.done[fault.name] += 1
        else:
            self.faults.set(fault)
        match fault.name:
            case "burst":
                self._burst(int(fault.number("events")))
            case "restart":
                self._restart()
            case "kill":
                self._kill()
            case "stand-still":
                self._stand_still(fault.number("seconds"))
            case "half-open":
                self._mute()
            case "limits":
                self._limit(int(fault.number("sps")), int(fault.number("max_sessions")))
            case "pause":
                self._pause(fault.text("direction"), paused=True)

    def end(self, *names: str) -> None:
        """End the faults of these names; all of them without a name. What a fault kept back happens now."""
        over = [fault for name, fault in self.faults.in_force.items() if not names or name in names]
        self.faults.clear(*(fault.name for fault in over))
        for fault in over:
            match fault.name:
                case "half-open":
                    self._unmute(fault.text("resume") == "yes")
                case "limits":
                    self._restore_limits()
                case "pause":
                    self._pause(fault.text("direction"), paused=False)
                case "zombies":
                    self._hangups.hang_up_zombies(self._moment())

    def _burst(self, events: int) -> None:
        """As if the node had been kept from sending for long: one event of each call stands for all it had kept."""
        calls = [call for call in self._core.channels if call.alive()]
        for index in range(events):
            if calls:
                self._core.hub.channel("CHANNEL_CREATE", calls[index % len(calls)])
            else:
                self._heartbeat()

    def _limit(self, sps: int, max_sessions: int) -> None:
        limits = self._core.session_limits
        self._configured = self._configured or (limits.sps, limits.max_sessions)
        limits.set_sps(sps)
        limits.max_sessions = max_sessions

    def _restore_limits(self) -> None:
        if self._configured is not None:
            self._limit(*self._configured)
            self._configured = None

    def _pause(self, direction: str, *, paused: bool) -> None:
        limits = self._core.session_limits
        if direction != "outbound":
            limits.paused_inbound = paused
        if direction != "inbound":
            limits.paused_outbound = paused
