"""Ids, tokens, the worker's life, and what the kernel says of the other end."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live import socket_liveness, worker_state
from live.admission import Admission
from live.errors import BadEventIdError, BadTokenError
from live.event_ids import EventId
from live.socket_liveness import PeerState
from live.tokens import StreamTokens
from tests.waiting import wait_until

ids = st.builds(EventId, st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))


@given(one=ids, other=ids)
def test_ids_are_read_as_they_are_written_and_compare_as_entries_follow(one: EventId, other: EventId) -> None:
    assert EventId.parse(str(one)) == one
    assert (one < other) == ((one.ms, one.seq) < (other.ms, other.seq))


@given(text=st.text(alphabet="0123456789-+ \n٣x", max_size=19))
def test_a_text_is_an_id_or_refused(text: str) -> None:
    parts = text.split("-")
    if len(parts) == 2 and all(part.isdigit() and part.isascii() and len(part) <= 19 for part in parts):
        assert EventId.parse(text) == (int(parts[0]), int(parts[1]))
    else:
        with pytest.raises(BadEventIdError) as caught:
            EventId.parse(text)
        assert caught.value.value == text


KEY = Admission("demo", "019ab0c4-7d2e-7b10-9c55-2f0f4b1a6a01")


def test_a_token_is_good_for_its_stream() -> None:
    tokens = StreamTokens("secret", lifetime=600)
    token = tokens.issue(KEY, "c1")
    assert tokens.admission(token, "c1") == KEY
    with pytest.raises(BadTokenError, match="another campaign"):
        tokens.admission(token, "c2")
    for forged in (
        StreamTokens("other").issue(KEY, "c1"),
        token[:-1],
        "",
        "é",
        token.replace(".", ""),
    ):
        with pytest.raises(BadTokenError, match="not one of"):
            tokens.admission(forged, "c1")


@pytest.mark.parametrize(
    ("age", "good"), [(0, True), (599, True), (600, True), (601, False), (10_000, False)]
)
def test_a_token_is_good_for_its_time(monkeypatch: pytest.MonkeyPatch, age: int, good: bool) -> None:
    tokens = StreamTokens("secret", lifetime=600)
    token = tokens.issue(KEY, "c1", at=1_800_000_000)
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: 1_800_000_000 + age)
    if good:
        assert tokens.admission(token, "c1") == KEY
    else:
        with pytest.raises(BadTokenError, match="600 s"):
            tokens.admission(token, "c1")


@pytest.mark.parametrize(
    ("worker", "alive"),
    [(None, True), (SimpleNamespace(alive=True), True), (SimpleNamespace(alive=False), False)],
)
def test_a_process_lives_until_its_worker_is_told_to_stop(
    monkeypatch: pytest.MonkeyPatch, worker: object | None, alive: bool
) -> None:
    monkeypatch.setattr(worker_state, "worker", worker)
    assert worker_state.alive() is alive


@pytest.mark.parametrize(
    ("state", "unacknowledged", "last_ack_ms", "verdict"),
    [
        (1, 0, 5_000, PeerState.THERE),
        (1, 3, 5_000, PeerState.THERE),
        (1, 3, 10_001, PeerState.GONE),
        (1, 0, 30_000, PeerState.THERE),
        (1, 0, 60_001, PeerState.GONE),
        (7, 0, 0, PeerState.GONE),
        (8, 0, 0, PeerState.LEAVING),
        (8, 2, 11_000, PeerState.GONE),
    ],
)
def test_the_kernels_figures_are_read(
    state: int, unacknowledged: int, last_ack_ms: int, verdict: PeerState
) -> None:
    assert socket_liveness.classify(state, unacknowledged, last_ack_ms) is verdict


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        server, _ = listening.accept()
        with client, server:
            yield client, server


def test_a_real_socket_tells_of_a_peer_that_stays_leaves_and_is_gone(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    client, server = pair
    assert socket_liveness.watchable(server)
    assert socket_liveness.peer_state(server) is PeerState.THERE
    client.close()
    wait_until(lambda: socket_liveness.peer_state(server) is PeerState.LEAVING)
    server.send(b":\n\n")
    wait_until(lambda: socket_liveness.peer_state(server) is PeerState.GONE)
    server.close()
    assert socket_liveness.peer_state(server) is PeerState.GONE


def test_only_tcp_can_be_watched() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert not socket_liveness.watchable(one)
    assert not socket_liveness.watchable(None)
