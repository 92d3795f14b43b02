"""What is asked of Redis, and how its answers read."""

from __future__ import annotations

import json
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from limits.acquire_request import WIRE_SECONDS, AcquireRequest
from limits.caps import CallCaps, Denied, GatewayCaps, NodeCaps, NumberCaps, Permit, PermitRequest, TenantCaps
from limits.keys import Keys, PermitRecord
from limits.redis_clock import RedisClock

NAMES = st.text(min_size=1)


def wish(
    call_id: str, number: str, *, tenant: str = "t", campaign: str = "c", gateway: str = "gw"
) -> PermitRequest:
    caps = CallCaps(tenant, campaign, 5, TenantCaps(None, 60, 0, 7), GatewayCaps(gateway, 3, None))
    return PermitRequest(call_id, number, caps, ["fs2", "fs1"])


def acquire_request(*requests: PermitRequest) -> AcquireRequest:
    nodes = [NodeCaps("fs1", 9, None), NodeCaps("fs2", None, 0)]
    return AcquireRequest(nodes, requests, lead=0.012, horizon=0.1)


def test_unlimited_and_blocked_stay_apart() -> None:
    job = acquire_request(wish("a", "+1")).job()
    assert job["tenants"] == [["t", -1, [60, 60_050], 0, 7, 0]]
    assert job["gateways"] == [["gw", -1, [3, 1_000]]]
    assert job["nodes"] == [["fs1", -1, [9, 1_000]], ["fs2", 0, [-1, 1_000]]]
    assert (job["lead"], job["horizon"]) == (12_000, 100_000)


def test_every_cap_is_said_once_and_named_by_its_place() -> None:
    asked = acquire_request(
        wish("a", "+1"),
        wish("b", "+2", campaign="d"),
        wish("c", "+3", tenant="u", campaign="e", gateway="other"),
    )
    job = asked.job()
    assert job["campaigns"] == [["c", 1, 5, 0], ["d", 1, 5, 0], ["e", 2, 5, 0]]
    assert job["asked"] == {
        "ids": ["a", "b", "c"],
        "numbers": ["+1", "+2", "+3"],
        "campaigns": [1, 2, 3],
        "gateways": [1, 1, 2],
        "offered": [1, 1, 1],
        "offers": [(2, 1)],
        "may_have_left": {},
        "second_legs": {},
        "windows": {},
    }
    paths = asked.keys(Keys("p:"), Keys("p:").epoch_keys("e.r"), "d1")
    assert len(paths) == 7 + 2 * 4 + 3 + 2 * 2 + 2 * 2 + 3


def test_only_a_tenant_with_caps_on_numbers_names_what_is_kept_of_them() -> None:
    day = 86_400_000 + 50
    for caps, said in (
        (NumberCaps(), []),
        (NumberCaps(gap_seconds=600), [[600_000, []]]),
        (NumberCaps(calls_24h=3, calls_30d=9), [[0, [[3, day], [9, 30 * (day - 50) + 50]]]]),
    ):
        wanted = CallCaps("t", "c", 5, TenantCaps(None, None, None, None, caps), GatewayCaps("gw", 3, None))
        asked = AcquireRequest([], [PermitRequest("a", "+1", wanted, [])])
        (one,) = cast("list[list[object]]", asked.job()["tenants"])
        assert one[6:] == said
        paths = asked.keys(Keys("p:"), Keys("p:").epoch_keys("e.r"), "d1")
        kept = ["p:called:t:+1", "p:rests:t:+1"]
        assert paths[-2:] == kept if said else kept[0] not in paths
        assert asked.unknown_numbers(["number_cap", 500_000, 2]) == {"t": caps}
        assert asked.unknown_numbers(["number_cap", 500_000, 0]) == {}


def test_every_key_lives_below_the_prefix_and_what_counts_in_its_epoch() -> None:
    keys = Keys("mine:")
    epoch = keys.epoch_keys("abc.run")
    paths = acquire_request(wish("a", "+1")).keys(keys, epoch, "d1")
    assert paths[:2] == ["mine:lease:d1", "mine:fenced:d1"]
    assert all(path.startswith("mine:abc:") for path in paths[2:])
    assert len(set(paths)) == len(paths)


def test_answers_keep_the_order_of_the_requests() -> None:
    asked = acquire_request(wish("a", "+1"), wish("b", "+2"), wish("c", "+3"))
    clock = RedisClock()
    clock.note(12.5, 1000.0, 12.75)
    answers = asked.answers(
        1_000_000_000,
        ["permit", "fs1", 250_000, "gateway_cps", 90_500, 0, "number_cap", 500_000, 2],
        clock,
    )
    assert answers == [
        Permit("a", "fs1", 13.0, 12.8 - WIRE_SECONDS),
        Denied("b", "gateway_cps", 0.0905),
        Denied("c", "number_cap", 0.5, of_tenant=True),
    ]


@given(NAMES, NAMES, NAMES, NAMES, NAMES, NAMES, st.integers(0, 10**6), st.integers(0, 10**12))
def test_a_record_reads_back_as_it_was_written(  # noqa: PLR0917
    owner: str, campaign: str, tenant: str, gateway: str, node: str, number: str, day: int, ask: int
) -> None:
    record = PermitRecord.make(
        owner=owner,
        campaign_id=campaign,
        tenant_id=tenant,
        gateway_id=gateway,
        node=node,
        number=number,
        day=day,
        ask=ask,
    )
    assert PermitRecord.parse(record.raw) == record
    taken = record.owned_by("successor")
    assert PermitRecord.parse(taken.raw) == taken
    assert (taken.owner, taken.ask, taken.day, taken.node) == ("successor", 0, day, node)
    assert taken.raw != record.raw or (owner, ask) == ("successor", 0)


def test_a_record_reads_what_the_scripts_write() -> None:
    written = {
        "o": "d1",
        "c": "c",
        "t": "t",
        "g": "gw",
        "n": "fs1",
        "p": "+1",
        "d": 20_000,
        "a": 3,
        "w": "node_cps",
    }
    record = PermitRecord.parse(json.dumps(written))
    assert (record.owner, record.day, record.ask) == ("d1", 20_000, 3)
