"""The vocabulary of faults, and what the faults in force decide."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeswitch.hangup import hangup_from_event, hangup_from_variables
from simulator.control_port import answer
from simulator.fault_actions import FaultActions
from simulator.faults import KINDS, MOMENTARY, FaultError, Faults, ScheduledFault, parse_fault, parse_option
from tests.unit.simulator.node import Node
from tests.unit.simulator.test_esl_client import connect, say

OPTIONS = sorted(KINDS.keys() - MOMENTARY - {"half-open"})


class ServerActions:
    """What faults ask of the server beside the node's core, as a list of what was done."""

    def __init__(self, node: Node) -> None:
        self.did: list[str] = []
        self.fault_actions = FaultActions(
            node.core,
            node.switch.hangups,
            mute=lambda: self.did.append("mute"),
            unmute=lambda resume: self.did.append(f"unmute {resume}"),
            restart=lambda: self.did.append("restart"),
            kill=lambda: self.did.append("kill"),
            stand_still=lambda seconds: self.did.append(f"stand still {seconds:g}"),
            heartbeat=lambda: self.did.append("beat"),
            moment=lambda: node.now,
            connections=lambda: 0,
        )


def in_force(*options: str) -> Faults:
    faults = Faults(seed=7)
    for option in options:
        faults.set(parse_option(option).fault)
    return faults


@pytest.mark.parametrize("name", OPTIONS)
def test_a_fault_reads_back_as_it_is_written(name: str) -> None:
    fault = parse_option(name).fault
    assert parse_option(str(fault)).fault == fault
    assert parse_fault(str(fault).replace(":", " ").replace(",", " ")) == fault


@pytest.mark.parametrize("name", sorted(MOMENTARY | {"half-open"}))
def test_what_strikes_a_running_node_has_its_time_on_the_command_line(name: str) -> None:
    with pytest.raises(FaultError, match=f"say when, as in {name}@5"):
        parse_option(name)
    assert parse_option(f"{name}@5") == ScheduledFault(parse_fault(name), 5.0)


@pytest.mark.parametrize(
    "text", ["pause:direction=both@0-5", "drop:percent=30@1.5-2", "kill@3", "late-reply@7"]
)
def test_a_fault_with_its_time_reads_back_as_it_is_written(text: str) -> None:
    order = parse_option(text)
    assert parse_option(str(order)) == order


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("kill@5", "kill@2"),
        ("kill@3", None),
        ("pause:direction=both", "pause:direction=both@0"),
        ("pause:direction=both@5-9", "pause:direction=both@2-6"),
        ("pause:direction=both@1-9", "pause:direction=both@0-6"),
        ("pause:direction=both@1-3", None),
    ],
)
def test_a_node_that_starts_again_has_what_is_left_of_its_faults(text: str, left: str | None) -> None:
    found = parse_option(text).after(3.0)
    assert (None if found is None else str(found)) == left


@pytest.mark.parametrize(
    "text", ["drop@", "drop@x", "drop@5-5", "drop@5-", "drop@-1", "drop@nan", "kill@1-2"]
)
def test_a_time_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(FaultError):
        parse_option(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nosuch",
        "drop percent",
        "drop percent=",
        "drop percent=nan",
        "drop percent=-1",
        "drop percent=1e999",
        "drop seconds=1",
        "restart now=yes",
        "pause direction=up",
        "gateway-refuses status=200",
        "cut after=0",
        "cut after=1.5",
    ],
)
def test_what_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(FaultError):
        parse_fault(text)


@given(st.text(max_size=60))
def test_any_line_gets_one_line_back(line: str) -> None:
    said = answer(ServerActions(Node()).fault_actions, line)
    assert said.startswith(("ok", "error "))
    assert "\n" not in said


@pytest.mark.parametrize(
    ("option", "copies"),
    [
        ("drop:percent=100", 0),
        ("duplicate:percent=100", 2),
        ("reorder:percent=100", 1),
        ("late:seconds=60", 1),
    ],
)
def test_without_a_fault_an_event_comes_once_and_at_once(option: str, copies: int) -> None:
    faults = in_force(option)
    assert len(faults.copies()) == copies
    assert faults.affects_events
    faults.clear()
    assert faults.copies() == [0.0]
    assert not faults.affects_events


def test_faults_add_up_and_are_counted() -> None:
    faults = in_force("duplicate:percent=100", "late:percent=100,seconds=60", "drop:percent=50")
    found = Counter(tuple(faults.copies()) for _ in range(1_000))
    assert set(found) == {(), (60.0, 60.0)}
    assert faults.done["drop"] == found[()]
    assert faults.done["late"] == found[60.0, 60.0]
    assert 400 < found[()] < 600


