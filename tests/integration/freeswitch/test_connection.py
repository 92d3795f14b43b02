"""One connection to a node that answers by a script: commands and replies, floods, silence, cuts at any byte."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from select import select
from typing import Any

import gevent
import pytest
from gevent import socket
from gevent.event import Event

from freeswitch.connection import (
    AuthRefused,
    EslConnection,
    EslError,
    MaybeSent,
    NotConnected,
    ReplyTimeout,
    Withheld,
)
from freeswitch.protocol import ProtocolError, decode_json, encode_frame
from tests.integration.freeswitch.scripted_node import PASSWORD, Bystander, Peer, ScriptedNode, event_frame
from tests.waiting import HANG_SECONDS, wait_until

A_TURN = 256
"""Events that may be decoded between two turns of somebody else: a few of the reader's and of the decoder's."""


class Client:
    """A connection that remembers what it was told."""

    def __init__(self, port: int, password: str = PASSWORD, **options: Any) -> None:
        self.events: list[dict[str, Any]] = []
        self.closed: list[str] = []
        self.told: list[object] = []
        on_event = options.pop("on_event", self.note)
        decode = options.pop("decode", decode_json)
        self.decoded = 0

        def counted(body: bytes) -> Any:
            self.decoded += 1
            return decode(body)

        self.esl = EslConnection(
            "127.0.0.1",
            port,
            password,
            decode=counted,
            on_event=on_event,
            on_close=options.pop("on_close", self._on_close),
            **options,
        )

    def note(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        self.told.append(event["Event-Name"])

    def _on_close(self, reason: str) -> None:
        self.closed.append(reason)
        self.told.append("closed")

    def post(self, line: str, **options: Any) -> list[str | EslError]:
        answers: list[str | EslError] = []

        def on_reply(answer: str | EslError) -> None:
            answers.append(answer)
            self.told.append(("reply", line))

        self.esl.post_command(line, on_reply=on_reply, **options)
        return answers

    def connected(self) -> Client:
        self.esl.connect(5)
        return self

    def close_reason(self) -> str:
        wait_until(lambda: self.closed, what="the close being told")
        assert len(self.closed) == 1
        return self.closed[0]


def greeted(then: Callable[[Peer], None]) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        peer.greet()
        then(peer)

    return script


def test_a_command_gets_its_reply_and_an_api_its_output() -> None:
    def answer(command: str) -> str:
        return {"uptime": "86\n", "noevents": "+OK no longer listening for events"}[command]

    with ScriptedNode(greeted(lambda peer: peer.serve(answer))) as node:
        client = Client(node.port).connected()
        assert client.esl.api("uptime") == "86\n"
        assert client.esl.send_command("noevents") == "+OK no longer listening for events"
        assert client.esl.send("noevents") == "+OK no longer listening for events"
        client.esl.stop()
        assert client.close_reason() == "closed by us"


def test_headers_travel_with_a_command() -> None:
    with ScriptedNode(greeted(Peer.serve)) as node:
        client = Client(node.port).connected()
        client.esl.send_command("bgapi status", {"Job-UUID": "d1.x"})
        assert node.peers[0].commands[-1] == "bgapi status\nJob-UUID: d1.x"
        client.esl.close()


# Row 1: EOF inside a body made greenswitch spin for ever.
def test_a_body_cut_short_by_the_end_closes_and_fails_what_was_pending() -> None:
    def script(peer: Peer) -> None:
        peer.read_command()
        peer.write(b"Content-Type: api/response\nContent-Length: 1000\n\nhalf")

    with ScriptedNode(greeted(script)) as node:
        client = Client(node.port).connected()
        with pytest.raises(MaybeSent):
            client.esl.api("status")
        assert client.close_reason() == "the node closed inside a frame"
        assert not client.esl.connected


# Row 2: buffered data starved every other greenlet.
def test_a_flood_of_events_lets_other_greenlets_run() -> None:
    flood = event_frame("CHANNEL_CREATE", filler="x" * 9000) * 200

    def script(peer: Peer) -> None:
        for _ in range(20):
            peer.write(flood)
        peer.wait_for_end()

    with ScriptedNode(greeted(script)) as node:
        client = Client(node.port)
        with Bystander(lambda: client.decoded).running() as bystander:
            client.connected()
            wait_until(lambda: len(client.events) == 4000, what="4,000 events")
        assert bystander.most <= A_TURN
        client.esl.close()


def test_a_backlog_of_events_is_worked_off_in_turns() -> None:
    """Each event takes a millisecond of the connection's clock, which has turns of two."""
    gate = Event()

    def script(peer: Peer) -> None:
        peer.write(event_frame("CHANNEL_CREATE") * 2_000)
        peer.wait_for_end()

    def on_event(event: dict[str, Any]) -> None:
        gate.wait()
        client.note(event)

    with ScriptedNode(greeted(script)) as node:
        client: Client = Client(node.port, on_event=on_event, turns_by=lambda: len(client.events) / 1000)
        client.connected()
        wait_until(lambda: client.esl.waiting_events == 1_999, what="the backlog")
        with Bystander(lambda: len(client.events)).running() as bystander:
            gate.set()
            wait_until(lambda: len(client.events) == 2_000, what="its end")
        assert bystander.most <= 3
        client.esl.close()


