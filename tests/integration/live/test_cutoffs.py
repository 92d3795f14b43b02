"""What becomes of a listener that is cut off, slow, or gone, and of the others meanwhile."""

from __future__ import annotations

import random
import socket
from collections import defaultdict

import gevent
import pytest
from redis import Redis

from live.event_ids import EventId
from live.hub import Limits
from live.keys import campaign_keys
from live.listener import PAGE
from tests.integration.live.conftest import now
from tests.integration.live.stream_server import Message, StreamServer
from tests.judging import Judge
from tests.waiting import wait_until


def connections(client: Redis) -> int:
    return len(client.client_list())


@pytest.mark.parametrize("seed", [1, 2])
def test_cut_off_at_random_fifty_times_a_listener_has_every_transition_once_and_in_order(
    streams: StreamServer, seed: int
) -> None:
    rng = random.Random(seed)
    streams.campaign()
    contacts, versions = 150, 4
    received: list[Message] = []
    cuts = 0
    done = gevent.event.Event()

    def campaign() -> None:
        left = {f"p{n}": versions for n in range(contacts)}
        while left:
            batch = []
            for subject in rng.sample(sorted(left), min(len(left), rng.randint(1, 12))):
                batch.append(streams.transition(subject))
                left[subject] -= 1
                if not left[subject]:
                    del left[subject]
            streams.publish(*batch)
            gevent.sleep(rng.uniform(0, 0.06))
        done.set()

    reader = streams.listen()
    reader.wait_for(None)
    publishing = gevent.spawn(campaign)
    total = contacts * versions
    while cuts < 50 or not done.is_set() or len(received) + len(reader.of("contact")) < total:
        gevent.sleep(rng.uniform(0.0, 0.08))
        if cuts < 50:
            reader.close()
            received += reader.of("contact")
            cuts += 1
            reader = streams.listen(last_event_id=reader.last_event_id)
        elif done.is_set():
            missing = total - len(received)
            reader.wait_for("contact", missing)
    publishing.get()
    received += reader.of("contact")

    by_contact: dict[str, list[int]] = defaultdict(list)
    for message in received:
        by_contact[message.json["contact_id"]].append(message.json["version"])
    assert len(by_contact) == contacts
    assert set(map(tuple, by_contact.values())) == {tuple(range(1, versions + 1))}
    assert len({m.id for m in received}) == total


def test_a_replay_of_many_pages_joins_the_live_events_without_gap_or_repeat(streams: StreamServer) -> None:
    streams.campaign()
    first = streams.listen()
    first.wait_for(None)
    for n in range(20):
        streams.publish(*[streams.transition(f"p{n}-{m}") for m in range(100)])
    reader = streams.listen(last_event_id=first.last_event_id if first.last_event_id else "")
    cursor = first.wait_for("contact", 2000)[0].id
    replaying = streams.listen(last_event_id=cursor)
    for n in range(20, 30):
        streams.publish(*[streams.transition(f"p{n}-{m}") for m in range(100)])
        gevent.sleep(0.005)
    expected = [m.id for m in first.wait_for("contact", 3000)]
    assert [m.id for m in replaying.wait_for("contact", 2999)] == expected[1:]
    assert not reader.of("reset")


