"""Whom an answered channel is bridged to, and what happens where nobody does: as it was recorded on a real node."""

from __future__ import annotations

import pytest

from freeswitch import applications as apps
from freeswitch.applications import Application, connect, inline
from freeswitch.hangup import hangup_from_event, hangup_from_variables
from freeswitch.headers import JsonEvent
from freeswitch.leg_rates import LegRate
from tests.unit.freeswitch.transcripts import SECOND_LEGS
from tests.unit.simulator.node import Node

FILE = apps.playback("sorry.wav")
SPOKEN = apps.say("Sorry, we could not reach you; call 0800 1")
MESSAGE_SECONDS = 5.0
ROOM = apps.conference("t1.room")


def call(
    step: Application, message: Application | None = FILE, node: Node | None = None, ending: str = "07"
) -> Node:
    """A call that is answered at once by somebody who does not hang up, unless the plan's number says otherwise."""
    node = node or Node()
    node.hub.subscribe(node.watcher, {"CHANNEL_EXECUTE", "CHANNEL_HANGUP_COMPLETE"})
    steps = inline([apps.end_after(60), *connect(step, message)])
    node.call(ending, "api_on_answer='sched_del u'", steps)
    return node


def ran(node: Node) -> list[tuple[str, str | None]]:
    """The applications that the channel ran, in order."""
    events = (event for event in node.watcher.events if event["Unique-ID"] == "u")
    return [
        (event["Application"], event.get("Application-Data"))
        for event in events
        if event["Event-Name"] == "CHANNEL_EXECUTE"
    ]


def seconds(node: Node) -> float:
    """From the answer to the end."""
    return int(node.last("CHANNEL_HANGUP_COMPLETE")["variable_billmsec"]) / 1000


def abandoned_and_joined(node: Node) -> tuple[str | None, bool]:
    """What the end says: whether it was given up, and whether somebody had joined."""
    ended = node.last("CHANNEL_HANGUP_COMPLETE")
    joined = int(ended["variable_bridge_uepoch"]) or int(ended.get("variable_conference_member_id", "0"))
    return ended.get("variable_dialer_abandoned"), joined > 0


@pytest.mark.parametrize(("number", "talk"), [("10", 2.6), ("00", 5.5)], ids=["at once", "after 1.5 s"])
def test_a_leg_that_answers_in_time_joins_and_its_end_ends_the_call(number: str, talk: float) -> None:
    node = call(apps.bridge(f"sofia/gateway/desk/+155501{number}"))
    node.pass_time(20)
    assert abandoned_and_joined(node) == (None, True)
    assert seconds(node) == pytest.approx(talk, abs=0.2)
    assert ran(node)[-1][0] == "bridge"


@pytest.mark.parametrize(
    ("number", "silence"),
    [("02", (1.0, 2.0)), ("01", (0.0, 0.1)), ("03", (0.0, 0.1))],
    ids=["rings", "busy", "404"],
)
def test_a_leg_that_does_not_answer_in_time_leaves_the_person_a_message(
    number: str, silence: tuple[float, float]
) -> None:
    node = call(apps.bridge(f"sofia/gateway/desk/+155501{number}"))
    node.pass_time(20)
    assert abandoned_and_joined(node) == ("true", False)
    assert ran(node)[-2:] == [("playback", "sorry.wav"), ("hangup", "NORMAL_CLEARING")]
    assert silence[0] <= seconds(node) - MESSAGE_SECONDS <= silence[1]


def test_without_a_message_the_person_is_hung_up_on_at_the_deadline() -> None:
    node = call(apps.bridge("sofia/gateway/desk/+15550102"), None)
    node.pass_time(20)
    assert abandoned_and_joined(node) == ("true", False)
    assert 1.0 <= seconds(node) <= 2.0


def test_who_hangs_up_before_the_deadline_was_not_given_up() -> None:
    node = call(apps.bridge("sofia/gateway/desk/+15550102"), ending="13")
    node.pass_time(20)
    assert abandoned_and_joined(node) == (None, False)
    assert node.last("CHANNEL_HANGUP_COMPLETE")["variable_sip_hangup_disposition"] == "recv_bye"


def test_an_agent_of_a_queue_joins_and_the_wait_is_called_off() -> None:
    node = call(apps.queue("support-00"), SPOKEN)
    node.pass_time(20)
    assert abandoned_and_joined(node) == (None, True)
    assert [name for name, _ in ran(node)][-2:] == ["callcenter", "sched_cancel"]
    assert seconds(node) == pytest.approx(5.5, abs=0.2)


