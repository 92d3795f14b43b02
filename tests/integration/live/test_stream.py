"""What a listener of one campaign receives."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise

from live.event_ids import EventId
from tests.integration.live.stream_server import StreamServer
from tests.judging import Judge
from tests.waiting import wait_until


def test_bytes_come_at_once_and_say_what_a_proxy_must_not_do(streams: StreamServer) -> None:
    """Before anything has happened, and long before a heartbeat."""
    streams.campaign()
    streams.restart(heartbeat=3600.0)
    reader = streams.listen()
    assert reader.wait(lambda r: r.messages)[0].comment == "carillon"
    assert reader.status == 200
    assert reader.headers["content-type"].split(";")[0] == "text/event-stream"
    assert reader.headers["cache-control"] == "no-cache"
    assert reader.headers["x-accel-buffering"] == "no"


def test_bytes_come_at_once_when_the_database_is_down(streams: StreamServer) -> None:
    streams.campaign()
    streams.campaigns.failing = True
    reader = streams.listen()
    reader.wait(lambda r: r.comments("carillon"))
    wait_until(
        lambda: streams.campaigns.failures, "a snapshot, for which it has to know its place in the stream"
    )
    streams.publish(streams.transition())
    assert reader.wait_for("contact")
    assert not reader.of(None)
    streams.campaigns.failing = False
    assert reader.wait_for(None)


def test_a_snapshot_comes_at_once_and_again_while_the_campaign_runs(
    streams: StreamServer, judge: Judge
) -> None:
    streams.campaign()
    reader = streams.listen()
    one, two, three, *_ = reader.wait_for(None, 3)
    gaps = [two.at - one.at, three.at - two.at]
    assert sum(gaps) > 0.5
    judge.at_most(min(gaps), 1.0, "seconds between two snapshots")
    assert one.json["campaign_id"] == "c1"


def test_a_campaign_that_stands_still_is_not_asked_about_again(streams: StreamServer) -> None:
    streams.campaign(status="paused")
    streams.restart(heartbeat=0.3)
    reader = streams.listen()
    reader.wait_for(None)
    reader.wait(lambda r: len(r.comments("heartbeat")) >= 5)
    assert len(reader.of(None)) == 1
    assert len(streams.campaigns.snapshots) == 1


def test_events_are_followed_by_a_snapshot_although_the_campaign_is_paused(streams: StreamServer) -> None:
    streams.campaign(status="paused")
    reader = streams.listen()
    reader.wait_for(None)
    streams.publish(streams.transition())
    event = reader.wait_for("contact")[0]
    assert reader.wait_for(None, 2)[1].at >= event.at


def test_each_transition_arrives_once_with_the_id_of_its_entry(streams: StreamServer) -> None:
    streams.campaign()
    reader = streams.listen()
    reader.wait_for(None)
    streams.publish(*[streams.transition(f"p{n}", status="originated") for n in range(300)])
    events = reader.wait_for("contact", 300)
    assert [m.json["contact_id"] for m in events] == [f"p{n}" for n in range(300)]
    ids = [EventId.parse(m.id or "") for m in events]
    assert ids == sorted(set(ids))


def test_snapshots_are_taken_once_for_all_listeners(streams: StreamServer) -> None:
    streams.campaign()
    readers = [streams.listen() for _ in range(20)]
    for reader in readers:
        reader.wait_for(None, 3)
    lasted = time.monotonic() - readers[0].opened
    assert len(streams.campaigns.snapshots) <= lasted / 0.25 + 2


def test_a_heartbeat_comes_in_time_whatever_else_is_sent(streams: StreamServer, judge: Judge) -> None:
    streams.campaign()
    streams.restart(heartbeat=0.4)
    reader = streams.listen()
    beats = reader.wait(lambda r: r.comments("heartbeat") if len(r.comments("heartbeat")) > 3 else None)
    gaps = [b.at - a.at for a, b in pairwise(beats)]
    assert beats[-1].at - reader.opened >= 0.4 * len(beats) - 0.01
    judge.at_most(max(gaps), 0.8, "seconds between two heartbeats")


def test_the_end_is_told_once_after_a_snapshot_of_it_and_the_stream_stays_open(streams: StreamServer) -> None:
    streams.campaign()
    streams.restart(heartbeat=0.3)
    reader = streams.listen()
    reader.wait_for(None)
    streams.change("completed")
    end = reader.wait_for("end")[0]
    kinds = [m.event for m in reader.messages if m.data]
    assert kinds.index("campaign") < kinds.index("end")
    before_end = [m for m in reader.of(None) if reader.messages.index(m) < reader.messages.index(end)]
    assert before_end[-1].json["status"] == "completed"
    assert end.json == {"campaign_id": "c1", "status": "completed"}
    streams.publish(streams.transition())
    assert reader.wait_for("contact")
    beats = len(reader.comments("heartbeat"))
    reader.wait(lambda r: len(r.comments("heartbeat")) > beats + 2)
    assert len(reader.of("end")) == 1
    assert not reader.closed


def test_who_comes_after_the_end_gets_his_replay_a_snapshot_and_the_end(streams: StreamServer) -> None:
    streams.campaign()
    first = streams.listen()
    first.wait_for(None)
    streams.publish(*[streams.transition(f"p{n}") for n in range(5)])
    cursor = first.wait_for("contact", 5)[1].id
    streams.change("completed")
    first.wait_for("end")
    late = streams.listen(last_event_id=cursor)
    late.wait_for("end")
    kinds = [m.event for m in late.messages if m.data]
    assert kinds == ["contact"] * 3 + ["campaign", None, "end"]
    fresh = streams.listen()
    fresh.wait_for("end")
    assert [m.event for m in fresh.messages if m.data] == [None, "end"]


def test_an_end_that_the_stream_never_told_is_taken_from_the_snapshots(
    streams: StreamServer,
) -> None:
    streams.restart(limits=replace(streams.limits, unpublished_end=1.0))
    streams.campaign()
    reader = streams.listen()
    reader.wait_for(None)
    streams.campaigns.status["c1"] = "failed"
    assert reader.wait_for("end")[0].json["status"] == "failed"


def test_what_is_published_late_is_heard_before_the_end_that_the_snapshots_tell(
    streams: StreamServer,
) -> None:
    """A dialer died between the last commit and its publication: its successor publishes some seconds later."""
    streams.campaign()
    reader = streams.listen()
    reader.wait_for(None)
    streams.campaigns.status["c1"] = "completed"
    reader.wait(lambda r: len([m for m in r.of(None) if m.json["status"] == "completed"]) >= 4)
    streams.publish(streams.transition())
    streams.change("completed")
    assert reader.wait_for("end")
    assert [m.event for m in reader.messages if m.event in ("contact", "end")] == ["contact", "end"]


def test_the_end_is_told_although_the_database_is_down(streams: StreamServer) -> None:
    streams.campaign()
    reader = streams.listen()
    reader.wait_for(None)
    streams.campaigns.failing = True
    streams.change("completed")
    assert reader.wait_for("end")


def test_who_was_sent_nothing_but_a_snapshot_can_resume_all_the_same(streams: StreamServer) -> None:
    streams.campaign()
    reader = streams.listen()
    reader.wait_for(None)
    reader.close()
    assert reader.last_event_id
    streams.publish(streams.transition("p1"), streams.transition("p2"))
    again = streams.listen(last_event_id=reader.last_event_id)
    assert [m.json["contact_id"] for m in again.wait_for("contact", 2)] == ["p1", "p2"]
    assert not again.of("reset")


def test_the_query_says_where_to_resume_and_the_header_goes_before_it(streams: StreamServer) -> None:
    streams.campaign()
    reader = streams.listen()
    reader.wait_for(None)
    streams.publish(*[streams.transition(f"p{n}") for n in range(4)])
    ids = [m.id for m in reader.wait_for("contact", 4)]
    by_query = streams.listen(query=f"?last_event_id={ids[0]}")
    assert [m.id for m in by_query.wait_for("contact", 3)] == ids[1:]
    by_both = streams.listen(query=f"?last_event_id={ids[0]}", last_event_id=ids[2])
    by_both.wait_for(None)
    by_both.wait_for("contact")
    assert [m.id for m in by_both.of("contact")] == ids[3:]


def test_nobody_hears_of_another_campaign(streams: StreamServer) -> None:
    streams.campaign("c1")
    streams.campaign("c2")
    one, two = streams.listen("c1"), streams.listen("c2")
    one.wait_for(None)
    two.wait_for(None)
    streams.publish(
        streams.transition("p1", "c1"), streams.transition("p2", "c2"), streams.transition("p3", "c1")
    )
    assert [m.json["contact_id"] for m in one.wait_for("contact", 2)] == ["p1", "p3"]
    assert [m.json["contact_id"] for m in two.wait_for("contact")] == ["p2"]


def test_a_campaign_added_while_the_reader_waits_is_heard_promptly(streams: StreamServer) -> None:
    streams.restart(limits=type(streams.limits)(snapshot_interval=0.5, block=30.0))
    streams.campaign("c1")
    streams.campaign("c2")
    streams.listen("c1").wait_for(None)
    second = streams.listen("c2")
    second.wait_for(None)
    streams.publish(streams.transition("p1", "c2"))
    assert second.wait_for("contact")


def test_a_text_with_every_kind_of_line_end_arrives_unchanged(streams: StreamServer) -> None:
    streams.campaign()
    reader = streams.listen()
    reader.wait_for(None)
    cause = "a\nb\rc\r\nd\u2028e\u2029f\x85g\x0bh\x1ci: 1\n\nevent: end\n\n"
    streams.publish(streams.transition(cause=cause))
    assert reader.wait_for("contact")[0].json["cause"] == cause
    assert not reader.of("end")


def test_a_worker_that_is_stopping_ends_its_streams_with_a_time_to_come_back(streams: StreamServer) -> None:
    streams.campaign()
    readers = [streams.listen() for _ in range(5)]
    for reader in readers:
        reader.wait_for(None)
    streams.hub.stop()
    for reader in readers:
        reader.wait(lambda r: r.closed or r.raw.endswith(b"0\r\n\r\n"))
    waits = [reader.messages[-1].retry for reader in readers]
    assert all(wait and 1000 <= wait <= 5000 for wait in waits)
    assert len(set(waits)) > 1
    wait_until(lambda: streams.hub.count == 0)