# Row 3: a dead socket left commands waiting for ever.
def test_commands_fail_at_once_when_the_node_dies() -> None:
    def script(peer: Peer) -> None:
        for _ in range(3):
            peer.read_command()

    with ScriptedNode(greeted(script)) as node:
        client = Client(node.port).connected()
        posted = client.post("bgapi originate x", timeout=60)
        waiting = [gevent.spawn(_failure_of, client.esl, "api status") for _ in range(2)]
        gevent.joinall(waiting, timeout=60)
        assert [type(greenlet.value) for greenlet in waiting] == [MaybeSent, MaybeSent]
        client.close_reason()
        assert [type(answer) for answer in posted] == [MaybeSent]
        with pytest.raises(NotConnected):
            client.esl.api("status")


def _failure_of(esl: EslConnection[Any], line: str) -> EslError:
    with pytest.raises(EslError) as failure:
        esl.send_command(line, timeout=60)
    return failure.value


# Row 4: no timeout; giving up on one reply must not hand it to the next command.
def test_a_reply_that_does_not_come_closes_the_connection() -> None:
    with ScriptedNode(greeted(Peer.wait_for_end)) as node:
        client = Client(node.port).connected()
        posted = client.post("bgapi originate x", timeout=60)
        with pytest.raises(ReplyTimeout):
            client.esl.send_command("api msleep 5000", timeout=0.2)
        assert client.close_reason() == "no reply in time"
        assert [type(answer) for answer in posted] == [MaybeSent]


def test_a_posted_command_without_a_reply_fails_by_its_deadline() -> None:
    with ScriptedNode(greeted(Peer.wait_for_end)) as node:
        client = Client(node.port).connected()
        posted = client.post("bgapi originate x", timeout=0.1)
        assert client.close_reason() == "no reply in time"
        assert [type(answer) for answer in posted] == [ReplyTimeout]


# Row 5: a newline in an argument made two commands and shifted every later reply.
def test_a_refused_line_is_not_quoted_where_it_could_be_logged() -> None:
    with ScriptedNode(greeted(Peer.serve)) as node:
        client = Client(node.port, password="secret\nword")
        with pytest.raises(NotConnected) as failure:
            client.esl.connect()
        assert "secret" not in str(failure.value)


@pytest.mark.parametrize("line", ["api a\n\napi b", "api a\nb", "api a\rb", "api a\0b", ""])
def test_a_line_that_is_not_one_command_never_leaves(line: str) -> None:
    with ScriptedNode(greeted(lambda peer: peer.serve(lambda command: command))) as node:
        client = Client(node.port).connected()
        with pytest.raises(ProtocolError):
            client.esl.send_command(line)
        with pytest.raises(ProtocolError):
            client.post(line)
        assert client.esl.api("x") == "x"
        client.esl.close()


def test_a_reply_to_no_command_closes_the_connection() -> None:
    def script(peer: Peer) -> None:
        peer.reply("+OK for nobody")
        peer.wait_for_end()

    with ScriptedNode(greeted(script)) as node:
        client = Client(node.port)
        with suppress(NotConnected):
            client.esl.connect()
        wait_until(lambda: client.esl.close_reason, what="the close")
        assert client.esl.close_reason == "a reply to no command"


def test_a_reply_of_another_kind_than_its_command_closes_the_connection() -> None:
    def script(peer: Peer) -> None:
        peer.read_command()
        peer.reply("+OK of a command that was never sent")
        peer.wait_for_end()

    with ScriptedNode(greeted(script)) as node:
        client = Client(node.port).connected()
        with pytest.raises(MaybeSent):
            client.esl.api("status")
        assert client.close_reason() == "a reply to another command"


