"""A listener that is cut off again and again misses nothing and hears nothing twice."""

from __future__ import annotations

import json
import random
import secrets
import socket
import struct
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import gevent
import psycopg
import pytest
from psycopg.rows import dict_row

from live.ids import EventId
from local.stack import Stack
from tests.e2e.rig import Tenant, new_tenant, numbers
from tests.waiting import wait_until

CUTS = 50
LISTENERS = 3
CONTACTS = 600
LONGEST_SECONDS = 0.25
AT_ONCE = 0.2
"""Share of the connections that are cut before anything can have come."""
TOLD = ("status", "disposition", "attempt", "call_id", "cause")
TRANSITIONS = """
SELECT contact_id::text, status, disposition, attempt, call_id::text, cause FROM transition
WHERE campaign_id = %s ORDER BY id"""


@dataclass(slots=True)
class Ear:
    """One listener: what it has heard, over all its connections."""

    url: str
    key: str
    campaign: str
    dice: random.Random
    heard: list[tuple[str, str | None, dict[str, Any]]] = field(default_factory=list)
    last_id: str | None = None
    cuts: int = 0
    ended: bool = False

    def run(self) -> None:
        """Listen: until something with an id has come, then with CUTS connections cut off, then to the end."""
        self._listen(lambda: self.last_id is not None, 20)
        while self.cuts < CUTS and not self.ended:
            seconds = 0.0 if self.dice.random() < AT_ONCE else self.dice.uniform(0, LONGEST_SECONDS)
            self._listen(lambda: False, seconds)
            self.cuts += 1
        self._listen(lambda: self.ended, 60)

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
                    assert b" 200 " in status.partition(b"\r\n")[0], status
                    head = False
                while not head and b"\n\n" in buffer:
                    block, _, buffer = buffer.partition(b"\n\n")
                    self._hear(block.decode())
            if self.dice.random() < 0.5:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _request(self) -> bytes:
        # HTTP/1.0: the answer comes as it is, not in chunks.
        lines = [
            f"GET /api/v1/campaigns/{self.campaign}/events HTTP/1.0",
            f"Authorization: Bearer {self.key}",
            *([f"Last-Event-ID: {self.last_id}"] if self.last_id else []),
        ]
        return "\r\n".join([*lines, "", ""]).encode()

    def _hear(self, block: str) -> None:
        fields = dict(
            line.split(": ", 1) for line in block.split("\n") if ": " in line and not line.startswith(":")
        )
        if "data" not in fields:
            return
        kind, event_id = fields.get("event", "snapshot"), fields.get("id")
        self.heard.append((kind, event_id, json.loads(fields["data"])))
        self.last_id = event_id or self.last_id
        self.ended = self.ended or kind == "end"

    def of(self, kind: str) -> Iterator[dict[str, Any]]:
        """What was heard of one kind, in order."""
        return (data for name, _, data in self.heard if name == kind)


def transitions(stack: Stack, campaign: str) -> list[dict[str, Any]]:
    """Every transition of the campaign and of its contacts, in the order in which they were written."""
    with psycopg.connect(stack.database_url, row_factory=dict_row) as connection:
        return connection.execute(TRANSITIONS, (campaign,)).fetchall()


def by_contact(told: list[dict[str, Any]]) -> dict[str, list[tuple[Any, ...]]]:
    found = defaultdict(list)
    for item in told:
        found[item["contact_id"]].append(tuple(item[name] for name in TOLD))
    return dict(found)


def key_of(tenant: Tenant) -> str:
    key: str = tenant.api.post("/api/v1/api-keys", {"name": "listener", "role": "read"})["key"]
    return key


@pytest.mark.timeout(240)
def test_a_listener_that_is_cut_off_fifty_times_hears_everything_once_and_in_order(stack: Stack) -> None:
    tenant = new_tenant(stack)
    campaign = tenant.campaign(numbers("00", "10", "01", "03", "08", count=CONTACTS), max_concurrent_calls=12)
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    key = key_of(tenant)
    ears = [Ear(stack.web_url, key, campaign, random.Random(seed + n)) for n in range(LISTENERS)]
    listening = [gevent.spawn(ear.run) for ear in ears]
    wait_until(lambda: all(ear.last_id for ear in ears), 60, "the first snapshots")
    tenant.act(campaign, "start")
    tenant.wait_over(campaign)
    gevent.joinall(listening, timeout=90, raise_error=True)

    written = transitions(stack, campaign)
    expected = by_contact([row for row in written if row["contact_id"] is not None])
    of_campaign = [row["status"] for row in written if row["contact_id"] is None]
    contacts = list(tenant.api.every(f"/api/v1/campaigns/{campaign}/contacts", "contacts"))
    assert {contact["id"] for contact in contacts} == set(expected)
    for contact in contacts:
        assert (contact["status"], contact["disposition"]) == expected[contact["id"]][-1][:2]
    for ear in ears:
        assert ear.cuts == CUTS, "the campaign was over before the listener had been cut off so often"
        assert ear.ended
        assert not list(ear.of("reset"))
        assert by_contact(list(ear.of("contact"))) == expected
        assert [data["status"] for data in ear.of("campaign")] == of_campaign
        ids = [EventId.parse(event_id) for kind, event_id, _ in ear.heard if event_id and kind != "snapshot"]
        assert ids == sorted(set(ids))
