"""How the time for reading a frame that comes byte by byte grows with its length."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.table import Bound, Figure
from bench.work import fastest
from freeswitch.protocol import FrameDecoder

IN_PAIRS = True


def measure(_quick: bool) -> Sequence[Figure]:
    """A frame that comes byte by byte: eight times as long a one takes eight times as long, and not sixty-four."""

    def fed(size: int) -> Callable[[], None]:
        data = b"Content-Length: %d\n\n" % size + b"x" * size

        def feed() -> None:
            decoder = FrameDecoder()
            assert sum(len(decoder.feed(data[at : at + 1])) for at in range(len(data))) == 1

        return feed

    growth = fastest(fed(160_000), 3) / fastest(fed(20_000), 3)
    return [
        Figure("a frame that comes byte by byte", growth, "×", Bound.AT_MOST, 32.0, "one an eighth as long")
    ]
