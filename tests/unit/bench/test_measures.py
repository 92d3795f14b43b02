"""What the bench makes of moments, windows, ledgers and streams."""

from __future__ import annotations

import http.client
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack

import gevent
import orjson
import pytest
from gevent import socket
from gevent.pywsgi import WSGIServer
from gevent.server import StreamServer

from bench.asking import ask_by_turns, asking
from bench.bare import Did
from bench.boards import status_of
from bench.delay import Delay
from bench.lines.dialling import real_node
from bench.lines.dialling.a_call import costs, written_for
from bench.lines.dialling.line_use import Case, placed_in
from bench.lines.dialling.memory import figures as memory_figures
from bench.lines.live.from_the_switch import lateness
from bench.listeners import Ear, Heard, marked
from bench.spent import TICKS, Spent, of_family, of_process, of_stat
from bench.stand import Account, Window, read_ledger, read_stream
from bench.table import Figure, Unmeasured
from bench.windows import fullest, lags, median_ratio, percentile, used, within
from tests.waiting import wait_until

CALL = "0192f3a4-b5c6-7000-8000-000000000001"


def test_what_lies_in_a_window_is_counted_half_open() -> None:
    assert within([1.0, 2.0, 3.0, 4.0], 2.0, 4.0) == 2
    assert within([], 2.0, 4.0) == 0


@pytest.mark.parametrize(
    ("values", "share", "found"),
    [
        ([3.0, 1.0, 2.0], 0.5, 2.0),
        ([3.0, 1.0, 2.0], 0.99, 3.0),
        (list(range(1, 101)), 0.99, 99),
        ([7.0], 0.0, 7.0),
    ],
)
def test_a_percentile_is_one_of_the_values(values: list[float], share: float, found: float) -> None:
    assert percentile(values, share) == found


def test_nothing_has_no_percentile_and_no_ratio() -> None:
    assert math.isnan(percentile([], 0.99))
    assert math.isnan(median_ratio([], []))
    assert math.isnan(median_ratio([0.0], [0.0]))
    assert math.isnan(median_ratio([1.0, 2.0], [1.0, 0.0]))


def test_a_ratio_is_the_median_of_windows_beside_each_other() -> None:
    """A window in which the whole machine was slow is slow for both."""
    assert median_ratio([2.0, 20.0, 3.0], [1.0, 10.0, 1.0]) == 2.0


@pytest.mark.parametrize("per_second", [5, 40, 50, 300])
def test_a_rate_that_is_kept_to_the_instant_is_used_up_and_never_exceeded(per_second: int) -> None:
    times = [1_000 + turn / per_second for turn in range(per_second * 3)]
    assert used(times, per_second) == pytest.approx(1.0)
    assert fullest(times, per_second) <= 1.0
    burst = sorted([*times, *(1_001.0 + turn / 1e4 for turn in range(3))])
    assert fullest(burst, per_second) > 1.0


def test_half_of_the_calls_use_half_of_the_rate() -> None:
    assert used([turn / 10 for turn in range(100)], 20) == pytest.approx(0.5)
    assert used([1.0], 20) == used([], 20) == 0.0


def test_a_call_that_was_never_told_is_late_without_end() -> None:
    found = lags({"a": 1.0, "b": 2.0, "c": 9.0}, {"a": 1.25, "c": 9.5}, 0.0, 5.0)
    assert found == [0.25, math.inf]


def line(event: str, uuid: str, at: float, **more: object) -> bytes:
    return orjson.dumps({"event": event, "uuid": uuid, "t": at, **more})


def test_a_ledger_is_read_for_the_campaigns_of_a_load() -> None:
    ours = {"campaign": "c1", "number": "+1", "result": "accepted"}
    found = Account()
    read_ledger(
        found,
        [
            line("originate", "u1", 1.0, **ours),
            line("originate", "u2", 1.5, **(ours | {"result": "refused:NO_ROUTE_DESTINATION"})),
            line("originate", "u3", 1.6, **(ours | {"campaign": "other"})),
            line("ring", "u1", 2.0),
            line("answer", "u1", 3.0),
            line("end", "u1", 4.0),
            line("end", "u3", 4.5),
            line("restart", "", 5.0),
        ],
        {"c1"},
    )
    assert (found.placed, found.answered, found.ended) == ({"u1": 1.0}, {"u1": 3.0}, {"u1": 4.0})
    assert (found.numbers, found.steps) == (["+1"], [2.0, 3.0, 4.0])


