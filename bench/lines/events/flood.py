"""How long a node that writes events as fast as it can keeps the rest of the process from its turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gevent.event import Event as Signal

from bench.bystander import Bystander
from bench.table import Bound, Figure
from cooperative import let_others_run
from freeswitch.connection import EslConnection
from freeswitch.protocol import decode_json
from tests.integration.freeswitch.scripted_node import PASSWORD, Peer, ScriptedNode, event_frame

IN_PAIRS = True

WAIT_SECONDS = 120.0
LONGEST_MS = 50.0


def measure(quick: bool) -> Sequence[Figure]:
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
