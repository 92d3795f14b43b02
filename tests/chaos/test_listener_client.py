"""The listeners of a run hear all that is told, and not only what comes before the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from local.api_client import ApiClient, StreamEvent
from tests.chaos.listener_client import TOLD, Ear
from tests.waiting import wait_until


def told(status: str, disposition: str) -> StreamEvent:
    data = dict.fromkeys(TOLD) | {"contact_id": "c", "status": status, "disposition": disposition}
    return StreamEvent("contact", data, f"1-{status}")


class OneStream(ApiClient):
    """A connection that stays open behind the end of its campaign, as the API's do."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1", "key")
        self.over = threading.Event()

    def events(self, path: str, last_id: str | None = None) -> Iterator[StreamEvent]:
        yield told("failed", "outcome_unknown")
        yield StreamEvent("end", {}, None)
        yield told("completed", "answered")
        self.over.wait()


def test_what_a_record_corrects_after_the_end_of_a_campaign_is_heard() -> None:
    stream = OneStream()
    ear = Ear(stream, "campaign")
    ear.start()
    try:
        wait_until(lambda: len(ear.heard) == 2, "the correction")
    finally:
        ear.stop()
        stream.over.set()
    assert [(one.told[0], one.late) for one in ear.heard] == [("failed", False), ("completed", True)]
