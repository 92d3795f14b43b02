"""What the tap at a proxy sees of the orders that leave."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from tests.chaos.proxy import Mode, Proxy
from tests.chaos.wire import Order, Tap, received, stamp
from tests.waiting import wait_until

FIRST, SECOND = "01a22651-5226-7d10-a053-69f324f2fc12", "01a22651-5226-7d10-a053-69f324f2fc13"


def originate(uuid: str) -> bytes:
    return f"bgapi originate {{origination_uuid={uuid},dialer_id=d0}}x y\nJob-UUID: d0.{uuid}\n\n".encode()


def test_an_order_has_left_when_its_last_byte_has() -> None:
    tap, order = Tap("fs1"), originate(FIRST)
    assert tap.orders(b"api status\n\n" + order[:-1], 1.0) == []
    assert tap.orders(order[-1:], 2.0) == [Order(2.0, "fs1", FIRST)]
    assert tap.orders(b"bgapi uuid_kill x\n\n", 3.0) == []


def test_of_what_is_read_at_once_the_last_byte_alone_has_a_moment() -> None:
    tap = Tap("fs1")
    tap.orders(b"api status\n\n", 1.0)
    assert tap.orders(originate(FIRST) + originate(SECOND), 2.0) == [
        Order(2.0, "fs1", FIRST, since=1.0),
        Order(2.0, "fs1", SECOND),
    ]
    assert tap.orders(originate(FIRST) + b"api", 3.0) == [Order(3.0, "fs1", FIRST, since=2.0)]


def test_the_kernel_stamps_what_was_not_read_in_time_as_late_as_what_came_after_it() -> None:
    """Why a moment may be none: the earlier of two that lay there together has the stamp of the later."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as dialer,
    ):
        reading, _ = listening.accept()
        with reading:
            stamp(reading)
            dialer.sendall(b"first")
            sent = time.time()
            wait_until(lambda: time.time() > sent + 0.02, "some time")
            dialer.sendall(b"later")
            wait_until(lambda: len(reading.recv(100, socket.MSG_PEEK)) == 10, "both")
            data, at = received(reading)
    assert data == b"firstlater"
    assert at > sent + 0.02


@pytest.fixture
def proxied() -> Iterator[tuple[Proxy, socket.socket, socket.socket]]:
    """A proxy, who sends through it, and who receives."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        contextlib.closing(Proxy("fs1", listening.getsockname()[1])) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port)) as dialer,
    ):
        dialer.sendall(b"auth x\n\n")
        node, _ = listening.accept()
        with node:
            assert node.recv(100) == b"auth x\n\n"
            yield proxy, dialer, node


def test_what_a_stall_holds_has_left_all_the_same(
    proxied: tuple[Proxy, socket.socket, socket.socket],
) -> None:
    proxy, dialer, node = proxied
    proxy.set(Mode.STALLED)
    for number, uuid in enumerate((FIRST, SECOND), start=1):
        before = time.time()
        dialer.sendall(originate(uuid))
        after = time.time()
        wait_until(lambda: len(proxy.orders) == number, what="the order's stamp")  # noqa: B023
        assert proxy.orders[-1].uuid == uuid
        assert before <= proxy.orders[-1].t <= after + 0.001
    proxy.set(Mode.OPEN)
    held = b""
    while len(held) < len(originate(FIRST) + originate(SECOND)):
        held += node.recv(10_000)
    assert held == originate(FIRST) + originate(SECOND)
