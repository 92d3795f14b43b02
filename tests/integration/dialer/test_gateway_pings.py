"""A paused gateway whose pings are answered again is probed before its time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from dialer.capacity.gateway_pings import STEADY_SECONDS, GatewayPings
from freeswitch.cluster import Cluster
from models import db, rows
from tests.factories import World

UP, DOWN = ("PingFreq\t25\nStatus  \tUP\n", "PingFreq\t25\nStatus  \tDOWN\n")


def due() -> bool:
    with db.connection_context():
        (row,) = rows("SELECT probe_at <= now() AS due FROM gateway")
    return bool(row["due"])


def test_a_gateway_that_has_been_up_again_for_long_enough_is_probed_now(world: World) -> None:
    with db.connection_context():
        rows("UPDATE gateway SET dial_string = 'sofia/gateway/carrier/{number}', paused_at = now(),"
             " probe_at = now() + interval '30 minutes'")  # fmt: skip
    said, at, asked, told = [DOWN], [0.0], [], []

    def api(line: str) -> str:
        asked.append(line)
        return said[0]

    link = SimpleNamespace(name="fs1", api=api)
    cluster = cast(Cluster, SimpleNamespace(connected=lambda: [link]))
    pings = GatewayPings(cluster, lambda: told.append("read again"), lambda: at[0])
    for status, seconds, expected in ((DOWN, 0.0, False), (UP, 1.0, False), (UP, 2.0 + STEADY_SECONDS, True)):
        said[0], at[0] = status, seconds
        pings.round()
        assert due() is expected
    assert set(asked) == {"sofia status gateway carrier"}
    assert told == ["read again"]


def test_a_gateway_that_is_not_paused_is_not_asked_for(world: World) -> None:
    cluster = cast(Cluster, SimpleNamespace(connected=lambda: [None]))
    GatewayPings(cluster, lambda: None, lambda: 0.0).round()


def test_one_that_answers_no_nodes_pings_is_down_for_as_long_as_it_is_paused(world: World) -> None:
    """Also when a probe is due: nobody is called for a second leg by it then. One that a single node cannot reach,
    for however long, is probed all the same."""
    with db.connection_context():
        rows("UPDATE gateway SET dial_string = 'sofia/gateway/carrier/{number}', paused_at = now(),"
             " probe_at = now() - interval '1 minute'")  # fmt: skip
    said = [DOWN, DOWN]
    links = [SimpleNamespace(name=f"fs{n}", api=lambda _line, n=n: said[n]) for n in range(2)]
    pings = GatewayPings(cast(Cluster, SimpleNamespace(connected=lambda: links)), lambda: None, lambda: 0.0)
    gateway_id = str(world.gateway_id)
    silent = "PingFreq\t0\nStatus  \tNOREG\n"
    seen = [((DOWN, DOWN), True), ((UP, DOWN), False), ((DOWN, silent), True), ((silent, silent), False)]
    for said[:], down in (*seen, seen[0]):
        pings.round()
        assert pings.is_down(gateway_id) is down
    with db.connection_context():
        rows("UPDATE gateway SET paused_at = NULL, probe_at = NULL")
    pings.round()
    assert not pings.is_down(gateway_id)


def test_of_one_that_is_off_no_probe_is_brought_forward(world: World) -> None:
    with db.connection_context():
        rows("UPDATE gateway SET dial_string = 'sofia/gateway/carrier/{number}', paused_at = now(),"
             " probe_at = now() + interval '30 minutes', outbound_enabled = false")  # fmt: skip
    said, at = [DOWN], [0.0]
    link = SimpleNamespace(name="fs1", api=lambda _line: said[0])
    cluster = cast(Cluster, SimpleNamespace(connected=lambda: [link]))
    pings = GatewayPings(cluster, lambda: None, lambda: at[0])
    for said[0], at[0] in ((DOWN, 0.0), (UP, 1.0), (UP, 2.0 + STEADY_SECONDS)):
        pings.round()
    assert not due()
