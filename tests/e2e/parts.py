"""One installation whose parts a test can take away and give back, and a client that does not mind."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gevent

from local.api_client import ApiFailedError
from local.postgres import EmbeddedPostgres
from local.simulated_cluster import SimulatorOptions
from local.stack import Stack
from local.valkey import EmbeddedValkey
from tests.chaos.proxied import ProxiedStack
from tests.chaos.proxy import Mode
from tests.chaos.stage import children_of, signal_all
from tests.e2e.rig import Api, Tenant, new_tenant, of_campaign, polled, seen
from tests.waiting import HANG_SECONDS

SPEED = 10.0
NODE_CPS = 40
SIMULATOR = SimulatorOptions(speed=SPEED, cps=NODE_CPS, arguments=("--sps", "60"))
DIALERS = 2
WEB_WORKERS = 2
UNDER_WAY_SECONDS = 2.0
"""What was claimed, and had its permit, when a server went may still be on its way to a node for so long."""
SHORT = {"ring_timeout_seconds": 15, "max_call_seconds": 30}
"""An agent whose calls end within seconds."""
AGAIN_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Parts:
    """A running installation, with a PostgreSQL and a Valkey that nobody else starts again."""

    stack: ProxiedStack
    postgres: EmbeddedPostgres
    valkey: EmbeddedValkey
    said: list[str]

    def tenant(self, **options: Any) -> Tenant:
        """A tenant whose calls end within seconds."""
        return new_tenant(self.stack, agent=SHORT, **options)

    def persistent(self, tenant: Tenant) -> Tenant:
        """The same tenant, asked by a client that asks again."""
        key = (self.stack.home / "demo.key").read_text().strip()
        return replace(tenant, api=Persistent(self.stack.web_url, key, tenant.id))

    def mend(self) -> None:
        """Give back what a test took, and did not come to give back itself."""
        for proxy in self.stack.proxies.values():
            proxy.set(Mode.OPEN)
        for server in (self.postgres, self.valkey):
            if server.pid is None:
                server.restart()
            else:
                signal_all([server.pid, *children_of(server.pid)], signal.SIGCONT)

    def started_between(self, campaign: str, began: float, ended: float) -> list[float]:
        """Seconds after `began` (of the wall clock) at which a call reached a node before `ended`."""
        return [line.t - began for line in of_campaign(seen(self.stack), campaign) if began < line.t < ended]

    def ended_between(self, campaign: str, began: float, ended: float) -> set[str]:
        """The calls that ended at a node meanwhile."""
        view = seen(self.stack)
        ours = {line.uuid for line in of_campaign(view, campaign)}
        return {uuid for uuid, end in view.ends().items() if uuid in ours and began < end.t < ended}

    def restarted(self, name: str, before: int | None) -> None:
        """Return once another process runs in the place of `before`."""
        polled(lambda: self.stack.pids.get(name) not in (None, before), f"another {name}")


@contextlib.contextmanager
def whole(home: Path) -> Iterator[Parts]:
    """Everything as deployed: servers that keep what they write, two web workers, two dialers, two nodes."""
    said: list[str] = []
    with EmbeddedPostgres(home / "servers") as postgres, EmbeddedValkey(home / "servers") as valkey:
        stack = ProxiedStack(
            home / "stack",
            port=0,
            dialers=DIALERS,
            web_workers=WEB_WORKERS,
            environ=os.environ | {"DATABASE_URL": postgres.url, "REDIS_URL": valkey.url},
            simulator=SIMULATOR,
            output=lambda name, line: said.append(f"{time.time():.2f} {name}: {line}"),
        )
        try:
            with stack:
                stack.wait_ready()
                yield Parts(stack, postgres, valkey, said)
        finally:
            if folder := os.environ.get("CARILLON_TEST_LOGS"):
                Path(folder, "parts.log").write_text("\n".join(said))


def lost_memory(valkey: EmbeddedValkey) -> None:
    """Kill it, with what it has written."""
    assert valkey.pid is not None
    os.kill(valkey.pid, signal.SIGKILL)
    polled(lambda: valkey.pid is None, "the end of Valkey")
    shutil.rmtree(valkey.folder / "appendonlydir")


class Persistent(Api):
    """Asks again, under the same Idempotency-Key, whatever was cut off or refused, or got a 503. `failures` counts
    those. An answer is waited for: who asks again while the first is still at work is told of a conflict."""

    failures = 0
    patience_seconds = 0.0

    def __init__(self, base_url: str, key: str, tenant: str | None = None) -> None:
        super().__init__(base_url, key, tenant)
        self._timeout = HANG_SECONDS

    def create(self, path: str, body: Mapping[str, Any], key: str) -> dict[str, Any]:
        """POST under an Idempotency-Key of one's own."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        return self._ask("POST", path, json.dumps(body).encode(), headers)

    def _ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        keyed = {"Idempotency-Key": secrets.token_hex(16)} | dict(headers or {})
        until = time.monotonic() + HANG_SECONDS
        while True:
            try:
                return super()._ask(method, path, body, keyed if method == "POST" else headers)
            except (OSError, http.client.HTTPException) as error:
                failure: Exception = error
            except ApiFailedError as error:
                if f"{method} {path}: 503 " not in str(error):
                    raise
                failure = error
            self.failures += 1
            if time.monotonic() > until:
                raise failure
            gevent.sleep(AGAIN_SECONDS)


class Writer:
    """A client that creates one campaign after the other, as a `with` block, and leaves them in draft.

    `made` are their ids, by the Idempotency-Key under which each was asked for.
    """

    def __init__(self, stack: Stack, tenant: Tenant) -> None:
        key = tenant.api.post("/api/v1/api-keys", {"name": "writer", "role": "operate"})["key"]
        self.api = Persistent(stack.web_url, key)
        self.made: dict[str, str] = {}
        self._tenant = tenant
        self._ending = False
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def __enter__(self) -> Writer:
        self._greenlet = gevent.spawn(self._run)
        return self

    def __exit__(self, *_: object) -> None:
        self._ending = True
        assert self._greenlet is not None
        self._greenlet.get(timeout=2 * HANG_SECONDS)

    def ask(self, key: str) -> str:
        """Create the campaign of this key, or be told which it is; its id."""
        body = {
            "name": key,
            "agent_id": self._tenant.agent_id,
            "phone_number_id": self._tenant.number_id,
            "contacts": [{"phone_number": "+12125550100"}],
        }
        created: str = self.api.create("/api/v1/campaigns", body, key)["id"]
        return created

    def assert_each_made_once(self) -> None:
        """Who repeats every request gets the same answers, and there is one campaign for each."""
        assert {key: self.ask(key) for key in self.made} == self.made
        listed = self.api.every("/api/v1/campaigns", "campaigns")
        named = [(row["name"], row["id"]) for row in listed if row["name"] in self.made]
        assert sorted(named) == sorted(self.made.items())

    def _run(self) -> None:
        while not self._ending:
            key = secrets.token_hex(16)
            self.made[key] = self.ask(key)
            gevent.sleep(AGAIN_SECONDS)
