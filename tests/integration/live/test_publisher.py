"""The publisher: each version once and in order, whoever publishes; and a stream that does not grow for ever."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from live.errors import LiveUnavailable
from live.event_ids import EventId
from live.event_log import EventLog
from live.keys import campaign_keys
from live.publisher import Publisher, PublishOutcome
from live.stream_events import CAMPAIGN, StreamEvent
from local.valkey import EmbeddedValkey
from tests.examples import examples
from tests.integration.live.conftest import PREFIX, make_client, now
from tests.waiting import wait_until

A, D, G = PublishOutcome.APPENDED, PublishOutcome.DUPLICATE, PublishOutcome.GAP
KEYS = campaign_keys(PREFIX, "c")


def change(version: int, subject: str = "p", campaign: str = "c") -> StreamEvent:
    return StreamEvent(campaign, subject, version, {"subject": subject, "version": version})


@pytest.fixture
def publisher(client: Redis) -> Publisher:
    return Publisher(client, PREFIX)


def entries(client: Redis, campaign: str = "c") -> list[tuple[str, dict[str, str]]]:
    """What the stream holds: ids and fields."""
    stream = campaign_keys(PREFIX, campaign).stream
    return cast("list[tuple[str, dict[str, str]]]", client.xrange(stream))


def published(client: Redis, campaign: str = "c") -> list[str]:
    """What the stream holds: `{"subject":"p","version":1}` as "p1"."""
    texts = [fields["data"] for _, fields in entries(client, campaign)]
    return [text.removeprefix('{"subject":"').replace('","version":', "")[:-1] for text in texts]


def test_versions_are_taken_once_and_in_order(client: Redis, publisher: Publisher) -> None:
    assert publisher.publish([change(1), change(1), change(2), change(4), change(3)]) == [A, D, A, G, A]
    assert publisher.publish([change(4), change(2), change(4)]) == [A, D, D]
    assert published(client) == ["p1", "p2", "p3", "p4"]


def test_campaigns_and_subjects_are_counted_apart(client: Redis, publisher: Publisher) -> None:
    batch = [
        change(1, "p"),
        change(1, "q"),
        change(1, "p", "d"),
        change(1, CAMPAIGN),
        change(1, CAMPAIGN, "d"),
    ]
    assert publisher.publish(batch) == [A] * 5
    assert published(client, "d") == ["p1", "campaign1"]
    kinds = [fields["kind"] for _, fields in entries(client)]
    assert kinds == ["contact", "contact", "campaign"]


def test_a_batch_of_thousands_goes_in_and_comes_out_in_order(client: Redis, publisher: Publisher) -> None:
    batch = [change(1, f"p{n}") for n in range(1234)]
    assert publisher.publish(batch) == [A] * 1234
    assert published(client) == [f"p{n}1" for n in range(1234)]
    assert publisher.publish(batch) == [D] * 1234
    assert publisher.publish([]) == []


def test_a_subject_that_was_never_seen_may_begin_anywhere_once_the_memory_is_lost(
    client: Redis, publisher: Publisher
) -> None:
    assert publisher.publish([change(3), change(4)]) == [A, A]


def test_a_subject_that_was_never_seen_begins_at_one_where_the_campaign_was_followed_from_its_start(
    client: Redis, publisher: Publisher
) -> None:
    publisher.publish([change(1, CAMPAIGN)])
    assert publisher.publish([change(2), change(1), change(2)]) == [G, A, A]
    assert published(client) == ["campaign1", "p1", "p2"]


def test_force_takes_a_version_whose_predecessor_is_gone_and_tells_all_who_stand_before_it(
    client: Redis, publisher: Publisher
) -> None:
    publisher.publish([change(1)])
    log = EventLog(client, PREFIX)
    before = log.position("c").last
    assert publisher.publish([change(3)], force=True) == [A]
    assert publisher.publish([change(2)], force=True) == [D]
    assert log.after("c", before, 10).reset
    after = log.position("c").last
    assert not log.after("c", after, 10).reset


def test_force_makes_no_hole_where_none_is(client: Redis, publisher: Publisher) -> None:
    log = EventLog(client, PREFIX)
    before = log.position("c").last
    publisher.publish([change(1), change(2)], force=True)
    page = log.after("c", before, 10)
    assert not page.reset
    assert len(page.entries) == 2
    assert not any(entry.cut for entry in page.entries)


def test_entries_stay_for_the_retention_and_then_go(client: Redis) -> None:
    publisher = Publisher(client, PREFIX, retention=1, linger=60)
    log = EventLog(client, PREFIX)
    old = [EventId(now(client) - age, 0) for age in (1300, 1200, 800)]
    for entry_id in old:
        client.xadd(KEYS.stream, {"kind": "contact", "data": "{}"}, id=str(entry_id))
    client.set(KEYS.since, str(old[0]))
    publisher.publish([change(1)])
    page = log.after("c", old[1], 10)
    assert not page.reset, "nothing after the last entry that went is missing"
    assert page.entries[0].id == old[2]
    assert log.after("c", old[0], 10).reset


def test_a_stream_grows_to_its_limit_and_no_further(client: Redis) -> None:
    publisher = Publisher(client, PREFIX, most_entries=100)
    log = EventLog(client, PREFIX)
    start = log.position("c").last
    for n in range(40):
        publisher.publish([change(1, f"p{n}-{m}") for m in range(10)])
        assert client.xlen(KEYS.stream) <= 110
    assert log.after("c", start, 10).reset
    oldest = EventId.parse(entries(client)[0][0])
    assert not log.after("c", oldest, 10).reset


def test_everything_of_a_campaign_goes_some_time_after_its_last_event(client: Redis) -> None:
    Publisher(client, PREFIX, linger=1234).publish([change(1)])
    assert [0 < client.ttl(key) <= 1234 for key in KEYS] == [True] * 3
    assert set(client.keys()) == set(KEYS)
    with pytest.raises(ValueError, match="shorter"):
        Publisher(client, PREFIX, linger=5, retention=6)


def test_reading_keeps_what_a_listener_needs(client: Redis, publisher: Publisher) -> None:
    publisher.publish([change(1)])
    for key in KEYS:
        client.expire(key, 5)
    EventLog(client, PREFIX).position("c")
    assert all(client.ttl(key) > 1000 for key in KEYS)


def test_a_cursor_from_before_the_first_event_is_good(client: Redis, publisher: Publisher) -> None:
    log = EventLog(client, PREFIX)
    start = log.position("c").last
    publisher.publish([change(1)])
    page = log.after("c", start, 10)
    assert not page.reset
    assert [entry.data for entry in page.entries] == ['{"subject":"p","version":1}']


@pytest.mark.parametrize("lost", [KEYS, (KEYS.since,), (KEYS.stream,)], ids=["everything", "since", "stream"])
def test_whoever_read_before_redis_lost_the_stream_is_told(
    client: Redis, publisher: Publisher, lost: tuple[str, ...]
) -> None:
    log = EventLog(client, PREFIX)
    publisher.publish([change(1), change(2)])
    before = EventId.parse(entries(client)[0][0])
    client.delete(*lost)
    wait_until(lambda: now(client) > before.ms, what="another millisecond")
    publisher.publish([change(3)])
    assert log.after("c", before, 10).reset


@pytest.mark.parametrize(
    "cursor", ["0-0", "1-0", "9999999999999-0", "18446744073709551615-18446744073709551615"]
)
def test_an_id_from_another_stream_is_a_reset(client: Redis, publisher: Publisher, cursor: str) -> None:
    publisher.publish([change(1)])
    assert EventLog(client, PREFIX).after("c", EventId.parse(cursor), 10).reset


def test_redis_that_is_away_is_one_error_for_the_caller(client: Redis) -> None:
    away = make_client("redis://127.0.0.1:1/0")
    with pytest.raises(LiveUnavailable, match="publishing"):
        Publisher(away, PREFIX).publish([change(1)])
    with pytest.raises(LiveUnavailable, match="reading"):
        EventLog(away, PREFIX).position("c")


@pytest.fixture(scope="module")
def shared_client(valkey: EmbeddedValkey) -> Iterator[Redis]:
    with make_client(valkey.url) as found:
        yield found


SUBJECTS = ("p", "q", CAMPAIGN)
VERSIONS = 5
work = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from(SUBJECTS),
        st.integers(1, VERSIONS),
        st.integers(1, 3),
    ),
    max_size=25,
)


@settings(examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=work)
def test_any_interleaving_of_two_publishers_gives_each_version_once_and_in_order(
    shared_client: Redis, steps: list[tuple[int, str, int, int]]
) -> None:
    """Each publishes stretches of any subject's versions, again and again and out of turn, then what is left."""
    shared_client.flushall()
    publishers = [Publisher(shared_client, PREFIX), Publisher(shared_client, PREFIX)]
    publishers[0].publish([change(1, CAMPAIGN)])
    for who, subject, first, length in steps:
        publishers[who].publish([change(v, subject) for v in range(first, min(first + length, VERSIONS + 1))])
    everything = [change(v, s) for s in SUBJECTS for v in range(1, VERSIONS + 1)]
    assert PublishOutcome.GAP not in publishers[0].publish(everything)
    assert set(publishers[1].publish(everything)) == {PublishOutcome.DUPLICATE}
    found = published(shared_client)
    for subject in SUBJECTS:
        assert [f for f in found if f.startswith(subject)] == [
            f"{subject}{v}" for v in range(1, VERSIONS + 1)
        ]
    ids = [EventId.parse(entry_id) for entry_id, _ in entries(shared_client)]
    assert all(a < b for a, b in pairwise(ids))
