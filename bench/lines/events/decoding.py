"""Events with many variables: what decoding them costs beside greenswitch."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from greenswitch.esl import ESLEvent

from bench.table import Bound, Figure
from bench.work import fastest
from freeswitch.protocol import FrameDecoder, decode_json, encode_frame

IN_PAIRS = True

NAMES = [f"variable_{number}" for number in range(150)]


def measure(_quick: bool) -> Sequence[Figure]:
    """Events with 150 variables, decoded by us and by greenswitch."""
    body = orjson.dumps({name: f"value of {name}: 1" for name in NAMES})
    plain = "".join(f"{name}: value%20of%20{name}%3A%201\n" for name in NAMES)
    data = encode_frame({"Content-Type": "text/event-json", "Content-Length": str(len(body))}, body) * 100

    def ours() -> None:
        for frame in FrameDecoder().feed(data):
            assert decode_json(frame.body)["variable_7"]

    def theirs() -> None:
        for _ in range(100):
            assert ESLEvent(plain).headers["variable_7"]

    ratio = fastest(theirs) / fastest(ours)
    return [Figure("events decoded for each CPU second", ratio, "×", Bound.AT_LEAST, 3.0, "greenswitch")]
