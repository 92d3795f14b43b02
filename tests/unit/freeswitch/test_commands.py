"""The lines of the commands, and the ids and names that no command takes."""

from __future__ import annotations

import pytest

from freeswitch import commands
from freeswitch.errors import CommandRefused
from tests.unit.freeswitch.samples import CALL


def test_the_commands_for_one_call() -> None:
    assert commands.uuid_kill(CALL) == f"uuid_kill {CALL} NORMAL_CLEARING"
    assert commands.uuid_exists(CALL) == f"uuid_exists {CALL}"
    assert commands.uuid_dump(CALL) == f"uuid_dump {CALL} json"
    assert commands.hangup_marker_select(CALL) == f"hash select/carillon/{CALL}"
    assert commands.hangup_marker_delete(CALL) == f"hash delete/carillon/{CALL}"
    assert commands.hangup_marker_list() == "hash_dump db carillon"
    assert commands.uuid_kill(CALL, "MANAGER_REQUEST") == f"uuid_kill {CALL} MANAGER_REQUEST"
    with pytest.raises(CommandRefused):
        commands.uuid_kill(CALL, "NOSUCH")


@pytest.mark.parametrize("call_id", ["", "a b", "a/b", "a\nb", "*"])
def test_an_id_that_is_none_is_refused_everywhere(call_id: str) -> None:
    for build in (commands.uuid_kill, commands.uuid_exists, commands.uuid_dump):
        with pytest.raises(CommandRefused):
            build(call_id)
    for build in (commands.hangup_marker_select, commands.hangup_marker_delete):
        with pytest.raises(CommandRefused):
            build(call_id)


def test_subscription_and_filters() -> None:
    assert (
        commands.event_subscription(["CHANNEL_CREATE", "HEARTBEAT"]) == "event json CHANNEL_CREATE HEARTBEAT"
    )
    assert commands.own_events_filters("d1") == ["filter variable_dialer_id d1", r"filter Job-UUID /^d1\./"]
    assert commands.event_filter("HEARTBEAT") == "filter Event-Name HEARTBEAT"
    with pytest.raises(CommandRefused):
        commands.event_filter("HEARTBEAT x")
    with pytest.raises(CommandRefused):
        commands.event_subscription(["ALL x"])
    with pytest.raises(CommandRefused):
        commands.own_events_filters("d1/")


def test_of_a_nodes_hash_only_the_markers_of_calls_are_read() -> None:
    other = CALL.replace("0", "f")
    listed = [
        f"D/carillon_{CALL}/done",
        f"D/carillon_{other}/done",
        f"D/carillon_{CALL}/other",
        f"D/my_carillon_{CALL}/done",
        f"L/carillon_{CALL}/1/1/3600/1",
        "D/carillon_doctor/done",
        f"D/carillon_{CALL}x/done",
    ]
    assert list(commands.hangup_markers_in("\n".join(listed) + "\n")) == [CALL, other]
    assert list(commands.hangup_markers_in("-ERR no reply\n")) == []
