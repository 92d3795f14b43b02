"""The event streams of one web process: one reader, one Redis connection, any number of listeners.

Made once by the app; the route lets listeners in. The reader blocks on the streams of all campaigns that somebody
here listens to and feeds them; it lives as long as there are any. What a listener has to read for itself
goes through the app's small pool, a few at a time.
"""

from __future__ import annotations

import random
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from socket import SHUT_RDWR, socket
from typing import Any, cast

import gevent
import structlog
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

import outages
from live import socket_liveness
from live.admission import Admission, Look, nothing_taken
from live.admission_watch import AdmissionWatch
from live.campaign_feed import CampaignFeed, Snapshot
from live.errors import LiveUnavailable, TenantListenersError, TooManyListenersError
from live.event_ids import EventId
from live.event_log import Entry, EventLog, Page
from live.keys import campaign_keys, wake_key
from live.listener import Listener
from live.places import MOST_LISTENERS

BATCH = 128
REREADS_AT_ONCE = 3
POOLS_OWN = ("maint_notifications", "orig_", "himport_registry")
"""Settings that redis-py's pool adds for itself: those of one pool would tie another one to it."""
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much; times in seconds.

    `unpublished_end` is how long the stream is waited for that a snapshot says has ended: a dialer may die between a
    campaign's end and the publishing of it, and whoever takes over publishes what is left.

    `queue` is the number of events a listener may be behind before he reads the stream himself; a feed brings up to
    128 at once. A tenant may have `share` times as many listeners as there are places left: alone, with 3, three
    quarters of all. `admissions` is how often it is asked who may still listen, `refresh` how often the reader asks
    whether the streams are still what they were.
    """

    snapshot_interval: float = 2.0
    queue: int = 256
    listeners: int = MOST_LISTENERS
    share: int = 3
    block: float = 5.0
    refresh: float = 30.0
    backoff: float = 2.0
    watch: float = 1.0
    unpublished_end: float = 20.0
    admissions: float = 0.3


class Hub:
    """Listeners of this process, by campaign. `redis` must decode replies; `snapshot` is called with a campaign's id.

    Both are used from greenlets outside any request. Nothing connects before the first listener comes.
    """

    def __init__(
        self,
        redis: Redis,
        prefix: str,
        snapshot: Snapshot,
        *,
        look: Look = nothing_taken,
        limits: Limits = Limits(),
    ) -> None:
        self.redis = redis
        self.stopping = False
        self._prefix = prefix
        self._snapshot = snapshot
        self._limits = limits
        self._event_log = EventLog(redis, prefix)
        self._gate = BoundedSemaphore(REREADS_AT_ONCE)
        self._wake_key = wake_key(prefix, secrets.token_hex(6))
        self._feeds: dict[str, CampaignFeed] = {}
        self._watched: set[Listener] = set()
        self._count = 0
        self._of_tenant: Counter[str] = Counter()
        self._admissions = AdmissionWatch(self._feeds, look, limits.admissions)
        self._interrupted = False
        self._pause = Event()
        self._reader: gevent.Greenlet[[], None] | None = None
        self._watcher: gevent.Greenlet[[], None] | None = None

    @property
    def count(self) -> int:
        """How many listeners there are now."""
        return self._count

    @contextmanager
    def listen(
        self,
        campaign_id: str,
        cursor: EventId | None,
        status: str,
        sock: socket | None = None,
        admission: Admission | None = None,
    ) -> Iterator[Listener]:
        """A listener for as long as the block runs, and `admission` stands; `sock` is watched for a client that goes
        away.

        Raises TooManyListenersError, TenantListenersError.
        """
        self.refuse_where_full(admission)
        tenant_id = "" if admission is None else admission.tenant_id
        self._count += 1
        self._of_tenant[tenant_id] += 1
        feed = self._feeds.get(campaign_id)
        if feed is None:
            feed = self._open(campaign_id)
        listener = feed.join(cursor, status, sock, self._limits.queue, admission)
        self._admissions.start()
        try:
            if sock is not None and socket_liveness.watchable(sock):
                self._watch(listener)
            yield listener
        finally:
            self._count -= 1
            self._of_tenant -= Counter([tenant_id])
            self._watched.discard(listener)
            feed.listeners.discard(listener)
            if not feed.listeners:
                self._close(feed)

    @property
    def behind(self) -> int:
        """How many of them read the stream for themselves at the moment, instead of being fed."""
        return sum(listener.behind for feed in self._feeds.values() for listener in feed.listeners)

    @property
    def reading(self) -> bool:
        """Whether the reader runs, which it does while there are listeners."""
        return self._reader is not None

    def refuse_where_full(self, admission: Admission | None) -> None:
        """Raises TooManyListenersError, TenantListenersError where there is no place for one more."""
        left = self._limits.listeners - self._count
        if left <= 0:
            raise TooManyListenersError(self._limits.listeners)
        if admission is not None:
            has = self._of_tenant[admission.tenant_id]
            if has >= self._limits.share * left:
                raise TenantListenersError(has)

    def stop(self, timeout: float = 5.0) -> None:
        """End the reader and let every listener know; harmless when repeated."""
        self.stopping = True
        for feed in self._feeds.values():
            for listener in feed.listeners:
                listener.wake()
        self._pause.set()
        reader = self._reader
        if reader is not None:
            self._wake_reader()
            reader.join(timeout)

    def _open(self, campaign_id: str) -> CampaignFeed:
        feed = CampaignFeed(
            campaign_id,
            self._reread,
            self._snapshot,
            interval=self._limits.snapshot_interval,
            unpublished_end=self._limits.unpublished_end,
        )
        feed.interrupted = self._interrupted
        self._feeds[campaign_id] = feed
        if self._reader is None and not self.stopping:
            self._reader = gevent.spawn(self._run)
        else:
            gevent.spawn(self._wake_reader)
        return feed

    def _close(self, feed: CampaignFeed) -> None:
        feed.close()
        del self._feeds[feed.campaign_id]
        if not self._feeds and self._reader is not None:
            gevent.spawn(self._wake_reader)

    def _reread(self, campaign_id: str, cursor: EventId, count: int) -> Page:
        with self._gate:
            return self._event_log.after(campaign_id, cursor, count)

    def _wake_reader(self) -> None:
        """Bring the reader out of its blocking read. Where Redis fails, it comes out by itself."""
        with suppress(RedisError), self._gate, self.redis.pipeline(transaction=False) as pipe:
            pipe.xadd(self._wake_key, {"w": 1}, maxlen=1, approximate=False)
            pipe.expire(self._wake_key, 60)
            pipe.execute()

    def _run(self) -> None:
        """The reader: until nobody listens any more or the hub stops."""
        client = self._reader_client()
        reader = _Reader(client, self._prefix, self._wake_key, self._feeds, self._limits)
        delay = 0.1
        try:
            while self._feeds and not self.stopping:
                if self._turn(reader):
                    delay = 0.1
                    continue
                reader.disconnect()
                self._pause.wait(random.uniform(delay / 2, delay))
                delay = min(delay * 2, self._limits.backoff)
        finally:
            self._reader = None
            client.close()

    def _turn(self, reader: _Reader) -> bool:
        """One turn of the reader; False where it failed, and every listener was told."""
        try:
            reader.turn()
        except (LiveUnavailable, RedisError) as error:
            self._interrupt(str(error))
            return False
        except Exception as error:
            # An entry may hold anything: one that cannot be read must not end every stream of the process.
            log.exception("event_stream_reader_failed")
            self._interrupt(repr(error))
            return False
        if self._interrupted:
            self._interrupted = False
        outages.answered(outages.REDIS)
        return True

    def _interrupt(self, reason: str) -> None:
        if not self._interrupted:
            self._interrupted = True
            outages.struck(outages.REDIS, reason)
        for feed in self._feeds.values():
            feed.interrupt()

    def _reader_client(self) -> Redis:
        """A client with one connection of its own, which may block for longer than the app's pool allows."""
        pool = self.redis.connection_pool
        settings: dict[str, Any] = {
            **{k: v for k, v in pool.connection_kwargs.items() if not k.startswith(POOLS_OWN)},
            "maint_notifications_config": MaintNotificationsConfig(enabled=False),
            "protocol": 2,
            "socket_timeout": self._limits.block + 5.0,
            "retry": Retry(NoBackoff(), 0),
            "decode_responses": True,
        }
        own = ConnectionPool(connection_class=pool.connection_class, max_connections=1, **settings)
        return Redis.from_pool(own)

    def _watch(self, listener: Listener) -> None:
        self._watched.add(listener)
        if self._watcher is None:
            self._watcher = gevent.spawn(self._watch_sockets)

    def _watch_sockets(self) -> None:
        """Look for clients that have gone away, once a second, while there is anyone to look at."""
        while self._watched and not self.stopping:
            for listener in list(self._watched):
                if listener.sock is not None:
                    self._look_at(listener, listener.sock)
            gevent.sleep(self._limits.watch)
        self._watcher = None

    def _look_at(self, listener: Listener, sock: socket) -> None:
        state = socket_liveness.peer_state(sock)
        if state is socket_liveness.PeerState.GONE:
            self._watched.discard(listener)
            listener.leave()
            # It may be stuck in a write, which only this ends.
            with suppress(OSError):
                sock.shutdown(SHUT_RDWR)
        elif state is socket_liveness.PeerState.LEAVING:
            listener.probe()


