"""Framing, commands and events over a real socket."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from uuid import uuid4

import pytest

from simulator.ledger import read_ledger
from simulator.process import SimulatedNode
from tests.integration.simulator.client import Client, Frame
from tests.waiting import wait_until

CHANNEL_EVENTS = "CHANNEL_CREATE CHANNEL_PROGRESS CHANNEL_ANSWER CHANNEL_HANGUP_COMPLETE CHANNEL_DESTROY"
EVENTS = f"event json {CHANNEL_EVENTS} BACKGROUND_JOB"
GOODBYE = b"Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"


def dial(client: Client, ending: str, *variables: str, dialer: str = "d1") -> str:
    """Originate in the background; the call's uuid."""
    uuid = str(uuid4())
    own = ",".join([f"origination_uuid={uuid}", "ignore_early_media=true", f"dialer_id={dialer}", *variables])
    line = f"bgapi originate {{{own}}}sofia/gateway/carrier/155500{ending} &park()\nJob-UUID: {dialer}.{uuid}"
    assert client.command(line) == f"+OK Job-UUID: {dialer}.{uuid}"
    return uuid


def test_a_wrong_password_ends_the_connection_with_a_notice(node: SimulatedNode) -> None:
    with Client(node.port, password=None) as client:
        client.receive()
        assert client.command("api status") == "-ERR command not found"
        assert client.command("auth wrong") == "-ERR invalid"
        notice = client.receive()
        assert notice == Frame("Content-Type: text/disconnect-notice\nContent-Length: 67", GOODBYE)
        with pytest.raises(EOFError):
            client.receive()


def test_exit_says_goodbye_and_ignores_what_follows(client: Client) -> None:
    client.send(b"api uptime\n\nexit\n\napi uptime\n\n")
    client.read_to_end()
    assert [frame.head.split("\n")[0] for frame in client.frames[2:]] == [
        "Content-Type: api/response",
        "Content-Type: command/reply",
        "Content-Type: text/disconnect-notice",
    ]


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("foo", "-ERR command not found"),
        ("api", "-ERR command not found"),
        ("Event plain HEARTBEAT", "+OK event listener enabled plain"),
        ("event json", "-ERR no keywords supplied"),
        ("event plain NOSUCH_EVENT", "-ERR no keywords supplied"),
        ("event json FOO HEARTBEAT", "+OK event listener enabled json"),
        ("nixevent", "-ERR no keywords supplied"),
        ("noevents", "-ERR not listening for events"),
        ("filter", "-ERR command not found"),
        ("filter Unique-ID", "-ERR invalid syntax"),
        ("filter Unique-ID abc", "+OK filter added. [Unique-ID]=[abc]"),
        ("filter delete Unique-ID abc", "+OK filter deleted. [Unique-ID][abc]"),
        ("filter delete all", "+OK filter deleted. [all][]"),
        ("nolog", "-ERR not loging"),
        ("log 9", "+OK log level 9 [9]"),
        ("log foo", "-ERR invalid log level"),
        ("linger", "-ERR not controlling a session"),
        ("sendmsg", "-ERR invalid session id []"),
        ("auth ClueCon", "-ERR command not found"),
    ],
)
def test_commands_are_answered_as_recorded(client: Client, line: str, reply: str) -> None:
    assert client.command(line) == reply


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("nosuchapi arg", "-ERR nosuchapi Command not found!\n"),
        ("", "-ERR  Command not found!\n"),
        ("version short", "1.11.3-dev\n"),
        ("switchname", "fs1"),
        ("show calls as json", '{"row_count": 0}\n'),
        ("uuid_exists nosuch", "false"),
        ("uuid_kill nosuch", "-ERR No such channel!\n"),
        ("uuid_getvar nosuch x", "-ERR No such channel!\n"),
        ("uuid_dump nosuch", "-ERR No such channel!\n"),
        ("uuid_setvar", "-USAGE: <uuid> <var> [value]\n"),
        ("sched_hangup +2 nosuch X", "-ERR No such channel!\n"),
        ("global_getvar nosuch", "-ERR no reply\n"),
        ("hash select/a/b", "-ERR no reply\n"),
        ("hash insert/a/k/v", "+OK\n"),
        ("fsctl ready_check", "true"),
        ("fsctl sps", "+OK sessions per second: 1000\n"),
        ("fsctl max_sessions", "+OK max sessions: 10000\n"),
        (
            "hupall NORMAL_CLEARING no no",
            "+OK hangup all channels matching [no]=[no] with cause: NORMAL_CLEARING\n",
        ),
        ("sofia status gateway nosuch", "Invalid Gateway!\n"),
        ("originate foo/bar &park()", "-ERR CHAN_NOT_IMPLEMENTED\n"),
    ],
)
def test_apis_are_answered_as_recorded(client: Client, line: str, answer: str) -> None:
    # What an earlier test dialled may still be going.
    wait_until(lambda: client.api(line) == answer, what=answer)