def test_a_stream_tells_when_a_call_was_over() -> None:
    def entry(at: str, **data: object) -> tuple[str, dict[str, str]]:
        return at, {"kind": "transition", "data": orjson.dumps(data).decode()}

    found = Account()
    read_stream(
        found,
        "c1",
        iter(
            [
                entry("1000-0", call_id="u1", status="originated"),
                entry("1500-3", call_id="u1", status="completed"),
                entry("1600-0", call_id="u2", status="pending"),
                entry("1700-0", status="completed", end_reason="done"),
            ]
        ),
    )
    assert found.told == {"u1": 1.5, "u2": 1.6}
    assert found.told_at == [1.5, 1.6]
    assert found.read_to == {"c1": "1700-0"}


def test_what_a_process_spent_is_read_whatever_its_name_is() -> None:
    stat = "7 (a (b) c) S 1 7 7 0 -1 4194304 100 0 0 0 150 50 30 20 20 0 1 0 100 1000 10"
    assert of_stat(stat) == (200 / TICKS, 50 / TICKS)


def test_what_was_spent_is_that_of_its_parts() -> None:
    before = Spent(10.0, 1.0, 2.0, 3.0, 4.0, 5.0)
    spent = Spent(15.0, 2.0, 4.0, 6.0, 8.0, 10.0).since(before)
    assert spent == Spent(5.0, 1.0, 2.0, 3.0, 4.0, 5.0)
    assert (spent.ours, spent.all) == (6.0, 15.0)


def test_the_work_of_a_process_shows_and_its_childrens_with_it() -> None:
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    own, family = of_process(os.getpid()), of_family(os.getpid())
    subprocess.run([sys.executable, "-c", busy], check=True)
    assert of_family(os.getpid()) - family - (of_process(os.getpid()) - own) >= 0.25
    assert of_process(0) == of_family(0) == 0.0


def echo(sock: socket.socket, _address: object) -> None:
    while data := sock.recv(100):
        sock.sendall(data.upper())


def test_a_way_holds_back_what_is_sent_and_not_what_is_answered(closing: Callable[[Delay], None]) -> None:
    server = StreamServer(("127.0.0.1", 0), echo)
    server.start()
    assert server.server_port is not None
    way = Delay(server.server_port, 0.2)
    closing(way)
    with socket.create_connection(("127.0.0.1", way.port)) as client:
        began = time.monotonic()
        client.sendall(b"one")
        gevent.sleep(0.05)
        client.sendall(b"two")
        got = b""
        while len(got) < 6:
            got += client.recv(100)
        assert got == b"ONETWO"
        assert time.monotonic() - began >= 0.25, "each is held back, from when it was sent"
        way.seconds = 0.0
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b""
    server.stop()
    wait_until(lambda: server.closed, "the server's end")


@pytest.fixture
def closing(request: pytest.FixtureRequest) -> Callable[[Delay], None]:
    """Closes what it is given, after the test."""
    return lambda way: request.addfinalizer(way.close)


def test_marks_are_found_however_the_bytes_come() -> None:
    """Marks that lie across two reads are found once; others' bytes do not count."""
    text = b"HTTP/1.1 200 OK\r\n\r\ndata:" + b'{"sent":"%b"}\n\n' % marked(10.0).encode()
    text += b'data: {"status":"completed","disposition":"answered","call_id":"%b"}\n\n' % CALL.encode()
    text += b'data: {"status":"connected","call_id":"%b"}\n\n' % CALL.encode()
    for size in (1, 7, len(text)):
        late: list[float] = []
        calls: list[tuple[str, float]] = []
        ear = Ear(socket.socket())
        for at in range(0, len(text), size):
            ear.take(text[at : at + size], 10.25, late, calls)
        ear.sock.close()
        assert (late, calls, ear.let_in) == ([250.0], [(CALL, 10.25)], True)


def test_who_was_refused_was_not_let_in() -> None:
    ear = Ear(socket.socket())
    ear.take(b'HTTP/1.1 503 Busy\r\n\r\n{"data": 1}', 1.0, [], [])
    ear.sock.close()
    assert not ear.let_in


def test_lateness_is_of_calls_that_ended_in_the_window_and_of_every_hearing() -> None:
    found = Account(ended={"a": 9.0, "b": 10.5, "c": 11.0})
    heard = Heard(0, 0, 0, 0, 0.0, [("a", 9.1), ("b", 10.6), ("b", 10.7), ("c", 11.05)])
    late, expected = lateness(found, heard, Window(10.0, 12.0, Spent(2.0, 0, 0, 0, 0, 0)), 2)
    assert late == pytest.approx([100.0, 200.0, 50.0])
    assert expected == 4


