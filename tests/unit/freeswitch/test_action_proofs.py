"""What a call's end tells of its agent, over the variables that were recorded of one node (docs/freeswitch.md)."""

from __future__ import annotations

import pytest

from freeswitch.hangup import hangup_from_event, hangup_from_variables
from tests.unit.freeswitch.transcripts import SECOND_LEGS

US = "send_bye"
THEM = "recv_bye"

Ends = dict[str, str]
COULD_NOT: list[tuple[str, Ends, str]] = [
    ("playback", {"dialer_ran": "FILE NOT FOUND"}, "FILE_NOT_FOUND"),
    ("playback", {"dialer_ran": "PLAYBACK ERROR"}, "PLAYBACK_ERROR"),
    ("say", {"dialer_ran": "false", "billmsec": "19"}, "NO_SPEECH_MODULE"),
    ("say", {"dialer_ran": "true", "billmsec": "20"}, "NOT_SPOKEN"),
    ("socket", {"dialer_ran": "socket"}, "NO_SOCKET_SERVER"),
    (
        "transfer",
        {"hangup_cause": "NO_ROUTE_DESTINATION", "last_app": "transfer"},
        "NO_ROUTE_DESTINATION",
    ),
    ("bridge", {"dialer_abandoned": "true", "originate_disposition": "INVALID_GATEWAY"}, "INVALID_GATEWAY"),
    ("bridge", {"dialer_abandoned": "true", "originate_disposition": "GATEWAY_DOWN"}, "GATEWAY_DOWN"),
    (
        "bridge",
        {"dialer_abandoned": "true", "originate_disposition": "DESTINATION_OUT_OF_ORDER"},
        "DESTINATION_OUT_OF_ORDER",
    ),
    ("queue", {"dialer_abandoned": "true"}, "NO_SUCH_QUEUE"),
    ("queue", {"hangup_cause": "DESTINATION_OUT_OF_ORDER"}, "NO_QUEUE_MODULE"),
    ("conference", {"hangup_cause": "DESTINATION_OUT_OF_ORDER"}, "NO_CONFERENCE_MODULE"),
]
RAN: list[tuple[str, Ends]] = [
    ("playback", {"dialer_ran": "FILE PLAYED"}),
    ("playback", {"hangup_cause": "ALLOTTED_TIMEOUT"}),
    ("say", {"dialer_ran": "true", "billmsec": "1200"}),
    ("say", {"billmsec": "20"}),
    ("socket", {"dialer_ran": "sleep"}),
    ("socket", {}),
    ("transfer", {"hangup_cause": "NO_ROUTE_DESTINATION", "last_app": "bridge"}),
    ("transfer", {}),
    (
        "bridge",
        {
            "dialer_abandoned": "true",
            "originate_disposition": "DESTINATION_OUT_OF_ORDER",
            "originate_causes": "6cde4ef7-8e92-482f-aa59-b6bb7088474d;DESTINATION_OUT_OF_ORDER",
        },
    ),
    ("bridge", {"dialer_abandoned": "true", "originate_disposition": "USER_BUSY"}),
    ("bridge", {"dialer_abandoned": "true", "originate_disposition": "NO_ANSWER"}),
    ("bridge", {"originate_disposition": "SUCCESS", "bridge_uepoch": "1795957489000000"}),
    ("queue", {"dialer_abandoned": "true", "cc_queue_joined_epoch": "1795957489"}),
    (
        "queue",
        {
            "hangup_cause": "DESTINATION_OUT_OF_ORDER",
            "bridge_uepoch": "1795957489000000",
            "cc_queue_joined_epoch": "1795957489",
        },
    ),
    ("conference", {"dialer_abandoned": "true", "conference_member_id": "0"}),
    ("park", {"hangup_cause": "DESTINATION_OUT_OF_ORDER"}),
    ("", {"dialer_ran": "FILE NOT FOUND"}),
]


def end_of(action: str, variables: Ends, party: str = US, answered: str = "1795957489000000") -> str | None:
    values = {
        "dialer_action": action,
        "hangup_cause": "NORMAL_CLEARING",
        "sip_hangup_disposition": party,
        "answer_uepoch": answered,
        **variables,
    }
    return hangup_from_event({f"variable_{name}": value for name, value in values.items()}).agent_failure


@pytest.mark.parametrize(("action", "variables", "cause"), COULD_NOT)
def test_an_action_that_could_not_run_is_told_with_its_cause(
    action: str, variables: Ends, cause: str
) -> None:
    assert end_of(action, variables) == cause


@pytest.mark.parametrize(("action", "variables", "cause"), COULD_NOT)
def test_who_hung_up_first_was_answered_whatever_the_action_would_have_done(
    action: str, variables: Ends, cause: str
) -> None:
    assert end_of(action, variables, THEM) is None


@pytest.mark.parametrize(("action", "variables"), RAN)
def test_an_action_that_ran_or_whose_leg_was_sent_is_no_failure(action: str, variables: Ends) -> None:
    assert end_of(action, variables) is None


def test_a_call_that_was_not_answered_has_no_agent_to_fail() -> None:
    assert end_of("playback", {"dialer_ran": "FILE NOT FOUND"}, answered="0") is None


BECAME: dict[str, tuple[str | None, int | None]] = {
    "joined": ("SUCCESS", None),
    "486": ("USER_BUSY", 486),
    "404": ("UNALLOCATED_NUMBER", 404),
    "503": ("NORMAL_TEMPORARY_FAILURE", 503),
    "480": ("NO_USER_RESPONSE", 480),
    "603": ("CALL_REJECTED", 603),
    "rings": ("NO_ANSWER", None),
    "only 100": ("NO_ANSWER", None),
    "403": ("CALL_REJECTED", 403),
    "408": ("RECOVERY_ON_TIMER_EXPIRE", 408),
    "488": ("INCOMPATIBLE_DESTINATION", 488),
    "502": ("NETWORK_OUT_OF_ORDER", 502),
    "no such gateway": ("INVALID_GATEWAY", None),
    "rings, and the person hangs up": ("ORIGINATOR_CANCEL", None),
    "nobody answered": (None, None),
}


@pytest.mark.parametrize("name", SECOND_LEGS)
def test_what_became_of_a_second_leg_is_told_with_the_far_ends_own_status(name: str) -> None:
    hangup = hangup_from_variables(SECOND_LEGS[name])
    assert hangup is not None
    assert (hangup.second_leg, hangup.second_leg_status) == BECAME[name]


def test_behind_a_leg_that_was_answered_the_status_is_that_of_its_end() -> None:
    """As a node told it of an agent who had hung up."""
    told = {**SECOND_LEGS["joined"], "last_bridge_proto_specific_hangup_cause": "sip:200"}
    hangup = hangup_from_variables(told)
    assert hangup is not None
    assert (hangup.second_leg, hangup.second_leg_status) == ("SUCCESS", None)


def test_what_other_actions_dial_is_no_second_leg() -> None:
    hangup = hangup_from_variables({**SECOND_LEGS["503"], "dialer_action": "socket"})
    assert hangup is not None
    assert (hangup.second_leg, hangup.second_leg_status) == (None, None)