def test_a_call_runs_through_its_events_with_the_reply_first(client: Client) -> None:
    client.command(EVENTS)
    uuid = dial(client, "00", "carillon_name=Zo\u00eb\\\\s€")
    complete = client.event("CHANNEL_HANGUP_COMPLETE", Unique__ID=uuid)
    client.event("CHANNEL_DESTROY", Unique__ID=uuid)
    assert client.names() == [
        "CHANNEL_CREATE",
        "CHANNEL_PROGRESS",
        "CHANNEL_ANSWER",
        "BACKGROUND_JOB",
        "CHANNEL_HANGUP_COMPLETE",
        "CHANNEL_DESTROY",
    ]
    assert complete["variable_billsec"] == "4"
    assert complete["variable_carillon_name"] == "Zoë €"
    raw = next(frame.body for frame in client.frames if b"CHANNEL_HANGUP_COMPLETE" in frame.body)
    assert raw.count(b'"Hangup-Cause":"NORMAL_CLEARING"') == 2
    assert Counter(key for key, _ in json.loads(raw, object_pairs_hook=list))["Hangup-Cause"] == 2


def test_plain_events_are_percent_encoded(client: Client) -> None:
    client.command("event plain CHANNEL_HANGUP_COMPLETE BACKGROUND_JOB")
    uuid = dial(client, "01", "carillon_name=a\\\\sb")
    frame = client.wait_for(lambda frame: b"CHANNEL_HANGUP_COMPLETE" in frame.body)
    lines = frame.body.decode("ascii").split("\n")
    assert frame.head == f"Content-Length: {len(frame.body)}\nContent-Type: text/event-plain"
    assert f"Unique-ID: {uuid}" in lines
    assert "variable_carillon_name: a%20b" in lines
    assert "variable_sip_req_uri: 15550001%40127.0.0.1%3A5090" in lines
    assert lines[-2:] == ["", ""]
    job = client.wait_for(lambda frame: b"BACKGROUND_JOB" in frame.body)
    assert job.body.endswith(b"Content-Length: 15\n\n-ERR USER_BUSY\n")


def test_one_dialer_receives_its_own_events_and_jobs_only(node: SimulatedNode, client: Client) -> None:
    client.command(EVENTS)
    client.command("filter variable_dialer_id d1")
    client.command("filter Job-UUID /^d1\\./")
    with Client(node.port) as other:
        for dialer in ("d1x", "d2"):
            dial(other, "01", dialer=dialer)
        mine = dial(other, "01", dialer="d1")
    client.event("CHANNEL_DESTROY", Unique__ID=mine)
    events = [event for frame in client.frames if (event := frame.event) is not None]
    assert {event.get("Unique-ID", mine) for event in events} == {mine}
    assert {event.get("Job-UUID", f"d1.{mine}") for event in events} == {f"d1.{mine}"}
    assert len(events) == 4


def test_a_job_goes_to_every_subscriber_even_when_its_sender_is_gone(
    node: SimulatedNode, client: Client
) -> None:
    client.command("event json BACKGROUND_JOB")
    with Client(node.port) as sender:
        sender.send(b"bgapi create_uuid\nJob-UUID: left-behind\n\n")
    assert client.event("BACKGROUND_JOB")["Job-UUID"] == "left-behind"