@pytest.mark.parametrize("queue", ["support-02", "empty"])
def test_a_queue_without_a_free_agent_is_left_at_the_deadline_for_the_spoken_message(queue: str) -> None:
    node = call(apps.queue(queue), SPOKEN)
    node.pass_time(20)
    assert abandoned_and_joined(node) == ("true", False)
    assert ran(node)[-3:] == [
        ("set", "dialer_abandoned=true"),
        ("speak", SPOKEN.argument),
        ("hangup", "NORMAL_CLEARING"),
    ]
    assert 1.0 <= seconds(node) - MESSAGE_SECONDS <= 2.0


def test_a_queue_that_the_node_does_not_have_gives_up_once() -> None:
    node = call(apps.queue("nosuch"))
    node.pass_time(20)
    assert abandoned_and_joined(node) == ("true", False)
    assert [name for name, _ in ran(node)].count("playback") == 1


def test_the_longest_call_still_holds_for_who_was_joined_from_a_queue() -> None:
    node = call(apps.queue("support"))
    node.pass_time(70)
    assert node.last("CHANNEL_HANGUP_COMPLETE")["Hangup-Cause"] == "ALLOTTED_TIMEOUT"
    assert abandoned_and_joined(node) == (None, True)


def test_a_room_that_nobody_comes_to_is_given_up() -> None:
    node = call(ROOM)
    node.pass_time(20)
    assert abandoned_and_joined(node) == ("true", False)
    assert [name for name, _ in ran(node)].count("conference") == 4
    assert 1.8 <= seconds(node) - MESSAGE_SECONDS <= 2.0


@pytest.mark.parametrize("late", [-1.0, 1.2], ids=["already there", "comes later"])
def test_an_agent_in_the_room_in_time_is_joined(late: float) -> None:
    node = Node()
    if late > 0:
        call(ROOM, node=node)
        node.pass_time(late)
    node.call("07", "", "'m:^:conference:t1.room@default' inline", uuid="agent")
    node.pass_time(1.0)
    if late < 0:
        call(ROOM, node=node)
    node.pass_time(70)
    assert abandoned_and_joined(node) == (None, True)
    assert ran(node)[-1][0] == "conference"


@pytest.mark.parametrize("stays", [False, True], ids=["leaves", "stays"])
def test_whom_the_host_of_a_room_leaves_is_let_go_with_the_message_and_the_host_is_never_got_out(
    stays: bool,
) -> None:
    node = Node()
    node.call("07", "", "'m:^:conference:t1.room@default' inline", uuid="agent")
    node.pass_time(1.0)
    call(ROOM, node=node, ending="07" if not stays else "00")
    node.pass_time(7.0)
    if stays:
        # The person has hung up: the host waits for the next one.
        node.pass_time(30)
        assert abandoned_and_joined(node) == (None, True)
        assert node.api("uuid_exists agent") == "true"
        return
    node.api("uuid_kill agent")
    left = node.now
    node.pass_time(30)
    ended = node.last("CHANNEL_HANGUP_COMPLETE")
    assert ended["variable_dialer_left"] == "true"
    assert not hangup_from_event(ended).abandoned
    assert hangup_from_event(ended).agent_failure is None
    assert ran(node)[-2:] == [("playback", "sorry.wav"), ("hangup", "NORMAL_CLEARING")]
    silence = int(ended["variable_end_uepoch"]) / 1e6 - left - MESSAGE_SECONDS
    assert 0.0 <= silence <= 10.0


def test_who_is_in_a_queue_with_no_agent_and_no_timer_is_let_go_and_who_is_joined_stays() -> None:
    node = call(apps.queue("empty"), SPOKEN)
    node.pass_time(0.5)
    # As an agent leaves it who is gone in the moment of being joined.
    person = node.core.channels.find("u")
    assert person is not None
    node.switch.applications.execute(node.now, person, "sched_cancel", "${last_sched_id}")
    node.pass_time(10)
    ended = node.last("CHANNEL_HANGUP_COMPLETE")
    assert hangup_from_event(ended).abandoned
    assert hangup_from_event(ended).agent_failure is None
    assert 5.0 <= seconds(node) <= 7.0
    joined = call(apps.queue("support"), SPOKEN)
    joined.pass_time(40)
    assert joined.api("uuid_exists u") == "true"


def test_a_host_who_comes_back_in_time_keeps_the_person() -> None:
    node = Node()
    node.call("07", "", "'m:^:conference:t1.room@default' inline", uuid="agent")
    node.pass_time(1.0)
    call(ROOM, node=node)
    node.pass_time(6.5)
    node.api("uuid_kill agent")
    node.pass_time(1.0)
    node.call("07", "", "'m:^:conference:t1.room@default' inline", uuid="again")
    node.pass_time(40)
    assert node.api("uuid_exists u") == "true"
    assert node.api("uuid_exists again") == "true"


