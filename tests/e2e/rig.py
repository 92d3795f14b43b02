"""What these tests share: tenants of their own, numbers nobody else calls, and what the switches say they did."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import socket
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gevent
import psycopg
import redis

from coordination.membership import Membership
from freeswitch.protocol import FrameDecoder, decode_json, encode_command
from limits.keys import Keys, PermitRecord
from local.api_client import ApiClient
from local.demo import collect
from local.proof import TERMINAL, Proof
from local.stack import Stack
from simulator.ledger import LedgerView, Originate, read_ledger
from tests.waiting import HANG_SECONDS

PARK = {"type": "park"}
TONE = {"type": "playback", "tone": "%(3000,0,640)"}
AREAS = (212, 303, 312, 404, 415, 503, 602, 617, 702, 713, 801, 919)
AREA_SIZE = 70_000
POLL_SECONDS = 0.05
POLL_SHARE = 0.1
POLL_SECONDS_AT_MOST = 0.25
"""How soon something is asked again, at first; then by what was waited so far, and at the latest."""
NEVER_ENDED = "never ended at the switch"
NEVER_NOTED = " was dialled 0 times, recorded 1 times"

_taken = itertools.count()


class Api(ApiClient):
    """The API as one tenant sees it, or as the operator acting for one."""

    def __init__(self, base_url: str, key: str, tenant: str | None = None) -> None:
        super().__init__(base_url, key)
        self._tenant = tenant

    def headers(self) -> dict[str, str]:
        return super().headers() | ({"X-Tenant": self._tenant} if self._tenant else {})

    def put(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """PUT of a JSON body."""
        return self._send("PUT", path, body)

    def patch(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """PATCH of a JSON body."""
        return self._send("PATCH", path, body)

    def delete(self, path: str, body: Mapping[str, Any] | None = None) -> None:
        """DELETE, with a JSON body where one is given."""
        self._send("DELETE", path, body)

    def text(self, path: str) -> str:
        """GET of what is not JSON."""
        with self.connection() as connection:
            connection.request("GET", path, headers=self.headers())
            response = connection.getresponse()
            said = response.read().decode()
        assert response.status == http.HTTPStatus.OK, said
        return said

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        if body is None:
            return self._ask(method, path)
        return self._ask(method, path, json.dumps(body).encode(), {"Content-Type": "application/json"})


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant with an agent, a gateway and a caller id. `api` is the operator acting for it, `own` its own key, of
    role `operate`."""

    id: str
    api: Api
    own: Api
    agent_id: str
    number_id: str
    gateway_id: str

    def campaign(self, called: Sequence[str], **fields: object) -> str:
        """A campaign in draft over these numbers; its id."""
        return self.upload("\n".join(["phone_number", *called]).encode(), **fields)

    def upload(self, contacts: bytes, **fields: object) -> str:
        """A campaign in draft over a CSV file; its id."""
        given = {"name": "e2e", "agent_id": self.agent_id, "phone_number_id": self.number_id} | fields
        form = {name: str(value) for name, value in given.items()}
        created: str = self.api.post_form("/api/v1/campaigns", form, "contacts", "list.csv", contacts)["id"]
        return created

    def act(self, campaign_id: str, action: str) -> dict[str, Any]:
        """One of the actions of the lifecycle."""
        return self.api.post(f"/api/v1/campaigns/{campaign_id}/{action}")

    def exempt(self, campaign_id: str) -> None:
        """Let its calls leave whatever the breaker for suspicious outcomes says: most of a list end at once on
        purpose, and the first that end do."""
        self.api.delete(f"/api/v1/campaigns/{campaign_id}/breaker")

    def get(self, campaign_id: str) -> dict[str, Any]:
        """The campaign as it stands."""
        return self.api.get(f"/api/v1/campaigns/{campaign_id}")

    def in_flight(self, campaign_id: str) -> int:
        """Contacts that are being called."""
        counts = self.get(campaign_id)["counts"]
        return int(counts["originated"] + counts["connected"])

    def touched(self, campaign_id: str) -> int:
        """Contacts that have been called, or are being called."""
        counts = self.get(campaign_id)["counts"]
        return int(counts["total"] - counts["pending"])

    def wait_touched(self, campaign_id: str, count: int, timeout: float = HANG_SECONDS) -> None:
        """Return once `count` contacts have been called."""
        polled(lambda: self.touched(campaign_id) >= count, f"{count} contacts called", seconds=timeout)

    def wait_idle(self, campaign_id: str, timeout: float = HANG_SECONDS) -> None:
        """Return once no call is in flight any more."""
        polled(lambda: self.in_flight(campaign_id) == 0, "the end of the calls in flight", seconds=timeout)

    def wait_over(self, campaign_id: str, timeout: float = HANG_SECONDS) -> None:
        """Return once the campaign has ended and every contact with it."""

        def over() -> bool:
            found = self.get(campaign_id)
            ended = sum(found["counts"][status] for status in TERMINAL)
            return found["status"] in ("completed", "failed") and ended == found["counts"]["total"]

        polled(over, "the campaign's end", seconds=timeout)

    def proof(self, campaign_id: str, stack: Stack) -> Proof:
        """The records against the ledgers, as they stand now."""
        return collect(self.api, campaign_id, ledgers(stack))[2]


