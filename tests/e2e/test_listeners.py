"""A listener that is cut off again and again misses nothing and hears nothing twice."""

from __future__ import annotations

import random
import secrets
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import gevent
import pytest

from local.stack import Stack
from tests.e2e.listening import Heard, by_contact, key_of, transitions
from tests.e2e.rig import new_tenant, numbers
from tests.examples import first
from tests.waiting import HANG_SECONDS, wait_until

CUTS = first(12, 50)
LISTENERS = 3
CONTACTS_A_CUT = 12
LONGEST_SECONDS = 0.25
AGAIN_SECONDS = 0.5
AT_ONCE = 0.2
"""Share of the connections that are cut before anything can have come."""


@dataclass(slots=True)
class Ear:
    """One listener: what it has heard, over all its connections."""

    url: str
    key: str
    campaign: str
    dice: random.Random
    wanted: int
    heard: Heard = field(default_factory=Heard)
    cuts: int = 0

    def run(self) -> None:
        """Listen: until something with an id has come, then with `wanted` connections cut off, then to the end."""
        self._listen(lambda: self.heard.last_id is not None, 20)
        while self.cuts < self.wanted and not self.heard.ended:
            seconds = 0.0 if self.dice.random() < AT_ONCE else self.dice.uniform(0, LONGEST_SECONDS)
            self._listen(lambda: False, seconds)
            self.cuts += 1
        while not self.heard.ended:
            self._listen(lambda: self.heard.ended, 60)

    def _listen(self, enough: Any, seconds: float) -> None:
        """One connection, cut off after `seconds`, maybe within an event, by a FIN or by an RST."""
        parts = urlsplit(self.url)
        deadline = time.monotonic() + seconds
        with socket.create_connection((parts.hostname, parts.port or 80)) as sock:
            sock.sendall(self._request())
            buffer = b""
            head = True
            while not enough() and (left := deadline - time.monotonic()) > 0:
                sock.settimeout(left)
                try:
                    data = sock.recv(4096)
                except TimeoutError:
                    break
                if not data:
                    break
                buffer += data
                if head and b"\r\n\r\n" in buffer:
                    status, _, buffer = buffer.partition(b"\r\n\r\n")
                    if b" 503 " in status.partition(b"\r\n")[0]:
                        # A busy machine's database is late: whoever listens asks again, as the answer says.
                        gevent.sleep(AGAIN_SECONDS)
                        break
                    assert b" 200 " in status.partition(b"\r\n")[0], status
                    head = False
                while not head and b"\n\n" in buffer:
                    block, _, buffer = buffer.partition(b"\n\n")
                    self.heard.note(block.decode())
            if self.dice.random() < 0.5:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _request(self) -> bytes:
        # HTTP/1.0: the answer comes as it is, not in chunks.
        lines = [
            f"GET /api/v1/campaigns/{self.campaign}/events HTTP/1.0",
            f"Authorization: Bearer {self.key}",
            *([f"Last-Event-ID: {self.heard.last_id}"] if self.heard.last_id else []),
        ]
        return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize("cuts", CUTS)
def test_a_listener_that_is_cut_off_again_and_again_hears_everything_once_and_in_order(
    stack: Stack, cuts: int
) -> None:
    tenant = new_tenant(stack)
    total = cuts * CONTACTS_A_CUT
    campaign = tenant.campaign(numbers("00", "10", "01", "03", "08", count=total), max_concurrent_calls=12)
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    key = key_of(tenant)
    ears = [Ear(stack.web_url, key, campaign, random.Random(seed + n), cuts) for n in range(LISTENERS)]
    listening = [gevent.spawn(ear.run) for ear in ears]
    wait_until(lambda: all(ear.heard.last_id for ear in ears), "the first snapshots")
    tenant.act(campaign, "start")
    # The rest waits for them: how often they are cut off must not depend on who is faster.
    tenant.wait_touched(campaign, total * 2 // 3)
    tenant.act(campaign, "pause")
    wait_until(lambda: all(ear.cuts == cuts for ear in ears), "every cut")
    tenant.act(campaign, "resume")
    tenant.wait_over(campaign)
    gevent.joinall(listening, timeout=HANG_SECONDS, raise_error=True)
    assert all(ear.heard.ended for ear in ears)

    told = by_contact([row for row in transitions(stack, campaign) if row["contact_id"] is not None])
    contacts = list(tenant.api.every(f"/api/v1/campaigns/{campaign}/contacts", "contacts"))
    assert {contact["id"] for contact in contacts} == set(told)
    for contact in contacts:
        assert (contact["status"], contact["disposition"]) == told[contact["id"]][-1][:2]
    for ear in ears:
        assert ear.cuts == cuts
        ear.heard.assert_everything_once(stack, campaign)
