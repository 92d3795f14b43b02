"""An originate that its node refused as a duplicate is told from every other end of a call."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from freeswitch import dedup
from freeswitch.decoding import decode_event
from freeswitch.events import ChannelEvent
from freeswitch.hangup import Hangup, hangup_from_variables
from freeswitch.originate import originate
from freeswitch.protocol import decode_json
from tests.unit.dialer.factories import make_hangup
from tests.unit.freeswitch.test_originate import REQUEST

RECORDED = Path(__file__).with_name("duplicate_refused.json").read_bytes()
"""CHANNEL_HANGUP_COMPLETE of the second of two originates under one id, from a real node."""
UNHEARD = {"sip_status": None, "answered": False, "progress": False, "hung_up_by": None}


def test_the_end_that_a_real_node_reports_is_known_from_its_event_and_from_its_record() -> None:
    event = decode_event(RECORDED)
    assert isinstance(event, ChannelEvent)
    assert event.hangup is not None
    assert dedup.is_refused_duplicate(event.hangup)
    variables = {name.removeprefix("variable_"): value for name, value in decode_json(RECORDED).items()}
    of_record = hangup_from_variables(variables)
    assert of_record is not None
    assert dedup.is_refused_duplicate(of_record)


def test_a_node_was_told_so_in_the_words_of_our_originates() -> None:
    event = decode_json(RECORDED)
    assert event["variable_execute_on_originate"] == dedup.limit_application(event["Unique-ID"])


@pytest.mark.parametrize("endpoint", ["user/1000@example.com", "group/sales@example.com"])
def test_an_originate_that_places_a_second_leg_under_its_own_hooks_does_not_count_itself(
    endpoint: str,
) -> None:
    request = replace(REQUEST, endpoint=endpoint)
    assert "execute_on_originate" not in originate(request).line
    assert "execute_on_originate" in originate(REQUEST).line


@pytest.mark.parametrize(
    "hangup",
    [
        make_hangup("LOSE_RACE", **(UNHEARD | {"sip_status": 486})),
        make_hangup("LOSE_RACE", **(UNHEARD | {"progress": True})),
        make_hangup("LOSE_RACE"),
        make_hangup("NORMAL_CLEARING", **UNHEARD),
    ],
    ids=["a carrier's Reason", "it rang", "it was answered", "another cause"],
)
def test_no_other_end_is_taken_for_it(hangup: Hangup) -> None:
    assert not dedup.is_refused_duplicate(hangup)
