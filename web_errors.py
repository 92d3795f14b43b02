"""What gunicorn itself answers and logs: as the application would, in plain text, with an id, and clean.

Of requests that it cannot read the application hears nothing. Imported by gunicorn before its workers are patched: no
library of the application may be.
"""

from __future__ import annotations

import secrets
import socket

from gunicorn import glogging, util
from gunicorn.config import Config

from logs import CleanFormatter, clean


class CleanLogger(glogging.Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's logger, whose lines show the paths and headers of strangers."""

    def setup(self, cfg: Config) -> None:
        """Set the handlers up."""
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(CleanFormatter(self.error_fmt, self.datefmt))


def answer(status: int, reason: str, message: str) -> bytes:
    """The whole answer to a request that could not be read, one sentence."""
    text = " ".join(clean(message or reason).split())
    body = (text if text.endswith(".") else f"{text}.").encode()
    head = (
        f"HTTP/1.1 {status} {reason}",
        "Connection: close",
        "Content-Type: text/plain; charset=utf-8",
        "X-Content-Type-Options: nosniff",
        f"X-Request-Id: {secrets.token_hex(16)}",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*head, "", "")).encode("latin-1") + body


def _write_error(sock: socket.socket, status: int, reason: str, message: str) -> None:
    util.write_nonblock(sock, answer(int(status), reason, message))


def install() -> None:
    """Have gunicorn answer so: it has no setting for it."""
    util.write_error = _write_error
