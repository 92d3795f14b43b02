"""What it takes to read events: each alone, and what others notice of many."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from gevent.event import Event as Signal
from greenswitch.esl import ESLEvent

from bench.bystander import Bystander
from bench.table import Bound, Figure
from cooperative import let_others_run
from dialer.gc_tuning import keep_collections_short
from freeswitch.connection import EslConnection
from freeswitch.decoding import decode_event
from freeswitch.protocol import FrameDecoder, decode_json, encode_frame
from tests.integration.freeswitch.scripted_node import PASSWORD, Peer, ScriptedNode, event_frame
from tests.unit.freeswitch.samples import hangup

WAIT_SECONDS = 120.0
LONGEST_MS = 50.0
NAMES = [f"variable_{number}" for number in range(150)]


def fastest(work: Callable[[], object], times: int = 5) -> float:
    """CPU seconds of the fastest of several runs."""
    taken = []
    for _ in range(times):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)


def decoding(_quick: bool) -> Sequence[Figure]:
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


def single_bytes(_quick: bool) -> Sequence[Figure]:
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


def flood(quick: bool) -> Sequence[Figure]:
    """Events as fast as a node can write them: how long others wait for a turn meanwhile."""
    count = 4_000 if quick else 40_000
    burst = event_frame("CHANNEL_CREATE", filler="x" * 9_000) * 200
    heard, done = 0, Signal()

    def script(peer: Peer) -> None:
        peer.greet()
        for _ in range(count // 200):
            peer.write(burst)
        peer.wait_for_end()

    def on_event(_event: dict[str, Any]) -> None:
        nonlocal heard
        heard += 1
        if heard == count:
            done.set()

    with ScriptedNode(script) as node, Bystander().running() as bystander:
        esl: EslConnection[dict[str, Any]] = EslConnection(
            "127.0.0.1", node.port, PASSWORD, decode=decode_json, on_event=on_event, on_close=lambda _: None
        )
        esl.connect(10)
        assert done.wait(WAIT_SECONDS)
        longest = bystander.longest * 1000
        esl.close()
        let_others_run()
    what = "longest turn of a flood of events"
    return [Figure(what, longest, "ms of CPU", Bound.AT_MOST, LONGEST_MS, "what a call may wait")]


def collecting(_quick: bool) -> Sequence[Figure]:
    """A backlog of 100,000 events: how long the garbage collector stops everything while it grows."""
    body = orjson.dumps(hangup("USER_BUSY", 17))
    began = longest = 0.0

    def note(phase: str, _info: dict[str, Any]) -> None:
        nonlocal began, longest
        if phase == "start":
            began = time.thread_time()
        else:
            longest = max(longest, time.thread_time() - began)

    collector = keep_collections_short(lambda: 0)
    gc.callbacks.append(note)
    backlog = [decode_event(body) for _ in range(100_000)]
    gc.callbacks.remove(note)
    collector.kill()
    assert len(backlog) == 100_000
    what = "longest garbage collection of a backlog"
    return [Figure(what, longest * 1000, "ms of CPU", Bound.AT_MOST, LONGEST_MS, "what a call may wait")]
