"""What a simulated node reports of a refused call is disposed of as the corpus of outcomes says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

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


def by_last_digits(party: CalledParty) -> Callable[[str], CalledParty]:
    """Each number refuses with the status that it ends with."""
    return lambda number: replace(party, status=int(number[-3:]))


@pytest.mark.parametrize("shape", Shape, ids=lambda shape: shape.name.lower())
def test_every_final_response_of_the_simulator_is_disposed_of_as_the_corpus_says(shape: Shape) -> None:
    said: dict[int, tuple[str | None, int | None]] = {}
    node = Node(called_party=by_last_digits(BEFORE[shape]))
    for status in FINAL_RESPONSES:
        node.call(str(status), uuid=f"u{status}")
    node.pass_time(2)
    ends = {e["Unique-ID"]: e for e in node.watcher.events if e["Event-Name"] == "CHANNEL_HANGUP_COMPLETE"}
    for status in FINAL_RESPONSES:
        event = event_from_json(ends[f"u{status}"])
        assert isinstance(event, ChannelEvent)
        assert event.hangup is not None
        ended = hung_up(make_call(), 0.0, event.hangup)
        said[status] = (ended.disposition, ended.sip_status)
    assert said == {status: (on_the_wire(status, Reason(), shape), status) for status in FINAL_RESPONSES}
