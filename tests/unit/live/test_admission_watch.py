"""Who is let out, and which streams end, at one look."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from live.admission import Admission, Taken
from live.admission_watch import AdmissionWatch
from live.campaign_feed import CampaignFeed

MINE, OTHERS = Admission("demo", "k1"), Admission("other", "k2")


def feed_of(campaign_id: str) -> CampaignFeed:
    return CampaignFeed(
        campaign_id, lambda *_: pytest.fail("nobody reads"), lambda _: {}, interval=2.0, unpublished_end=20.0
    )


def test_whose_admission_is_taken_away_is_let_out_and_nobody_else() -> None:
    feed = feed_of("c1")
    mine, others, by_nothing = (
        feed.join(None, "running", None, 8, admission) for admission in (MINE, OTHERS, None)
    )
    AdmissionWatch({"c1": feed}, lambda *_: Taken(frozenset({MINE})), 1.0).check()
    assert (mine.revoked, mine.gone, mine.take(0)) == (True, True, b"")
    assert not any((others.gone, others.revoked, by_nothing.gone, by_nothing.revoked))
    feed.close()


def test_the_stream_of_a_campaign_that_is_gone_ends_and_no_other() -> None:
    feeds = {name: feed_of(name) for name in ("c1", "c2")}
    asked: list[tuple[Collection[Admission], Collection[str]]] = []

    def look(admissions: Collection[Admission], campaigns: Collection[str]) -> Taken:
        asked.append((admissions, campaigns))
        return Taken(campaigns=frozenset({"c1", "another process'"}))

    AdmissionWatch(feeds, look, 1.0).check()
    assert asked == [(set(), ["c1", "c2"])]
    assert feeds["c1"].end is not None
    assert b'"deleted"' in feeds["c1"].end
    assert feeds["c2"].end is None


def test_where_nobody_can_be_asked_everybody_stays() -> None:
    feed = feed_of("c1")
    listener = feed.join(None, "running", None, 8, MINE)

    def away(*_: object) -> Taken:
        raise ConnectionError("the database is away")

    AdmissionWatch({"c1": feed}, away, 1.0).check()
    assert not listener.gone
    feed.close()
