"""Which ends nobody responded before, and when a run of them is told."""

from __future__ import annotations

import pytest

from dialer.capacity.silence import NO_RESPONSE, RUN, SilentRuns, is_silent, said
from freeswitch.hangup import Hangup
from tests.unit.dialer.test_far_end import RANG, SILENT, over, told, unheard

BY_US = frozenset({"MANAGER_REQUEST", "NORMAL_CLEARING", "DESTINATION_OUT_OF_ORDER"})
"""What a command of ours ended, or the node itself: the carrier may have had no time to respond."""


@pytest.mark.parametrize("hangup", [one for one in SILENT if one.cause not in BY_US], ids=told)
def test_a_timer_ends_what_nobody_responds_to(hangup: Hangup) -> None:
    assert is_silent(*over(hangup))


@pytest.mark.parametrize(
    "hangup",
    [
        *RANG,
        *(one for one in SILENT if one.cause in BY_US),
        unheard("USER_BUSY", sip_status=486, hung_up_by="remote"),
        unheard("NO_USER_RESPONSE", sip_status=480, hung_up_by="remote"),
        unheard("NORMAL_TEMPORARY_FAILURE", sip_status=503, hung_up_by="remote"),
        # It may have been answered while its node stood still.
        unheard("PROGRESS_TIMEOUT", duration_ms=60_000),
    ],
    ids=told,
)
def test_a_ring_a_response_a_command_or_the_nodes_own_fault_is_no_silence(hangup: Hangup) -> None:
    assert not is_silent(*over(hangup))


def test_the_carriers_own_word_is_told_where_it_sent_one() -> None:
    silent = over(unheard("PROGRESS_TIMEOUT"))
    late = over(
        unheard(
            "RECOVERY_ON_TIMER_EXPIRE",
            sip_status=504,
            sip_phrase="Server Time-out",
            hung_up_by="remote",
        )
    )
    assert (said(silent[1]), said(late[1])) == (NO_RESPONSE, "504 Server Time-out")


def runs(prefix: str, count: int) -> SilentRuns:
    found = SilentRuns()
    for number in range(count):
        found.add("gateway", prefix, f"{prefix} {number}")
    return found


def test_single_ones_are_the_rule_and_nobody_is_told() -> None:
    found = runs("+1", RUN - 1)
    assert found.take("gateway", in_doubt=False) == []
    # Where others have told of some, each counts.
    assert [len(run.calls) for run in found.take("gateway", in_doubt=True)] == [RUN - 1]
    assert found.take("gateway", in_doubt=True) == []


def test_a_run_is_told_once_whatever_its_destinations() -> None:
    found = runs("+1", RUN - 1)
    found.add("gateway", "+44", "+44 0")
    assert [(run.prefix, len(run.calls)) for run in found.take("gateway", in_doubt=False)] == [
        ("+1", RUN - 1),
        ("+44", 1),
    ]
    assert found.untold() == []


def test_a_response_ends_the_run_of_its_destination_and_that_of_the_gateway() -> None:
    found = runs("+1", RUN - 1)
    found.alive("gateway", "+44")
    found.add("gateway", "+1", "+1 last")
    (run,) = found.take("gateway", in_doubt=False)
    assert (len(run.calls), run.of_gateway) == (RUN, ("+1 last",))
    found = runs("+1", RUN - 1)
    found.alive("gateway", "+1")
    found.add("gateway", "+1", "+1 last")
    assert found.take("gateway", in_doubt=False) == []