def test_a_command_begun_and_not_ended_holds_events_back(client: Client) -> None:
    client.command("event json BACKGROUND_JOB")
    client.command("bgapi originate error/USER_BUSY &park()\nJob-UUID: first")
    client.event("BACKGROUND_JOB")
    client.send(b"bgapi echo second\n\nbgapi echo third\n")
    client.wait_for(lambda frame: "command/reply" in frame.head)
    before = len(client.frames)
    client.send(b"\n")
    client.event("BACKGROUND_JOB", _body="third")
    kinds = ["reply" if frame.event is None else frame.event["_body"] for frame in client.frames[before:]]
    assert kinds.index("reply") < kinds.index("third")


def test_a_job_uuid_past_the_reply_buffer_breaks_the_framing(client: Client) -> None:
    client.send(f"bgapi echo x\nJob-UUID: {'x' * 235}\n\n".encode())
    assert client.receive().head.endswith("x" * 235)
    client.send(f"bgapi echo x\nJob-UUID: {'x' * 300}\n\napi uptime\n\n".encode())
    swallowed = client.receive()
    assert "Content-Type: api/response" in swallowed.head


def test_an_api_originate_answers_when_the_call_does(client: Client) -> None:
    uuid = str(uuid4())
    assert (
        client.api(f"originate {{origination_uuid={uuid}}}sofia/gateway/carrier/15550007 &park()")
        == f"+OK {uuid}\n"
    )
    assert client.api(f"uuid_exists {uuid}") == "true"
    dump = json.loads(client.api(f"uuid_dump {uuid} json"))
    assert (dump["Unique-ID"], dump["Answer-State"]) == (uuid, "answered")
    assert f"Unique-ID: {uuid}\n" in client.api(f"uuid_dump {uuid}")
    assert client.api(f"uuid_getvar {uuid} sip_gateway_name") == "carrier"
    assert client.api(f"uuid_kill {uuid} USER_BUSY") == "+OK\n"


def test_custom_events_reach_who_named_the_subclass(node: SimulatedNode, client: Client) -> None:
    client.command("event json CUSTOM dialer::tick")
    with Client(node.port) as bare, Client(node.port) as everything:
        bare.command("event json CUSTOM")
        everything.command("event json ALL")
        bare.command("sendevent CUSTOM\nEvent-Subclass: dialer::tick\nX-Foo: bar\nContent-Length: 5\n\nhello")
        assert client.event("CUSTOM")["_body"] == "hello"
        assert everything.event("CUSTOM")["X-Foo"] == "bar"
        assert bare.names() == []


def test_the_ledger_and_the_cdr_agree_with_the_events(node: SimulatedNode, client: Client) -> None:
    client.command(EVENTS)
    uuid = dial(client, "10", "dialer_tenant=t1", "dialer_campaign=c1", "carillon_order=7")
    complete = client.event("CHANNEL_HANGUP_COMPLETE", Unique__ID=uuid)
    assert node.ledger is not None
    view = read_ledger(node.ledger)
    (line,) = [line for line in view.originates if line.uuid == uuid]
    assert (line.number, line.tenant, line.campaign, line.dialer) == ("15550010", "t1", "c1", "d1")
    assert (line.variables, line.node, line.gateway, line.result) == (
        {"carillon_order": "7"},
        "fs1",
        "carrier",
        "accepted",
    )
    assert [step.event for step in view.steps if step.uuid == uuid] == ["ring", "answer", "end"]
    # 2.5 s of talk, counted as whole seconds of the clock.
    assert view.ends()[uuid].billsec == int(complete["variable_billsec"])
    assert view.ends()[uuid].billsec in {2, 3}
    document = json.loads((Path(node.ledger).parent / "cdr" / f"{uuid}.cdr.json").read_bytes())
    variables = {key[9:]: value for key, value in complete.items() if key.startswith("variable_")}
    assert document["variables"] == variables


def test_a_slow_reader_holds_nobody_up(node: SimulatedNode, client: Client) -> None:
    client.command("event json BACKGROUND_JOB")
    with Client(node.port) as slow:
        slow.command("event json ALL")
        for _ in range(400):
            dial(client, "01")
        assert client.api("uptime").strip().isdigit()
        wait_until(lambda: client.api("show channels count") == "\n0 total.\n", what="every call ended")
