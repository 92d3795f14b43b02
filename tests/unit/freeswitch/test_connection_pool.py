"""How many connections a node gets for its calls a second."""

from __future__ import annotations

import pytest

from freeswitch.connection_pool import MOST, connections_for


@pytest.mark.parametrize(
    ("cps", "connections"), [(None, 1), (1, 1), (400, 1), (401, 2), (861, 3), (1200, 3), (100_000, MOST)]
)
def test_a_node_gets_as_many_connections_as_its_calls_per_second_need(
    cps: int | None, connections: int
) -> None:
    assert connections_for(cps) == connections
