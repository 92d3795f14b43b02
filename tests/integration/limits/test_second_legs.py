"""The second leg of a call holds a channel of its gateway from the permit of the first to the end of the call."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import orjson
import pytest

from limits.caps import CallCaps, LimiterSnapshot, OpenCall
from limits.limiter import Denied, GatewayCaps, Permit, PermitRequest
from tests.integration.limits.limiter_rig import (
    OPEN_GATEWAY,
    OPEN_NODES,
    OPEN_TENANT,
    PREFIX,
    Clock,
    Dialer,
    HookedRedis,
    snapshot,
    words,
)

DESK = GatewayCaps("desk", 1, 1)
OTHER = GatewayCaps("other", None, None)
HELD = OpenCall("a", "d1", "c", "t", "gw", "fs1", "+a", second_leg_gateway_id="desk")


def bridged(dialer: Dialer, *calls: str, desk: GatewayCaps = DESK) -> Sequence[Permit | Denied]:
    """Ask for calls whose agent is reached by `desk`."""
    return dialer.ask(*calls, second_leg=desk)


def slots(client: HookedRedis, gateway: str) -> set[object]:
    """What holds a channel of a gateway."""
    (key,) = client.scan_iter(match=f"{PREFIX}*:slots:gateway:{gateway}")
    return set(client.zrange(key, 0, -1))


def test_no_call_leaves_whose_second_leg_would_find_no_channel(dialer: Dialer) -> None:
    first, second = bridged(dialer, "a", "b")
    assert words([first, second]) == ["fs1", "gateway_channels"]
    assert isinstance(second, Denied)
    assert second.of_second_leg
    assert words(dialer.ask("c")) == ["fs1"], "by the first leg's gateway others leave"
    assert words(dialer.ask("d", gateway=DESK)) == ["gateway_channels"], (
        "a second leg takes a first leg's place"
    )


def test_a_full_gateway_of_the_first_leg_is_not_called_the_second_ones(dialer: Dialer) -> None:
    full = GatewayCaps("gw", None, 0)
    (answer,) = dialer.ask("a", gateway=full, second_leg=DESK)
    assert isinstance(answer, Denied)
    assert (answer.reason, answer.of_second_leg) == ("gateway_channels", False)


@pytest.mark.parametrize(("channels", "leave"), [(1, 0), (2, 1), (3, 1), (4, 2)])
def test_by_one_gateway_a_call_needs_two_channels(dialer: Dialer, channels: int, leave: int) -> None:
    gateway = GatewayCaps("gw", None, channels)
    answers = dialer.ask("a", "b", "c", gateway=gateway, second_leg=gateway)
    assert words(answers) == ["fs1"] * leave + ["gateway_channels"] * (3 - leave)
    answers = dialer.ask("d", gateway=gateway)
    assert words(answers) == (["fs1"] if channels % 2 else ["gateway_channels"]), (
        "nothing is held by who was denied"
    )


GIVEN_BACK: list[tuple[str, Callable[[Dialer, Permit], None]]] = [
    ("over", lambda dialer, permit: dialer.end(permit.call_id, billsec=7)),
    ("never sent", lambda dialer, permit: dialer.limiter.give_back([permit])),
]


@pytest.mark.parametrize(("how", "end"), GIVEN_BACK, ids=[how for how, _ in GIVEN_BACK])
def test_its_end_gives_the_channel_back(
    dialer: Dialer, how: str, end: Callable[[Dialer, Permit], None]
) -> None:
    (permit,) = bridged(dialer, "a")
    assert isinstance(permit, Permit)
    end(dialer, permit)
    assert words(bridged(dialer, "b", "c")) == ["fs1", "gateway_channels"], how


def test_who_asks_again_keeps_both_channels(dialer: Dialer) -> None:
    gateway = GatewayCaps("gw", None, 2)
    for _ in range(3):
        assert words(dialer.ask("a", gateway=gateway, second_leg=gateway)) == ["fs1"]
    assert words(dialer.ask("b", gateway=gateway)) == ["gateway_channels"]
    dialer.end("a")
    assert words(dialer.ask("b", "c", gateway=gateway)) == ["fs1", "fs1"]


def test_what_is_renewed_holds_and_what_nobody_renews_makes_no_room(
    timed_dialer: Dialer, virtual_clock: Clock, client: HookedRedis
) -> None:
    dialer = timed_dialer
    bridged(dialer, "a")
    for _ in range(9):
        virtual_clock.advance(20.0)
        dialer.limiter.renew()
    assert words(bridged(dialer, "b")) == ["gateway_channels"]
    for key in client.scan_iter(match=f"{PREFIX}*:slots:gateway:desk"):
        client.zadd(key, {"a:b": 1}, xx=True)
    assert words(bridged(dialer, "b")) == ["no_redis"], "its permit is still held: the rows have to tell"


def test_what_an_older_dialer_wrote_without_it_is_whole_once_the_call_is_asked_for_again(
    timed_dialer: Dialer, virtual_clock: Clock, client: HookedRedis
) -> None:
    """It takes calls over without a word of second legs: nobody would renew the slot, and the state be rebuilt."""
    dialer = timed_dialer
    bridged(dialer, "a")
    (permits,) = client.scan_iter(match=f"{PREFIX}*:permits")
    record = orjson.loads(str(client.hget(permits, "a")))
    assert record.pop("b") == "desk"
    client.hset(permits, "a", orjson.dumps(record).decode())
    assert words(bridged(dialer, "a")) == ["fs1"]
    for _ in range(9):
        virtual_clock.advance(20.0)
        dialer.limiter.renew()
    assert words(bridged(dialer, "b")) == ["gateway_channels"], "it is renewed with its call"
    dialer.end("a")
    assert words(bridged(dialer, "b")) == ["fs1"]


def test_another_dialer_takes_it_over_and_gives_it_back(client: HookedRedis, dialer: Dialer) -> None:
    bridged(dialer, "a")
    heir = Dialer(client, "d2")
    dialer.membership.fence("d1")
    assert heir.limiter.take_over("d1", {"a"}) == []
    heir.limiter.renew()
    assert words(bridged(heir, "b")) == ["gateway_channels"]
    heir.end("a")
    assert words(bridged(heir, "b")) == ["fs1"]


def test_a_dead_dialers_call_that_is_over_gives_it_back(client: HookedRedis, dialer: Dialer) -> None:
    bridged(dialer, "a")
    heir = Dialer(client, "d2")
    dialer.membership.fence("d1")
    assert heir.limiter.take_over("d1", set(), {"a": 3}) == ["a"]
    assert words(bridged(heir, "b")) == ["fs1"]


def test_a_rebuilt_state_has_it(client: HookedRedis, dialer: Dialer) -> None:
    client.flushall()
    dialer.membership.register("d1", {})
    assert dialer.limiter.rebuild(snapshot([HELD]))
    assert words(bridged(dialer, "b")) == ["gateway_channels"]
    assert slots(client, "desk") == {"a:b"}
    dialer.end("a")
    assert words(bridged(dialer, "b")) == ["fs1"]


def test_one_that_ends_while_the_state_is_rebuilt_gives_it_back(client: HookedRedis, dialer: Dialer) -> None:
    client.flushall()
    dialer.membership.register("d1", {})

    def read() -> LimiterSnapshot:
        dialer.end("a")
        return snapshot([HELD])()

    assert dialer.limiter.rebuild(read)
    assert words(bridged(dialer, "b")) == ["fs1"]


def test_the_rate_of_a_first_legs_gateway_is_the_first_legs(dialer: Dialer) -> None:
    """A batch says each gateway's caps once; what a second leg says of its rate is not what first legs may have."""
    whole, part = GatewayCaps("gw", 1000, None), GatewayCaps("gw", 1, None)
    requests = [
        PermitRequest("a", "+a", CallCaps("t", "c", 9, OPEN_TENANT, OTHER, whole), ["fs1"]),
        *(
            PermitRequest(call, f"+{call}", CallCaps("t", "c", 9, OPEN_TENANT, part), ["fs1"])
            for call in "bc"
        ),
    ]
    assert words(dialer.limiter.acquire(OPEN_NODES, requests)) == ["fs1", "fs1", "gateway_cps"]


def test_a_second_leg_takes_no_place_in_its_gateways_rate(dialer: Dialer) -> None:
    """It leaves when the person has answered: whoever counts it now would count the wrong second."""
    desk = GatewayCaps("desk", 1, None)
    assert words(bridged(dialer, "a", "b", desk=desk)) == ["fs1", "fs1"]
    assert dialer.turns("gateway", "desk") == {}
    assert set(dialer.turns("gateway", OPEN_GATEWAY.id)) == {"a", "b"}