class Witness:
    """Listens at every node to every call, whoever placed it, as a `with` block; calls by uuid.

    `executed` are the applications that ran, with their arguments; `variables` what a call had at its end.
    """

    def __init__(self, stack: Stack) -> None:
        self.executed: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self.variables: dict[str, dict[str, str]] = {}
        self._urls = [urlsplit(node.url) for node in stack.nodes]
        self._sockets: list[socket.socket] = []
        self._listening = 0

    def __enter__(self) -> Witness:
        for url in self._urls:
            assert url.hostname is not None
            sock = socket.create_connection((url.hostname, url.port or 8021), timeout=10)
            sock.sendall(encode_command(f"auth {url.password}"))
            sock.sendall(encode_command("event json CHANNEL_EXECUTE CHANNEL_HANGUP_COMPLETE"))
            sock.settimeout(None)
            self._sockets.append(sock)
            gevent.spawn(self._listen, sock)
        polled(lambda: self._listening == len(self._sockets), "the witness' subscriptions")
        return self

    def __exit__(self, *_: object) -> None:
        for sock in self._sockets:
            sock.close()

    def wait_ends(self, uuids: Iterable[str]) -> None:
        """Return once the end of each of these calls was seen."""
        wanted = set(uuids)
        polled(lambda: wanted <= self.variables.keys(), "the ends of the calls")

    def _listen(self, sock: socket.socket) -> None:
        decoder = FrameDecoder()
        with contextlib.suppress(OSError):
            while data := sock.recv(65_536):
                for frame in decoder.feed(data):
                    self._listening += frame.reply_text.startswith("+OK event listener")
                    if frame.content_type == "text/event-json":
                        self._note(decode_json(frame.body))

    def _note(self, event: Mapping[str, str]) -> None:
        uuid = event["Unique-ID"]
        if event["Event-Name"] == "CHANNEL_EXECUTE":
            self.executed[uuid].append((event["Application"], event.get("Application-Data", "")))
            return
        self.variables[uuid] = {
            name.removeprefix("variable_"): value
            for name, value in event.items()
            if name.startswith("variable_")
        }


def new_tenant(
    stack: Stack,
    *,
    action: Mapping[str, Any] = TONE,
    agent: Mapping[str, Any] | None = None,
    gateway: Mapping[str, Any] | None = None,
    limits: Mapping[str, int | None] | None = None,
) -> Tenant:
    """A tenant of one's own on a running stack. `agent`, `gateway` and `limits` add to what is usual."""
    key = (stack.home / "demo.key").read_text().strip()
    operator = Api(stack.web_url, key)
    slug = f"t{time.time_ns():x}"
    operator.post("/api/v1/tenants", {"id": slug, "name": slug})
    api = Api(stack.web_url, key, slug)
    if limits is not None:
        caps = ("concurrent_max", "calls_per_minute", "daily_calls_max", "daily_minutes_max")
        api.put("/api/v1/call-limits", {cap: limits.get(cap) for cap in caps})
    gateway_body = {"name": slug, "dial_string": "sofia/gateway/carrier/{number}"} | dict(gateway or {})
    gateway_id = api.post("/api/v1/gateways", gateway_body)["id"]
    number = {"e164": numbers("99", count=1)[0], "gateway_id": gateway_id}
    agent_id = api.post("/api/v1/agents", {"name": slug, "action": action} | dict(agent or {}))["id"]
    number_id = api.post("/api/v1/phone-numbers", number)["id"]
    own = api.post("/api/v1/api-keys", {"name": "own", "role": "operate"})["key"]
    return Tenant(slug, api, Api(stack.web_url, own), agent_id, number_id, gateway_id)


