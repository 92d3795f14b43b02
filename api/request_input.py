"""How a request's body comes in: whole, not too slowly, and without a length no less and no more than its limit.

gunicorn reads for as long as a client keeps the connection: one that sends a byte a second would hold a place, a
tenant's share and a file for days.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

import flask
import gevent
from gunicorn.http.body import Body
from gunicorn.http.errors import NoMoreData, ParseException
from werkzeug.exceptions import RequestEntityTooLarge

from api.errors import ApiError

SLOWEST_BYTES: Final = 1_000
"""In a second; whoever is slower for SLOW_SECONDS is refused."""
SLOW_SECONDS: Final = 10.0
PIECE_BYTES: Final = int(SLOWEST_BYTES * SLOW_SECONDS)

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Input(Protocol):
    """`wsgi.input`."""

    def read(self, size: int = -1, /) -> bytes: ...


class PacedInput:
    """A body that is read a piece at a time, each of which has to come in SLOW_SECONDS."""

    def __init__(self, stream: Input) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, all where it is negative; less only at the end. Raises ApiError: 400, 408."""
        data = bytearray()
        while size < 0 or len(data) < size:
            wanted = PIECE_BYTES if size < 0 else min(PIECE_BYTES, size - len(data))
            piece = self._piece(wanted)
            data += piece
            if len(piece) < wanted:
                break
        return bytes(data)

    def readline(self, size: int = -1) -> bytes:
        """At most `size` bytes up to the end of a line. Raises ApiError: 400, 408."""
        line = bytearray()
        while (size < 0 or len(line) < size) and (byte := self._piece(1)):
            line += byte
            if byte == b"\n":
                break
        return bytes(line)

    def _piece(self, size: int) -> bytes:
        try:
            with gevent.Timeout(SLOW_SECONDS) as late:
                return self._stream.read(size)
        except ParseException as error:
            message = "The body's chunks cannot be read; they must be as HTTP/1.1 has them."
            raise ApiError(400, message) from error
        except (NoMoreData, ConnectionError) as error:
            raise ApiError(400, "The body ends before it is whole.") from error
        except gevent.Timeout as timeout:
            if isinstance(self._stream, Body):
                # What comes later is the rest of this body, and no request of its own.
                self._stream.failed = True
            if timeout is not late:
                raise
            message = (
                f"The body comes in at less than {SLOWEST_BYTES} bytes a second; it was given up after"
                f" {SLOW_SECONDS:g} s."
            )
            raise ApiError(408, message) from timeout


class PacedBodies:
    """The application, whose requests read their bodies by way of PacedInput."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ["wsgi.input"] = PacedInput(environ["wsgi.input"])
        return self._application(environ, start_response)


class Request(flask.Request):
    """A request whose body is never cut: werkzeug ends one that comes in chunks at the limit, and says nothing."""

    def get_data(self, *args: Any, **kwargs: Any) -> Any:
        """The whole body. Raises RequestEntityTooLarge where there is more of it than the limit."""
        data = super().get_data(*args, **kwargs)
        most = self.max_content_length
        is_full = self.content_length is None and most is not None and len(data) >= most
        if is_full and self.environ["wsgi.input"].read(1):
            raise RequestEntityTooLarge
        return data
