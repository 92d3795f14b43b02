"""Which ends of second legs are their gateway's refusals, as a node recorded them, and which show that it works."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
from peewee import OperationalError

from dialer.capacity.gateway_breaker import GatewayBreaker, Way
from dialer.capacity.second_leg_refusals import SecondLegRefusals
from dialer.live_calls import LiveState
from dialer.record import call_end
from freeswitch.hangup import hangup_from_variables
from tests.unit.dialer.factories import make_call, make_commit
from tests.unit.freeswitch.transcripts import SECOND_LEGS

WAY = ("desk", "+1")
REFUSED = {"503", "502", "403"}
REACHED = {"joined", "486", "404", "480", "488", "603"}


def told(name: str, way: Way | None = WAY, *, away: bool = False) -> list[str]:
    """What the breaker of gateways is told of a call that ended so."""
    heard: list[str] = []

    def hear(what: str) -> None:
        if away:
            raise OperationalError("away")
        heard.append(what)

    gateways = SimpleNamespace(
        second_leg_refused=lambda _way, reason: hear(f"refused {reason[:3]}"),
        second_leg_got_through=lambda _way: hear("got through"),
    )
    hangup = hangup_from_variables(SECOND_LEGS[name])
    assert hangup is not None
    call = make_call(sent_at=1.0, state=LiveState.SEEN, second_leg_gateway_id="desk")
    ended = call_end.hung_up(call, 2.0, hangup)
    subject = SecondLegRefusals(cast(GatewayBreaker, gateways), lambda _call: way)
    subject.after_commit(make_commit({call.call_id: ended}, call))
    return heard


@pytest.mark.parametrize("name", sorted(SECOND_LEGS))
def test_what_a_gateway_says_for_itself_is_a_refusal_and_what_is_said_for_the_agent_is_not(name: str) -> None:
    expected = [f"refused {name}"] if name in REFUSED else ["got through"] if name in REACHED else []
    assert told(name) == expected


def test_where_each_contact_has_an_agent_of_its_own_nothing_is_counted() -> None:
    assert told("503", None) == []


def test_a_database_that_is_away_hinders_nobody() -> None:
    assert told("503", away=True) == []