def numbers(*endings: str, count: int) -> list[str]:
    """Valid numbers that no other test calls; their last two digits, which decide what the called party does, take
    turns among `endings`."""
    found = []
    for ending in itertools.islice(itertools.cycle(endings), count):
        area, place = divmod(next(_taken), AREA_SIZE)
        found.append(f"+1{AREAS[area]}{300 + place // 100}{place % 100:02}{ending}")
    return found


def ledgers(stack: Stack) -> list[Path]:
    """The ledgers of all nodes."""
    return [node.ledger for node in stack.nodes]


def seen(stack: Stack) -> LedgerView:
    """What all nodes have been asked for and have done."""
    return read_ledger(*ledgers(stack))


def of_campaign(view: LedgerView, campaign_id: str) -> list[Originate]:
    """The originates of one campaign, in order of time."""
    return [line for line in view.originates if line.campaign == campaign_id]


def became(stack: Stack, campaign_id: str, status: str) -> float:
    """When (of the wall clock) a campaign last became so, whenever that was answered."""
    asked = "SELECT extract(epoch FROM max(at)) FROM transition WHERE campaign_id = %s AND contact_id IS NULL"
    with psycopg.connect(stack.database_url) as connection:
        found = connection.execute(f"{asked} AND status = %s", (campaign_id, status)).fetchone()
    assert found is not None
    return float(found[0])


def dialer_ids_of(stack: Stack, pid: int) -> set[str]:
    """Those whose lease runs, of the dialers that this process is or was a moment ago."""
    with redis.Redis.from_url(stack.redis_url, decode_responses=True) as client:
        alive = Membership(client, stack.settings.redis_prefix).alive()
    return {name for name, said in alive.items() if said["pid"] == pid}


def unexplained(
    proof: Proof, calls: Iterable[Mapping[str, Any]], lost: Collection[str], *, forgetful: bool
) -> list[str]:
    """What the proof says that must not come of a node's death either.

    What must: `lost` are calls that ended with it; and a `forgetful` one did not live to note a call that it was
    sent, or lost it with its connection, and nobody can say what became of that.
    """
    unknown = {call["phone_number"] for call in calls if call["disposition"] == "outcome_unknown"}

    def explained(said: str) -> bool:
        if said.endswith(NEVER_ENDED):
            return said.split()[1] in lost
        return forgetful and said.endswith(NEVER_NOTED) and said.split(maxsplit=1)[0] in unknown

    return [said for said in proof.faults if not explained(said)]


def left_in_redis(stack: Stack, tenant_id: str) -> dict[str, int]:
    """What the limiter still holds for a tenant: permits, slots."""
    with redis.Redis.from_url(stack.redis_url, decode_responses=True) as client:
        outside = Keys(stack.settings.redis_prefix)
        keys = outside.epoch_keys(client.get(outside.epoch))
        permits = [PermitRecord.parse(raw).tenant_id for raw in client.hvals(keys.permits)]
        found = {"permits": permits.count(tenant_id), "slots": client.zcard(keys.slots("tenant", tenant_id))}
        return {name: count for name, count in found.items() if count}


def polled(condition: Callable[[], object], what: str, *, seconds: float = HANG_SECONDS) -> None:
    """Return once `condition` holds, which is too dear to ask a hundred times a second: less and less often, the
    longer it takes."""
    began = time.monotonic()
    while not condition():
        waited = time.monotonic() - began
        if waited >= seconds:
            raise AssertionError(f"{what} did not come about within {seconds} s")
        gevent.sleep(min(max(POLL_SECONDS, waited * POLL_SHARE), POLL_SECONDS_AT_MOST))