def test_a_reply_is_late_for_the_command_it_is_ordered_for() -> None:
    faults = in_force("late-reply:percent=100,seconds=3,command=api")
    assert faults.reply_delay("api uptime") == 3.0
    assert faults.reply_delay("BGAPI originate") == 0.0
    faults.set(parse_option("no-reply:percent=100,command=any").fault)
    assert faults.reply_delay("event json ALL") == math.inf


def test_an_event_that_is_late_reaches_its_client_in_simulated_time() -> None:
    node = Node(speed=10.0)
    node.core.faults.set(parse_option("late:seconds=2").fault)
    client = connect(node, "event json CHANNEL_CREATE")
    node.call("07")
    node.pass_time(19.0)
    assert say(node, client) == b""
    node.pass_time(2.0)
    assert b"CHANNEL_CREATE" in say(node, client)


def test_a_connection_that_waits_for_a_late_reply_reads_and_sends_nothing() -> None:
    node = Node()
    client = connect(node, "event json BACKGROUND_JOB")
    node.core.faults.set(parse_option("late-reply:percent=100,seconds=3").fault)
    assert say(node, client, "bgapi echo x\nJob-UUID: a", "api echo second") == b""
    node.pass_time(2.9)
    assert not client.output.ready
    node.pass_time(0.2)
    output = say(node, client)
    assert output.index(b"Job-UUID: a") < output.index(b"second")
    assert b"BACKGROUND_JOB" in output


def test_a_connection_is_cut_in_the_middle_of_a_frame() -> None:
    node = Node()
    client = connect(node, "event json CHANNEL_CREATE")
    node.core.faults.set(parse_option("cut:after=1").fault)
    for uuid in "abc":
        node.call("07", uuid=uuid)
    output = client.output.take()
    assert output.count(b"CHANNEL_CREATE") == 2
    assert not output.endswith(b"}")
    assert client.output.closing
    assert not client.output.ready
    assert node.core.faults.done["cut"] == 1


def test_only_answered_channels_become_zombies_and_the_end_of_the_fault_ends_them() -> None:
    node = Node()
    server = ServerActions(node)
    server.fault_actions.begin(parse_fault("zombies percent=100"))
    node.call("02", uuid="ringing")
    node.call("13", uuid="answered")
    node.pass_time(5.0)
    node.api("hupall")
    node.pass_time(1.0)
    assert {call.uuid for call in node.core.channels} == {"answered"}
    server.fault_actions.end("zombies")
    node.pass_time(1.0)
    assert not node.core.channels
    assert node.last("CHANNEL_HANGUP_COMPLETE", "answered")["Hangup-Cause"] == "NORMAL_CLEARING"


def test_a_gateway_that_is_down_or_refuses_is_told_by_its_name() -> None:
    node = Node()
    faults = node.core.faults
    faults.set(parse_option("gateway-down:gateway=other").fault)
    faults.set(parse_option("gateway-refuses:gateway=carrier,status=402").fault)
    node.call("10", uuid="a")
    node.originate("{origination_uuid=b}sofia/gateway/other/15550010 &park()")
    node.originate("{origination_uuid=c}sofia/gateway/third/15550010 &park()")
    node.pass_time(1.0)
    assert sorted(node.jobs) == ["+OK c\n", "-ERR CALL_REJECTED\n", "-ERR GATEWAY_DOWN\n"]


def test_a_redirection_is_told_as_the_cancel_that_a_node_makes_of_it() -> None:
    node = Node()
    node.core.faults.set(parse_option("gateway-refuses:gateway=carrier,status=302").fault)
    node.call("10", uuid="a")
    node.pass_time(1.0)
    assert node.jobs == ["-ERR REQUESTED_CHAN_UNAVAIL\n"]
    complete = node.last("CHANNEL_HANGUP_COMPLETE", "a")
    assert complete["Hangup-Cause"] == "REQUESTED_CHAN_UNAVAIL"
    told = {name.removeprefix("variable_"): value for name, value in complete.items()}
    assert told["hangup_cause_q850"] == "44"
    assert told["sip_hangup_disposition"] == "send_cancel"
    assert (told["sip_invite_failure_status"], told["sip_invite_failure_phrase"]) == ("487", "CANCEL")
    assert told["proto_specific_hangup_cause"] == "sip:302"
    assert "sip_term_status" not in told
    hangup = hangup_from_variables(told)
    assert hangup is not None
    assert (hangup.sip_status, hangup.sip_phrase, hangup.hung_up_by) == (302, None, "remote")


