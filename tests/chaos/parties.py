"""Who plays in a run: tenants with their gateways, and clients of the API that do not give up."""

from __future__ import annotations

import http.client
import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

from local.api_client import ApiClient, ApiFailedError
from tests.chaos.stage import Stage
from tests.e2e.rig import Api, Tenant, new_tenant, numbers
from tests.waiting import HANG_SECONDS

GATEWAY_CHANNELS = 5
"""Not narrower: calls that may be up behind a lost link keep their slots for two minutes. Where a campaign had two
slots both were kept at once, where a tenant had four, three, and who waited for them made a run twice as long."""
DESK_CPS, DESK_CHANNELS = 1, 2
"""Of the gateway that an agent is reached by. One of the nodes may call by it, once in two seconds."""
DESK_ENDING = "07"
"""The agent answers at once, and stays for as long as the call lasts."""
AGAIN_SECONDS = 0.3


class Patient(Api):
    """Asks again, with the same Idempotency-Key, until the API answers: what any client of it does."""

    key: str | None = None
    patience = HANG_SECONDS
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

    def post_unheard(self, path: str, body: Mapping[str, Any]) -> None:
        """POST of a JSON body by a client that is gone before the answer comes."""
        with self.connection() as connection:
            headers = self.headers() | {"Content-Type": "application/json"}
            connection.request("POST", path, json.dumps(body).encode(), headers)


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


class Desk:
    """A gateway that a tenant's agent is reached by, and nobody else."""

    def __init__(self, stage: Stage, tenant: Tenant) -> None:
        self.name = f"{tenant.id}-desk"
        body = {
            "name": self.name,
            "dial_string": stage.dial_string(self.name),
            "cps": DESK_CPS,
            "channels": DESK_CHANNELS,
        }
        gateway = tenant.api.post("/api/v1/gateways", body)["id"]
        tenant.api.patch(f"/api/v1/tenants/{tenant.id}", {"gateway_ids": [gateway]})
        (number,) = numbers(DESK_ENDING, count=1)
        action = {"type": "bridge", "gateway_id": gateway, "number": number}
        sorry = {"say": "All our lines are taken."}
        tenant.api.patch(f"/api/v1/agents/{tenant.agent_id}", {"action": action, "safe_harbour": sorry})


class Party:
    """A tenant that plays, with its gateways, each of `cps` calls a second. `room` is how many calls it may have up
    until it is allowed fewer; `agent` is what its calls do."""

    def __init__(
        self,
        stage: Stage,
        *,
        calls_per_minute: int,
        cps: int,
        room: int,
        gateways: int,
        action: Mapping[str, Any],
        agent: Mapping[str, int],
    ) -> None:
        self.calls_per_minute = calls_per_minute
        self.room = room
        self.tenant = new_tenant(stage, action=action, agent=agent, limits=self.limits(room))
        self.lines = [Line(stage, self.tenant, number, cps) for number in range(gateways)]
        self.desk: Desk | None = None
        self._web_url = stage.web_url
        self._operator = (stage.home / "demo.key").read_text().strip()
        self.api = self.client()
        self.changing = self.client()
        key = self.tenant.api.post("/api/v1/api-keys", {"name": "ear", "role": "read"})["key"]
        self.listening = ApiClient(stage.web_url, key)

    def open_desk(self, stage: Stage) -> Desk:
        """From now on its agent is reached by a gateway of its own."""
        self.desk = Desk(stage, self.tenant)
        return self.desk

    def client(self) -> Patient:
        """A client of one's own."""
        return Patient(self._web_url, self._operator, self.tenant.id)

    def limits(self, concurrent: int) -> dict[str, int | None]:
        """Its caps, as the API takes them."""
        return {
            "concurrent_max": concurrent,
            "calls_per_minute": self.calls_per_minute,
            "daily_calls_max": None,
            "daily_minutes_max": None,
        }