def test_the_looks_into_a_room_end_with_the_call_and_with_the_wait() -> None:
    node = call(ROOM)
    node.pass_time(3.0)
    # Whoever comes now finds a person who hears the message: that he was not met stays true.
    node.call("07", "", "'m:^:conference:t1.room@default' inline", uuid="agent")
    node.pass_time(20)
    assert abandoned_and_joined(node) == ("true", False)
    assert "variable_dialer_left" not in node.last("CHANNEL_HANGUP_COMPLETE")
    assert node.api("sched_del left-u") == "+OK Deleted: 0\n"


def test_a_post_dial_delay_past_its_budget_ends_the_call_unless_it_has_rung() -> None:
    for ending, cause in (("09", "PROGRESS_TIMEOUT"), ("02", "NO_ANSWER"), ("08", "NORMAL_CLEARING")):
        node = Node()
        node.call(ending, "leg_progress_timeout=3,originate_timeout=9")
        node.pass_time(30)
        assert node.last("CHANNEL_HANGUP_COMPLETE")["Hangup-Cause"] == cause
        if ending == "09":
            assert 3.0 <= int(node.last("CHANNEL_HANGUP_COMPLETE")["variable_mduration"]) / 1000 <= 4.0
            assert node.jobs == ["-ERR PROGRESS_TIMEOUT\n"]


RATE = LegRate("desk", 1, 2)


def legs(node: Node) -> list[tuple[str, str]]:
    """The second legs of the ledger, by their numbers' ends, and whether each has ended."""
    over = {line["uuid"] for line in node.ledger("leg_end")}
    return [(line["number"][-2:], "over" if line["uuid"] in over else "up") for line in node.ledger("leg")]


def test_over_its_rate_no_second_leg_leaves_and_the_message_is_heard() -> None:
    node = call(apps.bridge("sofia/gateway/desk/+15550107", RATE))
    steps = inline(connect(apps.bridge("sofia/gateway/desk/+15550107", RATE), FILE))
    node.call("07", "", steps, uuid="v")
    node.pass_time(0.5)
    assert legs(node) == [("07", "up")]
    node.pass_time(MESSAGE_SECONDS)
    ended = node.last("CHANNEL_HANGUP_COMPLETE", "v")
    assert ended["variable_dialer_abandoned"] == "true"
    assert "variable_originate_disposition" not in ended, "nobody was called for it"
    hangup = hangup_from_event(ended)
    assert hangup is not None
    assert hangup.agent_failure is None
    node.call("07", "", steps, uuid="w")
    node.pass_time(0.5)
    assert legs(node) == [("07", "up"), ("07", "up")], "its window was over"


@pytest.mark.parametrize(("number", "after"), [("07", 0.0), ("10", 5.0), ("02", 3.0)])
def test_a_second_legs_end_stands_in_the_ledger(number: str, after: float) -> None:
    """With the call, by itself, or because it did not answer."""
    node = call(apps.bridge(f"sofia/gateway/desk/+155501{number}"))
    node.pass_time(0.5)
    assert legs(node) == [(number, "up")]
    (leg,) = node.ledger("leg")
    assert (leg["of"], leg["gateway"]) == ("u", "desk")
    node.pass_time(after)
    if not after:
        node.api("uuid_kill u")
    assert legs(node) == [(number, "over")]


@pytest.mark.parametrize(
    ("number", "name"),
    [
        ("07", "joined"),
        ("01", "486"),
        ("03", "404"),
        ("04", "503"),
        ("05", "480"),
        ("06", "603"),
        ("02", "rings"),
        ("09", "only 100"),
    ],
)
def test_what_became_of_the_second_leg_is_told_as_a_node_told_it(number: str, name: str) -> None:
    node = call(apps.bridge(f"sofia/gateway/desk/+155501{number}"))
    node.pass_time(70)
    assert second_leg(node.last("CHANNEL_HANGUP_COMPLETE")) == as_recorded(name)


def test_whose_person_hangs_up_while_the_agent_is_called_is_told_as_a_node_told_it() -> None:
    node = call(apps.bridge("sofia/gateway/desk/+15550102"), ending="13")
    node.pass_time(20)
    told = second_leg(node.last("CHANNEL_HANGUP_COMPLETE"))
    assert told == as_recorded("rings, and the person hangs up")


def test_a_node_says_of_a_call_that_is_up_whether_its_agent_has_joined() -> None:
    for number, said in (("07", "SUCCESS"), ("04", "NORMAL_TEMPORARY_FAILURE")):
        node = call(apps.bridge(f"sofia/gateway/desk/+155501{number}"))
        node.pass_time(1)
        assert node.api("uuid_getvar u originate_disposition") == said


def as_recorded(name: str) -> tuple[str | None, int | None]:
    hangup = hangup_from_variables(SECOND_LEGS[name])
    assert hangup is not None
    return hangup.second_leg, hangup.second_leg_status


def second_leg(ended: JsonEvent) -> tuple[str | None, int | None]:
    hangup = hangup_from_event(ended)
    return hangup.second_leg, hangup.second_leg_status
