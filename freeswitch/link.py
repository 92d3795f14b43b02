"""The link to one node of a cluster: notices that it is gone, silent or another run of FreeSWITCH, and reconnects.

A connection that delivers later and later is replaced, and so is one over which the node's heartbeats do not come
any more. What a link receives is in `subscription`.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import gevent
import structlog
from gevent.event import Event as Signal

from freeswitch import dedup
from freeswitch.awake_clock import LOOK_SECONDS, AwakeClock
from freeswitch.connection import EslConnection, EslError, NotConnected
from freeswitch.connection_pool import ConnectionPool, connections_for
from freeswitch.decoding import decode_event
from freeswitch.errors import FreeswitchError
from freeswitch.event_lag import EventLag
from freeswitch.events import Event, Heartbeat
from freeswitch.originate import OriginateRequest, originate
from freeswitch.subscription import REPLY_SECONDS, Subscription

CONNECT_SECONDS: Final = 5.0
HEARTBEAT_SECONDS: Final = 45.0
"""Two that did not come, at one every 20 s: what is known of the node's load is of no use, whatever else comes."""
BACKOFF_SECONDS: Final = (0.2, 3.0)
_STEADY_SECONDS: Final = 5.0
_DRAIN_SECONDS: Final = 5.0
_CORE_UUID: Final = re.compile(r"[0-9A-Za-z-]{8,64}")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """Where a node is, and what it may be asked for: calls per second and channels, None for no bound of ours."""

    name: str
    host: str
    port: int
    password: str = field(repr=False)
    cps: int | None = None
    channels: int | None = None


@dataclass(frozen=True, slots=True)
class LinkChange:
    """A link went up or down. `restarted`: the node is not the run of FreeSWITCH that was there before.

    `peer_closed` belongs to a link that went down: until all of it is set, the node may still carry out what it was
    sent.
    """

    node: str
    up: bool
    core_uuid: str | None
    restarted: bool = False
    error: str | None = None
    peer_closed: tuple[Signal, ...] = field(default=(), compare=False)


