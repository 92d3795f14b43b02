"""Spools an upload to a temporary file, with its size bounded while it comes in."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from typing import BinaryIO, NamedTuple, Protocol

from campaigns.columns import Limits
from campaigns.errors import ListTooLarge
from campaigns.time_slice import TimeSlice, nobody_else

BLOCK = 64 * 1024


class Readable(Protocol):
    """What an upload is read from."""

    def read(self, size: int, /) -> bytes: ...


class Spooled(NamedTuple):
    """An upload: its file, at its start, how many bytes it has, and its SHA-256."""

    file: BinaryIO
    size: int
    sha256: str


def spool(
    stream: Readable, limits: Limits, chunk: int = BLOCK, let_others_run: Callable[[], None] = nobody_else
) -> Spooled:
    """Copy an upload to a temporary file, which is gone once closed.

    Raises ListTooLarge as soon as more than `limits.max_bytes` have been read.
    """
    time_slice = TimeSlice(let_others_run)
    digest = hashlib.sha256()
    size = 0
    with ExitStack() as whole:
        file = whole.enter_context(tempfile.TemporaryFile())
        while block := stream.read(chunk):
            size += len(block)
            if size > limits.max_bytes:
                raise ListTooLarge(
                    "too_large",
                    f"{limits.what} has more than {limits.max_bytes} bytes, the most a list may have",
                )
            digest.update(block)
            file.write(block)
            time_slice.check()
        file.seek(0)
        # From here on it is the caller's to close.
        whole.pop_all()
    return Spooled(file, size, digest.hexdigest())
