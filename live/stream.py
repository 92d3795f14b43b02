"""Serving one event stream over HTTP: flask-sse's blueprint class, carried by Redis Streams.

Made once by the app around its hub. The route authorises a request and asks for the response; this object is not
registered with Flask itself, because the original's route lets any reader name any channel.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from socket import socket
from typing import NoReturn

from flask import Response, current_app, request
from flask_sse import ServerSentEventsBlueprint
from redis import Redis

from live import sse, worker_state
from live.admission import Admission
from live.errors import LiveError, TenantListenersError, TooManyListenersError
from live.event_ids import EventId
from live.hub import Hub
from live.listener import Listener

HEARTBEAT_SECONDS = 15.0
CHECK_SECONDS = 1.0
RECONNECT_SECONDS = (1.0, 3.0)
LEAVING_SECONDS = (1.0, 5.0)


class EventStream(ServerSentEventsBlueprint):  # type: ignore[misc]  # flask-sse has no types
    """Answers requests for a campaign's events.

    Unlike the original it sends bytes at once and while nothing happens, honours `Last-Event-ID`, shares one Redis
    connection among all listeners, and keeps neither request nor app context while it streams. `heartbeat` and
    `check` (how often it looks whether this process is to go on) are in seconds.
    """

    def __init__(
        self, hub: Hub, *, heartbeat: float = HEARTBEAT_SECONDS, check: float = CHECK_SECONDS
    ) -> None:
        super().__init__("live", __name__)
        self._hub = hub
        self._heartbeat = heartbeat
        self._check = check

    @property
    def redis(self) -> Redis:
        """The app's shared client; the original makes a new pool at each use."""
        return self._hub.redis

    def publish(self, *_args: object, **_kwargs: object) -> NoReturn:
        """Always raises LiveError: what is sent by pub/sub reaches nobody here. See `live.publisher.Publisher`."""
        raise LiveError("events are published by live.publisher.Publisher")

    def messages(
        self,
        channel: str = "",
        cursor: EventId | None = None,
        status: str = "",
        sock: socket | None = None,
        admission: Admission | None = None,
        *,
        close: bool = False,
    ) -> Iterator[bytes]:
        """The bytes of the stream of campaign `channel` after `cursor`, until the process stops or the client goes;
        with `close`, no further than its end.

        `status` is the campaign's now; with `admission` it ends when that is taken away. Each piece is everything
        that was waiting, to be sent in one write.
        """
        yield b": carillon\n" + sse.retry(*RECONNECT_SECONDS)
        try:
            with self._hub.listen(channel, cursor, status, sock, admission) as listener:
                yield from self._pieces(listener, close=close)
        except (TooManyListenersError, TenantListenersError) as error:
            yield b": %s\n\n" % str(error).encode()
        yield sse.retry(*LEAVING_SECONDS)

    def _pieces(self, listener: Listener, *, close: bool) -> Iterator[bytes]:
        due = time.monotonic() + self._heartbeat
        while worker_state.alive() and not self._hub.stopping and not listener.gone:
            piece = listener.take(max(0.0, min(self._check, due - time.monotonic())))
            if time.monotonic() >= due:
                due = time.monotonic() + self._heartbeat
                piece += sse.HEARTBEAT
            if piece and not listener.gone:
                yield piece
            if close and listener.ended:
                return

    def stream(
        self,
        campaign_id: str = "",
        status: str = "",
        admission: Admission | None = None,
        *,
        close: bool = False,
    ) -> Response:
        """The response to the current request, which has been authorised for `campaign_id`, now in `status`, by
        `admission`.

        Raises BadEventIdError for a malformed `Last-Event-ID`, TooManyListenersError when this process is full,
        TenantListenersError when the tenant has its share of it.
        """
        cursor = requested_cursor()
        self._hub.refuse_where_full(admission)
        sock = request.environ.get("gunicorn.socket")
        body = self.messages(campaign_id, cursor, status, sock, admission, close=close)
        response = current_app.response_class(body, mimetype="text/event-stream")
        response.headers["Cache-Control"] = "no-cache"
        response.headers["X-Accel-Buffering"] = "no"
        return response


def requested_cursor() -> EventId | None:
    """Where the client of the current request left off; None for one that is new.

    The header goes before the query: a browser that reconnects repeats the query it began with, and says in the
    header how far it has come. Raises BadEventIdError.
    """
    text = request.headers.get("Last-Event-ID") or request.args.get("last_event_id")
    return EventId.parse(text.strip()) if text else None
