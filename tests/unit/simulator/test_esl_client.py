"""One connection without its socket: its bounded queue, what holds events back, and input of every kind."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simulator.esl_client import EslClient
from simulator.output_queue import MAX_LOST_EVENTS, MAX_QUEUED_EVENTS
from tests.examples import examples
from tests.unit.simulator.node import Node


def connect(node: Node, *commands: str) -> EslClient:
    """An authorised client that has read the replies to `commands`."""
    client = EslClient("ClueCon", node.switch, node.apis)
    say(node, client, "auth ClueCon", *commands)
    return client


def say(node: Node, client: EslClient, *commands: str) -> bytes:
    for command in commands:
        client.feed(command.encode("utf-8", "surrogateescape") + b"\n\n", node.now)
    output = b""
    while client.output.ready:
        output += client.output.take()
    return output


def test_a_client_that_falls_behind_loses_events_and_then_its_place() -> None:
    client = connect(Node())
    for _ in range(MAX_QUEUED_EVENTS + MAX_LOST_EVENTS):
        client.push(b"x")
    assert len(client.output) == MAX_QUEUED_EVENTS
    assert not client.output.dropped
    client.push(b"x")
    assert client.output.dropped


def test_an_api_that_has_not_ended_holds_back_replies_and_events() -> None:
    node = Node()
    client = connect(node, "event json CHANNEL_CREATE CHANNEL_ANSWER")
    line = "api originate {ignore_early_media=true}sofia/gateway/c/15550010 &park()"
    assert say(node, client, line, "api echo second") == b""
    node.pass_time(1.0)
    client.resume(node.now)
    output = say(node, client)
    assert output.index(b"+OK ") < output.index(b"CHANNEL_CREATE")
    assert b"second" in output


def test_a_client_that_never_ends_its_command_is_dropped() -> None:
    node = Node()
    client = connect(node)
    for _ in range(9):
        client.feed(b"x" * (1 << 20), node.now)
    assert client.output.dropped


def test_xml_events_hold_the_headers_and_the_body() -> None:
    node = Node()
    client = connect(node, "event xml BACKGROUND_JOB")
    output = say(node, client, "bgapi echo a<b\nJob-UUID: x y").decode()
    assert "Content-Type: text/event-xml" in output
    assert "    <Job-UUID>x%20y</Job-UUID>\n" in output
    assert "<body>a&lt;b</body>" in output


COMMANDS = [
    "api originate {a='b\\\\sc',origination_uuid=u}sofia/gateway/carrier/155500%s &park()",
    "bgapi originate {origination_uuid=u%s}null/x 'm:^:sleep:%s^playback:silence_stream://%s^hangup:%s' inline",
    "bgapi originate {execute_on_answer='%s',api_on_answer='%s',x=${%s}}sofia/gateway/c/%s,null/%s|error/%s %s",
    "api uuid_kill u %s",
    "api uuid_setvar u %s %s",
    "api uuid_getvar u %s",
    "api uuid_dump u %s",
    "api uuid_broadcast u %s::%s",
    "api uuid_transfer u %s %s %s",
    "api sched_hangup %s u %s",
    "api sched_del %s",
    "api hupall %s %s %s",
    "api hash %s/%s/%s/%s",
    "api show %s %s as json",
    "api fsctl %s %s",
    "api sofia %s %s %s",
    "api uptime %s",
    "event %s %s",
    "nixevent %s",
    "filter %s %s",
    "filter delete %s",
    "filter Unique-ID /%s/",
    "sendevent %s\nEvent-Subclass: %s\nContent-Length: %s",
    "sendmsg u\ncall-command: execute\nexecute-app-name: %s\nexecute-app-arg: %s",
    "log %s",
    "%s",
]
WORDS = st.one_of(
    st.sampled_from(
        ["", "u", "count", "json", "plain", "ALL", "CUSTOM", "set", "x=1", "sps", "pause", "²", "9" * 5000]
    ),
    st.text(max_size=12),
    st.integers(-5, 99).map(str),
)


def fill(template: str, words: list[str]) -> str:
    for word in words:
        template = template.replace("%s", word, 1)
    return template


@examples(80)
@given(
    st.lists(st.builds(fill, st.sampled_from(COMMANDS), st.lists(WORDS, min_size=7, max_size=7)), max_size=12)
)
@example(["api sched_hangup +" + "9" * 5000 + " u X"])
@example(["api originate {originate_timeout=" + "9" * 5000 + "}sofia/gateway/c/15550002 &park()"])
def test_nothing_a_client_sends_brings_the_node_down(commands: list[str]) -> None:
    node = Node()
    watcher = connect(node, "event plain ALL")
    client = connect(node, "event json ALL")
    say(node, client, "bgapi originate {origination_uuid=u}sofia/gateway/carrier/15550007 &park()")
    node.pass_time(1.0)
    say(node, client, *commands)
    node.pass_time(5.0)
    client.resume(node.now)
    say(node, watcher)
    node.switch.hangups.end_everything(node.now, "SYSTEM_SHUTDOWN")
    assert all(not call.alive() for call in node.core.channels)


@given(st.binary(max_size=400))
def test_no_bytes_bring_the_node_down(data: bytes) -> None:
    node = Node()
    client = connect(node)
    client.feed(data, node.now)
    client.feed(b"\n\n", node.now)
    assert isinstance(say(node, client), bytes)


@pytest.mark.parametrize(
    "data", [b"api echo \xff\xfe\n\n", b"bgapi echo x\nJob-UUID: \xff\n\n", b"event json \xff\n\n"]
)
def test_bytes_that_are_no_text_are_answered(data: bytes) -> None:
    node = Node()
    client = connect(node)
    client.feed(data, node.now)
    assert say(node, client)