class NodeLink:
    """One node: connects, reconnects with full-jitter backoff, and speaks while connected."""

    def __init__(
        self,
        config: NodeConfig,
        dialer_id: str,
        on_event: Callable[[str, Event], None],
        on_link: Callable[[LinkChange], None],
    ) -> None:
        self.config = config
        self.name = config.name
        self.core_uuid: str | None = None
        self.heartbeat: Heartbeat | None = None
        self.last_error: str | None = None
        self.events = 0
        self._on_event = on_event
        self._on_link = on_link
        self._subscription = Subscription(config.name, dialer_id)
        self._connection: EslConnection[Event] | None = None
        self._pool: ConnectionPool | None = None
        self._event_lag: EventLag | None = None
        self._awake = AwakeClock()
        self._heartbeat_at = 0.0
        self._stopping = Signal()
        self._loop: gevent.Greenlet[[], None] | None = None

    @property
    def connected(self) -> bool:
        """Whether commands can be sent now."""
        return self._connection is not None and self._connection.connected

    @property
    def lag_ms(self) -> int | None:
        """By how much the newest event came later than this connection's best; None while there is none."""
        return round(self._event_lag.seconds * 1000) if self.connected and self._event_lag else None

    def start(self) -> None:
        """Begin connecting; returns at once."""
        if self._loop is None:
            self._loop = gevent.spawn(self._run)

    def configure(self, config: NodeConfig) -> None:
        """Go by `config`, whose way to the node is the same, from the next connection on."""
        self.config = config

    def reconnect(self, config: NodeConfig) -> None:
        """Go by `config` at once: what is under way on the present connection is cut off."""
        self.config = config
        if self._pool is not None:
            self._pool.close("its configuration was changed")

    def stop(self, timeout: float = 5.0) -> None:
        """Disconnect for good and wait for the link's greenlet."""
        self._stopping.set()
        if self._pool is not None:
            self._pool.close("closed by us")
        if self._loop is not None:
            self._loop.join(timeout)
            self._loop.kill()

    def originate(
        self,
        request: OriginateRequest,
        guard: Callable[[], bool] | None,
        on_reply: Callable[[str | None], None],
        on_read: Callable[[], None] | None = None,
    ) -> None:
        """Send the originate of a call and return without waiting for anything.

        `guard` is asked under the write lock, immediately before the bytes leave. Raises CommandRefused,
        NotConnected or Withheld when certainly nothing was written. Otherwise `on_reply` is called once: with the
        node's answer, or with None when the connection died first and the node may or may not have run it. It comes
        before any event of the call unless the node is fast enough to have several connections. `on_read` is called
        when the answer was read, which events that have to be delivered first do not delay.
        """
        command = originate(request)

        def replied(answer: str | EslError) -> None:
            on_reply(answer if isinstance(answer, str) else None)

        connection = self._pool.next() if self._pool and self.connected else self._connected()
        connection.post_command(
            command.line,
            command.headers,
            on_reply=replied,
            on_read=on_read,
            timeout=REPLY_SECONDS,
            guard=guard,
        )

    def api(self, line: str, timeout: float = 5.0) -> str:
        """Run a short api command. Raises NotConnected, MaybeSent or ReplyTimeout (which ends the connection)."""
        return self._connected().api(line, timeout)

    def api_many(self, lines: Sequence[str], timeout: float = 5.0) -> list[str]:
        """Run short api commands in one round trip; what each printed, from the first on, as far as they were
        answered. Raises NotConnected."""
        return self._connected().api_many(lines, timeout)

    def api_apart(self, line: str, timeout: float) -> str:
        """Run an api command that may take long, over a connection of its own: what is sent over the link's is read
        only once an earlier command of it is over. Raises as `api` does, and AuthRefused."""
        connection: EslConnection[None] = EslConnection(
            self.config.host,
            self.config.port,
            self.config.password,
            decode=lambda _: None,
            on_event=lambda _: None,
            on_close=lambda _: None,
            silence_seconds=CONNECT_SECONDS + timeout,
        )
        try:
            connection.connect(CONNECT_SECONDS)
            return connection.api(line, timeout)
        finally:
            connection.close()

    def adopt(self, dialer_id: str) -> None:
        """Receive another dialer's events from now on, after reconnects too.

        What is sent afterwards is answered with its filters in force.
        """
        self._subscription.adopt(dialer_id)

    def release(self, dialer_id: str) -> None:
        """Receive an adopted dialer's events no longer: none of its calls is left."""
        self._subscription.release(dialer_id)

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                self._serve_one_connection()
            except Exception:
                # Whatever it was, the node is to be connected to again, and nobody else would.
                log.exception("link_failed", node=self.name)
            failures = 0 if time.monotonic() - started > _STEADY_SECONDS else failures + 1
            self._stopping.wait(backoff(failures))

    def _serve_one_connection(self) -> None:
        core, lag = Signal(), EventLag()

        def decode(body: bytes) -> Event | None:
            self.events += 1
            event = decode_event(body)
            if event is not None and lag.note(event.at_us, time.monotonic()):
                connection.close(f"events come {lag.seconds:.1f} s late")
            return event

        connection: EslConnection[Event] = EslConnection(
            self.config.host,
            self.config.port,
            self.config.password,
            decode=decode,
            on_event=lambda event: self._receive(event, core),
            on_close=lambda reason: log.info("esl_closed", node=self.name, reason=reason),
        )
        pool = ConnectionPool(connection)
        self._pool, self._event_lag = pool, lag
        try:
            connection.connect(CONNECT_SECONDS)
            change = self._set_up(connection, core, pool)
        except FreeswitchError as exc:
            pool.close("set-up failed")
            self._failed(exc.reason if isinstance(exc, EslError) else str(exc))
            return
        try:
            self.last_error = None
            self._report(change)
            self._wait_closed(connection)
            pool.close(connection.close_reason or "")
            connection.wait_drained(_DRAIN_SECONDS)
        finally:
            self._subscription.detach()
            self._connection = None
        self.last_error = connection.close_reason
        reason = connection.close_reason
        self._report(LinkChange(self.name, False, self.core_uuid, error=reason, peer_closed=pool.peer_closed))

    def _wait_closed(self, connection: EslConnection[Event]) -> None:
        self._heartbeat_at = self._awake()
        while True:
            left = self._heartbeat_at + HEARTBEAT_SECONDS - self._awake()
            if left <= 0:
                connection.close(f"no heartbeat for {HEARTBEAT_SECONDS:g} s")
            if connection.wait_closed(min(max(0.0, left), LOOK_SECONDS)):
                return

    def _failed(self, reason: str) -> None:
        if reason != self.last_error:
            log.warning("node_unreachable", node=self.name, error=reason)
        self.last_error = reason

    def _set_up(self, connection: EslConnection[Event], core: Signal, pool: ConnectionPool) -> LinkChange:
        before = self.core_uuid
        answer = connection.api("global_getvar core_uuid", REPLY_SECONDS).strip()
        if _CORE_UUID.fullmatch(answer):
            self._learn_core(answer, core)
        if connection.api(f"module_exists {dedup.MODULE}", REPLY_SECONDS).strip() != "true":
            raise EslError(
                self.name, f"{dedup.MODULE} is not loaded: nothing would keep it from calling twice"
            )
        filtered = self._subscription.subscribe(connection)
        # Which run of FreeSWITCH this is decides what became of earlier calls: a link is not up without it.
        while not core.wait(0.5):
            if not connection.connected:
                raise NotConnected(self.name, connection.close_reason or "not connected")
        pool.open(connections_for(self.config.cps), self.core_uuid, CONNECT_SECONDS, REPLY_SECONDS)
        self._subscription.attach(connection, filtered)
        self._connection = connection
        return LinkChange(self.name, True, self.core_uuid, restarted=before not in (None, self.core_uuid))

    def _receive(self, event: Event, core: Signal) -> None:
        if event.core_uuid:
            self._learn_core(event.core_uuid, core)
        if isinstance(event, Heartbeat):
            self.heartbeat = event
            self._heartbeat_at = self._awake()
        self._on_event(self.name, event)

    def _learn_core(self, core_uuid: str, core: Signal) -> None:
        # Known once for each connection: what an older one still delivers is not news.
        if not core.is_set():
            if core_uuid != self.core_uuid:
                self.heartbeat = None
            self.core_uuid = core_uuid
            core.set()

    def _connected(self) -> EslConnection[Event]:
        connection = self._connection
        if connection is None:
            raise NotConnected(self.name, self.last_error or "not connected yet")
        return connection

    def _report(self, change: LinkChange) -> None:
        try:
            self._on_link(change)
        except Exception:
            # The dialer that is told has his own faults; the link has to go on for the calls that are up.
            log.exception("link_change_failed", node=self.name, up=change.up)


def backoff(failures: int) -> float:
    """Seconds to wait before the next try, drawn between 0 and a bound that doubles from 0.2 to 3."""
    first, last = BACKOFF_SECONDS
    return random.uniform(0.0, min(last, first * 2 ** min(failures, 10)))
