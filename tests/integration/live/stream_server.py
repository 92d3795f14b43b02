"""The event routes on a real server in this process, and a client that reads them byte by byte."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import gevent
from flask import Flask, request
from gevent.pywsgi import WSGIHandler, WSGIServer
from redis import Redis

from api import errors
from api.document import make_api
from api.errors import ApiError, not_found
from api.routes.events import CampaignRef, events_blueprint
from live.admission import Admission, Taken
from live.hub import Hub, Limits
from live.publisher import Publisher, PublishOutcome
from live.stream import EventStream
from live.stream_events import CAMPAIGN, StreamEvent
from live.tokens import StreamTokens
from tests.waiting import HANG_SECONDS, wait_until

KEY = "sk_demo_key"
OTHER_KEY = "sk_other_key"


class Handler(WSGIHandler):
    """Shows the application its socket, as gunicorn does."""

    def get_environ(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environ()
        environ["gunicorn.socket"] = self.socket
        return environ


class Campaigns:
    """What the database would know: tenant, status and figures of each campaign."""

    def __init__(self) -> None:
        self.status: dict[str, str] = {}
        self.tenants = {KEY: "demo", OTHER_KEY: "other"}
        self.snapshots: list[str] = []
        self.revoked: set[Admission] = set()
        self.failing = False
        self.failures = 0
        self.in_flight = 0

    def snapshot(self, campaign_id: str) -> dict[str, Any]:
        if self.failing:
            self.failures += 1
            raise ConnectionError("the database is down")
        self.snapshots.append(campaign_id)
        status = self.status[campaign_id]
        return {"campaign_id": campaign_id, "status": status, "in_flight": self.in_flight}

    def authorise(self, campaign_id: str, role: str) -> CampaignRef:
        key = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if key not in self.tenants:
            raise ApiError(401, "The key is not valid.")
        return self.authorise_token(campaign_id, Admission(self.tenants[key], key))

    def authorise_token(self, campaign_id: str, admission: Admission) -> CampaignRef:
        if campaign_id not in self.status or admission.tenant_id != "demo":
            raise not_found("Campaign")
        if admission in self.revoked:
            raise ApiError(401, "The key that the token was made with is not valid any more.")
        return CampaignRef(admission, campaign_id, self.status[campaign_id])

    def taken(self, admissions: Collection[Admission], campaigns: Collection[str]) -> Taken:
        if self.failing:
            raise ConnectionError("the database is down")
        gone = frozenset(campaign_id for campaign_id in campaigns if campaign_id not in self.status)
        return Taken(frozenset(admissions) & self.revoked, gone)


def make_app(
    hub: Hub, campaigns: Campaigns, *, heartbeat: float = 15.0, signer: StreamTokens | None = None
) -> Flask:
    """The two event routes, with the API's error texts and document."""
    app = Flask("site")
    app.config.update(API_TITLE="site", API_VERSION="1", OPENAPI_VERSION="3.1.0")
    errors.register(app)
    stream = EventStream(hub, heartbeat=heartbeat, check=0.2)
    signer = signer or StreamTokens("secret")
    make_api(app, "1").register_blueprint(
        events_blueprint(stream, signer, campaigns.authorise, campaigns.authorise_token)
    )
    return app


class StreamServer:
    """A server on loopback with one hub; `limits` before `start` change the hub's patience."""

    def __init__(self, client: Redis, prefix: str) -> None:
        self.client, self.prefix = client, prefix
        self.limits = Limits(
            snapshot_interval=0.5, block=0.5, refresh=1.0, backoff=0.3, watch=0.2, admissions=0.1
        )
        self.heartbeat = 15.0
        self.campaigns = Campaigns()
        self.publisher = Publisher(client, prefix)
        self.versions: dict[tuple[str, str], int] = {}
        self._readers: list[StreamClient] = []

    def __enter__(self) -> StreamServer:
        self.start()
        return self

    def start(self) -> None:
        self.hub = Hub(
            self.client, self.prefix, self.campaigns.snapshot, look=self.campaigns.taken, limits=self.limits
        )
        app = make_app(self.hub, self.campaigns, heartbeat=self.heartbeat)
        self.server = WSGIServer(("127.0.0.1", 0), app, handler_class=Handler, log=None, error_log=None)
        self.server.start()

    def restart(self, *, heartbeat: float | None = None, limits: Limits | None = None) -> None:
        """Begin again with other settings."""
        self._end()
        self.heartbeat = heartbeat or self.heartbeat
        self.limits = limits or self.limits
        self.start()

    def _end(self) -> None:
        for reader in self._readers:
            reader.close()
        self._readers.clear()
        self.hub.stop()
        self.server.stop(timeout=2)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def port(self) -> int:
        port = self.server.server_port
        assert port is not None
        return port

    def campaign(self, campaign_id: str = "c1", status: str = "running") -> str:
        self.campaigns.status[campaign_id] = status
        return campaign_id

    def listen(self, campaign_id: str = "c1", **options: Any) -> StreamClient:
        reader = StreamClient(self.port, campaign_id, **options)
        self._readers.append(reader)
        return reader

    def transition(self, subject: str = "p1", campaign_id: str = "c1", **payload: Any) -> StreamEvent:
        """The next one of `subject`."""
        version = self.versions[campaign_id, subject] = self.versions.get((campaign_id, subject), 0) + 1
        data = {"campaign_id": campaign_id, "contact_id": subject, "version": version, **payload}
        return StreamEvent(campaign_id, subject, version, data)

    def publish(self, *transitions: StreamEvent) -> None:
        """Publish, and be sure that it went in."""
        assert set(self.publisher.publish(transitions)) <= {PublishOutcome.APPENDED}

    def change(self, status: str, campaign_id: str = "c1") -> None:
        """A campaign's own transition, as the database and then the stream have it."""
        self.campaigns.status[campaign_id] = status
        self.publish(self.transition(CAMPAIGN, campaign_id, status=status))


