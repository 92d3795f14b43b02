"""What is asked of the system in a run: tenants with their gateways, campaigns and listeners, and every cap.

Every cap is narrow enough to bind at times, so that a run that keeps it says something.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import math
import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from local.api_client import ApiClient, ApiFailedError
from tests.chaos.caps import CPS_WINDOWS, MINUTE_WINDOWS, Cap, Limit, Scope
from tests.chaos.faults import Fault, Size
from tests.chaos.listener_client import Ear
from tests.chaos.records import Listener, Played, left_open
from tests.chaos.stage import Stage
from tests.e2e.rig import Api, Tenant, new_tenant, numbers

ENDINGS = ("00", "10", "01", "08", "07", "03", "02", "07")
"""Answered and ended by either side, busy, early media, no such number, nobody answers."""
ACTION = {"type": "playback", "tone": "%(16000,0,640)"}
"""Long enough for calls to be up beside each other."""
TENANTS = 2
GATEWAYS = 2
"""Of each tenant."""
CAMPAIGNS = 20
LISTENERS = 2
"""Of each campaign."""
SHARED = 2
"""Numbers of each campaign that are in the list of the next one of its tenant, too: one call at a time to each."""
CAMPAIGN_CONCURRENT = 3
TENANT_CONCURRENT, FEWER_CONCURRENT = 7, 5
"""Once all its campaigns run, and after the faults' first half."""
GATEWAY_CHANNELS, FEWER_CHANNELS = 5, 4
"""Not narrower: calls that may be up behind a lost link keep their slots for two minutes. Where a campaign had two
slots both were kept at once, where a tenant had four, three, and who waited for them made a run twice as long."""
IN_FORCE_SECONDS = 10.0
"""A dialer reads the caps once a second. One that is stopped meanwhile may go by what it read before until it has its
next look; after its lease of 5 s it may not at all."""
PATIENCE_SECONDS = 60.0
AGAIN_SECONDS = 0.3
OVERSIZED = 4_000
"""Contacts of a list whose file is larger than what a full disk takes."""


class Patient(Api):
    """Asks again, with the same Idempotency-Key, until the API answers: what any client of it does."""

    key: str | None = None
    patience = PATIENCE_SECONDS
    patience_seconds = 0.0

    def _ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        keyed = (
            {**(headers or {}), "Idempotency-Key": self.key or secrets.token_hex(16)}
            if method == "POST"
            else headers
        )
        until = time.monotonic() + self.patience
        while True:
            try:
                return super()._ask(method, path, body, keyed)
            except (OSError, http.client.HTTPException) as error:
                failure: Exception = error
            except ApiFailedError as error:
                if f"{path}: 50" not in str(error):
                    raise
                failure = error
            if time.monotonic() > until:
                raise failure
            time.sleep(AGAIN_SECONDS)


class Line:
    """A gateway of a tenant, and the number that calls by it. `name` is what the ledgers call the gateway."""

    def __init__(self, stage: Stage, tenant: Tenant, number: int, cps: int) -> None:
        self.name = f"{tenant.id}-{number}"
        self.cps = cps
        body = {
            "name": self.name,
            "dial_string": stage.dial_string(self.name),
            "cps": cps,
            "channels": GATEWAY_CHANNELS * stage.longer,
        }
        self.gateway_id: str = tenant.api.post("/api/v1/gateways", body)["id"]
        self.caller = numbers("99", count=1)[0]
        calls_by = {"e164": self.caller, "gateway_id": self.gateway_id}
        self.number_id: str = tenant.api.post("/api/v1/phone-numbers", calls_by)["id"]