def test_requests_are_timed_from_when_they_were_due_and_failures_counted() -> None:
    def answer(environ: dict[str, str], start: Callable[..., object]) -> list[bytes]:
        gevent.sleep(0.05)
        start("200 OK" if environ["PATH_INFO"] == "/good" else "503 Busy", [])
        return [b"{}"]

    server = WSGIServer(("127.0.0.1", 0), answer, log=None)
    server.start()
    base = f"http://127.0.0.1:{server.server_port}"
    with asking(f"{base}/good", "k", 40.0) as good:
        wait_until(lambda: len(good.seconds) >= 5, "some answers")
    with asking(f"{base}/bad", "k", 40.0) as bad:
        wait_until(lambda: bad.failed >= 2, "some failures")
    turns = ask_by_turns(f"{base}/good", "k", 1_000.0, 0.3)
    server.stop()
    assert not turns.failed
    assert 4 <= len(turns.seconds) <= 4 * 7, "never more than a few at a time"
    assert not good.failed
    assert min(good.seconds) >= 0.05
    assert bad.failed == len(bad.seconds)


def test_a_board_asks_again_where_the_server_closed_what_it_had_kept_and_only_there() -> None:
    answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"] * 2

    def answer_once(peer: socket.socket, _: object) -> None:
        peer.recv(4_096)
        if answers:
            peer.sendall(answers.pop())

    with ExitStack() as stack:
        server = StreamServer(("127.0.0.1", 0), answer_once)
        server.start()
        stack.callback(server.stop)
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
        stack.callback(connection.close)
        assert [status_of(connection, "/", {}) for _ in range(2)] == [200, 200]
        with pytest.raises(http.client.RemoteDisconnected):
            status_of(connection, "/", {})


def test_memory_is_compared_with_a_tenth_of_the_calls() -> None:
    (row,) = memory_figures([(50, 90.0), (120, 100.0), (600, 104.0), (1_000, 105.0)])
    assert isinstance(row, Figure)
    assert (row.value, row.reached) == (1.05, True)
    (row,) = memory_figures([(100, 100.0), (1_000, 106.0)])
    assert isinstance(row, Figure)
    assert not row.reached


def test_a_case_of_line_use_says_what_it_is() -> None:
    cases = [Case(5, 0.0, 0.98), Case(40, 0.06, 0.95)]
    assert [case.what for case in cases] == [
        "5 calls a second allowed",
        "40 calls a second allowed, 60 ms added to every statement",
    ]
    window = Window(1.0, 3.0, Spent(2.0, 0, 0, 0, 0, 0))
    assert placed_in([0.5, 1.0, 2.9, 3.0], window) == [1.0, 2.9]


def test_updates_and_wal_are_those_of_each_call() -> None:
    found = Account(told={f"u{n}": 10.0 + n for n in range(4)})
    whole = Window(9.0, 20.0, Spent(11.0, 0, 0, 0, 0, 0))
    changed = {"contact": 12, "contact hot": 4, "call": 8, "call hot": 8}
    wal, contact, call, moved = written_for(found, [whole], [4 * 4096.0], changed)
    assert (wal.value, wal.unit, wal.reached) == (4.0, "KB", True)
    assert (round(contact.value), contact.beside) == (33, "3.0 updates for a call")
    assert (call.value, moved.value, moved.reached) == (100.0, 2.0, True)


def test_what_a_call_costs_counts_until_it_is_recorded() -> None:
    """Half of the calls end in the window, and all of them are paid for."""
    found = Account(told={f"u{n}": 10.0 + n for n in range(4)})
    window = Window(9.0, 12.0, Spent(3.0, 1.0, 0, 0, 0.3, 0))
    whole = Window(9.0, 20.0, Spent(11.0, 2.0, 1.0, 1.0, 0, 0))
    bare, least = Did(10, 10, 50, 5.0, 1.0), Did(10, 10, 50, 2.5, 1.0)
    dialer, ours, beside_less, sustained, beside_loop, node = costs(found, [window], [whole], [bare], [least])
    assert (dialer.value, ours.value, beside_less.value) == (1.0, 2.0, 2.0)
    assert sustained.value == pytest.approx((2 / 3) / min(2.0, (os.cpu_count() or 1) / 1.0))
    assert beside_loop.value == pytest.approx(2 / 3 / 10)
    assert node.value == pytest.approx(0.1)


def test_a_real_node_that_is_not_named_is_said_and_fails_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CARILLON_TEST_FREESWITCH_URLS", raising=False)
    (row,) = real_node.measure(True)
    assert isinstance(row, Unmeasured)
    assert row.passes
