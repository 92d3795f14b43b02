"""The corpus of outcomes, all of it, against the table of dispositions."""

from __future__ import annotations

import pytest

from campaigns.dispositions import Disposition, Evidence, dispose
from campaigns.retry import RETRY
from freeswitch.causes import HANGUP_CAUSES
from freeswitch.hangup import hangup_from_variables
from tests.unit.campaigns.outcomes_corpus import (
    FINAL_RESPONSES,
    REASONS,
    ROWS,
    Reason,
    Shape,
    by_cause,
    on_the_wire,
    once_answered,
)

FREESWITCH_OWN = 128
UNKNOWN_TO_FREESWITCH = ("UNKNOWN", "CONGESTION", "")
CAUSE_OF = {
    **dict.fromkeys((401, 402, 403, 407, 603, 608), "CALL_REJECTED"),
    **dict.fromkeys((408, 504), "RECOVERY_ON_TIMER_EXPIRE"),
    **dict.fromkeys((413, 414, 416, 420, 421, 423, 505, 513), "INTERWORKING"),
    **dict.fromkeys((400, 481, 500, 503), "NORMAL_TEMPORARY_FAILURE"),
    **dict.fromkeys((486, 600), "USER_BUSY"),
    **dict.fromkeys((488, 606), "INCOMPATIBLE_DESTINATION"),
    **dict.fromkeys((406, 415, 501), "SERVICE_NOT_IMPLEMENTED"),
    **dict.fromkeys((482, 483), "EXCHANGE_ROUTING_ERROR"),
    **dict.fromkeys((485, 604), "NO_ROUTE_DESTINATION"),
    404: "UNALLOCATED_NUMBER",
    405: "SERVICE_UNAVAILABLE",
    410: "NUMBER_CHANGED",
    480: "NO_USER_RESPONSE",
    484: "INVALID_NUMBER_FORMAT",
    487: "ORIGINATOR_CANCEL",
    502: "NETWORK_OUT_OF_ORDER",
    607: "UNWANTED",
}
"""What mod_sofia makes of a final response without a Reason; of all others it makes NORMAL_UNSPECIFIED."""
_NAMES = {number: name for name, number in HANGUP_CAUSES.items()}


def reported(status: int, reason: Reason, shape: Shape) -> Evidence:
    """What a node reports of a call that got this final response."""
    number = HANGUP_CAUSES[CAUSE_OF.get(status, "NORMAL_UNSPECIFIED")] if reason.q850 is None else reason.q850
    return Evidence(
        cause=_NAMES.get(number, "UNKNOWN"),
        progress=shape is not Shape.NOTHING,
        sip_status=status,
        sip_phrase=reason.phrase,
        sip_603plus=reason.plus and status == 603,
        q850=number if number < FREESWITCH_OWN else 16,
        sip_reason=reason.header,
    )


@pytest.mark.parametrize("reason", REASONS.values(), ids=lambda reason: reason.header or reason.phrase)
@pytest.mark.parametrize("shape", Shape, ids=lambda shape: shape.name.lower())
def test_every_final_response_is_disposed_of_as_the_corpus_says(reason: Reason, shape: Shape) -> None:
    expected = {status: on_the_wire(status, reason, shape) for status in FINAL_RESPONSES}
    assert {status: str(dispose(reported(status, reason, shape))) for status in expected} == expected


@pytest.mark.parametrize("shape", Shape, ids=lambda shape: shape.name.lower())
def test_every_cause_that_a_carrier_can_name_is_disposed_of_as_the_corpus_says(shape: Shape) -> None:
    reasons = [Reason(header=f"Q.850;cause={number}", q850=number) for number in range(1_000)]
    for status in (486, 404, 480, 503, 603, 403, 488, 400, 699):
        expected = {reason.q850: on_the_wire(status, reason, shape) for reason in reasons}
        assert {r.q850: str(dispose(reported(status, r, shape))) for r in reasons} == expected, status


@pytest.mark.parametrize("rang", [False, True], ids=["silent", "rang"])
@pytest.mark.parametrize("channel", [False, True], ids=["no channel", "channel"])
def test_every_cause_without_a_final_response_is_disposed_of_as_the_corpus_says(
    channel: bool, rang: bool
) -> None:
    causes = [*HANGUP_CAUSES, *UNKNOWN_TO_FREESWITCH]
    expected = {cause: by_cause(cause, channel=channel, rang=rang and channel) for cause in causes}
    found = {
        cause: str(
            dispose(
                Evidence(
                    cause,
                    channel=channel,
                    progress=rang and channel,
                    q850=number if (number := HANGUP_CAUSES.get(cause, 0)) < FREESWITCH_OWN else 16,
                )
            )
        )
        for cause in causes
    }
    assert found == expected


def test_an_answer_outweighs_everything() -> None:
    for status in (None, *FINAL_RESPONSES):
        for cause in HANGUP_CAUSES:
            assert dispose(Evidence(cause, answered=True, sip_status=status)) == "answered"


@pytest.mark.parametrize("no_leg", [False, True], ids=["", "no leg"])
@pytest.mark.parametrize("we", [False, True], ids=["they hang up", "we hang up"])
@pytest.mark.parametrize("joined", [False, True], ids=["alone", "joined"])
@pytest.mark.parametrize("connects", [False, True], ids=["message", "agent"])
@pytest.mark.parametrize("given_up", [False, True], ids=["", "given up"])
def test_every_answered_call_is_disposed_of_as_the_corpus_says(
    connects: bool, joined: bool, given_up: bool, we: bool, no_leg: bool
) -> None:
    expected = once_answered(
        must_be_joined=connects, joined=joined, given_up=given_up, hung_up_by_us=we, no_leg=no_leg
    )
    variables = {
        "hangup_cause": "NORMAL_CLEARING",
        "answer_uepoch": "1",
        "sip_hangup_disposition": "send_bye" if we else "recv_bye",
        "bridge_uepoch": "2" if joined else "0",
        "dialer_connect": "true" if connects else "",
        "dialer_abandoned": "true" if given_up else "",
        "dialer_action": "bridge" if no_leg else "",
        "originate_disposition": "GATEWAY_DOWN" if no_leg else "",
    }
    hangup = hangup_from_variables(variables)
    assert hangup is not None
    evidence = Evidence(
        hangup.cause,
        answered=hangup.answered,
        abandoned=hangup.abandoned,
        agent_failed=hangup.agent_failure is not None,
    )
    assert dispose(evidence) == expected


def test_every_row_of_the_table_is_in_the_corpus_and_nothing_else_comes_of_a_call() -> None:
    found = {
        on_the_wire(status, reason, shape)
        for status in FINAL_RESPONSES
        for reason in REASONS.values()
        for shape in Shape
    }
    for cause in (*HANGUP_CAUSES, *UNKNOWN_TO_FREESWITCH):
        for channel, rang in ((False, False), (True, False), (True, True)):
            found.add(by_cause(cause, channel=channel, rang=rang))
    for given_up in (False, True):
        found.add(once_answered(must_be_joined=True, joined=False, given_up=given_up, hung_up_by_us=False))
    found.add(
        once_answered(must_be_joined=True, joined=False, given_up=True, hung_up_by_us=True, no_leg=True)
    )
    # What was never placed is nothing that comes of a call.
    assert found == ROWS == set(map(str, Disposition)) - {"not_sent"} == set(map(str, RETRY)) - {"not_sent"}
