"""How an exchange waits: by the kernel where it is ready, else by the hub; and how it lets others run."""

from __future__ import annotations

import socket
from collections.abc import Generator, Iterator

import gevent
import psycopg
import pytest
from psycopg.waiting import Ready, Wait

from database_wait import MOST_AT_ONCE, wait

Told = Ready | int
Steps = Generator[Wait, Told, list[Told]]


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def steps(*wanted: Wait) -> Steps:
    told: list[Told] = []
    for one in wanted:
        told.append((yield one))  # noqa: PERF401  a comprehension cannot yield
    return told


def test_what_is_ready_is_told_at_once(ends: tuple[socket.socket, socket.socket]) -> None:
    one, other = ends
    assert wait(steps(Wait.W, Wait.RW), one.fileno()) == [Ready.W, Ready.W]
    other.send(b"x")
    assert wait(steps(Wait.R, Wait.RW), one.fileno()) == [Ready.R, Ready.RW]


def test_what_is_not_ready_is_waited_for_while_others_run(ends: tuple[socket.socket, socket.socket]) -> None:
    one, other = ends
    later = gevent.spawn(other.send, b"x")
    assert wait(steps(Wait.R), one.fileno()) == [Ready.R]
    assert later.value == 1


def test_a_server_that_says_nothing_for_too_long_is_given_up(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    with pytest.raises(psycopg.OperationalError, match="said nothing for"):
        wait(steps(Wait.R), ends[0].fileno(), 0.01)
    later = gevent.spawn_later(0.001, ends[1].send, b"x")
    assert wait(steps(Wait.R), ends[0].fileno(), 60.0) == [Ready.R]
    later.join()


def test_a_deadline_of_somebody_else_s_is_left_to_him(ends: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(gevent.Timeout, match=r"0\.01"), gevent.Timeout(0.01):
        wait(steps(Wait.R), ends[0].fileno(), 60.0)


def test_others_run_while_an_exchange_has_nothing_to_wait_for(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ran: list[int] = []

    def other() -> None:
        while len(ran) < 3:
            ran.append(len(told))
            gevent.sleep(0)  # once round, as often as the exchange lets it

    told: list[Told] = []

    def long() -> Steps:
        for _ in range(5 * MOST_AT_ONCE):
            told.append((yield Wait.W))  # noqa: PERF401  a comprehension cannot yield
        return told

    running = gevent.spawn(other)
    wait(long(), ends[0].fileno())
    running.join()
    assert len(ran) == 3
    assert ran[-1] < 5 * MOST_AT_ONCE


def test_a_wait_that_is_struck_leaves_nothing_behind(ends: tuple[socket.socket, socket.socket]) -> None:
    one, other = ends
    with pytest.raises(gevent.Timeout), gevent.Timeout(0.001):
        wait(steps(Wait.R), one.fileno())
    other.send(b"x")
    assert wait(steps(Wait.R), one.fileno()) == [Ready.R]


def test_a_socket_that_is_closed_is_said_to_be(ends: tuple[socket.socket, socket.socket]) -> None:
    number = ends[0].detach()
    socket.socket(fileno=number).close()
    with pytest.raises(psycopg.OperationalError):
        wait(steps(Wait.R), number)
