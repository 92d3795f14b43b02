"""The node as a process: one loop over sockets, timers, heartbeat and ledger, on one core.

Order within a turn matters: what was done is in the ledger before any reply or event about it leaves.
"""

from __future__ import annotations

import math
import os
import selectors
import signal
import socket
import time
import uuid as uuids
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

from simulator.apis import Apis
from simulator.cdr import CdrFiles
from simulator.connections import Connection, Connections
from simulator.control_port import ControlPort
from simulator.core import Core
from simulator.crash_recovery import TrackedCalls
from simulator.esl_client import EslClient
from simulator.events import Hub
from simulator.fault_actions import FaultActions
from simulator.faults import Faults, ScheduledFault
from simulator.framing import SHUT_DOWN, disconnect_notice
from simulator.fsctl import Fsctl
from simulator.heartbeat import SOURCE, heartbeat_headers
from simulator.ledger import Ledger, NoLedger
from simulator.number_plan import Mix, by_number
from simulator.render import Renderer
from simulator.routing import Router
from simulator.scheduler import Clock, Scheduler
from simulator.session_limits import SessionLimits
from simulator.switch import Switch

IDLE_SECONDS: Final = 1.0
FAREWELL_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """How a node is set up; the command line's defaults."""

    host: str = "127.0.0.1"
    port: int = 8021
    password: str = "ClueCon"
    name: str = "fs1"
    seed: int = 1
    speed: float = 1.0
    sps: int = 30
    max_sessions: int = 1_000
    mix: bool = False
    ledger: Path | None = None
    cdr_dir: Path | None = None
    track_calls: Path | None = None
    gateways: tuple[str, ...] | None = None
    heartbeat: float = 20.0
    control_port: int | None = None
    owner: int | None = None
    faults: tuple[ScheduledFault, ...] = ()