class _Reader:
    """The reader's own connection and what it knows: one blocking read for each `turn`."""

    def __init__(
        self, client: Redis, prefix: str, wake: str, feeds: dict[str, CampaignFeed], limits: Limits
    ) -> None:
        self._client = client
        self._event_log = EventLog(client, prefix)
        self._prefix = prefix
        self._wake = wake
        self._wake_cursor = "0-0"
        self._feeds = feeds
        self._limits = limits
        self._refreshed = time.monotonic()

    def disconnect(self) -> None:
        """The connection is lost; the next turn starts on a new one."""
        self._client.connection_pool.disconnect()

    def turn(self) -> None:
        """Place feeds that are new, then wait for events and feed them. Raises LiveUnavailable, RedisError."""
        refresh = time.monotonic() - self._refreshed >= self._limits.refresh
        if refresh:
            self._refreshed = time.monotonic()
        for feed in list(self._feeds.values()):
            if refresh or feed.position is None:
                feed.place(self._event_log.position(feed.campaign_id))
        owners = {
            campaign_keys(self._prefix, feed.campaign_id).stream: feed
            for feed in self._feeds.values()
            if feed.position is not None
        }
        cursors: dict[Any, Any] = {key: str(feed.position) for key, feed in owners.items()}
        cursors[self._wake] = self._wake_cursor
        block = int(self._limits.block * 1000)
        reply = cast(
            "list[tuple[str, list[tuple[str, dict[str, str]]]]]",
            self._client.xread(cursors, count=BATCH, block=block),
        )
        for key, entries in reply:
            if key == self._wake:
                self._wake_cursor = entries[-1][0]
            elif entries:
                owners[key].push([Entry.from_redis(entry_id, fields) for entry_id, fields in entries])
