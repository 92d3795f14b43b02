"""What a node does about a fault beyond noting that it is in force; told by the control port and the command line."""

from __future__ import annotations

from collections.abc import Callable

from simulator.faults import MOMENTARY, Fault, Faults
from simulator.switch import Switch


class Levers:
    """Begins and ends the faults of one node.

    The server gives what concerns its sockets: `mute` stops every connection that stands without closing it, `unmute`
    lets them go on (True) or drops them; `restart` ends the process for a new one in its place, `kill` without one.
    `beat` publishes a HEARTBEAT, `moment` is the simulated time, `connections` counts those that are heard.
    """

    def __init__(
        self,
        switch: Switch,
        *,
        mute: Callable[[], None],
        unmute: Callable[[bool], None],
        restart: Callable[[], None],
        kill: Callable[[], None],
        beat: Callable[[], None],
        moment: Callable[[], float],
        connections: Callable[[], int],
    ) -> None:
        self.faults: Faults = switch.faults
        self._switch = switch
        self._mute = mute
        self._unmute = unmute
        self._restart = restart
        self._kill = kill
        self._beat = beat
        self._moment = moment
        self._connections = connections
        self._limits: tuple[int, int] | None = None

    @property
    def sessions(self) -> int:
        """Channels that exist now."""
        return len(self._switch.sessions)

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
            case "half-open":
                self._mute()
            case "limits":
                self._limit(int(fault.number("sps")), int(fault.number("max_sessions")))
            case "pause":
                self._pause(fault.text("direction"), paused=True)

    def end(self, *names: str) -> None:
        """End the faults of these names; all of them without a name. What a fault held back happens now."""
        over = [fault for name, fault in self.faults.in_force.items() if not names or name in names]
        self.faults.clear(*(fault.name for fault in over))
        for fault in over:
            match fault.name:
                case "half-open":
                    self._unmute(fault.text("resume") == "yes")
                case "limits":
                    self._unlimit()
                case "pause":
                    self._pause(fault.text("direction"), paused=False)
                case "zombies":
                    self._switch.end_zombies(self._moment())

    def _burst(self, events: int) -> None:
        """As if the node had been kept from sending for long: one event of each call stands for all it had kept."""
        calls = [call for call in self._switch.sessions.values() if call.alive()]
        for index in range(events):
            if calls:
                self._switch.hub.channel("CHANNEL_CREATE", calls[index % len(calls)])
            else:
                self._beat()

    def _limit(self, sps: int, max_sessions: int) -> None:
        admission = self._switch.admission
        self._limits = self._limits or (admission.sps, admission.max_sessions)
        admission.set_sps(sps)
        admission.max_sessions = max_sessions

    def _unlimit(self) -> None:
        if self._limits is not None:
            self._limit(*self._limits)
            self._limits = None

    def _pause(self, direction: str, *, paused: bool) -> None:
        admission = self._switch.admission
        if direction != "outbound":
            admission.paused_inbound = paused
        if direction != "inbound":
            admission.paused_outbound = paused
