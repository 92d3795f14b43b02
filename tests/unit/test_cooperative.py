"""Who works in turns lets I/O have its own between them: the helper does, the bare call of gevent does not."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest
from gevent import socket
from gevent.event import Event

from cooperative import let_others_run
from tests.unit.test_rooms import ROOT, ours

FEW, MANY = 5, 50
"""Turns: gevent looks at sockets and timers again after 50 that only let run what is runnable."""
MOST = 1_000_000


def turns_until(happened: Callable[[], object], between_turns: Callable[[], None]) -> int:
    turns = 0
    while not happened() and turns < MOST:
        between_turns()
        turns += 1
    return turns


def turns_until_a_socket_is_read(between_turns: Callable[[], None]) -> int:
    left, right = socket.socketpair()
    read: list[bytes] = []
    with left, right:
        reader = gevent.spawn(lambda: read.append(left.recv(1)))
        gevent.sleep(0.001)
        right.sendall(b"x")
        turns = turns_until(lambda: read, between_turns)
        reader.join()
    return turns


def turns_until_a_timer_is_due(between_turns: Callable[[], None]) -> int:
    gevent.sleep(0.001)
    fired = Event()
    timer = gevent.get_hub().loop.timer(0)
    timer.start(fired.set)
    try:
        return turns_until(fired.is_set, between_turns)
    finally:
        timer.close()


@pytest.mark.parametrize("turns", [turns_until_a_socket_is_read, turns_until_a_timer_is_due])
def test_what_is_ready_has_its_turn_within_a_few(turns: Callable[[Callable[[], None]], int]) -> None:
    assert turns(let_others_run) <= FEW


@pytest.mark.parametrize("turns", [turns_until_a_socket_is_read, turns_until_a_timer_is_due])
def test_the_bare_call_makes_it_wait_for_many(turns: Callable[[Callable[[], None]], int]) -> None:
    """The reason for the helper; where gevent no longer does so, both can go."""
    assert turns(lambda: gevent.sleep(0)) >= MANY


def bare_calls(source: str) -> Iterator[int]:
    """The lines on which `gevent.sleep` is called for no time, or `gevent.idle` at all, under whatever name."""
    tree = ast.parse(source)
    names = {
        alias.asname or alias.name: f"gevent.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in ("gevent", "gevent.hub")
        for alias in node.names
    }
    modules = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name in ("gevent", "gevent.hub")
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            written = ast.unparse(node.func)
            module, _, function = written.rpartition(".")
            called = f"gevent.{function}" if module in modules else names.get(written, "")
            if called == "gevent.idle" or (called == "gevent.sleep" and _no_time(node)):
                yield node.lineno


def _no_time(call: ast.Call) -> bool:
    given = [*call.args[:1], *(word.value for word in call.keywords if word.arg == "seconds")]
    return not given or (isinstance(given[0], ast.Constant) and not given[0].value)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import gevent\ngevent.sleep(0)", [2]),
        ("import gevent\ngevent.sleep()", [2]),
        ("import gevent\ngevent.sleep(0.0)", [2]),
        ("import gevent\ngevent.sleep(seconds=0)", [2]),
        ("import gevent as g\ng.sleep(0)", [2]),
        ("from gevent import sleep\nsleep(0)", [2]),
        ("from gevent import sleep as pause\npause()", [2]),
        ("import gevent\ngevent.idle()", [2]),
        ("import gevent\ngevent.sleep(1e-6)\ngevent.sleep(wait)", []),
        ("import time\ntime.sleep(0)", []),
    ],
)
def test_the_rule_finds_the_bare_call(source: str, found: list[int]) -> None:
    assert list(bare_calls(source)) == found


@pytest.mark.parametrize("path", ours(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_product_file_yields_by_the_bare_call(path: Path) -> None:
    for line in bare_calls(path.read_text(encoding="utf-8")):
        pytest.fail(
            f"{path.relative_to(ROOT)}:{line}: gevent.sleep(0) lets no socket and no timer have its turn before some"
            " 50 calls; cooperative.let_others_run() does"
        )