@dataclass
class Message:
    """One server-sent event, or a comment."""

    event: str | None = None
    id: str | None = None
    data: str = ""
    comment: str | None = None
    retry: int | None = None
    at: float = field(default_factory=time.monotonic)

    @property
    def json(self) -> Any:
        return json.loads(self.data)


class StreamClient:
    """A client of the stream, which notes everything it receives and where it would resume.

    `paused` keeps it from reading; `rcvbuf` makes its window small.
    """

    def __init__(
        self,
        port: int,
        campaign_id: str,
        *,
        last_event_id: str | None = None,
        query: str = "",
        key: str | None = KEY,
        paused: bool = False,
        rcvbuf: int | None = None,
    ) -> None:
        self.messages: list[Message] = []
        self.last_event_id = last_event_id
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.closed = False
        self.raw = b""
        self._chunks = b""
        self.sock = socket.socket()
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.connect(("127.0.0.1", port))
        self.opened = time.monotonic()
        lines = [f"GET /api/v1/campaigns/{campaign_id}/events{query} HTTP/1.1", "Host: x"]
        if key:
            lines.append(f"Authorization: Bearer {key}")
        if last_event_id is not None:
            lines.append(f"Last-Event-ID: {last_event_id}")
        self.sock.sendall("\r\n".join([*lines, "", ""]).encode())
        self._greenlet: gevent.Greenlet[[], None] | None = None
        if not paused:
            self.resume()

    def resume(self) -> None:
        self._greenlet = gevent.spawn(self._run)

    def close(self) -> None:
        """Go away, as a killed process does."""
        if self._greenlet is not None:
            self._greenlet.kill()
        self.sock.close()

    def _run(self) -> None:
        with suppress(OSError):
            while data := self.sock.recv(65536):
                self.feed(data)
        self.closed = True

    def feed(self, data: bytes) -> None:
        self.raw += data
        if not self.status:
            head, separator, rest = self.raw.partition(b"\r\n\r\n")
            if not separator:
                return
            first, *lines = head.decode().split("\r\n")
            self.status = int(first.split()[1])
            self.headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}
            data = rest
        if self.headers.get("transfer-encoding") == "chunked":
            self._chunks += data
            data = b"".join(self._whole_chunks())
        self.body += data
        *blocks, self.body = self.body.split(b"\n\n") if self.status == 200 else [self.body]
        for block in blocks:
            self._note(block.decode())

    def _whole_chunks(self) -> Iterator[bytes]:
        while (end := self._chunks.find(b"\r\n")) >= 0:
            size = int(self._chunks[:end], 16)
            if not size:
                # The stream is over; the connection may serve another request.
                self.closed = True
                return
            if len(self._chunks) < end + size + 4:
                return
            yield self._chunks[end + 2 : end + 2 + size]
            self._chunks = self._chunks[end + size + 4 :]

    def _note(self, block: str) -> None:
        message = Message()
        data: list[str] = []
        for line in block.split("\n"):
            name, _, value = line.partition(": ")
            if line.startswith(":"):
                message.comment = line[1:].strip()
            elif name == "data":
                data.append(value)
            elif name == "event":
                message.event = value
            elif name == "id":
                message.id = self.last_event_id = value
            elif name == "retry":
                message.retry = int(value)
            else:
                raise AssertionError(f"not a line of an event stream: {line!r}")
        message.data = "\n".join(data)
        self.messages.append(message)

    def of(self, event: str | None) -> list[Message]:
        """The events of this name so far; None for snapshots."""
        return [m for m in self.messages if m.event == event and m.data]

    def comments(self, text: str) -> list[Message]:
        return [m for m in self.messages if m.comment == text]

    def wait(self, what: Callable[[StreamClient], Any], seconds: float = HANG_SECONDS) -> Any:
        return wait_until(
            lambda: what(self), f"what the stream was expected to hold: {self.messages[-5:]}", seconds=seconds
        )

    def wait_for(self, event: str | None, count: int = 1, seconds: float = HANG_SECONDS) -> list[Message]:
        """The events of this name, once there are at least `count`."""
        try:
            found: list[Message] = wait_until(
                lambda: messages if len(messages := self.of(event)) >= count else [], seconds=seconds
            )
        except AssertionError as error:
            last = [message.id for message in self.messages[-8:]]
            raise AssertionError(f"{count} × {event}: {error}; got {last}, {self.body[-500:]!r}") from error
        return found