# Row 6: one write for a command, and no other command's bytes inside it.
def test_commands_of_many_greenlets_leave_whole_and_get_their_own_replies() -> None:
    with ScriptedNode(greeted(lambda peer: peer.serve(lambda command: command[:8]))) as node:
        client = Client(node.port).connected()
        client.esl.sock.setsockopt(gevent.socket.SOL_SOCKET, gevent.socket.SO_SNDBUF, 4096)

        def ask(number: int) -> bool:
            return client.esl.api(f"echo {number:03} {'x' * 30_000}", timeout=30) == f"echo {number:03}"

        greenlets = [gevent.spawn(ask, number) for number in range(20)]
        gevent.joinall(greenlets, timeout=60)
        assert all(greenlet.value for greenlet in greenlets)
        client.esl.close()


def test_a_greenlet_killed_while_it_writes_leaves_no_half_command_behind() -> None:
    with ScriptedNode(greeted(lambda peer: gevent.sleep(60))) as node:
        client = Client(node.port).connected()
        writer = gevent.spawn(client.esl.send_command, "api echo " + "x" * 50_000_000, timeout=60)
        wait_until(lambda: arrives(node.peers[0]), what="the write being under way")
        writer.kill()
        assert client.close_reason() == "a write was interrupted"


def arrives(peer: Peer) -> bool:
    """Whether something lies there that the node has not read."""
    return bool(select([peer.sock], [], [], 0)[0])


# Row 7: every step of connecting has a deadline.
def test_a_node_that_never_greets_is_given_up() -> None:
    with ScriptedNode(Peer.wait_for_end) as node:
        client = Client(node.port)
        with pytest.raises(NotConnected):
            client.esl.connect(0.3)
        assert client.closed == []


def test_a_node_that_never_answers_the_password_is_given_up() -> None:
    def script(peer: Peer) -> None:
        peer.write(b"Content-Type: auth/request\n\n")
        peer.wait_for_end()

    with ScriptedNode(script) as node, pytest.raises(NotConnected):
        Client(node.port).esl.connect(0.3)


def test_nobody_listening_is_not_connected() -> None:
    with ScriptedNode(Peer.serve) as node:
        port = node.port
    client = Client(port)
    with pytest.raises(NotConnected):
        client.esl.connect(2)
    with pytest.raises(NotConnected):
        client.esl.api("status")
    assert client.esl.wait_drained(1)


def test_a_node_that_greets_with_something_else_is_not_connected() -> None:
    with ScriptedNode(lambda peer: peer.write(b"SSH-2.0-OpenSSH\n\n")) as node, pytest.raises(NotConnected):
        Client(node.port).esl.connect(2)


def test_a_wrong_password_is_refused() -> None:
    def script(peer: Peer) -> None:
        peer.greet("-ERR invalid")
        notice = b"Disconnected, goodbye.\n"
        peer.write(encode_frame({"Content-Type": "text/disconnect-notice"}, notice))

    with ScriptedNode(script) as node, pytest.raises(AuthRefused, match="does not take the password"):
        Client(node.port).esl.connect(2)


def test_a_host_that_the_node_does_not_let_in_is_refused() -> None:
    body = b"Access Denied, go away.\n"
    frame = encode_frame({"Content-Type": "text/rude-rejection"}, body)
    with ScriptedNode(lambda peer: peer.write(frame)) as node, pytest.raises(AuthRefused, match="go away"):
        Client(node.port).esl.connect(2)


def test_a_connection_is_made_once() -> None:
    with ScriptedNode(greeted(Peer.serve)) as node:
        client = Client(node.port).connected()
        with pytest.raises(NotConnected):
            client.esl.connect()
        client.esl.close()
        with pytest.raises(NotConnected):
            client.esl.connect()


def test_a_node_that_dies_right_after_the_password_is_not_connected_or_told_closed() -> None:
    with ScriptedNode(Peer.greet) as node:
        client = Client(node.port)
        try:
            client.esl.connect(2)
        except NotConnected:
            assert client.closed == []
        else:
            client.close_reason()


