"""The comparison finds who is called outside his hours, or after it was answered that he is not to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from local.api_client import ApiFailedError
from tests.chaos import verdict
from tests.chaos.faults import Size
from tests.chaos.hours import Hours, Suppressed
from tests.chaos.manager import Manager
from tests.chaos.one_call import CAMPAIGN, NUMBER, originate, records
from tests.chaos.parties import Party
from tests.chaos.records import Records
from tests.chaos.report import zeros
from tests.chaos.stage import Stage
from tests.chaos.stops import Away
from tests.chaos.verdict import compare
from tests.chaos.wire import Order

OPEN = Hours(CAMPAIGN, ((10.0, 20.0), (30.0, 40.0)), frozenset([NUMBER]))
ENTRY = Suppressed(NUMBER, "t", 15.0, 20.0)
CLOSED = Hours("another", ((0.0, 0.5),))
"""Of a campaign of which nobody is called: with it something was judged."""
SIZE = Size(contacts=1, faults=1, spacing=1.0, longest=1.0, settle=1.0)
ANSWERED = Suppressed("+14155550198", "t", 0.1, 0.2)
PROMISED = pytest.mark.parametrize(
    ("column", "promise"), [(verdict.HOURS, OPEN), (verdict.SUPPRESSED, ENTRY)], ids=["window", "suppression"]
)


def called(promise: Hours | Suppressed, t: float, *orders: Order, away: tuple[Away, ...] = ()) -> Records:
    """A call that its node carried out at `t`, under a promise."""
    given = records()
    given.view.originates[:] = [originate(t=t)]
    given.orders[:] = orders
    given.struck.away.extend(away)
    if isinstance(promise, Suppressed):
        given.struck.suppressed += [promise, ANSWERED]
        return given
    return replace(given, hours=[promise, CLOSED])


def test_who_is_called_before_a_window_opens_or_a_second_after_it_has_closed_is_found() -> None:
    def found(t: float, promise: Hours = OPEN) -> int:
        return len(compare(called(promise, t)).found[verdict.HOURS])

    times = (9.9, 10.0, 15.0, 20.9, 21.1, 29.9, 30.0, 41.1)
    assert [found(t) for t in times] == [1, 0, 0, 0, 1, 1, 0, 1]
    assert found(25.0, replace(OPEN, numbers=None)) == 1
    assert found(25.0, replace(OPEN, numbers=frozenset(["another"]))) == 0
    assert found(25.0, replace(OPEN, campaign="another")) == 0


def test_a_call_after_the_answer_of_a_suppression_is_found() -> None:
    def found(t: float, entry: Suppressed = ENTRY) -> int:
        return len(compare(called(entry, t)).found[verdict.SUPPRESSED])

    assert [found(t) for t in (14.0, 19.9, 20.1, 99.0)] == [0, 0, 1, 1]
    assert found(25.0, replace(ENTRY, answered=float("inf"))) == 0
    assert found(25.0, replace(ENTRY, number="another")) == 0
    assert found(25.0, replace(ENTRY, tenant="another")) == 0
    assert found(25.0, replace(ENTRY, campaign=CAMPAIGN)) == 1
    assert found(25.0, replace(ENTRY, campaign="another")) == 0


@PROMISED
def test_what_had_left_and_was_kept_on_its_way_is_counted_apart(
    column: str, promise: Hours | Suppressed
) -> None:
    def judged(*away: Away, left: float = 19.0) -> tuple[int, int]:
        said = compare(called(promise, 28.0, Order(left, "fs1", "call"), away=away))
        return len(said.found[column]), len(said.held)

    assert judged(Away(18.0, 27.9, "fs1")) == (0, 1)
    assert judged() == (1, 0), "nothing kept it"
    assert judged(Away(18.0, 27.9, "fs2")) == (1, 0), "another node stood still"
    assert judged(Away(18.0, 27.9)) == (1, 0), "a server that is away keeps no order"
    assert judged(Away(10.0, 18.9, "fs1")) == (1, 0), "it left when its node went on"
    assert judged(Away(18.0, 27.9, "fs1"), left=22.0) == (1, 0), "it left too late"


@PROMISED
def test_the_order_that_a_dialer_was_stopped_with_left_before(
    column: str, promise: Hours | Suppressed
) -> None:
    given = called(promise, 28.0, Order(28.0, "fs1", "call"))
    assert compare(given).found[column]
    given.struck.withheld.append((19.0, 27.9))
    said = compare(given)
    assert (said.found[column], len(said.held)) == ([], 1)


def test_whom_nobody_suppressed_is_not_cancelled_as_suppressed() -> None:
    given = records()
    given.view.originates.clear()
    given.view.steps.clear()
    given.calls.clear()
    given.contacts[0] |= {"status": "cancelled", "disposition": "suppressed", "attempts": 0}
    given.campaigns[0] |= {"completed": 0, "cancelled": 1}
    assert compare(given).found[verdict.LOST]
    for entry in (ENTRY, replace(ENTRY, answered=float("inf")), replace(ENTRY, campaign=CAMPAIGN)):
        given.struck.suppressed[:] = [entry, ANSWERED]
        assert compare(given).holds
    given.struck.suppressed[:] = [replace(ENTRY, campaign="another")]
    assert compare(given).found[verdict.LOST]


def test_the_clock_starts_a_campaign_once_and_ends_only_one_that_has_an_end() -> None:
    given = replace(records(), by_clock=frozenset([CAMPAIGN]), hours=[Hours(CAMPAIGN, ((0.5, 9.0),)), CLOSED])
    started = {"campaign_id": CAMPAIGN, "contact_id": None, "status": "running", "at": 0.5}
    started |= dict.fromkeys(("disposition", "attempt", "call_id", "cause"))

    def found(given: Records) -> list[str]:
        # What the listeners heard of it is another column's.
        return [*compare(given).found[verdict.HOURS], *compare(given).found[verdict.LOST]]

    assert found(given) == [f"campaign {CAMPAIGN} was started 0 times"]
    given.told.append(started)
    assert found(given) == []
    given.told.append(started)
    assert found(given) == [f"campaign {CAMPAIGN} was started 2 times"]
    given.told.pop()
    given.campaigns[0]["end_reason"] = "deadline"
    assert found(given) == []
    before_anybody_could = replace(given, told=[row for row in given.told if row is not started])
    assert found(before_anybody_could) == []
    for_ever = replace(given, hours=[Hours(CAMPAIGN, ((0.5, float("inf")),)), CLOSED])
    assert found(for_ever) == [f"campaign {CAMPAIGN} ended by itself: deadline"]


def test_a_lead_that_was_not_taken_is_lost() -> None:
    given = records()
    given.struck.refused.append("lead +14155550199 was not taken: nobody answered")
    assert compare(given).found[verdict.LOST] == given.struck.refused


def test_suppressions_of_which_none_was_answered_prove_nothing() -> None:
    given = records()
    given.struck.suppressed += [replace(ENTRY, answered=float("inf"))] * 2
    assert compare(given).found[verdict.SUPPRESSED] == ["none of 2 suppressions was answered"]
    given.struck.suppressed.append(ANSWERED)
    assert compare(given).holds


def test_windows_of_which_none_closed_before_the_last_order_prove_nothing() -> None:
    given = replace(records(), hours=[Hours(CAMPAIGN, ((0.0, 2.0), (5.0, float("inf"))))])
    assert compare(given).found[verdict.HOURS] == [
        "no window closed before the last order: nothing was judged"
    ]
    later = originate("later", t=6.0)
    given.view.originates.append(replace(later, campaign=CAMPAIGN))
    assert not [said for said in compare(given).found[verdict.HOURS] if "judged" in said]


def test_the_report_says_what_was_not_judged() -> None:
    def shown(given: Records) -> dict[str, str]:
        return {line[:30].strip(): line[30:].strip() for line in zeros(compare(given))}

    assert (shown(records())[verdict.HOURS], shown(records())[verdict.SUPPRESSED]) == ("not judged",) * 2
    assert shown(records())[verdict.LOST] == "0"
    judged = replace(records(), hours=[CLOSED])
    judged.struck.suppressed.append(ANSWERED)
    assert (shown(judged)[verdict.HOURS], shown(judged)[verdict.SUPPRESSED]) == ("0", "0")


class Api:
    """Answers each suppression with this status; None: with nothing at all."""

    def __init__(self, status: int | None) -> None:
        self.status = status

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        if self.status is None:
            raise OSError("away")
        if self.status != 201:
            raise ApiFailedError(f"POST {path}: {self.status} {body}", self.status)
        return {}


@pytest.mark.parametrize(
    ("status", "answered", "refused"),
    [(201, True, False), (503, False, False), (None, False, False), (422, False, True), (403, False, True)],
)
def test_a_suppression_that_the_api_refuses_is_a_finding(
    status: int | None, answered: bool, refused: bool
) -> None:
    party = SimpleNamespace(client=lambda: Api(status), tenant=SimpleNamespace(id="t"))
    manager = Manager(cast(Stage, None), cast(Party, party), SIZE, lambda *_: CAMPAIGN)
    manager.ask_not_to(NUMBER, CAMPAIGN)
    (entry,) = manager.suppressed
    assert entry.allows(entry.asked + 1e6) != answered
    assert bool(manager.refused) == refused