class Party:
    """A tenant that plays, with its gateways."""

    def __init__(self, stage: Stage, calls_per_minute: int, cps: int) -> None:
        self.calls_per_minute = calls_per_minute
        # While campaigns are started, each has to find room for all that it may have up.
        self.room = CAMPAIGNS // TENANTS * CAMPAIGN_CONCURRENT * stage.longer
        self.tenant = new_tenant(
            stage,
            action=ACTION,
            agent={"max_call_seconds": 30, "ring_timeout_seconds": 15},
            limits=self.limits(self.room),
        )
        self.lines = [Line(stage, self.tenant, number, cps) for number in range(GATEWAYS)]
        operator = (stage.home / "demo.key").read_text().strip()
        self.api = Patient(stage.web_url, operator, self.tenant.id)
        self.changing = Patient(stage.web_url, operator, self.tenant.id)
        key = self.tenant.api.post("/api/v1/api-keys", {"name": "ear", "role": "read"})["key"]
        self.listening = ApiClient(stage.web_url, key)

    def limits(self, concurrent: int) -> dict[str, int | None]:
        """Its caps, as the API takes them."""
        return {
            "concurrent_max": concurrent,
            "calls_per_minute": self.calls_per_minute,
            "daily_calls_max": None,
            "daily_minutes_max": None,
        }


