"""Redis goes away and comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from live.errors import LiveUnavailable
from local.valkey import EmbeddedValkey
from tests.integration.live.conftest import PREFIX, make_client
from tests.integration.live.stream_server import StreamServer
from tests.waiting import wait_until


@pytest.fixture(params=[True, False], ids=["durable", "forgetful"])
def own_valkey(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey(tmp_path, durable=request.param) as server:
        yield server


def test_listeners_are_told_of_an_outage_and_go_on_where_it_left_them(own_valkey: EmbeddedValkey) -> None:
    client = make_client(own_valkey.url)
    with StreamServer(client, PREFIX) as streams:
        streams.campaign(status="paused")
        reader = streams.listen()
        reader.wait_for(None)
        streams.publish(streams.transition("p1"))
        reader.wait_for("contact")

        own_valkey.stop()
        reader.wait(lambda r: r.comments("stream interrupted"))
        with pytest.raises(LiveUnavailable):
            streams.publisher.publish([streams.transition("p2")])
        newcomer = streams.listen()
        newcomer.wait(lambda r: r.comments("stream interrupted"))
        newcomer.wait_for(None)
        streams.versions.clear()
        streams.versions["c1", "p1"] = 1

        own_valkey.start()
        wait_until(client.ping, "Redis back")
        reader.wait(lambda r: r.comments("stream resumed"))
        newcomer.wait(lambda r: r.comments("stream resumed"))
        streams.publish(streams.transition("p2"))
        assert newcomer.wait_for("contact")[0].json["contact_id"] == "p2"
        if own_valkey.durable:
            assert [m.json["contact_id"] for m in reader.wait_for("contact", 2)] == ["p1", "p2"]
            assert not reader.of("reset")
        else:
            reset = reader.wait_for("reset")[0]
            seen = reader.messages
            wait_until(lambda: [m for m in reader.of(None) if seen.index(m) > seen.index(reset)])
        assert len(reader.comments("stream interrupted")) == 1
    client.close()