# Row 8: stop() asked the node for leave and waited for ever.
def test_closing_does_not_wait_for_a_node_that_hangs() -> None:
    with ScriptedNode(greeted(lambda peer: gevent.sleep(3600))) as node:
        client = Client(node.port).connected()
        posted = client.post("bgapi originate x", timeout=3600)
        client.esl.close()
        client.esl.close("again")
        assert client.close_reason() == "closed by us"
        assert [type(answer) for answer in posted] == [MaybeSent]


# Row 9: bytes that are not UTF-8, and JSON events.
def test_bytes_that_are_not_utf8_are_read_and_the_connection_goes_on() -> None:
    body = b'{"Event-Name":"CHANNEL_CREATE","variable_x":"caf\xe9"}'

    def script(peer: Peer) -> None:
        peer.read_command()
        peer.api_reply(b"caf\xe9")
        peer.write(encode_frame({"Content-Type": "text/event-json"}, body))
        peer.serve(lambda command: command)

    with ScriptedNode(greeted(script)) as node:
        client = Client(node.port).connected()
        assert client.esl.api("x") == "caf\ufffd"
        wait_until(lambda: client.events, what="the event")
        assert client.events[0]["variable_x"] == "caf\ufffd"
        assert client.esl.api("still here") == "still here"
        client.esl.close()


# Row 10: a percent-encoded newline in a value forged headers.
def test_a_value_with_an_encoded_newline_forges_nothing() -> None:
    reason = 'Q.850;text="x%0AHangup-Cause%3A FORGED\nUnique-ID: forged"'

    def script(peer: Peer) -> None:
        peer.event("CHANNEL_HANGUP_COMPLETE", **{"Unique-ID": "real", "variable_sip_reason": reason})
        peer.wait_for_end()

    with ScriptedNode(greeted(script)) as node:
        client = Client(node.port).connected()
        wait_until(lambda: client.events, what="the event")
        assert client.events[0]["Unique-ID"] == "real"
        assert client.events[0]["variable_sip_reason"] == reason
        assert "Hangup-Cause" not in client.events[0]
        client.esl.close()


# Row 11: the body of a job was glued to another header.
def test_the_body_of_a_job_is_its_own() -> None:
    def script(peer: Peer) -> None:
        peer.event("BACKGROUND_JOB", **{"Content-Length": "41", "_body": "+OK 81234299: a\nb: c\n"})
        peer.wait_for_end()

    with ScriptedNode(greeted(script)) as node:
        client = Client(node.port).connected()
        wait_until(lambda: client.events, what="the event")
        assert client.events[0]["_body"] == "+OK 81234299: a\nb: c\n"
        assert client.events[0]["Content-Length"] == "41"
        client.esl.close()


# Row 12: the queue was unbounded, and events still in it were lost at the end.
def test_events_read_before_the_end_are_all_delivered_and_then_the_close() -> None:
    def slowly(event: dict[str, Any]) -> None:
        gevent.sleep(0)
        client.note(event)

    def script(peer: Peer) -> None:
        peer.write(b"".join(event_frame("CHANNEL_CREATE", number=number) for number in range(500)))

    with ScriptedNode(greeted(script)) as node:
        client = Client(node.port, on_event=slowly)
        client.connected()
        client.close_reason()
        assert [event["number"] for event in client.events] == list(range(500))
        assert client.told[-1] == "closed"
        assert client.esl.wait_drained(1)


def test_a_consumer_that_falls_behind_costs_its_own_connection_and_not_the_switch() -> None:
    gate = Event()

    def script(peer: Peer) -> None:
        peer.write(event_frame("CHANNEL_CREATE", filler="x" * 5000) * 2000)
        peer.wait_for_end()

    with ScriptedNode(greeted(script)) as node:
        client = Client(node.port, on_event=lambda event: gate.wait(), max_waiting_events=100).connected()
        wait_until(lambda: not client.esl.connected, what="the connection closing itself")
        with pytest.raises(NotConnected, match="fell behind"):
            client.esl.api("status")
        gate.set()
        assert "fell behind" in client.close_reason()