class Play:
    """The tenants, their campaigns and their listeners."""

    def __init__(self, stage: Stage, size: Size) -> None:
        # The campaigns shall last for as long as the faults do: one tenant's by its calls a minute, the other's by
        # its gateways' calls a second.
        minutes = max(0.5, size.faults * size.spacing / 60)
        share = size.contacts / minutes / TENANTS
        by_gateway = share / 60 / GATEWAYS
        self._parties = [
            Party(stage, max(30, round(share)), math.ceil(by_gateway) + 1),
            Party(stage, max(30, round(1.5 * share)), max(1, round(by_gateway))),
        ]
        self.uploaded: dict[str, list[str]] = {}
        self.ears: list[Ear] = []
        self._size = size
        self._stage = stage
        self._hasty = Patient(
            stage.web_url, (stage.home / "demo.key").read_text().strip(), self._first.tenant.id
        )
        self._hasty.patience = 0.0
        self._big: dict[str, list[str]] = {}
        self._changes: dict[str, list[tuple[float, int]]] = defaultdict(list)
        self._changing: threading.Thread | None = None

    @property
    def _first(self) -> Party:
        return self._parties[0]

    def begin(self) -> None:
        """Upload the campaigns, listen to them, start them."""
        share = self._size.contacts // CAMPAIGNS
        of_party: dict[str, Party] = {}
        for party, own in zip(self._parties, itertools.repeat(CAMPAIGNS // TENANTS)):
            before: list[str] = []
            for number in range(own):
                called = [*before[:SHARED], *numbers(*ENDINGS, count=share - len(before[:SHARED]))]
                line = party.lines[number % GATEWAYS]
                created = self._upload(party, party.api, f"chaos {number}", called, line)
                self.uploaded[created] = called
                of_party[created] = party
                before = called[SHARED:]
        for campaign, party in of_party.items():
            for _ in range(LISTENERS):
                ear = Ear(party.listening, campaign)
                ear.start()
                self.ears.append(ear)
        for campaign, party in of_party.items():
            party.api.post(f"/api/v1/campaigns/{campaign}/start")
        for party in self._parties:
            self._allow(party, party.api, TENANT_CONCURRENT * self._stage.longer)

    def changing(self, faults: Iterable[Fault]) -> Iterator[Fault]:
        """These faults; caps are lowered beside the one in the middle."""
        for fault in faults:
            if fault.number == self._size.faults // 2:
                # Whoever strikes must not wait for a web that was struck.
                self._changing = threading.Thread(target=self._lower, name="lowers caps", daemon=True)
                self._changing.start()
            yield fault

    def seconds_left(self) -> float:
        """How long the caps make the rest of the campaigns last."""
        slowest = min(
            sum(line.cps for line in self._parties[1].lines),
            self._first.calls_per_minute / 60,
            self._stage.node_cps,
            # A call lasts about a second.
            FEWER_CONCURRENT,
        )
        return 1.5 * left_open(self._stage, list(self.uploaded)) / slowest

    def end(self) -> None:
        """Listen no more."""
        for ear in self.ears:
            ear.stop()

    def played(self) -> Played:
        """What was asked for, and what was heard."""
        if self._changing is not None:
            self._changing.join()
        heard = [Listener(e.campaign, list(e.heard), list(e.resets), e.ended.is_set()) for e in self.ears]
        return Played(
            uploaded=self.uploaded,
            listeners=heard,
            caps=list(self._caps()),
            callers={
                line.caller: (line.name, party.tenant.id) for party in self._parties for line in party.lines
            },
            oversized={name: len(list_) for name, list_ in self._big.items()},
        )

    def upload_too_much(self) -> None:
        """Post a list that a full disk does not take; whatever comes of it."""
        name = f"oversized {len(self._big)}"
        self._big[name] = numbers("10", count=OVERSIZED)
        with contextlib.suppress(OSError, http.client.HTTPException, ApiFailedError):
            self._upload(self._first, self._hasty, name, self._big[name], self._first.lines[0])

    def upload_again(self) -> None:
        """Post those lists again, under the same keys, as a client does that was told of an error."""
        for name, called in self._big.items():
            self._upload(self._first, self._first.api, name, called, self._first.lines[0])

    def _caps(self) -> Iterator[Cap]:
        """All of them."""
        longer = self._stage.longer
        for node in self._stage.nodes:
            yield Cap(Scope.NODE, Limit(self._stage.node_cps), node.name, CPS_WINDOWS)
            yield Cap(Scope.NODE, Limit(self._stage.node_channels), node.name)
        for party in self._parties:
            tenant = party.tenant.id
            yield Cap(Scope.TENANT, self._limit(party.room, tenant), tenant)
            yield Cap(Scope.TENANT, Limit(party.calls_per_minute), tenant, MINUTE_WINDOWS)
            for line in party.lines:
                yield Cap(Scope.GATEWAY, Limit(line.cps), line.name, CPS_WINDOWS)
                yield Cap(Scope.GATEWAY, self._limit(GATEWAY_CHANNELS * longer, line.name), line.name)
        for campaign in self.uploaded:
            yield Cap(Scope.CAMPAIGN, Limit(CAMPAIGN_CONCURRENT * longer), campaign)
        yield Cap(Scope.NUMBER, Limit(1))

    def _limit(self, first: int, name: str) -> Limit:
        return Limit(first, tuple(self._changes[name]))

    def _lower(self) -> None:
        """A tenant's live calls, and the channels of a gateway of another."""
        self._allow(self._first, self._first.changing, FEWER_CONCURRENT * self._stage.longer)
        other = self._parties[1]
        line = other.lines[0]
        fewer = FEWER_CHANNELS * self._stage.longer
        other.changing.patch(f"/api/v1/gateways/{line.gateway_id}", {"channels": fewer})
        self._changes[line.name].append((time.time() + IN_FORCE_SECONDS, fewer))

    def _allow(self, party: Party, api: Patient, concurrent: int) -> None:
        """Another number of live calls."""
        api.put("/api/v1/call-limits", party.limits(concurrent))
        self._changes[party.tenant.id].append((time.time() + IN_FORCE_SECONDS, concurrent))

    def _upload(self, party: Party, api: Patient, name: str, called: list[str], line: Line) -> str:
        form = {
            "name": name,
            "agent_id": party.tenant.agent_id,
            "phone_number_id": line.number_id,
            "max_concurrent_calls": str(CAMPAIGN_CONCURRENT * self._stage.longer),
        }
        contacts = "\n".join(["phone_number", *called]).encode()
        api.key = f"chaos-{party.tenant.id}-{name}".replace(" ", "-")
        try:
            created: str = api.post_form("/api/v1/campaigns", form, "contacts", "list.csv", contacts)["id"]
        finally:
            api.key = None
        return created