def test_a_listener_that_does_not_read_delays_nobody_and_misses_nothing(
    streams: StreamServer, judge: Judge
) -> None:
    streams.campaign()
    slow = streams.listen(paused=True, rcvbuf=4096)
    fast = streams.listen()
    fast.wait_for(None)
    wait_until(lambda: streams.hub.count == 2)
    padding = "x" * 2000
    delays = []
    sent = 0
    while sent < 6000:
        streams.publish(*[streams.transition(f"p{sent + n}", padding=padding) for n in range(100)])
        sent += 100
        begun = gevent.get_hub().loop.now()
        fast.wait_for("contact", sent)
        delays.append(gevent.get_hub().loop.now() - begun)
    assert streams.hub.behind == 1
    judge.at_most(sorted(delays)[len(delays) // 2], 0.5, "seconds until the other has heard it")
    slow.resume()
    assert [m.id for m in slow.wait_for("contact", sent)] == [m.id for m in fast.of("contact")]
    streams.publish(streams.transition("last"))
    assert slow.wait_for("contact", sent + 1)
    assert not slow.of("reset")


def test_an_id_that_is_too_old_or_unknown_gets_a_reset_and_then_a_snapshot(streams: StreamServer) -> None:
    streams.campaign(status="paused")
    streams.publish(streams.transition("p1"))
    for unknown in ("1-0", "9999999999999-5"):
        reader = streams.listen(last_event_id=unknown)
        reset = reader.wait_for("reset")[0]
        reader.wait_for(None)
        kinds = [m.event for m in reader.messages if m.data]
        assert kinds.index("reset") < len(kinds) - 1 - kinds[::-1].index(None)
        assert reset.json == {"campaign_id": "c1"}
        assert EventId.parse(reset.id or "")
        streams.publish(streams.transition("p2"))
        assert [m.json["contact_id"] for m in reader.wait_for("contact")] == ["p2"]
        again = streams.listen(last_event_id=reset.id)
        assert [m.json["contact_id"] for m in again.wait_for("contact")] == ["p2"]


def test_a_stream_that_redis_has_lost_means_a_reset_for_those_who_listen(
    streams: StreamServer, client: Redis
) -> None:
    streams.campaign(status="paused")
    reader = streams.listen()
    reader.wait_for(None)
    streams.publish(streams.transition("p1"))
    last = EventId.parse(reader.wait_for("contact")[0].id or "")
    client.flushall()
    wait_until(lambda: now(client) > last.ms, what="another millisecond: ids are times")
    streams.publish(streams.transition("p1"))
    reset = reader.wait_for("reset")[0]
    wait_until(
        lambda: [m for m in reader.of(None) if reader.messages.index(m) > reader.messages.index(reset)]
    )
    streams.publish(streams.transition("p1"))
    assert wait_until(lambda: reader.of("contact")[-1].json["version"] == 3)
    assert len(reader.of("reset")) == 1


def test_a_loss_is_noticed_although_nothing_is_published(streams: StreamServer, client: Redis) -> None:
    streams.campaign(status="paused")
    reader = streams.listen()
    reader.wait_for(None)
    streams.publish(streams.transition("p1"))
    reader.wait_for("contact")
    client.flushall()
    assert reader.wait_for("reset")


def test_a_hole_that_was_forced_is_told_to_everyone_who_listens(streams: StreamServer) -> None:
    streams.campaign(status="paused")
    reader = streams.listen()
    reader.wait_for(None)
    streams.publish(streams.transition("p1"))
    reader.wait_for("contact")
    streams.transition("p1")
    streams.publisher.publish([streams.transition("p1")], force=True)
    assert reader.wait_for("reset")
    streams.publish(streams.transition("p2"))
    assert wait_until(lambda: reader.of("contact")[-1].json["contact_id"] == "p2")


@pytest.mark.parametrize("rudely", [False, True], ids=["closed", "reset"])
def test_who_goes_away_is_gone_soon_and_leaves_no_redis_connection(
    streams: StreamServer, client: Redis, rudely: bool
) -> None:
    streams.campaign(status="paused")
    client.ping()
    baseline = connections(client)
    readers = [streams.listen() for _ in range(30)]
    for reader in readers:
        reader.wait_for(None)
    assert connections(client) <= baseline + 4, "one for the reader, and the app's pool of four"
    for reader in readers:
        if rudely:
            reader.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        reader.close()
    wait_until(lambda: streams.hub.count == 0, "every listener gone")

    def only_the_pool_is_left() -> bool:
        client.connection_pool.disconnect(inuse_connections=False)
        return connections(client) <= baseline

    wait_until(only_the_pool_is_left, "the reader's connection closed")


def test_who_goes_away_while_a_write_to_him_is_stuck_is_gone_too(streams: StreamServer) -> None:
    streams.campaign()
    stuck = streams.listen(paused=True, rcvbuf=4096)
    fast = streams.listen()
    fast.wait_for(None)
    for n in range(60):
        streams.publish(*[streams.transition(f"p{n}-{m}", padding="x" * 2000) for m in range(100)])
        fast.wait_for("contact", (n + 1) * 100)
    assert streams.hub.count == 2
    stuck.close()
    wait_until(lambda: streams.hub.count == 1, "the stuck listener gone")


def test_a_client_that_only_closed_its_sending_side_goes_on_reading(streams: StreamServer) -> None:
    streams.campaign(status="paused")
    reader = streams.listen()
    reader.wait_for(None)
    reader.sock.shutdown(socket.SHUT_WR)
    reader.wait(lambda r: len(r.comments("")) >= 3)
    streams.publish(streams.transition())
    assert reader.wait_for("contact")


def test_the_reader_ends_with_the_last_listener_and_begins_again_with_the_next(streams: StreamServer) -> None:
    streams.campaign()
    for _ in range(3):
        reader = streams.listen()
        reader.wait_for(None)
        streams.publish(streams.transition())
        assert reader.wait_for("contact")
        reader.close()
        wait_until(lambda: not streams.hub.reading, "the reader ended")


def test_a_process_that_is_full_says_so(streams: StreamServer) -> None:
    streams.restart(limits=Limits(listeners=2))
    streams.campaign()
    first, second = streams.listen(), streams.listen()
    first.wait_for(None)
    second.wait_for(None)
    third = streams.listen()
    third.wait(lambda r: r.status == 503 and r.body)
    assert third.body == b"this process already serves 2 event streams."
    assert int(third.headers["retry-after"]) > 0


@pytest.mark.parametrize("missed", [1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE])
def test_a_replay_that_fills_its_pages_exactly_is_complete_too(streams: StreamServer, missed: int) -> None:
    streams.campaign(status="paused")
    first = streams.listen()
    first.wait_for(None)
    streams.publish(*[streams.transition(f"p{n}") for n in range(missed)])
    early = [m.id for m in first.wait_for("contact", missed)]
    begin = first.of(None)[0].id
    assert begin
    assert begin not in early
    replay = streams.listen(last_event_id=begin)
    assert [m.id for m in replay.wait_for("contact", missed)] == early
    streams.publish(streams.transition("next"))
    assert replay.wait_for("contact", missed + 1)
    assert not replay.of("reset")


def test_an_entry_that_cannot_be_read_stops_neither_the_reader_nor_the_streams(
    streams: StreamServer, client: Redis
) -> None:
    streams.campaign("c1")
    streams.campaign("c2")
    first, second = streams.listen("c1"), streams.listen("c2")
    first.wait_for(None)
    second.wait_for(None)
    client.xadd(campaign_keys(streams.prefix, "c1").stream, {"kind": "campaign", "data": "not JSON"})
    second.wait(lambda r: r.comments("stream resumed"))
    streams.publish(streams.transition("p1", "c1"), streams.transition("p2", "c2"))
    assert second.wait_for("contact")
    assert first.wait_for("contact")
