"""The comparison finds each way in which a halt or a stop is not kept, and takes nobody for called who was not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.ledger import Step
from tests.chaos import verdict
from tests.chaos.listener_client import Heard
from tests.chaos.one_call import CALL, CAMPAIGN, CONTACT, originate, records, row
from tests.chaos.records import Records
from tests.chaos.stops import Away, Stop
from tests.chaos.verdict import compare
from tests.chaos.wire import Order

HALT, STOP = Stop(10.0, 12.0, 40.0, tenant="t"), Stop(10.0, 12.0, campaign=CAMPAIGN)
STOPS = pytest.mark.parametrize("stop", [HALT, STOP], ids=["halt", "stop"])
HUNG_UP = {"attempt": None, "disposition": None, "cause": "MANAGER_REQUEST"}


def stopped(stop: Stop, *lines: tuple[float, float], away: tuple[Away, ...] = ()) -> Records:
    """Calls that went out and ended at these moments, in the ledger of a tenant, or campaign, that was stopped."""
    given = records()
    given.struck.stops.append(stop)
    given.struck.away.extend(away)
    given.view.originates[:] = [originate(f"call {place}", t) for place, (t, _) in enumerate(lines)]
    given.view.steps[:] = [Step(end, "end", f"call {place}") for place, (_, end) in enumerate(lines)]
    return given


@STOPS
def test_a_call_that_leaves_after_the_answer_is_found_until_the_halt_is_lifted(stop: Stop) -> None:
    def found(t: float) -> int:
        return len(compare(stopped(stop, (t, t + 0.1))).found[verdict.STOPS])

    assert [found(t) for t in (9.0, 11.9, 12.1, 39.9)] == [0, 0, 1, 1]
    assert found(40.1) == (stop is STOP)


@STOPS
def test_a_call_of_others_may_leave(stop: Stop) -> None:
    given = stopped(stop, (13.0, 99.0))
    given.view.originates[:] = [
        replace(line, tenant="another", campaign="another") for line in given.view.originates
    ]
    assert compare(given).found[verdict.STOPS] == []


def test_what_a_dialer_was_stopped_with_after_its_guard_may_leave_and_has_to_end() -> None:
    given = stopped(HALT, (20.0, 21.0))
    given.orders[:] = [Order(20.0, "fs1", "call 0")]
    given.struck.withheld[:] = [(9.0, 19.95)]
    assert compare(given).found[verdict.STOPS] == []
    given.view.steps[:] = [Step(36.0, "end", "call 0")]
    assert compare(given).found[verdict.STOPS]
    given.struck.withheld[:] = [(13.0, 19.95)]
    given.view.steps[:] = [Step(21.0, "end", "call 0")]
    assert compare(given).found[verdict.STOPS], "it was stopped when it could know better"


@STOPS
def test_a_call_that_goes_on_although_its_node_could_be_reached_is_found(stop: Stop) -> None:
    def found(end: float, *away: Away) -> int:
        return len(compare(stopped(stop, (5.0, end), away=away)).found[verdict.STOPS])

    assert [found(end) for end in (11.0, 26.9, 27.1)] == [0, 0, 1]
    cut = Away(11.0, 22.0, "fs1")
    assert [found(end, cut) for end in (36.9, 37.1)] == [0, 1]
    assert found(36.9, Away(11.0, 22.0, "fs2")) == 1
    assert found(36.9, Away(11.0, 22.0)) == 0
    assert found(36.9, Away(11.0, 18.0, "fs1"), Away(15.0, 22.0)) == 0
    assert found(37.1, Away(11.0, 20.0, "fs1"), Away(12.0, 22.0), cut) == 1, "nothing is excused twice"


@STOPS
def test_who_was_hung_up_before_an_answer_was_not_called(stop: Stop) -> None:
    """A call that we ended before an answer, beside the one that counts."""
    given = records()
    given.struck.stops.append(stop)
    given.view.originates.append(originate("hung up", t=9.0))
    given.view.steps.append(Step(12.5, "end", "hung up", cause="MANAGER_REQUEST", sip=487))
    given.calls.append(row(id="hung up", seq=2, **HUNG_UP))
    assert compare(given).holds
    given.calls[1] |= {"attempt": 2, "disposition": "no_answer"}
    given.contacts[0]["attempts"] = 2
    assert compare(given).found[verdict.STOPS], "an attempt was lost"
    given.calls[1] |= HUNG_UP
    given.contacts[0]["attempts"] = 1
    given.struck.stops[:] = [replace(stop, tenant="another", campaign="another" if stop is STOP else "")]
    assert compare(given).found[verdict.DUPLICATES], "nobody was to hang it up"
    given.struck.stops[:] = [replace(stop, asked=13.0, answered=13.5)]
    assert compare(given).found[verdict.DUPLICATES], "nobody was to hang it up yet"
    given.struck.stops[:] = [stop]
    given.view.steps.append(Step(12.0, "answer", "hung up"))
    assert compare(given).found[verdict.DUPLICATES], "it was answered"


def test_whom_nobody_has_called_but_to_hang_up_is_lost_unless_he_was_stopped() -> None:
    given = records()
    given.struck.stops.append(HALT)
    given.view.steps[:] = [Step(12.5, "end", CALL, cause="MANAGER_REQUEST", sip=487)]
    given.calls[0] |= HUNG_UP
    given.contacts[0] |= {"status": "failed", "disposition": None, "attempts": 0}
    given.campaigns[0] |= {"completed": 0, "failed": 1}
    assert compare(given).found[verdict.LOST]
    given.struck.stops[:] = [STOP]
    assert compare(given).found[verdict.LOST], "he is to be cancelled"
    given.contacts[0] |= {"status": "cancelled"}
    given.campaigns[0] |= {"failed": 0, "cancelled": 1, "end_reason": "stopped"}
    assert compare(given).holds
    given.contacts[0] |= {"status": "pending"}
    assert compare(given).found[verdict.STUCK]


def test_who_was_not_called_yet_is_cancelled_with_his_campaign() -> None:
    given = records()
    given.struck.stops.append(STOP)
    given.view.originates.clear()
    given.view.steps.clear()
    given.calls.clear()
    given.contacts[0] |= {"status": "cancelled", "disposition": None, "attempts": 0}
    given.campaigns[0] |= {"completed": 0, "cancelled": 1, "end_reason": "stopped"}
    assert compare(given).holds


def test_whom_a_carrier_refused_was_not_called_and_may_be_called_again() -> None:
    given = records()
    given.view.originates.append(originate("refused", t=0.5))
    given.view.steps.append(Step(0.6, "end", "refused", cause="NORMAL_TEMPORARY_FAILURE", sip=503))
    given.calls.append(row(id="refused", seq=2, attempt=None, disposition="congestion"))
    assert compare(given).holds
    given.calls[1]["disposition"] = "no_answer"
    assert compare(given).found[verdict.OUTCOMES]
    given.calls[1]["disposition"] = "congestion"
    given.view.steps.append(Step(0.55, "ring", "refused"))
    assert compare(given).found[verdict.DUPLICATES], "it rang"


def test_who_waits_is_told_to_be_cancelled_before_the_end_and_calls_in_flight_end_after_it() -> None:
    given = records()
    *before, last = given.listeners[0].heard
    given.listeners[0] = replace(given.listeners[0], heard=[*before, replace(last, late=True)])
    assert compare(given).holds
    waited = Heard(CONTACT, ("cancelled", None, None, None, None), 0, late=True)
    given.listeners[0] = replace(given.listeners[0], heard=[*before, last, waited])
    assert compare(given).found[verdict.STOPS]
