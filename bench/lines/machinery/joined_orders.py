"""What sends several orders to a node in one write."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from statistics import median

from bench.table import Bound, Figure
from freeswitch.connection import EslConnection, EslError
from freeswitch.joined_write import Post
from simulator.process import SimulatedNode
from tests.waiting import wait_until

TOGETHER = 20
ORDER = f"bgapi echo {'x' * 1200}"


def measure(quick: bool) -> Sequence[Figure]:
    """Orders that leave twenty in one write, and one by one, by turns: CPU time of this process, replies included."""
    ratios = []
    with SimulatedNode() as node:
        esl: EslConnection[None] = EslConnection(
            "127.0.0.1",
            node.port,
            node.password,
            decode=lambda _: None,
            on_event=lambda _: None,
            on_close=lambda _: None,
        )
        esl.connect()
        for _ in range(50 if quick else 300):
            answers: list[str | EslError] = []
            orders = [Post(ORDER, answers.append) for _ in range(TOGETHER)]
            began = time.process_time()
            for order in orders:
                esl.post_command(order.line, on_reply=order.on_reply)
            wait_until(partial(_are_answered, answers, TOGETHER))
            alone = time.process_time()
            esl.post_many(orders)
            wait_until(partial(_are_answered, answers, 2 * TOGETHER))
            ratios.append((time.process_time() - alone) / (alone - began))
        esl.close()
    return [
        Figure("CPU of orders sent together", median(ratios), "times", Bound.AT_MOST, 0.9, "of one send each")
    ]


def _are_answered(answers: Sequence[str | EslError], number: int) -> bool:
    return len(answers) == number