@pytest.mark.parametrize(
    ("ending", "rang", "status"),
    [("07", False, None), ("00", True, None), ("08", False, 487)],
    ids=["picked up at once", "after a ring", "early media"],
)
def test_a_call_without_a_port_ends_when_its_media_would_begin(
    ending: str, rang: bool, status: int | None
) -> None:
    node = Node()
    node.core.faults.set(parse_option("no-media").fault)
    node.call(ending)
    node.pass_time(5.0)
    assert node.jobs == ["-ERR INCOMPATIBLE_DESTINATION\n"]
    assert "ANSWER" not in node.names()
    hangup = hangup_from_event(node.last("CHANNEL_HANGUP_COMPLETE"))
    assert (hangup.invited, hangup.no_codec) == (True, False)
    told = (hangup.cause, hangup.q850, hangup.answered, hangup.progress, hangup.sip_status)
    assert told == ("INCOMPATIBLE_DESTINATION", 88, False, rang, status)
    assert node.core.faults.done["no-media"] == 1


def test_a_node_whose_range_of_ports_is_used_up_sends_no_invite() -> None:
    node = Node()
    node.core.faults.set(parse_option("no-media:at=invite").fault)
    node.call("07")
    node.pass_time(1.0)
    assert node.jobs == ["-ERR DESTINATION_OUT_OF_ORDER\n"]
    assert node.ledger("originate")[-1]["result"] == "refused:DESTINATION_OUT_OF_ORDER"
    assert not node.core.channels
    assert "CREATE" in node.names()
    hangup = hangup_from_event(node.last("CHANNEL_HANGUP_COMPLETE"))
    assert (hangup.cause, hangup.invited, hangup.sip_status) == ("DESTINATION_OUT_OF_ORDER", False, None)


def test_who_has_no_codec_in_common_is_told_from_a_missing_port() -> None:
    node = Node()
    node.core.faults.set(parse_option("no-media:at=codec").fault)
    node.call("07")
    node.pass_time(1.0)
    hangup = hangup_from_event(node.last("CHANNEL_HANGUP_COMPLETE"))
    assert (hangup.cause, hangup.no_codec) == ("INCOMPATIBLE_DESTINATION", True)


def test_a_node_that_stood_still_runs_its_timers_before_it_hears_what_the_called_party_did() -> None:
    node = Node()
    node.call("00", "execute_on_ring='sched_hangup +2 NO_ANSWER'", uuid="late")
    node.call("00", uuid="patient")
    node.pass_time(0.5)
    node.scheduler.delay(node.now + 5.0, node.switch.far_ends)
    node.pass_time(4.9)
    assert "HANGUP" not in node.names("late")
    node.pass_time(1.0)
    assert "ANSWER" not in node.names("late")
    told = node.last("CHANNEL_HANGUP_COMPLETE", "late")
    assert told["Hangup-Cause"] == "NO_ANSWER"
    rang = int(told["variable_end_uepoch"]) - int(told["variable_progress_uepoch"])
    assert rang == pytest.approx(5.48e6, abs=0.03e6)
    assert "ANSWER" in node.names("patient")


def test_limits_come_back_to_what_they_were_however_often_they_changed() -> None:
    node = Node(sps=7, max_sessions=8)
    fault_actions = ServerActions(node).fault_actions
    for sps in (3, 4):
        fault_actions.begin(parse_fault(f"limits sps={sps} max_sessions=1"))
    assert (node.session_limits.sps, node.session_limits.max_sessions) == (4, 1)
    fault_actions.end()
    assert (node.session_limits.sps, node.session_limits.max_sessions) == (7, 8)


def test_what_concerns_sockets_is_the_servers() -> None:
    server = ServerActions(Node())
    for line in ("half-open resume=yes", "burst events=2", "restart", "kill", "stand-still seconds=3"):
        server.fault_actions.begin(parse_fault(line))
    server.fault_actions.end()
    assert server.did == ["mute", "beat", "beat", "restart", "kill", "stand still 3", "unmute True"]


def test_a_burst_is_made_of_the_calls_that_are_up() -> None:
    node = Node()
    node.call("07", uuid="a")
    node.call("07", uuid="b")
    node.pass_time(1.0)
    before = len(node.watcher.events)
    ServerActions(node).fault_actions.begin(parse_fault("burst events=100"))
    burst = Counter(event["Unique-ID"] for event in node.watcher.events[before:])
    assert burst == {"a": 50, "b": 50}
