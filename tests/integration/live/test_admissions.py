"""Who loses the key or the tenant that let him in hears nothing more; and nobody takes everybody's place."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from live.admission import Admission
from live.tokens import StreamTokens
from tests.integration.live.stream_server import KEY, OTHER_KEY, StreamClient, StreamServer
from tests.waiting import wait_until

MINE = Admission("demo", KEY)
OTHERS = Admission("other", OTHER_KEY)


def more_heartbeats(reader: StreamClient, than: int) -> bool:
    return len(reader.comments("heartbeat")) > than


def test_a_stream_ends_with_its_key_and_nobody_elses_does(streams: StreamServer) -> None:
    streams.campaign()
    token = StreamTokens("secret").issue(MINE, "c1")
    other = StreamTokens("secret").issue(Admission("demo", "another key"), "c1")
    revoked = [streams.listen(), streams.listen(query=f"?token={token}", key=None)]
    stays = streams.listen(query=f"?token={other}", key=None)
    for reader in (*revoked, stays):
        reader.wait_for(None)
    streams.campaigns.revoked.add(MINE)
    for reader in revoked:
        reader.wait(lambda r: r.closed)
        heard = len(reader.of("contact"))
        assert heard == 0
    streams.publish(streams.transition())
    stays.wait_for("contact")
    assert not stays.closed
    assert [reader.of("contact") for reader in revoked] == [[], []]
    again = streams.listen(query=f"?token={token}", key=None)
    again.wait(lambda r: r.status == 401)


def test_what_waits_for_a_reader_whose_key_is_revoked_is_not_sent(streams: StreamServer) -> None:
    """He is slow, so that a write is under way when the key goes: the connection is cut."""
    streams.campaign()
    slow = streams.listen(paused=True, rcvbuf=4096)
    fast = streams.listen(
        query=f"?token={StreamTokens('secret').issue(Admission('demo', 'k2'), 'c1')}", key=None
    )
    fast.wait_for(None)
    events = [streams.transition(padding="x" * 20_000) for _ in range(200)]
    for event in events:
        streams.publish(event)
    fast.wait_for("contact", len(events))
    streams.campaigns.revoked.add(MINE)
    fast.wait(lambda _: streams.hub.count == 1)
    slow.resume()
    slow.wait(lambda r: r.closed)
    assert len(slow.of("contact")) < len(events)


def test_a_database_that_is_away_takes_nothing_away(streams: StreamServer) -> None:
    streams.campaign()
    reader = streams.listen()
    reader.wait_for(None)
    streams.campaigns.failing = True
    reader.wait(lambda _: streams.campaigns.failures)
    streams.publish(streams.transition())
    reader.wait_for("contact")
    streams.campaigns.failing = False
    streams.campaigns.revoked.add(MINE)
    reader.wait(lambda r: r.closed)


def test_the_stream_of_a_deleted_campaign_says_end_and_stays_open(streams: StreamServer) -> None:
    for status in ("paused", "draft", "running"):
        streams.restart(heartbeat=0.3)
        reader = streams.listen(streams.campaign(status=status))
        reader.wait_for(None)
        del streams.campaigns.status["c1"]
        (end,) = reader.wait_for("end")
        assert end.json == {"campaign_id": "c1", "status": "deleted"}
        beats = len(reader.comments("heartbeat"))
        wait_until(partial(more_heartbeats, reader, beats))
        assert (len(reader.of("end")), reader.closed) == (1, False)


def test_one_that_had_ended_before_it_was_deleted_says_end_once(streams: StreamServer) -> None:
    reader = streams.listen(streams.campaign(status="completed"))
    (end,) = reader.wait_for("end")
    assert end.json["status"] == "completed"
    streams.restart(heartbeat=0.2)
    reader = streams.listen()
    reader.wait_for("end")
    del streams.campaigns.status["c1"]
    beats = len(reader.comments("heartbeat"))
    reader.wait(lambda r: len(r.comments("heartbeat")) > beats + 2)
    assert len(reader.of("end")) == 1


def test_a_tenant_leaves_places_to_others(streams: StreamServer) -> None:
    streams.restart(limits=replace(streams.limits, listeners=8))
    streams.campaign()
    mine = [streams.listen() for _ in range(6)]
    for reader in mine:
        reader.wait_for(None)
    refused = streams.listen()
    refused.wait(lambda r: r.status == 429)
    assert "the tenant already has 6 event streams in this process" in refused.raw.decode()
    assert refused.headers["retry-after"] == "5"
    with streams.hub.listen("c2", None, "running", admission=OTHERS):
        assert streams.hub.count == 7
    mine[0].close()
    refused.wait(lambda _: streams.hub.count == 5)
    streams.listen().wait_for(None)
