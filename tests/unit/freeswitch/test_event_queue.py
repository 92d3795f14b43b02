"""What one connection has read is worked off in turns, and between two of them a socket that is ready is read."""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent
from gevent import socket

from freeswitch.event_queue import MAX_WAITING_EVENTS, EventQueue

EVENTS = 20_000
TURN_EVENTS = 64
FEW_TURNS = 10
"""By the bare `gevent.sleep(0)` it would take 50 turns."""


def longer_than_a_turn() -> None:
    until = time.monotonic() + 0.0025
    while time.monotonic() < until:
        pass


def done_when_a_socket_is_read(work: Callable[[], None], done: Callable[[], int]) -> int:
    """What was done by the time that somebody had read from a socket that was ready when the work began."""
    left, right = socket.socketpair()
    found: list[int] = []

    def read() -> None:
        left.recv(1)
        found.append(done())

    with left, right:
        reader = gevent.spawn(read)
        gevent.sleep(0.001)
        right.sendall(b"x")
        worker = gevent.spawn(work)
        gevent.joinall([reader, worker])
    return found[0]


def filled(
    decode: Callable[[bytes], bytes], on_event: Callable[[bytes], None], events: int
) -> EventQueue[bytes]:
    queue: EventQueue[bytes] = EventQueue("node", decode, on_event, lambda _: None, MAX_WAITING_EVENTS)
    for _ in range(events):
        queue.put(b"{}")
    queue.finish()
    return queue


def test_a_socket_that_is_ready_is_read_while_events_are_decoded() -> None:
    decoded: list[bytes] = []

    def decode(body: bytes) -> bytes:
        decoded.append(body)
        return body

    queue = filled(decode, lambda _: None, EVENTS)
    assert done_when_a_socket_is_read(queue.decode_all, lambda: len(decoded)) <= FEW_TURNS * TURN_EVENTS
    assert len(decoded) == EVENTS


def test_a_socket_that_is_ready_is_read_while_events_are_delivered() -> None:
    delivered: list[bytes] = []

    def on_event(event: bytes) -> None:
        longer_than_a_turn()
        delivered.append(event)

    queue = filled(lambda body: body, on_event, 100)
    queue.decode_all()
    assert done_when_a_socket_is_read(queue.deliver_all, lambda: len(delivered)) <= FEW_TURNS
    assert len(delivered) == 100