@pytest.mark.full
def test_a_burst_of_100000_events_is_delivered_whole_and_in_order_and_lets_the_others_run() -> None:
    burst, block = 100_000, 1000
    padding = {f"variable_{number}": "x" * 20 for number in range(40)}
    written = b"".join(event_frame("CHANNEL_CREATE", number=number, **padding) for number in range(block))
    numbers: list[int] = []

    def script(peer: Peer) -> None:
        for _ in range(burst // block):
            peer.write(written)
        peer.wait_for_end()

    with ScriptedNode(greeted(script)) as node:
        client = Client(node.port, on_event=lambda event: numbers.append(event["number"]))
        with Bystander(lambda: client.decoded).running() as bystander:
            client.connected()
            wait_until(lambda: len(numbers) == burst or client.closed, what="the burst")
        assert client.closed == []
        assert numbers == list(range(block)) * (burst // block)
        assert bystander.most <= A_TURN
        client.esl.close()


def test_a_burst_waits_for_a_consumer_that_is_slower_than_the_node() -> None:
    burst = 30_000
    seen = 0

    def script(peer: Peer) -> None:
        for _ in range(burst // 1000):
            peer.write(event_frame("CHANNEL_CREATE", filler="x" * 4000) * 1000)
        peer.read_command()
        peer.api_reply(b"still here")
        peer.wait_for_end()

    def on_event(_event: dict[str, Any]) -> None:
        nonlocal seen
        gate.wait()
        seen += 1

    gate = Event()
    with ScriptedNode(greeted(script)) as node:
        client = Client(node.port, decode=len, on_event=on_event).connected()
        assert client.esl.api("status", timeout=60) == "still here"
        assert seen == 0
        gate.set()
        wait_until(lambda: seen == burst, what="the burst")
        client.esl.close()


def test_a_handler_that_fails_does_not_stop_the_events() -> None:
    seen: list[str] = []

    def on_event(event: dict[str, Any]) -> None:
        seen.append(event["Event-Name"])
        if len(seen) == 1:
            raise ValueError("a bug in the handler")

    def script(peer: Peer) -> None:
        peer.event("CHANNEL_CREATE")
        peer.event("CHANNEL_ANSWER")
        peer.wait_for_end()

    with ScriptedNode(greeted(script)) as node:
        client = Client(node.port, on_event=on_event).connected()
        wait_until(lambda: len(seen) == 2, what="the second event")
        client.esl.close()


# Row 13: a posted command never waits, and its reply comes before the events it causes.
def test_a_posted_command_is_answered_before_its_events() -> None:
    def script(peer: Peer) -> None:
        for _ in range(50):
            command = peer.read_command()
            peer.reply("+OK Job-UUID: x")
            peer.event(command.split()[-1])

    with ScriptedNode(greeted(script)) as node:
        client = Client(node.port).connected()
        answers = [client.post(f"bgapi E_{number}") for number in range(50)]
        client.close_reason()
        assert answers == [["+OK Job-UUID: x"]] * 50
        expected: list[object] = []
        for number in range(50):
            expected += [("reply", f"bgapi E_{number}"), f"E_{number}"]
        assert client.told == [*expected, "closed"]


# Row 14: a node that says nothing at all is gone, however well its socket looks.
def test_a_node_that_falls_silent_counts_as_gone() -> None:
    def script(peer: Peer) -> None:
        peer.event("HEARTBEAT")
        peer.serve()

    with ScriptedNode(greeted(script)) as node:
        client = Client(node.port, silence_seconds=0.5).connected()
        wait_until(lambda: client.events, what="the first heartbeat")
        with suppress(EslError):
            while client.esl.connected:
                client.esl.api("status")
                gevent.sleep(0.02)
        assert client.close_reason() == "no event for 0.5 s"


def test_events_keep_a_connection_alive() -> None:
    def script(peer: Peer) -> None:
        for _ in range(20):
            peer.event("HEARTBEAT")
            gevent.sleep(0.05)
        peer.serve()

    with ScriptedNode(greeted(script)) as node:
        client = Client(node.port, silence_seconds=0.6).connected()
        wait_until(lambda: len(client.events) == 20, what="20 heartbeats")
        assert client.esl.connected
        client.esl.close()


def test_a_disconnect_notice_is_the_reason() -> None:
    def script(peer: Peer) -> None:
        notice = b"Disconnected, goodbye.\nThe system is being shut down.\n"
        peer.write(encode_frame({"Content-Type": "text/disconnect-notice"}, notice))
        peer.wait_for_end()

    with ScriptedNode(greeted(script)) as node:
        client = Client(node.port).connected()
        assert "being shut down" in client.close_reason()


def test_a_notice_in_the_middle_of_an_event_is_noticed() -> None:
    event = event_frame("CHANNEL_CREATE", filler="x" * 500)
    notice = encode_frame({"Content-Type": "text/disconnect-notice"}, b"Killed\n")

    def script(peer: Peer) -> None:
        peer.event("CHANNEL_ANSWER")
        peer.write(event[:300] + notice + event[300:])
        peer.wait_for_end()

    with ScriptedNode(greeted(script)) as node:
        client = Client(node.port).connected()
        assert client.close_reason().startswith(
            ("two ", "header line", "protocol error", "not a Content-Length")
        )
        assert [event["Event-Name"] for event in client.events] == ["CHANNEL_ANSWER"]


def test_the_guard_has_the_last_word_before_the_bytes_leave() -> None:
    with ScriptedNode(greeted(lambda peer: peer.serve(lambda command: command))) as node:
        client = Client(node.port).connected()
        with pytest.raises(Withheld):
            client.esl.send_command("bgapi one", guard=lambda: False)
        with pytest.raises(Withheld):
            client.post("bgapi two", guard=lambda: False)
        assert client.esl.send_command("bgapi three", guard=lambda: True) == "bgapi three"
        assert node.peers[0].commands[1:] == ["bgapi three"]
        client.esl.close()


def test_the_guard_is_asked_after_the_wait_for_the_socket() -> None:
    allowed = True
    asked: list[bool] = []

    def guard() -> bool:
        asked.append(allowed)
        return allowed

    with ScriptedNode(greeted(Peer.serve)) as node:
        client = Client(node.port).connected()
        with somebody_else_writing(client.esl):
            sender = gevent.spawn(_withheld, client.esl, guard)
            gevent.sleep(0)
            allowed = False
        sender.join(5)
        assert sender.value is True
        assert asked == [False]
        client.esl.close()


@contextmanager
def somebody_else_writing(esl: EslConnection[Any]) -> Iterator[None]:
    """Meanwhile nobody can write: the turn is of a command that is withheld in the end."""
    begins, ends = Event(), Event()

    def guard() -> bool:
        begins.set()
        ends.wait()
        return False

    other = gevent.spawn(_withheld, esl, guard)
    begins.wait()
    try:
        yield
    finally:
        ends.set()
    assert other.get() is True


def _withheld(esl: EslConnection[Any], guard: Callable[[], bool]) -> bool:
    try:
        esl.send_command("bgapi originate x", guard=guard)
    except Withheld:
        return True
    return False


def test_a_write_lock_that_stays_taken_means_nothing_was_written() -> None:
    with ScriptedNode(greeted(Peer.serve)) as node:
        client = Client(node.port).connected()
        with somebody_else_writing(client.esl), pytest.raises(NotConnected):
            client.esl.send_command("api x", timeout=0.1)
        client.esl.close()
        assert node.peers[0].commands == [f"auth {PASSWORD}"]


@contextmanager
def narrow(reads: Event, read: list[str]) -> Iterator[Client]:
    """A client whose socket takes a part of what it is given, while the node reads nothing before `reads`."""

    def script(peer: Peer) -> None:
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reads.wait()
        with suppress(EOFError):
            while True:
                read.append(peer.read_command())
                peer.api_reply(read[-1].split()[1].encode())

    with ScriptedNode(greeted(script)) as node:
        client = Client(node.port).connected()
        client.esl.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        yield client
        client.esl.close()


def apis(number: int) -> list[str]:
    """So many, each of which prints its own number, and which a socket does not take at once."""
    return [f"{at} {'x' * 4000}" for at in range(number)]


def test_of_a_write_that_was_cut_one_command_is_finished_and_the_others_never_left() -> None:
    reads, read = Event(), list[str]()
    with narrow(reads, read) as client:
        lines = apis(2000)
        writing = gevent.spawn(client.esl.api_many, lines)
        wait_until(lambda: client.esl.waiting_commands, what="a command that is cut")
        assert not writing.ready()
        reads.set()
        printed = writing.get()
        sent = len(printed)
        assert 0 < sent < 2000
        assert printed == [str(at) for at in range(sent)]
        assert read == [f"api {line}" for line in lines[:sent]]
        # The rest may leave afterwards, and nothing of it is between.
        assert client.esl.api_many(lines[sent : sent + 1]) == [str(sent)]


def test_a_write_never_waits_for_a_socket_that_takes_nothing() -> None:
    with narrow(Event(), []) as client:
        while True:
            # The kernel's buffers are full to the last byte: whatever comes is cut before its first.
            with suppress(BlockingIOError):
                while os.write(client.esl.sock.fileno(), b"x"):
                    pass
            if not select([], [client.esl.sock], [], 0.1)[1]:
                break
        assert client.esl.api_many(apis(3)) == []
        assert client.esl.waiting_commands == 0
        assert client.esl.connected


def test_a_greenlet_killed_while_it_finishes_a_command_ends_the_connection() -> None:
    with narrow(Event(), []) as client:
        writing = gevent.spawn(client.esl.api_many, apis(2000))
        wait_until(lambda: client.esl.waiting_commands, what="a command that is cut")
        writing.kill()
        assert client.close_reason() == "a write was interrupted"
        assert client.esl.waiting_commands == 0


def test_a_write_to_a_connection_that_is_broken_sent_nothing() -> None:
    with ScriptedNode(greeted(Peer.serve)) as node:
        client = Client(node.port).connected()
        client.esl.sock.shutdown(socket.SHUT_WR)
        with pytest.raises(NotConnected):
            client.esl.api_many(apis(3))
        assert client.close_reason().startswith("write failed")
        assert client.esl.waiting_commands == 0
        with pytest.raises(NotConnected):
            client.esl.api_many(apis(3))


def test_a_line_that_is_not_one_command_keeps_all_of_its_batch_back() -> None:
    with ScriptedNode(greeted(Peer.serve)) as node:
        client = Client(node.port).connected()
        with pytest.raises(ProtocolError):
            client.esl.api_many(["a", "two\nlines"])
        assert client.esl.api("x") == ""
        assert node.peers[0].commands[1:] == ["api x"]
        client.esl.close()


def test_apis_are_answered_in_one_round_trip_as_far_as_the_node_lives() -> None:
    def script(peer: Peer) -> None:
        while True:
            commands = [peer.read_command() for _ in range(3)]
            if "api dies" in commands:
                peer.api_reply(b"first")
                return
            for command in commands:
                peer.api_reply(command.encode())

    with ScriptedNode(greeted(script)) as node:
        client = Client(node.port).connected()
        assert client.esl.api_many(["a", "b", "c"]) == ["api a", "api b", "api c"]
        assert client.esl.api_many(["a", "dies", "c"]) == ["first"]
        with pytest.raises(NotConnected):
            client.esl.api_many(["a", "b", "c"])


# What a node was sent before it was given up is certain only once it has closed as well.
def test_the_peer_counts_as_closed_once_it_has_read_what_was_written_and_closed() -> None:
    wakes, read = Event(), []

    def script(peer: Peer) -> None:
        wakes.wait()
        with suppress(EOFError):
            while True:
                read.append(peer.read_command())
        peer.sock.close()

    with ScriptedNode(greeted(script)) as node:
        client = Client(node.port).connected()
        client.post("bgapi originate x")
        client.esl.close("no reply in time")
        assert client.close_reason() == "no reply in time"
        assert not client.esl.peer_closed.wait(0.2)
        wakes.set()
        assert client.esl.peer_closed.wait(HANG_SECONDS)
        assert read == ["bgapi originate x"]


def test_a_node_that_says_much_after_it_was_given_up_is_read_to_its_end() -> None:
    given_up = Event()

    def script(peer: Peer) -> None:
        given_up.wait()
        peer.write(event_frame("HEARTBEAT", filler="x" * 9000) * 2_000)
        peer.wait_for_end()

    with ScriptedNode(greeted(script)) as node:
        client = Client(node.port).connected()
        client.esl.close()
        given_up.set()
        assert client.esl.peer_closed.wait(HANG_SECONDS)
        assert client.events == []


def test_the_peer_counts_as_closed_by_the_time_that_its_close_is_told() -> None:
    with ScriptedNode(greeted(lambda peer: peer.sock.close())) as node:
        peer_closed: list[bool] = []
        client: Client = Client(
            node.port, on_close=lambda _: peer_closed.append(client.esl.peer_closed.is_set())
        )
        client.connected()
        wait_until(lambda: peer_closed == [True], what="the close being told")


def test_a_reset_is_no_close_of_the_peer() -> None:
    def script(peer: Peer) -> None:
        socket.wait_read(peer.sock.fileno())
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with ScriptedNode(greeted(script)) as node:
        client = Client(node.port).connected()
        client.post("bgapi originate x")
        assert "reset" in client.close_reason()
        assert not client.esl.peer_closed.wait(0.5)
