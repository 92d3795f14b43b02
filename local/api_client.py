"""A small client of the API on this machine, for the demo and its proof: JSON calls and the event stream."""

from __future__ import annotations

import contextlib
import http.client
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from local.errors import LocalError

PAGE = 1000
STREAM_TIMEOUT_SECONDS = 40.0
"""Longer than two heartbeats: a stream that is silent for so long is dead."""


class ApiFailedError(LocalError):
    """The API answered with an error; the message is its own, `status` that of the answer."""

    def __init__(self, message: str, status: int) -> None:
        self.status = status
        super().__init__(message)

    @property
    def permanent(self) -> bool:
        """Whether the same request can never be taken: a 4xx, but for those that ask to come again."""
        again = (http.HTTPStatus.REQUEST_TIMEOUT, http.HTTPStatus.CONFLICT, http.HTTPStatus.TOO_MANY_REQUESTS)
        return (
            http.HTTPStatus.BAD_REQUEST <= self.status < http.HTTPStatus.INTERNAL_SERVER_ERROR
            and self.status not in again
        )


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event of a campaign's stream; `kind` is `snapshot` where the event line is absent."""

    kind: str
    data: dict[str, Any]
    id: str | None


class ApiClient:
    """Calls the API at `base_url` with one key.

    What is refused with 503 and a Retry-After is asked again then, a POST under the same Idempotency-Key, for up to
    `patience_seconds`: on a busy machine a database that answers late is no error yet.
    """

    patience_seconds = 60.0

    def __init__(self, base_url: str, key: str, timeout: float = 30.0) -> None:
        parts = urlsplit(base_url)
        assert parts.hostname is not None
        self._host, self._port = parts.hostname, parts.port or 80
        self._key = key
        self._timeout = timeout

    def get(self, path: str, **query: str | int) -> dict[str, Any]:
        """GET; raises ApiFailedError for anything but a 2xx."""
        return self._ask("GET", path + (f"?{urlencode(query)}" if query else ""))

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """POST of a JSON body, or of none; raises ApiFailedError for anything but a 2xx."""
        if body is None:
            return self._ask("POST", path)
        return self._ask("POST", path, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def sign_in_link(self) -> str:
        """A link to the board that signs in once with this key, within ten minutes. Raises ApiFailedError."""
        return self._text("POST", "/sign-in/link", None, self.headers())

    def post_form(
        self, path: str, fields: Mapping[str, str], file_field: str, name: str, data: bytes
    ) -> dict[str, Any]:
        """POST of a form with one file, as a browser or curl would send it."""
        boundary = secrets.token_hex(16)
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
            for key, value in fields.items()
        ]
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{file_field}"; filename="{name}"\r\n'
        parts += [head.encode(), b"Content-Type: text/csv\r\n\r\n", data, f"\r\n--{boundary}--\r\n".encode()]
        return self._ask(
            "POST", path, b"".join(parts), {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        )

    def every(self, path: str, resource: str, **query: str | int) -> Iterator[dict[str, Any]]:
        """Every row of a list, page by page."""
        offset = 0
        while True:
            page = self.get(path, limit=PAGE, offset=offset, **query)
            yield from page[resource]
            offset += PAGE
            if offset >= page["total"]:
                return

    def events(self, path: str, last_id: str | None = None) -> Iterator[StreamEvent]:
        """The events of one connection to a stream, until it ends; OSError or HTTPException where it breaks."""
        with self.connection(STREAM_TIMEOUT_SECONDS) as connection:
            headers = self.headers() | ({"Last-Event-ID": last_id} if last_id else {})
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            if response.status != http.HTTPStatus.OK:
                raise ApiFailedError(response.read().decode(errors="replace"), response.status)
            lines: list[str] = []
            for raw in response:
                line = raw.decode().rstrip("\r\n")
                if line:
                    lines.append(line)
                    continue
                event = _event(lines)
                lines = []
                if event is not None:
                    yield event

    def connection(self, timeout: float | None = None) -> contextlib.closing[http.client.HTTPConnection]:
        """A connection to the API, closed behind a `with`; who asks over it says `headers` himself."""
        seconds = self._timeout if timeout is None else timeout
        return contextlib.closing(http.client.HTTPConnection(self._host, self._port, timeout=seconds))

    def headers(self) -> dict[str, str]:
        """Which say who asks."""
        return {"Authorization": f"Bearer {self._key}"}

    def _ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        key = {"Idempotency-Key": secrets.token_hex(16)} if method == "POST" else {}
        text = self._text(method, path, body, {**self.headers(), **key, **(headers or {})})
        answer: dict[str, Any] = json.loads(text) if text else {}
        return answer

    def _text(self, method: str, path: str, body: bytes | None, sent: Mapping[str, str]) -> str:
        until = time.monotonic() + self.patience_seconds
        while True:
            status, text, retry_after = self._once(method, path, body, sent)
            if retry_after is None or time.monotonic() + retry_after > until:
                break
            time.sleep(retry_after)
        if not http.HTTPStatus.OK <= status < http.HTTPStatus.MULTIPLE_CHOICES:
            raise ApiFailedError(f"{method} {path}: {status} {text}", status)
        return text

    def _once(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, str, int | None]:
        """Status and text of an answer, and in how many seconds to ask again; None where that helps nobody."""
        with self.connection() as connection:
            connection.request(method, path, body=body, headers=dict(headers))
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
        later = response.headers.get("Retry-After")
        unavailable = response.status == http.HTTPStatus.SERVICE_UNAVAILABLE
        return response.status, text, int(later) if unavailable and later is not None else None


def _event(lines: list[str]) -> StreamEvent | None:
    """The event of one block of lines; None for comments and for what carries no data."""
    kind, data, event_id = "snapshot", [], None
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            kind = value
        elif name == "data":
            data.append(value)
        elif name == "id":
            event_id = value
    if not data:
        return None
    return StreamEvent(kind, json.loads("\n".join(data)), event_id)
