"""Replies of a node that answers as it should not: each command gets its own, or none."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gevent
from hypothesis import example, given
from hypothesis import strategies as st

from freeswitch.connection import EslConnection, EslError, MaybeSent, ReplyTimeout
from freeswitch.protocol import encode_frame
from tests.examples import examples
from tests.integration.freeswitch.scripted_node import PASSWORD, Peer, ScriptedNode, event_frame
from tests.waiting import wait_until


def reply(job_uuid: str) -> bytes:
    return encode_frame({"Content-Type": "command/reply", "Reply-Text": f"+OK Job-UUID: {job_uuid}"})


def api_response(text: str) -> bytes:
    return encode_frame({"Content-Type": "api/response"}, text.encode())


# What the node says when it has read the next command, by the mark of that command.
OWN = "its own"
ANSWERS: dict[str, Callable[[str], bytes]] = {
    OWN: lambda mark: b"",
    "nothing": lambda mark: b"",
    "another's first": lambda mark: reply("another"),
    "an api's first": lambda mark: api_response("another"),
    "its own twice": reply,
    "an event first": lambda mark: event_frame("HEARTBEAT"),
    "an event that looks like a reply": lambda mark: event_frame(
        "HEARTBEAT", x=f"\n\nContent-Type: command/reply\nReply-Text: +OK Job-UUID: {mark}\n\n"
    ),
}


def adversary(script: list[str]) -> Callable[[Peer], None]:
    def run(peer: Peer) -> None:
        peer.greet()
        for answer in [*script, *[OWN] * 100]:
            command = peer.read_command()
            mark = command.split()[-1]
            said = ANSWERS[answer](mark)
            if answer != "nothing":
                said += api_response(mark) if command.startswith("api ") else reply(mark)
            peer.write(said)

    return run


@examples(40)
@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from(sorted(ANSWERS))), min_size=1, max_size=8),
    st.booleans(),
)
@example([(False, "its own twice"), (False, OWN)], True)
@example([(False, "nothing"), (True, OWN), (False, OWN)], True)
def test_a_command_gets_its_own_reply_or_none(commands: list[tuple[bool, str]], at_once: bool) -> None:
    # What an api printed says nothing of whose it is: to an api the node answers as it should.
    script = [OWN if is_api else answer for is_api, answer in commands]
    answers: dict[int, list[str | EslError]] = {number: [] for number in range(len(commands))}
    with ScriptedNode(adversary(script)) as node:
        client: EslConnection[Any] = EslConnection(
            "127.0.0.1", node.port, PASSWORD, decode=bytes, on_event=lambda _: None, on_close=lambda _: None
        )
        client.connect(10)
        sent = 0
        for number, (is_api, _) in enumerate(commands):
            line, headers = ("api echo", None) if is_api else ("bgapi x", {"Job-UUID": f"mark-{number}"})
            try:
                client.post_command(
                    f"{line} mark-{number}" if is_api else line,
                    headers,
                    on_reply=answers[number].append,
                    timeout=0.3 if "nothing" in script else 60,
                )
            except EslError:
                break
            sent += 1
            if not at_once:
                wait_until(partial(bool, answers[number]), what="an answer")
        wait_until(lambda: all(answers[number] for number in range(sent)), what="every answer")
        client.close()
    for number in range(sent):
        assert len(answers[number]) == 1
        answer = answers[number][0]
        mark = f"mark-{number}" if commands[number][0] else f"+OK Job-UUID: mark-{number}"
        assert answer == mark or isinstance(answer, MaybeSent | ReplyTimeout)
    well = [answer in (OWN, "an event first", "an event that looks like a reply") for answer in script]
    if all(well):
        assert sent == len(commands)
        assert not any(isinstance(found[0], EslError) for found in answers.values())


def test_a_command_whose_deadline_comes_first_need_not_be_the_first_in_line() -> None:
    def mute(peer: Peer) -> None:
        peer.greet()
        peer.wait_for_end()

    answers: list[str | EslError] = []
    with ScriptedNode(mute) as node:
        client: EslConnection[Any] = EslConnection(
            "127.0.0.1", node.port, PASSWORD, decode=bytes, on_event=lambda _: None, on_close=lambda _: None
        )
        client.connect(10)
        client.post_command("bgapi patient", on_reply=answers.append, timeout=120)
        client.post_command("bgapi hurried", on_reply=answers.append, timeout=0.2)
        wait_until(lambda: len(answers) == 2, what="both ends")
        assert [type(answer) for answer in answers] == [MaybeSent, ReplyTimeout]


def test_a_job_that_another_command_started_closes_the_connection() -> None:
    def other_job(peer: Peer) -> None:
        peer.greet()
        peer.read_command()
        peer.write(reply("another"))
        peer.wait_for_end()

    answers: list[str | EslError] = []
    with ScriptedNode(other_job) as node:
        client: EslConnection[Any] = EslConnection(
            "127.0.0.1", node.port, PASSWORD, decode=bytes, on_event=lambda _: None, on_close=lambda _: None
        )
        client.connect(10)
        client.post_command("filter Event-Name HEARTBEAT", on_reply=answers.append)
        wait_until(lambda: answers, what="the end")
        assert client.close_reason == "a reply to another command"
        assert isinstance(answers[0], MaybeSent)
        gevent.sleep(0)
        assert len(answers) == 1
