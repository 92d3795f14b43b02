"""A gateway's calls a second are divided between first and second legs, and among the nodes: never more than all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.dispatch.second_legs import BridgeGateway, divided, shares
from freeswitch.leg_rates import LegRate
from tests.examples import examples

NODES = frozenset(("fs1", "fs2", "fs3"))


@pytest.mark.parametrize(
    ("cps", "dialled", "bridged", "expected"),
    [
        (None, True, True, (None, None)),
        (10, True, True, (5, 5)),
        (7, True, True, (4, 3)),
        (7, True, False, (7, 3)),
        (7, False, True, (7, 7)),
        (1, True, True, (1, 0)),
        (1, False, True, (1, 1)),
        (0, False, True, (0, 0)),
    ],
)
def test_first_legs_have_what_second_ones_leave(
    cps: int | None, dialled: bool, bridged: bool, expected: tuple[int | None, int | None]
) -> None:
    assert divided(cps, dialled=dialled, bridged=bridged) == expected


@examples(400)
@given(st.integers(0, 500), st.frozensets(st.text("abc123", min_size=1, max_size=4), max_size=9), st.uuids())
def test_the_shares_never_sum_above_the_rate(cps: int, nodes: frozenset[str], gateway: object) -> None:
    found = shares(str(gateway), cps, nodes)
    # Two windows of whole seconds touch in any second; of one in two seconds no two lie within one.
    used = [2 * most if seconds == 1 else most for most, seconds in found.values()]
    assert sum(used) <= cps
    assert found.keys() <= nodes
    assert all((most, seconds) == (1, 2) or (most >= 1 and seconds == 1) for most, seconds in found.values())
    assert len(found) == min(cps, len(nodes))
    assert not used or max(used) - min(used) <= 2
    assert cps - sum(used) <= 1 or not nodes, "hardly anything is left over"


@given(st.integers(1, 20), st.permutations(sorted(NODES)), st.sampled_from(sorted(NODES)))
def test_every_dialer_divides_alike(cps: int, nodes: list[str], node: str) -> None:
    gateway = BridgeGateway("gw", "x", cps=cps)
    assert gateway.rate(nodes, node) == gateway.rate([*sorted(NODES), "fs1"], node)


def test_one_call_a_second_is_one_nodes() -> None:
    owners = {next(iter(shares(f"gw{number}", 1, NODES))) for number in range(40)}
    assert owners == NODES, "not of every gateway the same one's"
    assert list(shares("gw", 1, NODES).values()) == [(1, 2)]
    assert sorted(shares("gw", 4, NODES).values()) == [(1, 1), (1, 2), (1, 2)]
    assert sorted(shares("gw", 13, NODES).values()) == [(2, 1), (2, 1), (2, 1)]
    assert shares("gw", 5, frozenset()) == {}


def test_a_gateway_says_what_a_node_may_send_by_it() -> None:
    assert BridgeGateway("gw", "x").rate(NODES, "fs1") is None
    assert BridgeGateway("gw", "x", cps=12).rate(NODES, "fs2") == LegRate("gw", 2, 1)
    assert BridgeGateway("gw", "x", cps=12).rate(NODES, "gone") is None