class Server:
    """One simulated node. Binding happens in the constructor, so that `port` is known before `run`."""

    def __init__(self, options: NodeOptions) -> None:
        self._options = options
        self._socket = socket.create_server((options.host, options.port), backlog=512)
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        self._started = time.time()
        self._ledger = Ledger(options.ledger) if options.ledger is not None else NoLedger()
        self._core = core = self._make_core()
        core.journal.start(self._started)
        cdrs = None if options.cdr_dir is None else CdrFiles(options.cdr_dir, core.hub.renderer)
        self._switch = Switch(
            core,
            called_party=Mix(options.seed).draw if options.mix else by_number,
            on_end=cdrs.write if cdrs is not None else None,
        )
        self._fsctl = Fsctl(core, self._switch.hangups, self.stop)
        self._apis = Apis(self._switch, self._started, self._fsctl)
        core.run_api = self._apis.run
        if options.track_calls is not None:
            tracked = TrackedCalls(self._ledger, core, options.track_calls, self._switch.far_bye)
            core.journal = tracked
            self._apis.recover = tracked.recover
        self._selector = selectors.DefaultSelector()
        self._connections = Connections(self._socket, self._selector, core.clock, self._new_client)
        self._stopping = self._restarting = self._dying = False
        self._stands = 0.0  # simulated seconds to do nothing for
        self._waker: socket.socket | None = None  # signal.set_wakeup_fd knows its number only
        self._fault_actions = self._make_fault_actions()
        self._control = (
            None
            if options.control_port is None
            else ControlPort(options.control_port, self._selector, self._fault_actions)
        )
        for fault in options.faults:
            self._schedule(fault)

    @property
    def control_port(self) -> int | None:
        """Where faults can be ordered; None where they cannot."""
        return self._control.port if self._control is not None else None

    def _make_core(self) -> Core:
        options = self._options
        renderer = Renderer(str(uuids.uuid4()), "simulator", options.name)
        return Core(
            options.name,
            hub=Hub(renderer, time.time),
            clock=Clock(self._started, time.monotonic(), options.speed),
            scheduler=Scheduler(),
            ledger=self._ledger,
            session_limits=SessionLimits(options.sps, options.max_sessions),
            router=Router(options.gateways, Faults(options.seed)),
        )

    def _new_client(self) -> EslClient:
        return EslClient(self._options.password, self._switch, self._apis)

    def _make_fault_actions(self) -> FaultActions:
        return FaultActions(
            self._core,
            self._switch.hangups,
            mute=self._connections.mute,
            unmute=self._connections.unmute,
            restart=self._restart,
            kill=self._kill,
            stand_still=self._stand_still,
            heartbeat=self._heartbeat,
            moment=self._now,
            connections=lambda: self._connections.heard,
        )

    def _now(self) -> float:
        return self._core.clock.simulated(time.monotonic())

    def _schedule(self, fault: ScheduledFault) -> None:
        core = self._core
        if fault.begins:
            at = core.clock.moment(self._started + fault.begins)
            core.scheduler.at(at, lambda _at: self._fault_actions.begin(fault.fault))
        else:
            self._fault_actions.begin(fault.fault)
        if fault.ends < math.inf:
            at = core.clock.moment(self._started + fault.ends)
            core.scheduler.at(at, lambda _at: self._fault_actions.end(fault.fault.name))

    def remaining_faults(self) -> list[ScheduledFault]:
        """The faults of the command line that this node's successor is still to have."""
        age = time.time() - self._started
        return [left for fault in self._options.faults if (left := fault.after(age)) is not None]

    def _restart(self) -> None:
        self._stopping = self._restarting = True

    def _kill(self) -> None:
        self._stopping = self._dying = True

    def _stand_still(self, seconds: float) -> None:
        self._stands += seconds

    def stop(self) -> None:
        """End after this turn of the loop."""
        self._stopping = True

    def run(self) -> bool:
        """Serve until SIGTERM, SIGINT or `fsctl shutdown`; True where a new node is to take this one's place at once.

        It says no farewell then: its connections end with this process, as those of a node that was killed.
        """
        self._handle_signals()
        self._connections.listen()
        heartbeat = time.monotonic() + self._options.heartbeat
        while not self._stopping:
            self._turn(min(IDLE_SECONDS, max(0.0, heartbeat - time.monotonic())))
            if time.monotonic() >= heartbeat:
                heartbeat += self._options.heartbeat
                self._heartbeat()
        if self._dying:
            os.kill(os.getpid(), signal.SIGKILL)
        if self._restarting:
            # Whoever sees a connection end must not find this process still listening.
            self._socket.close()
            if self._control is not None:
                self._control.close()
            self._ledger.close()
            return True
        # A second signal must not cut the farewell short, nor turn a clean exit into a death.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        self._shut_down()
        self._ledger.close()
        return False

    def _handle_signals(self) -> None:
        """SIGTERM and SIGINT wake the selector and end the loop."""
        wake, waker = socket.socketpair()
        wake.setblocking(False)
        waker.setblocking(False)
        self._waker = waker
        signal.set_wakeup_fd(waker.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        self._selector.register(wake, selectors.EVENT_READ, lambda: wake.recv(64))

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _turn(self, longest: float) -> None:
        for key, events in self._selector.select(self._time_to_next(longest)):
            if isinstance(key.data, Connection):
                # A socket that can be written to again is served by `flush`, once the ledger is.
                if events & selectors.EVENT_READ:
                    self._connections.read(key.data)
            else:
                action: Callable[[], object] = key.data
                action()
        if self._stands:
            # A process that was stopped: its timers go before what lies in its sockets.
            seconds, self._stands = self._stands, 0.0
            time.sleep(self._core.clock.real_seconds(seconds))
            self._core.scheduler.delay(self._now(), self._switch.far_ends)
        now = time.monotonic()
        self._core.scheduler.run(self._core.clock.simulated(now))
        self._fsctl.check_empty()
        self._ledger.flush()
        self._connections.flush(now)

    def _time_to_next(self, longest: float) -> float:
        """Seconds until the next timer of the node, at most `longest`."""
        due = self._core.scheduler.next_due
        if due is None:
            return longest
        return min(longest, max(0.0, self._core.clock.real_seconds(due - self._now())))

    def _heartbeat(self) -> None:
        now = time.time()
        limits = self._core.session_limits
        limits.refill(now)
        headers = heartbeat_headers(limits, len(self._core.channels), now - self._started)
        self._core.hub.simple("HEARTBEAT", headers, SOURCE)

    def _shut_down(self) -> None:
        """SHUTDOWN, the end of every call, a notice to every connection: as on SIGTERM of the real node."""
        self._connections.stop_listening()
        source = ("switch_core.c", "switch_core_destroy", 3033)
        self._core.hub.simple("SHUTDOWN", [("Event-Info", "System Shutting Down")], source)
        self._switch.hangups.end_everything(self._now(), "SYSTEM_SHUTDOWN")
        self._ledger.flush()
        self._connections.say_farewell(disconnect_notice(SHUT_DOWN), FAREWELL_SECONDS)
