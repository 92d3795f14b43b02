"""What a simulated node reports of a refused call is disposed of as the corpus of outcomes says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialer.record.call_end import hung_up
from freeswitch.events import ChannelEvent, event_from_json
from simulator.number_plan import CalledParty
from tests.unit.campaigns.outcomes_corpus import FINAL_RESPONSES, Reason, Shape, on_the_wire
from tests.unit.dialer.factories import make_call
from tests.unit.simulator.node import Node

BEFORE = {
    Shape.NOTHING: CalledParty(refuse=0.5),
    Shape.RINGING: CalledParty(ring=0.1, refuse=0.5),
    Shape.EARLY_MEDIA: CalledParty(early=0.1, refuse=0.5),
}


def always(party: CalledParty) -> Callable[[str], CalledParty]:
    return lambda _number: party


@pytest.mark.parametrize("shape", Shape, ids=lambda shape: shape.name.lower())
def test_every_final_response_of_the_simulator_is_disposed_of_as_the_corpus_says(shape: Shape) -> None:
    said: dict[int, tuple[str | None, int | None]] = {}
    for status in FINAL_RESPONSES:
        before = BEFORE[shape]
        party = CalledParty(ring=before.ring, early=before.early, refuse=before.refuse, status=status)
        node = Node(called_party=always(party))
        node.call("00")
        node.pass_time(2)
        event = event_from_json(node.last("CHANNEL_HANGUP_COMPLETE"))
        assert isinstance(event, ChannelEvent)
        assert event.hangup is not None
        ended = hung_up(make_call(), 0.0, event.hangup)
        said[status] = (ended.disposition, ended.sip_status)
    assert said == {status: (on_the_wire(status, Reason(), shape), status) for status in FINAL_RESPONSES}
