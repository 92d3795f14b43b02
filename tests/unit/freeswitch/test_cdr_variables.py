"""A call's CDR and its CHANNEL_HANGUP_COMPLETE tell the same end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeswitch.commands import recover, sched_hangup
from freeswitch.errors import CommandRefused
from freeswitch.events import ChannelEvent, event_from_json
from freeswitch.hangup import hangup_from_variables
from freeswitch.protocol import FrameDecoder, decode_json
from tests.unit.freeswitch import samples
from tests.unit.freeswitch.transcripts import hangups, recordings, server_streams


def variables_of(event: dict[str, Any]) -> dict[str, Any]:
    """What mod_json_cdr writes of a channel, under plain names."""
    return {
        name.removeprefix("variable_"): value for name, value in event.items() if name.startswith("variable_")
    }


@pytest.mark.parametrize(
    "event",
    [
        samples.hangup(
            "USER_BUSY", 17, sip_invite_failure_status="486", sip_hangup_disposition="recv_refuse"
        ),
        samples.hangup("NO_ANSWER", 19, sip_hangup_disposition="send_cancel", **samples.at("progress", 20)),
        samples.hangup(
            "NORMAL_CLEARING",
            16,
            billsec="4",
            sip_term_status="200",
            **samples.at("progress_media", 40),
            **samples.at("answer", 1500),
        ),
        samples.hangup("CALL_REJECTED", 21, sip_603plus_reason="Q.850;cause=21"),
    ],
    ids=["busy", "no answer", "answered", "blocked"],
)
def test_the_end_is_the_one_that_the_event_tells(event: dict[str, Any]) -> None:
    told = event_from_json(event)
    assert isinstance(told, ChannelEvent)
    assert hangup_from_variables(variables_of(event)) == told.hangup


def test_of_every_recorded_end_too() -> None:
    compared = 0
    for path in recordings():
        if path.name.startswith(("30_", "46_")):  # bytes that are no frames
            continue
        for stream in server_streams(path).values():
            for frame in FrameDecoder().feed(stream):
                if frame.content_type != "text/event-json":
                    continue
                event = decode_json(frame.body)
                told = event_from_json(event)
                if isinstance(told, ChannelEvent) and told.hangup is not None:
                    assert hangup_from_variables(variables_of(event)) == told.hangup
                    compared += 1
    assert compared > 100


def test_the_limit_that_the_call_had_stands_in_it_as_a_node_recorded_it() -> None:
    ends = [end.originate_seconds for end in hangups("67_timeouts_gateway_hole")]
    assert 45 in ends
    assert hangup_from_variables({"hangup_cause": "NO_ANSWER"}) is not None
    unlimited = hangup_from_variables({"hangup_cause": "NO_ANSWER", "originate_timeout": "abc"})
    assert unlimited is not None
    assert unlimited.originate_seconds is None


def test_without_a_cause_it_is_no_end() -> None:
    assert hangup_from_variables({}) is None
    assert hangup_from_variables({"hangup_cause": ""}) is None


@given(
    st.dictionaries(
        st.sampled_from(["billsec", "answer_uepoch", "answer_epoch", "start_uepoch", "sip_term_status", "x"]),
        st.one_of(st.text(max_size=20), st.integers(), st.none(), st.lists(st.text(), max_size=2)),
    )
)
def test_no_value_breaks_it(variables: dict[str, Any]) -> None:
    hangup = hangup_from_variables(variables | {"hangup_cause": "X"})
    assert hangup is not None
    assert hangup.billsec >= 0


def test_a_recovered_call_gets_its_limit_again() -> None:
    assert recover() == "sofia recover"
    assert sched_hangup("call-1", 30) == "sched_hangup +30 call-1 ALLOTTED_TIMEOUT"
    for seconds in (0, -1, 86_401):
        with pytest.raises(CommandRefused):
            sched_hangup("call-1", seconds)
    with pytest.raises(CommandRefused):
        sched_hangup("a b", 30)
