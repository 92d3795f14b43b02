"""What we wrote to a node that then went silent may still be in its buffers: it is never sent a second time."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from dialer.book import Book
from dialer.rescue.recovery import Recovery
from tests.unit.dialer.made import make_flight


@pytest.mark.parametrize(
    ("reason", "doubtful"),
    [
        ("no reply in time", True),
        ("no event for 25 s", True),
        ("write failed: timed out", True),
        ("the node closed", False),
        ("the node hung up: Disconnected, goodbye.", False),
    ],
)
def test_only_a_node_that_closed_has_dropped_what_it_had_not_read(reason: str, doubtful: bool) -> None:
    book = Book()
    sent = make_flight(call_id="sent", sent_at=1.0)
    seen = make_flight(call_id="seen", sent_at=1.0, created=True)
    unsent = make_flight(call_id="unsent")
    for flight in (sent, seen, unsent):
        book.add(flight)
    recovery = Recovery("d000000000001", SimpleNamespace(links={}), book, None, lambda _: None)  # type: ignore[arg-type]
    recovery.node_down(sent.node, reason)
    assert (sent.doubtful, seen.doubtful, unsent.doubtful) == (doubtful, False, False)
