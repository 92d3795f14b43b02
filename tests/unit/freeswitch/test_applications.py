"""What an answered call is to run arrives as it was given, and nothing that could do more gets into the line."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeswitch import applications as apps
from freeswitch import left_alone
from freeswitch.applications import Application, inline
from freeswitch.errors import CommandRefused
from tests.unit.freeswitch.dialstring import read_inline, split


def read(application: Application) -> tuple[str, str]:
    extension, dialplan = split(inline([application]), " ")
    assert dialplan == "inline"
    (step,) = read_inline(extension)
    return step


@pytest.mark.parametrize(
    ("application", "name", "argument"),
    [
        (apps.playback("ivr/hello-1.wav"), "playback", "ivr/hello-1.wav"),
        (apps.playback("https://cdn.acme.com/a.wav?v=1"), "playback", "https://cdn.acme.com/a.wav?v=1"),
        (apps.playback("https://cdn.acme.com/a?of=x//y..z"), "playback", "https://cdn.acme.com/a?of=x//y..z"),
        (apps.tone("%(200,100,440);loops=3"), "playback", "tone_stream://%(200,100,440);loops=3"),
        (apps.say("Hello, Zoë: pay 5 €"), "speak", "flite|slt|Hello, Zoë: pay 5 €"),
        (apps.say("Hi", "unimrcp/anna"), "speak", "unimrcp|anna|Hi"),
        (apps.transfer("4000", "acme"), "transfer", "4000 XML acme"),
        (apps.bridge("sofia/gateway/desk/100"), "bridge", "sofia/gateway/desk/100"),
        (apps.queue("support@acme"), "callcenter", "support@acme"),
        (apps.socket("10.0.0.9", 8084), "socket", "10.0.0.9:8084 async full"),
        (apps.conference("acme-room1"), "conference", "acme-room1@default"),
        (apps.park(), "park", ""),
        (apps.echo(), "echo", ""),
        (apps.hangup("USER_BUSY"), "hangup", "USER_BUSY"),
        (apps.end_after(9), "sched_hangup", "+9 ALLOTTED_TIMEOUT"),
    ],
)
def test_each_application_arrives_with_its_argument(
    application: Application, name: str, argument: str
) -> None:
    assert read(application) == (name, argument)


@pytest.mark.parametrize(
    "build",
    [
        lambda: apps.playback("../../etc/passwd"),
        lambda: apps.playback("a?/../../etc/passwd"),
        lambda: apps.playback("https://cdn.acme.com/../a.wav"),
        lambda: apps.playback("say:boo"),
        lambda: apps.playback("http://plain.example/a.wav"),
        lambda: apps.playback("shout://evil/x"),
        lambda: apps.playback("/a//b"),
        lambda: apps.playback(""),
        lambda: apps.tone("%(1,2,3)^hangup"),
        lambda: apps.tone("a b"),
        lambda: apps.say("a|b"),
        lambda: apps.say("it's"),
        lambda: apps.say("${x}"),
        lambda: apps.say("  "),
        lambda: apps.say("x", "a|b"),
        lambda: apps.say("x", "a/b/c"),
        lambda: apps.transfer("4000 XML other", "acme"),
        lambda: apps.transfer("4000", "acme default"),
        lambda: apps.transfer("4000\n", "acme"),
        lambda: apps.bridge("a/1,b/2"),
        lambda: apps.bridge("{x=y}a/1"),
        lambda: apps.bridge("a/1:_:b/2"),
        lambda: apps.queue("a b"),
        lambda: apps.socket("10.0.0.9:1 full", 8084),
        lambda: apps.socket("-h", 8084),
        lambda: apps.socket("h", 0),
        lambda: apps.socket("h", 70_000),
        lambda: apps.conference("room+flags{moderator}"),
        lambda: apps.conference("room@other"),
        lambda: apps.hangup("NOSUCH"),
        lambda: apps.end_after(0),
    ],
)
def test_an_argument_that_could_do_more_is_refused(build: Callable[[], Application]) -> None:
    with pytest.raises(CommandRefused):
        build()


@pytest.mark.parametrize(
    "application",
    [
        Application("system", "touch x"),
        Application("park^system", ""),
        Application("playback", "a'b"),
        Application("playback", 'a"b'),
        Application("playback", "a^system:x"),
        Application("playback", "a\\b"),
        Application("playback", "${hostname}"),
        Application("playback", "a\nb"),
        Application("playback", "`x`"),
        Application("playback", " a"),
        Application("playback", "x" * 2001),
        Application("playback", "\ud800"),
    ],
)
def test_an_application_made_by_hand_is_checked_again(application: Application) -> None:
    with pytest.raises(CommandRefused):
        inline([application])


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), min_size=1, max_size=4))
def test_whatever_gets_through_is_exactly_the_applications_given(arguments: list[str]) -> None:
    steps = [Application("speak", argument) for argument in arguments]
    try:
        rendered = inline(steps)
    except CommandRefused:
        return
    extension, _ = split(rendered, " ")
    assert read_inline(extension) == [("speak", argument) for argument in arguments]


MESSAGES = {None: None, "playback": apps.playback("a~b.wav"), "speak": apps.say("Sorry, it is us; call 1")}


@pytest.mark.parametrize("message", MESSAGES.values(), ids=str)
@pytest.mark.parametrize(
    "step",
    [apps.bridge("sofia/gateway/desk/1"), apps.queue("support"), apps.conference("a.b")],
    ids=lambda s: s.name,
)
def test_a_call_that_an_agent_must_join_says_so_and_ends_with_the_message(
    step: Application, message: Application | None
) -> None:
    extension, _ = split(inline(apps.connect(step, message)), " ")
    steps = read_inline(extension)
    assert steps[0] == ("set", "dialer_connect=true")
    assert (step.name, step.argument) in steps
    said = [] if message is None else [(message.name, message.argument)]
    assert steps[1][1].startswith("dialer_action=")
    assert steps[-2 - len(said) :] == [("set", "dialer_abandoned=true"), *said, ("hangup", "NORMAL_CLEARING")]


def test_the_message_of_a_queue_waits_in_a_variable_until_it_is_left() -> None:
    """What is scheduled is cut at each space, and its expansion would come too early without the backslash."""
    extension, _ = split(inline(apps.connect(apps.queue("support"), MESSAGES["speak"])), " ")
    steps = dict(read_inline(extension))
    assert steps["sched_transfer"] == (
        r"+2 m:~:set:dialer_abandoned=true~speak:\${dialer_safe_harbour}~hangup:NORMAL_CLEARING inline"
    )
    assert ("set", "dialer_safe_harbour=flite|slt|Sorry, it is us; call 1") in read_inline(extension)


@pytest.mark.parametrize(
    ("step", "message"),
    [(apps.park(), None), (apps.queue("q"), apps.park()), (apps.queue("q"), Application("system", "x"))],
)
def test_only_an_agent_can_join_and_only_a_message_be_said(
    step: Application, message: Application | None
) -> None:
    with pytest.raises(CommandRefused):
        apps.connect(step, message)


@pytest.mark.parametrize(
    "application",
    [
        Application("set", "dialer_connect=false"),
        Application("set", "dialer_ran=${system(x)}"),
        Application("set", "dialer_ran=${module_exists(mod_x)}${system(x)}"),
        Application("set", "dialer_watch=${sched_api(@3 left-${uuid} expand system x)}"),
        Application("set", left_alone.watch("r")[1].replace("uuid_setvar_multi", "system")),
        Application("set", left_alone.watch("r")[2].replace("conference(r", "conference(r) system(r")),
        Application("set", left_alone.watch("r")[1].replace("(r ", "(q ", 1) + "x"),
        Application("set", "api_reporting_hook=system x"),
        Application("set", "dialer_safe_harbour=${x}"),
        Application("set", "dialer_safe_harbour=a^b"),
        Application("sched_transfer", "+2 m:~:system:x inline"),
        Application("execute_extension", "system:x inline"),
        Application("sched_cancel", ""),
        Application("multiset", "a=b"),
    ],
)
def test_a_step_that_resembles_one_of_these_is_refused(application: Application) -> None:
    with pytest.raises(CommandRefused):
        inline([application])


def test_no_application_and_too_many_are_refused() -> None:
    with pytest.raises(CommandRefused):
        inline([])
    with pytest.raises(CommandRefused):
        inline([apps.park()] * 65)
