"""Listeners of campaigns: what the event streams told, over any number of connections."""

from __future__ import annotations

import http.client
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from local.api_client import ApiClient, ApiFailedError

AGAIN_SECONDS = 0.2
TOLD = ("status", "disposition", "attempt", "call_id", "cause")


@dataclass(frozen=True, slots=True)
class Heard:
    """One transition that a listener heard.

    `contact` is None for one of the campaign; `part` counts the resets before it, `late` is for what came after the
    stream's end.
    """

    contact: str | None
    told: tuple[Any, ...]
    part: int
    late: bool = False


@dataclass(slots=True)
class Ear:
    """One listener of one campaign: reconnects for as long as it takes, with the last id it has seen.

    It stays after the end of the campaign: calls of a stopped one end after that, and what was said of a call may be
    corrected by its record.
    """

    client: ApiClient
    campaign: str
    heard: list[Heard] = field(default_factory=list)
    resets: list[float] = field(default_factory=list)
    heard_at: float = 0.0
    """When it last heard something, by the monotonic clock."""
    connections: int = 0
    ended: threading.Event = field(default_factory=threading.Event)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _last_id: str | None = None

    def start(self) -> None:
        """Listen in the background."""
        threading.Thread(target=self._run, name=f"ear {self.campaign}", daemon=True).start()

    def stop(self) -> None:
        """Hear nothing more."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.connections += 1
            try:
                self._listen()
            except (OSError, http.client.HTTPException, ApiFailedError):
                self._stopping.wait(AGAIN_SECONDS)

    def _listen(self) -> None:
        for event in self.client.events(f"/api/v1/campaigns/{self.campaign}/events", self._last_id):
            if self._stopping.is_set():
                return
            self._last_id = event.id or self._last_id
            data, late = event.data, self.ended.is_set()
            self.heard_at = time.monotonic()
            if event.kind == "reset":
                self.resets.append(time.time())
            elif event.kind == "contact":
                told = tuple(data[name] for name in TOLD)
                self.heard.append(Heard(data["contact_id"], told, len(self.resets), late))
            elif event.kind == "campaign":
                told = (data["status"], None, None, None, data["end_reason"])
                self.heard.append(Heard(None, told, len(self.resets), late))
            elif event.kind == "end":
                self.ended.set()
