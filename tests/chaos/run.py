"""One run: starts the stage, dials campaigns, breaks things, waits until all is settled, and reads the records."""

from __future__ import annotations

import contextlib
import http.client
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.api_client import ApiClient, ApiFailedError
from tests.chaos.faults import Kind, Size, schedule
from tests.chaos.listener_client import Ear
from tests.chaos.records import (
    Caps,
    Listener,
    Played,
    Records,
    left_open,
    permits_held,
    read,
    settles,
    unpublished,
)
from tests.chaos.stage import Stage, Watch
from tests.chaos.striker import Say, Striker
from tests.e2e.rig import Api, new_tenant, numbers

ENDINGS = ("00", "10", "01", "08", "07", "03", "02", "10")
"""Answered and ended by either side, busy, early media, no such number, nobody answers."""
CAMPAIGNS = 2
LISTENERS = 2
"""Of each campaign."""
CONCURRENT = 40
READY_SECONDS = 180.0
BACK_SECONDS = 60.0
PATIENCE_SECONDS = 60.0
AGAIN_SECONDS = 0.3
OVERSIZED = 4_000
"""Contacts of a list whose file is larger than what a full disk takes."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a run gave: its records, the shares of the time in which calls could be started and in which nothing was
    broken, and how long each part took."""

    records: Records
    up: float
    whole: float
    seconds: float
    settled_after: float


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


def perform(
    home: Path,
    size: Size,
    seed: int,
    say: Say,
    output: Callable[[str, str], None],
    *,
    points: Sequence[str],
    kinds: Sequence[Kind],
    clocks: Mapping[str, float],
    on: type[Stage] = Stage,
) -> Result:
    """All of one run."""
    began = time.monotonic()
    stage = on(home, seed=seed, clocks=dict(clocks), output=output)
    with stage:
        stage.wait_ready(READY_SECONDS)
        play = _Play(stage, size)
        say(f"up after {time.monotonic() - began:.0f} s")
        striker = Striker(stage, say, play.upload_too_much)
        watch = Watch(stage)
        watch.start(striker.broken)
        play.begin()
        faults = schedule(seed, size, points, kinds)
        striker.run(faults, watch.rested)
        watch.stop()
        # A server whose backend was killed last may still be replaying its log.
        settles(lambda: unpublished(stage) >= 0, BACK_SECONDS)
        say(f"every fault is mended; {left_open(stage, list(play.uploaded))} contacts are left")
        settling = time.monotonic()
        settles(lambda: left_open(stage, list(play.uploaded)) == 0, size.settle + play.seconds_left())
        settled = time.monotonic() - settling
        play.upload_again()
        settles(lambda: unpublished(stage) == 0, 30)
        settles(lambda: all(ear.ended.is_set() for ear in play.ears), 45)
        settles(lambda: permits_held(stage) == 0, 45)
        records = read(stage, play.played(), striker.struck)
        play.end()
    return Result(records, watch.up, watch.whole, time.monotonic() - began, settled)


class _Play:
    """The tenant, its campaigns and its listeners."""

    def __init__(self, stage: Stage, size: Size) -> None:
        # The campaigns shall last for as long as the faults do, and this is a cap to be kept, too.
        minutes = max(0.5, size.faults * size.spacing / 60)
        self.caps = Caps(CONCURRENT, max(60, round(size.contacts / minutes)), stage.node_cps)
        self.uploaded: dict[str, list[str]] = {}
        self.ears: list[Ear] = []
        self._size = size
        self._stage = stage
        self._tenant = new_tenant(
            stage,
            agent={"max_call_seconds": 30, "ring_timeout_seconds": 15},
            limits={
                "concurrent_max": self.caps.concurrent,
                "calls_per_minute": self.caps.calls_per_minute,
            },
        )
        key = self._tenant.api.post("/api/v1/api-keys", {"name": "ear", "role": "read"})["key"]
        operator = (stage.home / "demo.key").read_text().strip()
        self._api = Patient(stage.web_url, operator, self._tenant.id)
        self._hasty = Patient(stage.web_url, operator, self._tenant.id)
        self._hasty.patience = 0.0
        self._big: dict[str, list[str]] = {}
        self._listening = ApiClient(stage.web_url, key)

    def begin(self) -> None:
        """Upload the campaigns, listen to them, start them."""
        share = self._size.contacts // CAMPAIGNS
        for number in range(CAMPAIGNS):
            called = numbers(*ENDINGS, count=share)
            self.uploaded[self._upload(self._api, f"chaos {number}", called)] = called
        for campaign in self.uploaded:
            for _ in range(LISTENERS):
                ear = Ear(self._listening, campaign)
                ear.start()
                self.ears.append(ear)
        for campaign in self.uploaded:
            self._api.post(f"/api/v1/campaigns/{campaign}/start")

    def seconds_left(self) -> float:
        """How long the caps make the rest of the campaigns last."""
        return 1.5 * left_open(self._stage, list(self.uploaded)) * 60 / self.caps.calls_per_minute

    def end(self) -> None:
        """Listen no more."""
        for ear in self.ears:
            ear.stop()

    def played(self) -> Played:
        """What was asked for, and what was heard."""
        heard = [Listener(e.campaign, list(e.heard), list(e.resets), e.ended.is_set()) for e in self.ears]
        return Played(
            self.uploaded, heard, self.caps, {name: len(list_) for name, list_ in self._big.items()}
        )

    def upload_too_much(self) -> None:
        """Post a list that a full disk does not take; whatever comes of it."""
        name = f"oversized {len(self._big)}"
        self._big[name] = numbers("10", count=OVERSIZED)
        with contextlib.suppress(OSError, http.client.HTTPException, ApiFailedError):
            self._upload(self._hasty, name, self._big[name])

    def upload_again(self) -> None:
        """Post those lists again, under the same keys, as a client does that was told of an error."""
        for name, called in self._big.items():
            self._upload(self._api, name, called)

    def _upload(self, api: Patient, name: str, called: list[str]) -> str:
        form = {
            "name": name,
            "agent_id": self._tenant.agent_id,
            "phone_number_id": self._tenant.number_id,
            "max_concurrent_calls": str(self.caps.concurrent // CAMPAIGNS),
        }
        contacts = "\n".join(["phone_number", *called]).encode()
        api.key = f"chaos-{self._tenant.id}-{name}".replace(" ", "-")
        try:
            created: str = api.post_form("/api/v1/campaigns", form, "contacts", "list.csv", contacts)["id"]
        finally:
            api.key = None
        return created
