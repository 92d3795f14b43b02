"""The comparison of the four records finds each thing that may not happen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import structlog

from simulator.ledger import Start, Step
from tests.chaos import verdict
from tests.chaos.caps import CAPPED, CPS_WINDOWS, MINUTE_WINDOWS, Cap, Limit, Scope
from tests.chaos.held_up import HeldUp
from tests.chaos.listener_client import Heard
from tests.chaos.one_call import CALL, CAMPAIGN, CONTACT, NUMBER, TOLD, originate, records, row
from tests.chaos.records import Listener, Records
from tests.chaos.verdict import compare
from tests.chaos.wire import Order


def heard(given: Records, *items: Heard, resets: tuple[float, ...] = (), ended: bool = True) -> None:
    given.listeners[0] = Listener(CAMPAIGN, items, resets, ended)


def placed_again(given: Records) -> None:
    given.view.originates.append(originate(t=70.0))


def placed_under_another_id(given: Records) -> None:
    given.view.originates.append(originate("other", t=70.0))
    given.calls.append(row(id="other", seq=2, attempt=None, disposition="switch_lost", sent_at=70.0))


def placed_without_a_row(given: Records) -> None:
    given.calls.clear()
    given.contacts[0]["attempts"] = 0


def never_placed(given: Records) -> None:
    given.view.originates.clear()


def refused_as_a_second_of_none(given: Records) -> None:
    given.view.originates[:] = [originate(result="refused:LOSE_RACE")]
    given.calls[0] |= {"disposition": "outcome_unknown", "cause": "NEVER_SEEN"}
    given.contacts[0] |= {"disposition": "outcome_unknown", "last_cause": "NEVER_SEEN"}


def said_to_have_lived_and_never_placed(given: Records) -> None:
    given.view.originates.clear()
    given.calls[0] |= {"disposition": "outcome_unknown", "cause": "ENDED_UNSEEN"}
    given.contacts[0] |= {"disposition": "outcome_unknown", "last_cause": "ENDED_UNSEEN"}


def not_uploaded_whole(given: Records) -> None:
    given.imports[0] = (5, [3])


def left_originated(given: Records) -> None:
    given.contacts[0]["status"] = "originated"
    given.campaigns[0] |= {"completed": 0, "originated": 1}


def left_running(given: Records) -> None:
    given.campaigns[0]["status"] = "running"


def up_for_ever(given: Records) -> None:
    given.view.steps.pop()


def answered_and_recorded_as_busy(given: Records) -> None:
    given.calls[0]["disposition"] = "busy"


def counted_wrong(given: Records) -> None:
    given.campaigns[0] |= {"completed": 2}


def a_transition_unheard(given: Records) -> None:
    heard(given, *[Heard(CONTACT, item, 0) for item in TOLD[1:]])


def an_unheard_end(given: Records) -> None:
    heard(given, *[Heard(CONTACT, item, 0) for item in TOLD], ended=False)


def a_reset_for_no_reason(given: Records) -> None:
    heard(given, *[Heard(CONTACT, item, 0) for item in TOLD], resets=(3.0,))


def a_transition_heard_twice(given: Records) -> None:
    heard(given, *[Heard(CONTACT, item, 0) for item in [TOLD[0], *TOLD]])


def cancelled_and_nobody_stopped_it(given: Records) -> None:
    given.contacts[0]["status"] = "cancelled"
    given.campaigns[0] |= {"completed": 0, "cancelled": 1}


def ended_by_itself(given: Records) -> None:
    given.campaigns[0]["end_reason"] = "agent_refused"


@pytest.mark.parametrize(
    ("spoil", "column"),
    [
        (placed_again, verdict.DUPLICATES),
        (placed_under_another_id, verdict.DUPLICATES),
        (placed_without_a_row, verdict.LOST),
        (refused_as_a_second_of_none, verdict.LOST),
        (said_to_have_lived_and_never_placed, verdict.LOST),
        (never_placed, verdict.LOST),
        (not_uploaded_whole, verdict.LOST),
        (left_originated, verdict.STUCK),
        (left_running, verdict.STUCK),
        (up_for_ever, verdict.STUCK),
        (answered_and_recorded_as_busy, verdict.OUTCOMES),
        (counted_wrong, verdict.OUTCOMES),
        (a_transition_unheard, verdict.MISSED),
        (an_unheard_end, verdict.MISSED),
        (a_reset_for_no_reason, verdict.MISSED),
        (a_transition_heard_twice, verdict.REPEATED),
        (cancelled_and_nobody_stopped_it, verdict.LOST),
        (ended_by_itself, verdict.LOST),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_may_not_happen_is_found(spoil: Callable[[Records], None], column: str) -> None:
    spoilt = records()
    assert compare(spoilt).holds
    spoil(spoilt)
    assert compare(spoilt).found[column]


@pytest.mark.parametrize(("rang", "found"), [(14.0, True), (21.0, False)])
def test_a_call_on_which_its_node_hung_up_late_is_nobodys_attempt_where_it_did(
    rang: float, found: bool
) -> None:
    given = records()
    first, end = given.view.originates[0], given.view.steps[-1]
    late = replace(first, uuid="late", t=first.t - 100)
    given.view.originates.append(late)
    given.view.steps.append(replace(end, uuid="late", t=late.t + rang))
    given.calls.append(
        row(id="late", seq=2, attempt=None, disposition="node_fault", cause="TIMER_RAN_LATE", sent_at=late.t)
    )
    assert bool(compare(given).found[verdict.DUPLICATES]) == found


def test_what_went_with_an_emptied_valkey_is_not_a_miss_and_what_came_again_after_it_no_repetition() -> None:
    given = records()
    given.struck.emptied.append(3.5)
    heard(
        given,
        Heard(CONTACT, TOLD[0], 0),
        Heard(CONTACT, TOLD[0], 1),
        Heard(CONTACT, TOLD[2], 1),
        resets=(3.8,),
    )
    assert compare(given).holds


NAMES = {
    Scope.NODE: "fs1",
    Scope.GATEWAY: "gw",
    Scope.TENANT: "t",
    Scope.CAMPAIGN: CAMPAIGN,
    Scope.NUMBER: f"{NUMBER} of t",
}


def dialled(*times: float, lasting: float = 0.01, cap: Cap, result: str = "accepted") -> list[str]:
    """What is found of a cap in a ledger of calls at these moments, and of no other record."""
    given = records()
    given.caps.append(cap)
    uuids = [f"call {place}" for place in range(len(times))]
    given.view.originates[:] = [originate(uuid, t, result) for uuid, t in zip(uuids, times, strict=True)]
    given.view.steps[:] = [Step(t + lasting, "end", uuid) for uuid, t in zip(uuids, times, strict=True)]
    return compare(given).found[verdict.CAPS]


def spread(count: int, seconds: float, since: float = 100.0) -> list[float]:
    """As many moments at equal distances within so many seconds."""
    return [since + seconds * place / count for place in range(count)]


@pytest.mark.parametrize("scope", Scope)
def test_one_live_call_too_many_is_found_in_the_ledger_alone(scope: Scope) -> None:
    cap = Cap(scope, Limit(3), NAMES[scope])
    assert dialled(*spread(3, 1.0), lasting=5.0, cap=cap) == []
    assert dialled(*spread(4, 1.0), lasting=0.7, cap=cap) == []
    (said,) = dialled(*spread(4, 1.0), lasting=0.8, cap=cap)
    assert said == f"live calls of a {scope} ({NAMES[scope]}): 4 at 100.750, 3 are allowed"


@pytest.mark.parametrize("scope", [Scope.NODE, Scope.GATEWAY])
@pytest.mark.parametrize(("count", "seconds"), [(1, 0.94), (2, 1.94), (10, 9.94), (60, 59.94)])
def test_one_call_a_second_too_many_is_found_over_any_number_of_seconds(
    scope: Scope, count: int, seconds: float
) -> None:
    cap = Cap(scope, Limit(5), NAMES[scope], CPS_WINDOWS)
    permitted = spread(5 * count + 1, count * (5 * count + 1) / (5 * count))
    assert dialled(*permitted, cap=cap) == []
    assert dialled(*[permitted[0] + 0.05, *permitted[1:]], cap=cap) == []
    assert dialled(*spread(5 * count + 1, seconds), cap=cap)


def test_one_call_a_minute_too_many_is_found() -> None:
    cap = Cap(Scope.TENANT, Limit(5), "t", MINUTE_WINDOWS)
    assert dialled(100.0, 101.0, 102.0, 103.0, 104.0, 160.0, cap=cap) == []
    (said,) = dialled(100.0, 101.0, 102.0, 103.0, 104.0, 159.9, cap=cap)
    assert said.startswith("calls a minute of a tenant (t): 6 within 60 s at 100.000, 5 are allowed; ")


def test_a_cap_is_judged_by_the_calls_of_its_own_alone() -> None:
    for scope in Scope:
        assert dialled(*spread(4, 1.0), lasting=5.0, cap=Cap(scope, Limit(3), "another")) == []


def test_a_cap_without_a_name_holds_for_each_of_its_scope() -> None:
    given = records()
    given.caps.append(Cap(Scope.NUMBER, Limit(1)))
    given.view.originates.append(originate("another", t=2.0, number="+14155550111"))
    given.view.steps.append(Step(5.0, "end", "another"))
    assert not compare(given).found[verdict.CAPS]
    given.view.originates.append(originate("again", t=3.0))
    given.view.steps.append(Step(5.0, "end", "again"))
    assert compare(given).found[verdict.CAPS] == [
        f"live calls of a number ({NUMBER} of t): 2 at 3.000, 1 are allowed"
    ]


@pytest.mark.parametrize("left_out", CAPPED, ids=str)
def test_no_cap_is_left_out(left_out: tuple[Scope, bool]) -> None:
    given = records()
    given.caps[:] = [cap for cap in given.caps if (cap.scope, bool(cap.windows)) != left_out]
    scope, rate = left_out
    said = f"{'a rate' if rate else 'live calls'} of a {scope} ({NAMES[scope]})"
    assert compare(given).found[verdict.CAPS] == [f"{said}: there were calls, and nobody judged them"]
    given.caps.append(Cap(scope, Limit(1_000), NAMES[scope], MINUTE_WINDOWS if rate else ()))
    assert compare(given).holds


def test_what_a_node_refused_is_a_session_of_it_and_no_call() -> None:
    times, refused = spread(2, 0.5), "refused:DESTINATION_OUT_OF_ORDER"
    for scope in (Scope.NODE, Scope.GATEWAY):
        cap = Cap(scope, Limit(1), NAMES[scope], CPS_WINDOWS)
        assert bool(dialled(*times, cap=cap, result=refused)) == (scope is Scope.NODE)
        assert dialled(*times, cap=cap, result="refused:LOSE_RACE") == []


def bridged(*legs: tuple[float, float], cap: Cap, first: float = 1.0) -> list[str]:
    """What is found of a cap where a call that begins at `first` and lasts 3 s has second legs, each from a moment to
    another, by a gateway of their own or by its."""
    given = records()
    given.caps.append(cap)
    given.view.originates[:] = [originate(t=first)]
    given.view.steps[:] = [Step(first + 1.0, "answer", CALL), Step(first + 3.0, "end", CALL)]
    name = cap.name or "gw"
    for place, (begin, end) in enumerate(legs):
        given.view.legs.append(replace(originate(f"leg {place}", begin), gateway=name))
        given.view.leg_ends[f"leg {place}"] = Step(end, "leg_end", f"leg {place}")
    return compare(given).found[verdict.CAPS]


def test_second_legs_are_under_the_caps_of_their_gateway() -> None:
    desk = Cap(Scope.GATEWAY, Limit(1), "desk")
    rate = Cap(Scope.GATEWAY, Limit(1), "desk", CPS_WINDOWS)
    assert bridged((2.0, 3.0), (3.0, 4.0), cap=desk) == []
    exceeded = bridged((2.0, 3.1), (3.0, 4.0), cap=desk)
    assert exceeded == ["live calls of a gateway (desk): 2 at 3.000, 1 are allowed"]
    assert bridged((2.0, 2.1), (3.0, 3.1), cap=rate) == []
    assert bridged((2.0, 2.1), (2.9, 3.1), cap=rate)
    same = Cap(Scope.GATEWAY, Limit(1), "gw")
    assert bridged((4.0, 4.5), cap=same) == []
    assert bridged((2.0, 3.0), cap=same) == ["live calls of a gateway (gw): 2 at 2.000, 1 are allowed"]
    assert bridged((1.5, 2.0), cap=Cap(Scope.GATEWAY, Limit(1), "gw", CPS_WINDOWS))
    assert bridged((2.0, 3.0), cap=Cap(Scope.NODE, Limit(1), "fs1")) == [], "a node's caps are on calls"


def test_a_gateway_of_second_legs_alone_is_not_left_out() -> None:
    given = records()
    given.caps[:] = [cap for cap in given.caps if cap.scope is not Scope.GATEWAY]
    given.caps.extend([Cap(Scope.GATEWAY, Limit(9), "gw"), Cap(Scope.GATEWAY, Limit(9), "gw", CPS_WINDOWS)])
    assert compare(given).holds
    given.view.legs.append(replace(originate("leg", 2.0), gateway="desk"))
    given.view.leg_ends["leg"] = Step(3.0, "leg_end", "leg")
    said = "of a gateway (desk): there were calls, and nobody judged them"
    assert compare(given).found[verdict.CAPS] == [f"live calls {said}", f"a rate {said}"]


def test_whoever_answered_and_could_not_be_connected_is_abandoned_where_an_agent_is_reached_by_a_gateway() -> (
    None
):
    given = records()
    given.calls[0]["disposition"] = "abandoned"
    assert compare(given).found[verdict.OUTCOMES]
    assert not compare(replace(given, bridged=frozenset([CAMPAIGN]))).found[verdict.OUTCOMES]
    given.view.steps[:] = [step for step in given.view.steps if step.event != "answer"]
    assert compare(replace(given, bridged=frozenset([CAMPAIGN]))).found[verdict.OUTCOMES]


def test_a_cap_that_is_lowered_says_who_may_begin_from_then_on() -> None:
    lowered = Limit(3, ((101.0, 2),))
    live = Cap(Scope.TENANT, lowered, "t")
    assert dialled(100.0, 100.1, 100.2, lasting=5.0, cap=live) == []
    assert dialled(100.0, 100.1, 101.0, lasting=5.0, cap=live)
    rate = Cap(Scope.GATEWAY, lowered, "gw", CPS_WINDOWS)
    assert dialled(100.2, 100.4, 100.6, cap=rate) == []
    assert dialled(101.2, 101.4, 101.6, cap=rate)
    assert Limit(2, ((1.0, 3), (5.0, 1))).most(0.0, 1.0) == 3
    assert Limit(2, ((1.0, 3), (5.0, 1))).most(5.0, 9.0) == 1


def test_the_calls_of_a_node_that_died_end_with_it() -> None:
    def found(
        *starts: Start, deaths: tuple[tuple[str, float], ...] = (), ended: float | None = None
    ) -> list[str]:
        given = records()
        given.caps.append(Cap(Scope.NODE, Limit(1), "fs1"))
        given.view.originates[:] = [originate(), originate("next", 3.0)]
        given.view.steps[:] = [Step(3.5, "end", "next")]
        if ended is not None:
            given.view.steps.append(Step(2.0, "end", CALL, written=ended))
        given.view.starts[:] = starts
        given.struck.deaths[:] = deaths
        return compare(given).found[verdict.CAPS]

    assert found()
    assert found(Start(0.5, "fs1"), Start(2.5, "fs2"), Start(3.2, "fs1"))
    assert found(Start(2.5, "fs1")) == []
    assert found(Start(3.2, "fs1"), deaths=(("fs1", 2.0),)) == []
    # An answered call that was brought back is one all the while; and one that a node, which stood still, ended late.
    assert found(Start(2.5, "fs1"), ended=3.1)
    assert found(ended=2.1) == []


def test_a_rate_is_that_at_which_orders_left_whatever_held_them_on_the_way() -> None:
    def found(*orders: Order) -> list[str]:
        given = records()
        given.caps.append(Cap(Scope.GATEWAY, Limit(1), "gw", CPS_WINDOWS))
        given.view.originates[:] = [originate("held", 5.0), originate("next", 5.1)]
        given.view.steps[:] = [Step(6.0, "end", "held"), Step(6.0, "end", "next")]
        given.orders[:] = orders
        return compare(given).found[verdict.CAPS]

    assert found()
    first, after = Order(2.0, "fs1", "held"), Order(5.1, "fs1", "next")
    assert found(first, after) == []
    # An order that was given again left when it was given the last time before it was carried out.
    assert found(
        first, after, Order(4.9, "fs1", "held"), Order(7.0, "fs1", "held"), Order(4.9, "fs2", "next")
    ) == [
        (
            "calls a second of a gateway (gw): 2 within 0.95 s at 4.900, 1 are allowed;"
            " held of d1 left 4.900, carried out 5.000; next of d1 left 5.100, carried out 5.100"
        )
    ]


def test_what_a_busy_machine_held_up_after_its_check_may_be_so_much_older() -> None:
    def found(*, since: float | None = None, **held_up: float) -> list[str]:
        given = records()
        given.caps.append(Cap(Scope.GATEWAY, Limit(1), "gw", CPS_WINDOWS))
        given.view.originates[:] = [originate("held", 5.1), originate("next", 6.0)]
        given.view.steps[:] = [Step(9.0, "end", "held"), Step(9.0, "end", "next")]
        given.orders[:] = [Order(5.1, "fs1", "held", since), Order(6.0, "fs1", "next")]
        given.struck.held_up.update(held_up)
        return compare(given).found[verdict.CAPS]

    assert found()
    assert found(held=0.06) == []
    assert found(held=0.04)
    assert found(other=0.06)
    # The same of an order that was read with what came later.
    assert found(since=5.0) == []
    assert found(since=5.06)


def test_what_is_not_known_to_the_moment_hides_no_more_calls_than_that() -> None:
    given = records()
    given.caps.append(Cap(Scope.GATEWAY, Limit(2), "gw", CPS_WINDOWS))
    lines = [originate(name, 5.1) for name in "abc"]
    given.view.originates[:] = lines
    given.view.steps[:] = [Step(9.0, "end", line.uuid) for line in lines]
    given.orders[:] = [Order(5.1, "fs1", name, 4.0) for name in "ab"] + [Order(5.1, "fs1", "c")]
    assert compare(given).found[verdict.CAPS] == []
    given.orders[:2] = [Order(5.1, "fs1", "a", 4.5), Order(5.1, "fs1", "b")]
    assert compare(given).found[verdict.CAPS]


def test_what_dialers_say_of_it_is_read() -> None:
    passed_on: list[tuple[str, str]] = []
    held_up = HeldUp(lambda name, line: passed_on.append((name, line)))
    renderer = structlog.processors.LogfmtRenderer(key_order=["level", "event"])
    call_id = "01a22c69-fe9c-784f-9bb7-b76d0d951cc9"
    event = {
        "timestamp": "t",
        "level": "warning",
        "event": "originate_held_up",
        "call_id": call_id,
        "seconds": 0.0131,
    }
    lines = [str(renderer(None, "", event)), "level=info event=call_sent call_id=x seconds=1.0"]
    for line in lines:
        held_up("dialer.1", line)
    assert held_up.seconds == {call_id: 0.0131}
    assert passed_on == [("dialer.1", line) for line in lines]


def test_where_a_process_hung_and_what_it_warned_of_is_kept() -> None:
    held_up = HeldUp(lambda _name, _line: None)
    held_up("dialer.1", "level=info event=dialer_started")
    held_up("dialer.2", "a greenlet has not moved for 185 s: ending")
    held_up("dialer.1", "level=info event=node_link")
    held_up("dialer.2", '  File "recorder.py", line 1, in run')
    held_up("dialer.1", "timestamp=1 level=warning event=task_waits task=a")
    held_up("dialer.1", "timestamp=2 level=error event=lease_lost")
    held_up("dialer.1", "timestamp=3 level=warning event=task_waits task=b")
    assert list(held_up.trouble.items()) == [
        (("dialer.1", "lease_lost"), (1, "timestamp=2 level=error event=lease_lost")),
        (("dialer.1", "task_waits"), (2, "timestamp=3 level=warning event=task_waits task=b")),
    ]
    assert held_up.hung == [
        "dialer.2: a greenlet has not moved for 185 s: ending",
        'dialer.2:   File "recorder.py", line 1, in run',
    ]


def test_what_a_dialer_was_stopped_with_after_its_guard_counts_as_of_then() -> None:
    def found(*withheld: tuple[float, float], third: float = 5.2) -> list[str]:
        given = records()
        given.caps.append(Cap(Scope.GATEWAY, Limit(1), "gw", CPS_WINDOWS))
        given.view.originates[:] = [originate("held", 5.1), originate("next", third)]
        given.view.steps[:] = [Step(9.0, "end", "held"), Step(9.0, "end", "next")]
        given.orders[:] = [Order(5.1, "fs1", "held"), Order(third, "fs1", "next")]
        given.struck.withheld[:] = withheld
        return compare(given).found[verdict.CAPS]

    assert found()
    assert found((2.0, 5.05)) == []
    assert found((2.0, 4.0))
    assert found((5.0, 5.05)), "it had just left when it was stopped"
    assert found((2.0, 5.05), (2.5, 5.06)), "each stop holds one order, which counts all the same"
