"""What listeners of a campaign hear, over any number of connections, and what there was to be heard."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import gevent
import psycopg
from psycopg.rows import dict_row

from live.event_ids import EventId
from local.api_client import STREAM_TIMEOUT_SECONDS
from local.stack import Stack
from tests.e2e.rig import Tenant, polled

AGAIN_SECONDS = 0.1
TOLD = ("status", "disposition", "attempt", "call_id", "cause", "at")
TRANSITIONS = """
SELECT contact_id::text, status, disposition, attempt, call_id::text, cause,
    to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at FROM transition
WHERE campaign_id = %s ORDER BY id"""


@dataclass(slots=True)
class Heard:
    """What one listener has heard, over all its connections; `last_id` is where it would go on."""

    events: list[tuple[str, str | None, dict[str, Any]]] = field(default_factory=list)
    last_id: str | None = None
    ended: bool = False

    def note(self, block: str) -> None:
        """One block of lines, as it came; a comment tells nothing."""
        fields = dict(
            line.split(": ", 1) for line in block.split("\n") if ": " in line and not line.startswith(":")
        )
        if "data" not in fields:
            return
        kind, event_id = fields.get("event", "snapshot"), fields.get("id")
        self.events.append((kind, event_id, json.loads(fields["data"])))
        self.last_id = event_id or self.last_id
        self.ended = self.ended or kind == "end"

    def of(self, kind: str) -> Iterator[dict[str, Any]]:
        """What was heard of one kind, in order."""
        return (data for name, _, data in self.events if name == kind)

    def told(self) -> int:
        """How many transitions were heard."""
        return sum(kind in ("contact", "campaign") for kind, _, _ in self.events)

    def assert_everything_once(self, stack: Stack, campaign: str) -> None:
        """It heard every transition of the campaign and of its contacts, once, in order, up to the end."""
        written = transitions(stack, campaign)
        assert self.ended
        assert not list(self.of("reset"))
        expected = by_contact([row for row in written if row["contact_id"] is not None])
        assert by_contact(list(self.of("contact"))) == expected
        of_campaign = [row["status"] for row in written if row["contact_id"] is None]
        assert [data["status"] for data in self.of("campaign")] == of_campaign
        ids = [
            EventId.parse(event_id) for kind, event_id, _ in self.events if event_id and kind != "snapshot"
        ]
        assert ids == sorted(set(ids))


class Listener:
    """Listens from the moment it is made until `close`, and connects again wherever it is cut off.

    A stream goes on after the campaign's end: who was being called when it was stopped is told of later.
    `connections` are the lines of each that was answered; those of the last one may still grow.
    """

    def __init__(self, tenant: Tenant, campaign: str) -> None:
        self.heard = Heard()
        self.connections: list[list[str]] = []
        self._api = tenant.api
        self._key = key_of(tenant)
        self._path = f"/api/v1/campaigns/{campaign}/events"
        self._greenlet = gevent.spawn(self._run)

    def lines(self) -> list[str]:
        """Everything, whichever connection it came by."""
        return [line for connection in self.connections for line in connection]

    def close(self) -> None:
        """Listen no more. Raises what went wrong meanwhile."""
        self._greenlet.kill()
        self._greenlet.get()

    def assert_everything_once(self, stack: Stack, campaign: str) -> None:
        """Of a campaign that is over with all its calls: it heard, or hears now, everything, and nothing twice."""
        count = len(transitions(stack, campaign))
        polled(lambda: self.heard.ended and self.heard.told() >= count, "the rest of what is to be heard")
        self.close()
        self.heard.assert_everything_once(stack, campaign)

    def _run(self) -> None:
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                self._listen()
            gevent.sleep(AGAIN_SECONDS)

    def _listen(self) -> None:
        with self._api.connection(STREAM_TIMEOUT_SECONDS) as connection:
            after = {"Last-Event-ID": self.heard.last_id} if self.heard.last_id else {}
            connection.request("GET", self._path, headers={"Authorization": f"Bearer {self._key}", **after})
            response = connection.getresponse()
            if response.status != http.HTTPStatus.OK:
                assert response.status == http.HTTPStatus.SERVICE_UNAVAILABLE, response.read()
                return
            self.connections.append([])
            block: list[str] = []
            for raw in response:
                line = raw.decode().rstrip("\n")
                if line:
                    self.connections[-1].append(line)
                    block.append(line)
                    continue
                self.heard.note("\n".join(block))
                block = []


def transitions(stack: Stack, campaign: str) -> list[dict[str, Any]]:
    """Every transition of the campaign and of its contacts, in the order in which they were written."""
    with psycopg.connect(stack.database_url, row_factory=dict_row) as connection:
        return connection.execute(TRANSITIONS, (campaign,)).fetchall()


def by_contact(told: list[dict[str, Any]]) -> dict[str, list[tuple[Any, ...]]]:
    """What was told of each contact, in order."""
    found = defaultdict(list)
    for item in told:
        found[item["contact_id"]].append(tuple(item[name] for name in TOLD))
    return dict(found)


def key_of(tenant: Tenant) -> str:
    """A key that may only read."""
    key: str = tenant.api.post("/api/v1/api-keys", {"name": "listener", "role": "read"})["key"]
    return key
