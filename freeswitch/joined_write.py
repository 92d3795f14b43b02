"""Several commands that leave in one write, and which of them left where it was cut. No sockets here."""

from __future__ import annotations

from collections.abc import Sequence


def cut(frames: Sequence[bytes], taken: int) -> tuple[int, bytes]:
    """Of frames that were written one behind the other, of which so many bytes were taken: how many have begun to
    leave, and what the last of these still lacks."""
    for number, frame in enumerate(frames):
        if taken <= 0:
            return number, b""
        if taken < len(frame):
            return number + 1, frame[taken:]
        taken -= len(frame)
    return len(frames), b""
