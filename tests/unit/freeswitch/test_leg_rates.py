"""A bridge within a rate is one application of the list, and nothing else can be said by it."""

from __future__ import annotations

import pytest

from freeswitch import applications, leg_rates
from freeswitch.applications import Application
from freeswitch.errors import CommandRefused
from freeswitch.leg_rates import LegRate

LEG = "sofia/gateway/desk/14155550100"
RATE = LegRate("0190-a_b", 2, 1)


def test_a_bridge_within_a_rate() -> None:
    step = applications.bridge(LEG, RATE)
    assert step == Application("limit_execute", f"hash carillon_gw 0190-a_b 2/1 bridge {LEG}")
    line = applications.inline(applications.connect(step))
    assert f"^limit_execute:{step.argument}^set:dialer_abandoned=true^hangup:NORMAL_CLEARING' inline" in line
    assert "^set:dialer_action=bridge^" in line
    assert leg_rates.bridged(step.argument) == LEG


@pytest.mark.parametrize(
    "rate",
    [LegRate("a b", 1, 1), LegRate("", 1, 1), LegRate("x", 0, 1), LegRate("x", 1, 0), LegRate("x", -1, 1)],
)
def test_a_rate_that_could_be_read_as_something_else_is_refused(rate: LegRate) -> None:
    with pytest.raises(CommandRefused):
        applications.bridge(LEG, rate)


@pytest.mark.parametrize(
    "argument",
    [
        "hash carillon_gw x 1/1 system reboot",
        "hash carillon x 1/1 bridge sofia/gateway/desk/1415",
        "hash carillon_gw x 1/1 bridge [a=b]sofia/gateway/desk/1415",
        "hash carillon_gw x 1/1 bridge sofia/gateway/desk/1415,sofia/gateway/desk/1416",
        "hash carillon_gw x 1 bridge sofia/gateway/desk/1415",
        "db carillon_gw x 1/1 bridge sofia/gateway/desk/1415",
    ],
)
def test_no_other_argument_reaches_a_node(argument: str) -> None:
    with pytest.raises(CommandRefused):
        applications.inline([Application("limit_execute", argument)])
