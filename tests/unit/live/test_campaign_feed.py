"""When an end that nobody published is believed."""

from __future__ import annotations

import time

import pytest

from live.campaign_feed import CampaignFeed
from live.event_ids import EventId
from live.event_log import Entry


def test_an_end_is_awaited_for_as_long_as_what_comes_before_it_is_published(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A stopped campaign is shown as completed at once, and its list of a million is told for a minute."""
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    feed = CampaignFeed(
        "c1", lambda *_: pytest.fail("nobody reads"), lambda _: {}, interval=2.0, unpublished_end=20.0
    )
    feed.learn({"status": "completed"})
    for number in range(1, 5):
        now += 15.0
        feed.push([Entry(EventId(number, 0), "contact", "{}")])
        feed.learn({"status": "completed"})
        assert feed.end is None
    now += 20.0
    feed.learn({"status": "completed"})
    assert feed.end is not None
