"""Each cap binds, says so in its own word, and gives back exactly what it took."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import pytest

from limits.acquire_request import WIRE_SECONDS
from limits.caps import PERMIT_LIFE, OpenCall
from limits.limiter import Denied, GatewayCaps, NodeCaps, Permit, TenantCaps, Usage
from tests.integration.limits.limiter_rig import OPEN_NODES, Dialer, HookedRedis, snapshot, words


def permits(answers: list[Permit | Denied]) -> list[Permit]:
    return [answer for answer in answers if isinstance(answer, Permit)]


SLOT_CAPS: list[tuple[str, Callable[[Dialer, str], list[Permit | Denied]]]] = [
    ("campaign_concurrency", lambda dialer, call: dialer.ask(call, concurrency=2)),
    ("tenant_concurrency", lambda dialer, call: dialer.ask(call, tenant=TenantCaps(2, None, None, None))),
    ("gateway_channels", lambda dialer, call: dialer.ask(call, gateway=GatewayCaps("gw", None, 2))),
    ("node_channels", lambda dialer, call: dialer.ask(call, nodes=[NodeCaps("fs1", None, 2)])),
]


@pytest.mark.parametrize(("word", "ask"), SLOT_CAPS, ids=[word for word, _ in SLOT_CAPS])
def test_a_slot_cap_binds_until_a_call_ends(
    dialer: Dialer, word: str, ask: Callable[[Dialer, str], list[Permit | Denied]]
) -> None:
    assert words([*ask(dialer, "a"), *ask(dialer, "b"), *ask(dialer, "c")]) == ["fs1", "fs1", word]
    dialer.end("a")
    assert words([*ask(dialer, "c"), *ask(dialer, "d")]) == ["fs1", word]


def test_a_campaign_leaves_what_is_kept_for_single_calls_and_no_more(dialer: Dialer) -> None:
    kept = TenantCaps(4, None, None, None, reserved=2)

    def ask(*calls: str, single: bool) -> list[str]:
        return words(dialer.ask(*calls, tenant=kept, single=single, concurrency=1000))

    assert ask("a", "b", "c", single=False) == ["fs1", "fs1", "tenant_concurrency"]
    assert ask("x", single=True) == ["fs1"]
    assert ask("c", single=False) == ["tenant_concurrency"], (
        "one of the kept places is in use, the other free"
    )
    assert ask("y", "z", single=True) == ["fs1", "tenant_concurrency"]
    dialer.end("a", "b", "x", "y")
    assert ask("v", "w", "x", "y", "z", single=True) == ["fs1"] * 4 + ["tenant_concurrency"]
    dialer.end("v")
    assert ask("d", "e", single=False) == ["fs1", "tenant_concurrency"], "single calls have all that is kept"


def test_what_is_kept_for_single_calls_is_known_again_after_a_rebuild(
    dialer: Dialer, client: HookedRedis
) -> None:
    kept = TenantCaps(2, None, None, None, reserved=1)
    client.flushall()
    dialer.membership.register("d1", {})
    up = OpenCall("x", "d1", "single call", "t", "gw", "fs1", "+x", single=True)
    assert dialer.limiter.rebuild(snapshot([up]))
    assert words(dialer.ask("a", "b", tenant=kept)) == ["fs1", "tenant_concurrency"]
    dialer.end("x")
    assert words(dialer.ask("b", tenant=kept)) == ["tenant_concurrency"], "the place is kept for the next"


BLOCKED: list[tuple[str, Callable[[Dialer], list[Permit | Denied]]]] = [
    ("campaign_concurrency", lambda dialer: dialer.ask("a", concurrency=0)),
    ("tenant_concurrency", lambda dialer: dialer.ask("a", tenant=TenantCaps(0, None, None, None))),
    ("tenant_minute", lambda dialer: dialer.ask("a", tenant=TenantCaps(None, 0, None, None))),
    ("tenant_day_calls", lambda dialer: dialer.ask("a", tenant=TenantCaps(None, None, 0, None))),
    ("tenant_day_minutes", lambda dialer: dialer.ask("a", tenant=TenantCaps(None, None, None, 0))),
    ("gateway_cps", lambda dialer: dialer.ask("a", gateway=GatewayCaps("gw", 0, None))),
    ("gateway_channels", lambda dialer: dialer.ask("a", gateway=GatewayCaps("gw", None, 0))),
    ("node_cps", lambda dialer: dialer.ask("a", nodes=[NodeCaps("fs1", 0, None)])),
    ("node_channels", lambda dialer: dialer.ask("a", nodes=[NodeCaps("fs1", None, 0)])),
    ("no_node", lambda dialer: dialer.ask("a", nodes=[])),
]


@pytest.mark.parametrize(("word", "ask"), BLOCKED, ids=[word for word, _ in BLOCKED])
def test_zero_blocks_and_holds_nothing(
    dialer: Dialer, word: str, ask: Callable[[Dialer], list[Permit | Denied]]
) -> None:
    (answer,) = ask(dialer)
    assert isinstance(answer, Denied)
    assert answer.reason == word
    assert answer.retry_after >= 0.005
    assert dialer.limiter.usage("t") == Usage(0, 0, 0, 0)
    assert dialer.limiter.held_by("d1") == []


RATE_CAPS: list[tuple[str, float, Callable[[Dialer], list[Permit | Denied]]]] = [
    ("tenant_minute", 0.1, lambda dialer: dialer.ask("a", "b", tenant=TenantCaps(None, 600, None, None))),
    ("gateway_cps", 0.2, lambda dialer: dialer.ask("a", "b", gateway=GatewayCaps("gw", 5, None))),
    ("node_cps", 0.2, lambda dialer: dialer.ask("a", "b", nodes=[NodeCaps("fs1", 5, None)])),
]


@pytest.mark.parametrize(("word", "interval", "ask"), RATE_CAPS, ids=[word for word, *_ in RATE_CAPS])
def test_a_rate_spreads_calls_evenly_and_says_when_the_next_may_come(
    dialer: Dialer, word: str, interval: float, ask: Callable[[Dialer], list[Permit | Denied]]
) -> None:
    """Both in one question, and so at one moment."""
    answers = ask(dialer)
    assert words(answers) == ["fs1", word]
    assert isinstance(answers[1], Denied)
    assert interval - 0.045 < answers[1].retry_after <= interval


def test_a_fresh_burst_is_not_let_through_at_once(dialer: Dialer) -> None:
    answers = dialer.ask(*map(str, range(50)), gateway=GatewayCaps("gw", 20, None))
    assert len(permits(answers)) == 1
    assert set(words(answers)) == {"fs1", "gateway_cps"}


def test_the_first_node_with_room_is_named(dialer: Dialer) -> None:
    nodes = [NodeCaps("fs1", None, 1), NodeCaps("fs2", 5, None), NodeCaps("fs3", None, 1)]
    assert words(dialer.ask("a", "b", "c", "d", nodes=nodes)) == ["fs1", "fs2", "fs3", "node_cps"]


def test_without_a_node_that_has_channels_the_word_is_channels(dialer: Dialer) -> None:
    nodes = [NodeCaps("fs1", None, 1), NodeCaps("fs2", None, 1)]
    assert words(dialer.ask("a", "b", "c", nodes=nodes)) == ["fs1", "fs2", "node_channels"]


def test_a_number_has_one_live_call_of_a_tenant_in_whichever_campaign(dialer: Dialer) -> None:
    assert words(dialer.ask("a", "b", number="+1")) == ["fs1", "number_cap"]
    assert words(dialer.ask("c", number="+1", campaign_id="x")) == ["number_cap"]
    dialer.end("a")
    assert words(dialer.ask("b", number="+1")) == ["fs1"]


def test_the_calls_of_another_tenant_to_a_number_hold_nobody_back(dialer: Dialer) -> None:
    assert words(dialer.ask("a", number="+1")) == ["fs1"]
    assert words(dialer.ask("b", "c", number="+1", tenant_id="other", campaign_id="x")) == [
        "fs1",
        "number_cap",
    ]
    dialer.end("a")
    assert words(dialer.ask("d", number="+1")) == ["fs1"]
    assert words(dialer.ask("c", number="+1", tenant_id="other", campaign_id="x")) == ["number_cap"]


def test_the_days_calls_stay_counted_after_they_ended(dialer: Dialer) -> None:
    caps = TenantCaps(None, None, 2, None)
    assert words(dialer.ask("a", "b", "c", tenant=caps)) == ["fs1", "fs1", "tenant_day_calls"]
    dialer.end("a", "b")
    assert words(dialer.ask("c", tenant=caps)) == ["tenant_day_calls"]


def test_the_days_minutes_gate_new_calls_once_spent(dialer: Dialer) -> None:
    caps = TenantCaps(None, None, None, 2)
    assert words(dialer.ask("a", "b", tenant=caps)) == ["fs1", "fs1"]
    dialer.end("a", billsec=119)
    assert words(dialer.ask("c", tenant=caps)) == ["fs1"]
    dialer.end("b", billsec=1)
    assert words(dialer.ask("d", tenant=caps)) == ["tenant_day_minutes"]


def test_a_lowered_cap_lets_nobody_in_until_enough_have_ended(dialer: Dialer) -> None:
    dialer.ask("a", "b", "c")
    assert words(dialer.ask("d", concurrency=2)) == ["campaign_concurrency"]
    dialer.end("a", "b")
    assert words(dialer.ask("d", "e", concurrency=2)) == ["fs1", "campaign_concurrency"]


def test_a_raised_rate_binds_at_once(dialer: Dialer) -> None:
    dialer.ask("a", tenant=TenantCaps(None, 1, None, None))
    (before,) = dialer.ask("b", tenant=TenantCaps(None, 1, None, None))
    (after,) = dialer.ask("b", tenant=TenantCaps(None, 1200, None, None))
    assert isinstance(before, Denied)
    assert before.retry_after > 50
    assert isinstance(after, Permit) or after.retry_after <= 0.05


def test_permits_never_used_give_back_everything(dialer: Dialer) -> None:
    ask = partial(dialer.ask, tenant=TenantCaps(1, 60, 1, None), gateway=GatewayCaps("gw", 1, 1))
    answers = ask("a", "b")
    assert words(answers) == ["fs1", "tenant_concurrency"]
    dialer.limiter.give_back(permits(answers))
    assert dialer.limiter.usage("t") == Usage(0, 0, 0, 0)
    assert words(ask("b")) == ["fs1"]


def test_a_permit_names_its_deadline_from_before_it_was_asked_for(dialer: Dialer) -> None:
    before = time.monotonic()
    (permit,) = permits(dialer.ask("a"))
    life = PERMIT_LIFE - WIRE_SECONDS
    assert before + life <= permit.expires_at <= time.monotonic() + life


def test_usage_counts_one_tenants_calls_only(dialer: Dialer) -> None:
    dialer.ask("a", "b", "c")
    dialer.ask("x", tenant_id="other", campaign_id="y")
    dialer.end("a", billsec=61)
    assert dialer.limiter.usage("t") == Usage(concurrent=2, last_minute=3, day_calls=3, day_seconds=61)


def test_every_key_carries_the_prefix(client: HookedRedis, dialer: Dialer) -> None:
    dialer.ask("a", concurrency=1)
    keys = {key for key in client.scan_iter() if not key.startswith("test:")}
    assert keys == set()


def test_every_key_that_counts_lapses_by_itself(client: HookedRedis, dialer: Dialer) -> None:
    dialer.ask("a", "b", nodes=OPEN_NODES)
    dialer.end("a", billsec=3)
    dialer.limiter.renew()
    for_ever = {key for key in client.scan_iter() if client.ttl(key) == -1}
    assert for_ever == {"test:roster"}
