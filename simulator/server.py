"""The node as a process: one loop over sockets, timers, heartbeat and ledger, on one core.

Order within a turn matters: what was done is in the ledger before any reply or event about it leaves.
"""

from __future__ import annotations

import contextlib
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

from simulator.admission import Admission
from simulator.apis import Apis
from simulator.cdr import CdrFiles
from simulator.control import ControlPort
from simulator.crash_recovery import Tracked
from simulator.events import Hub
from simulator.faults import Faults, Order
from simulator.framing import SHUT_DOWN, disconnect_notice
from simulator.fsctl import Fsctl
from simulator.ledger import Ledger, NoLedger
from simulator.listener import AUTH_SECONDS, Listener
from simulator.overrides import Levers
from simulator.plan import Mix, by_number
from simulator.render import Renderer
from simulator.routing import Router
from simulator.scheduler import Clock, Scheduler
from simulator.show_calls import spelled_duration
from simulator.switch import Switch

READ_BYTES: Final = 256 * 1024
IDLE_SECONDS: Final = 1.0
FAREWELL_SECONDS: Final = 2.0
_BOTH: Final = selectors.EVENT_READ | selectors.EVENT_WRITE


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
    faults: tuple[Order, ...] = ()


class Connection:
    """A socket and its listener."""

    __slots__ = ("deadline", "ended", "events", "listener", "muted", "pending", "socket")

    def __init__(self, sock: socket.socket, listener: Listener, deadline: float) -> None:
        self.socket = sock
        self.listener = listener
        self.deadline = deadline
        self.pending = memoryview(b"")
        self.events = selectors.EVENT_READ
        self.muted = False
        self.ended = False


