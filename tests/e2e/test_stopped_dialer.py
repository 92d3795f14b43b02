"""A dialer that stands still does not hurt the switch, and what it missed is made good."""

from __future__ import annotations

import os
import signal
import time
from urllib.parse import unquote, urlsplit

import gevent
import pytest

from freeswitch.connection import EslConnection
from local.stack import Stack
from tests.e2e.rig import new_tenant, numbers, polled
from tests.judging import Judge

ANSWER_SECONDS = 4.0
"""What an idle node answers in a millisecond; the rest is for a machine that is busy with other things. A node that
the stopped dialer froze would answer when it goes on: after six seconds."""


class Bystander:
    """Another client of a node, which asks it something all the time."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self.answers = 0
        self.slowest = 0.0
        self._esl: EslConnection[None] = EslConnection(
            parts.hostname,
            parts.port,
            unquote(parts.password or ""),
            decode=lambda _: None,
            on_event=lambda _: None,
            on_close=lambda _: None,
            silence_seconds=120,
        )
        self._esl.connect()
        self._asking = gevent.spawn(self._ask)

    def _ask(self) -> None:
        while True:
            asked = time.monotonic()
            self._esl.api("uptime", timeout=10)
            self.slowest = max(self.slowest, time.monotonic() - asked)
            self.answers += 1
            gevent.sleep(0.05)

    def wait_answered(self) -> None:
        """Return once it has asked and been answered again."""
        had = self.answers
        polled(lambda: self.answers > had + 1, "an answer")

    def stop(self) -> None:
        """End, and raise what went wrong meanwhile."""
        self._asking.kill()
        self._esl.close()
        self._asking.get()


@pytest.mark.full
@pytest.mark.parametrize("seconds", [6, 15])
def test_a_dialer_that_was_stopped_slows_no_node_down_and_leaves_nobody_unsettled(
    stack: Stack, seconds: int, judge: Judge
) -> None:
    tenant = new_tenant(stack)
    campaign = tenant.campaign(numbers("00", "10", "01", "08", "03", count=1000), max_concurrent_calls=100)
    bystanders = [Bystander(node.url) for node in stack.nodes]
    tenant.act(campaign, "start")
    tenant.wait_touched(campaign, 150)
    victim = stack.pids["dialer.1"]
    os.kill(victim, signal.SIGSTOP)
    stopped = time.monotonic()
    before = tenant.touched(campaign)
    try:
        polled(lambda: time.monotonic() > stopped + seconds, "the time it stands still", seconds=seconds + 60)
        # Before it goes on: a node that it froze would answer nobody until then.
        for bystander in bystanders:
            bystander.wait_answered()
        assert tenant.touched(campaign) > before
    finally:
        os.kill(victim, signal.SIGCONT)
    tenant.wait_over(campaign, 120)
    for bystander in bystanders:
        bystander.stop()
        judge.at_least(bystander.answers, seconds * 5, "answers of a node to a bystander")
        judge.at_most(bystander.slowest, ANSWER_SECONDS, "seconds of the slowest answer")
    assert tenant.proof(campaign, stack).faults == []
    polled(lambda: stack.pids.get("dialer.1") is not None, "the dialer, or another in its place")