class Server:
    """One simulated node. Binding happens in the constructor, so that `port` is known before `run`."""

    def __init__(self, options: NodeOptions) -> None:
        self._options = options
        self._socket = socket.create_server((options.host, options.port), backlog=512)
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        started = time.time()
        self._clock = Clock(started, time.monotonic(), options.speed)
        self._started = started
        self._scheduler = Scheduler()
        self._ledger = Ledger(options.ledger) if options.ledger is not None else NoLedger()
        self._admission = Admission(options.sps, options.max_sessions)
        faults = Faults(options.seed)
        renderer = Renderer(str(uuids.uuid4()), "simulator", options.name)
        self._hub = Hub(renderer, time.time)
        cdrs = CdrFiles(options.cdr_dir, renderer) if options.cdr_dir is not None else None
        self._switch = Switch(
            options.name,
            hub=self._hub,
            clock=self._clock,
            scheduler=self._scheduler,
            ledger=self._ledger,
            admission=self._admission,
            router=Router(options.gateways, faults),
            outcome=Mix(options.seed).draw if options.mix else by_number,
            on_end=cdrs.write if cdrs is not None else None,
        )
        self._fsctl = Fsctl(self._switch, self.stop)
        self._apis = Apis(self._switch, started, self._fsctl)
        self._switch.run_api = self._apis.run
        if options.track_calls is not None:
            tracked = Tracked(self._ledger, self._switch, options.track_calls)
            self._switch.journal = tracked
            self._apis.recover = tracked.recover
        self._selector = selectors.DefaultSelector()
        self._connections: set[Connection] = set()
        self._levers = self._make_levers()
        self._control = (
            None
            if options.control_port is None
            else ControlPort(options.control_port, self._selector, self._levers)
        )
        self._stopping = self._restarting = self._dying = False
        for order in options.faults:
            self._schedule(order)

    @property
    def control_port(self) -> int | None:
        """Where faults can be ordered; None where they cannot."""
        return self._control.port if self._control is not None else None

    def _make_levers(self) -> Levers:
        return Levers(
            self._switch,
            mute=self._mute,
            unmute=self._unmute,
            restart=self._restart,
            kill=self._kill,
            beat=self._heartbeat,
            moment=lambda: self._clock.simulated(time.monotonic()),
            connections=lambda: sum(
                one.listener.authorised and not one.muted and not one.listener.stalled
                for one in self._connections
            ),
        )

    def _schedule(self, order: Order) -> None:
        if order.begins:
            at = self._clock.moment(self._started + order.begins)
            self._scheduler.at(at, lambda _at: self._levers.begin(order.fault))
        else:
            self._levers.begin(order.fault)
        if order.ends < math.inf:
            at = self._clock.moment(self._started + order.ends)
            self._scheduler.at(at, lambda _at: self._levers.end(order.fault.name))

    def left_of_orders(self) -> list[Order]:
        """The faults that this node's successor is still to have."""
        age = time.time() - self._started
        return [left for order in self._options.faults if (left := order.after(age)) is not None]

    def _restart(self) -> None:
        self._stopping = self._restarting = True

    def _kill(self) -> None:
        self._stopping = self._dying = True

    def stop(self) -> None:
        """End after this turn of the loop."""
        self._stopping = True

    def run(self) -> bool:
        """Serve until SIGTERM, SIGINT or `fsctl shutdown`; True where a new node is to take this one's place at once.

        It says no farewell then: its connections end with this process, as those of a node that was killed.
        """
        wake, waker = socket.socketpair()
        wake.setblocking(False)
        waker.setblocking(False)
        signal.set_wakeup_fd(waker.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        self._selector.register(self._socket, selectors.EVENT_READ, self._accept)
        self._selector.register(wake, selectors.EVENT_READ, lambda: wake.recv(64))
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
        self._say_farewell()
        self._ledger.close()
        return False

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _turn(self, longest: float) -> None:
        for key, events in self._selector.select(self._patience(longest)):
            if isinstance(key.data, Connection):
                # A socket that can be written to again is served by `_flush`, once the ledger is.
                if events & selectors.EVENT_READ:
                    self._read(key.data)
            else:
                action: Callable[[], object] = key.data
                action()
        now = time.monotonic()
        self._scheduler.run(self._clock.simulated(now))
        self._fsctl.check_empty()
        self._ledger.flush()
        self._flush(now)

    def _patience(self, longest: float) -> float:
        due = self._scheduler.next_due
        if due is None:
            return longest
        wait = self._clock.real_seconds(due - self._clock.simulated(time.monotonic()))
        return min(longest, max(0.0, wait))

    # Sockets

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            sock, _ = self._socket.accept()
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            listener = Listener(self._options.password, self._hub, self._switch, self._apis)
            connection = Connection(sock, listener, time.monotonic() + AUTH_SECONDS)
            self._connections.add(connection)
            self._selector.register(sock, selectors.EVENT_READ, connection)

    def _read(self, connection: Connection) -> None:
        try:
            data = connection.socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data and connection.listener.goes_on:
            # A node that is busy carries out what it was sent before it comes to the end, and closes only then.
            self._selector.unregister(connection.socket)
            connection.muted = connection.ended = True
            return
        if not data:
            self._drop(connection)
            return
        connection.listener.feed(data, self._clock.simulated(time.monotonic()))

    def _flush(self, now: float) -> None:
        at = self._clock.simulated(now)
        for connection in list(self._connections):
            if connection.ended and not connection.listener.goes_on:
                self._drop(connection)
            if connection.muted:
                continue
            listener = connection.listener
            listener.resume(at)
            if not listener.authorised and not listener.closing and now > connection.deadline:
                listener.close(disconnect_notice())
            if listener.dropped:
                self._drop(connection)
            elif connection.pending or listener.has_output:
                self._write(connection)

    def _write(self, connection: Connection) -> None:
        """Send until the socket is full; what is left waits for it to drain."""
        if connection not in self._connections:
            return
        listener = connection.listener
        try:
            while connection.pending or listener.has_output:
                if not connection.pending:
                    connection.pending = memoryview(listener.take())
                sent = connection.socket.send(connection.pending)
                connection.pending = connection.pending[sent:]
        except BlockingIOError:
            self._watch(connection, _BOTH)
            return
        except OSError:
            self._drop(connection)
            return
        self._watch(connection, selectors.EVENT_READ)
        if listener.closing:
            with contextlib.suppress(OSError):
                connection.socket.shutdown(socket.SHUT_WR)
                # Closing over unread bytes would reset the connection, and the notice with it.
                while connection.socket.recv(READ_BYTES):
                    pass
            self._drop(connection)

    def _watch(self, connection: Connection, events: int) -> None:
        if connection.events != events:
            connection.events = events
            self._selector.modify(connection.socket, events, connection)

    def _drop(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
            connection.listener.leave()
            if not connection.muted:
                self._selector.unregister(connection.socket)
            connection.socket.close()

    def _mute(self) -> None:
        """Stop reading and writing on every connection that stands, without closing any."""
        for connection in self._connections:
            if not connection.muted:
                connection.muted = True
                self._selector.unregister(connection.socket)

    def _unmute(self, resume: bool) -> None:
        """Go on with what the muted connections sent meanwhile, or drop it and them."""
        for connection in [one for one in self._connections if one.muted and not one.ended]:
            if resume:
                connection.muted = False
                self._selector.register(connection.socket, connection.events, connection)
                # Before anything is written: a client that is gone resets on that, and what it sent is lost.
                self._read(connection)
            else:
                self._drop(connection)

    # The node's own events

    def _heartbeat(self) -> None:
        admission = self._admission
        now = time.time()
        admission.refill(now)
        uptime = now - self._started
        pairs = {
            "Event-Info": "System Ready" if admission.ready else "System Paused",
            "Up-Time": spelled_duration(uptime),
            "FreeSWITCH-Version": "1.11.3-dev+simulator~64bit",
            "Uptime-msec": int(uptime * 1_000),
            "Session-Count": len(self._switch.sessions),
            "Max-Sessions": admission.max_sessions,
            "Session-Per-Sec": admission.left,
            "Session-Per-Sec-Last": admission.last_sps,
            "Session-Per-Sec-Max": admission.peak_sps,
            "Session-Per-Sec-FiveMin": admission.five_minute_peak(),
            "Session-Since-Startup": admission.sessions_since_startup,
            "Session-Peak-Max": admission.peak_sessions,
            "Session-Peak-FiveMin": admission.peak_sessions,
            "Idle-CPU": "95.000000",
        }
        source = ("switch_core.c", "send_heartbeat", 95)
        self._hub.simple("HEARTBEAT", [(name, str(value)) for name, value in pairs.items()], source)

    def _say_farewell(self) -> None:
        """SHUTDOWN, the end of every call, a notice to every connection: as on SIGTERM of the real node (fact B)."""
        self._selector.unregister(self._socket)
        self._socket.close()
        at = self._clock.simulated(time.monotonic())
        source = ("switch_core.c", "switch_core_destroy", 3033)
        self._hub.simple("SHUTDOWN", [("Event-Info", "System Shutting Down")], source)
        self._switch.end_everything(at, "SYSTEM_SHUTDOWN")
        self._ledger.flush()
        for connection in list(self._connections):
            if connection.muted:
                continue
            connection.listener.shut_down(disconnect_notice(SHUT_DOWN))
            self._write(connection)
        deadline = time.monotonic() + FAREWELL_SECONDS
        while any(not one.muted for one in self._connections) and time.monotonic() < deadline:
            for key, events in self._selector.select(0.05):
                if isinstance(key.data, Connection) and events & selectors.EVENT_WRITE:
                    self._write(key.data)
        for connection in list(self._connections):
            self._drop(connection)
