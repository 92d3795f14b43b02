"""The application `limit` with a rate: what is not the first of its window does not leave the node."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from freeswitch import dedup
from simulator.limit_hash import Limit, LimitHash, parse_limit
from tests.unit.simulator.node import Node

RECORDED = Path(__file__).parents[1] / "freeswitch" / "duplicate_refused.json"
ONCE = f"execute_on_originate='{dedup.limit_application('u')}'"
CLOCKS = ("_epoch", "_uepoch", "_stamp", "-Time", "Event-Date", "Event-Sequence", "Line-Number")
OF_THE_CALL = ("Unique-ID", "Channel-Call-UUID", "Caller-Unique-ID", "Core-UUID")


def test_the_first_order_of_an_id_is_carried_out_and_no_other() -> None:
    node = Node()
    node.call("01", ONCE)
    node.pass_time(5.0)
    assert node.jobs == ["-ERR USER_BUSY\n"]
    assert node.names() == ["OUTGOING", "CREATE", "ORIGINATE", "HANGUP", "HANGUP_COMPLETE", "DESTROY"]
    node.watcher.events.clear()
    node.call("01", ONCE)
    node.pass_time(5.0)
    assert node.jobs[1:] == [f"-ERR {dedup.CAUSE}\n"]
    assert node.names() == ["OUTGOING", "HANGUP", "HANGUP_COMPLETE", "DESTROY"]
    assert [line["result"] for line in node.ledger("originate")] == ["accepted", f"refused:{dedup.CAUSE}"]
    assert [line["cause"] for line in node.ledger("end")] == ["USER_BUSY"]
    assert not node.core.channels


def test_an_id_that_is_up_is_refused_before_it_counts() -> None:
    node = Node()
    for _ in range(2):
        node.call("07", ONCE)
        node.pass_time(1.0)
    assert node.jobs[1:] == ["-ERR DESTINATION_OUT_OF_ORDER\n"]


def test_the_end_of_a_refused_duplicate_has_the_headers_of_a_recorded_one() -> None:
    recorded = json.loads(RECORDED.read_text())
    node = Node()
    called = recorded["Unique-ID"]
    hook = recorded["variable_api_hangup_hook"]
    for _ in range(2):
        node.originate(
            f"{{origination_uuid={called},origination_caller_id_number=+14155550100,"
            f"execute_on_originate='{dedup.limit_application(called)}',api_hangup_hook='{hook}'}}"
            f"sofia/gateway/carrier/+1212100520701 &park()"
        )
        node.pass_time(5.0)
    simulated = node.last("CHANNEL_HANGUP_COMPLETE", called)
    assert simulated.keys() == recorded.keys()

    def stable(event: dict[str, str]) -> dict[str, str]:
        return {name: value for name, value in event.items() if not any(clock in name for clock in CLOCKS)}

    different = {
        name: (value, recorded[name])
        for name, value in stable(simulated).items()
        if value != recorded[name] and name not in OF_THE_CALL
    }
    assert different.keys() <= {"FreeSWITCH-Hostname", "variable_session_id", "variable_sip_destination_url"}


def test_the_first_order_carries_what_the_count_says() -> None:
    node = Node()
    node.call("01", ONCE)
    created = node.last("CHANNEL_CREATE")
    assert {name: value for name, value in created.items() if "limit_" in name} == {
        "variable_limit_usage": "1",
        "variable_limit_usage_carillon_u": "1",
        "variable_limit_rate": "1",
        "variable_limit_rate_carillon_u": "1",
    }
    assert created["variable_current_application"] == "limit"


def test_a_node_that_has_lost_its_table_refuses_every_order() -> None:
    node = Node()
    assert node.api("module_exists mod_hash") == "true"
    node.api("unload mod_hash")
    assert node.api("module_exists mod_hash") == "false"
    node.call("01", ONCE)
    assert node.jobs == [f"-ERR {dedup.CAUSE}\n"]
    node.api("load mod_hash")
    node.call("01", ONCE.replace(" u ", " v "), uuid="v")
    node.pass_time(5.0)
    assert node.jobs[1:] == ["-ERR USER_BUSY\n"]


def test_of_several_legs_a_refused_duplicate_leaves_the_others_alone() -> None:
    node = Node()
    node.call("01", ONCE)
    node.pass_time(5.0)
    node.originate(
        f"[origination_uuid=u,{ONCE}]sofia/gateway/c/15550010,[origination_uuid=b]sofia/gateway/c/15550010 &park()"
    )
    node.pass_time(1.0)
    assert node.jobs[1:] == ["+OK b\n"]


def test_a_window_begins_with_the_first_and_ends_for_all() -> None:
    limit_hash = LimitHash()
    slow, quick = Limit("carillon_a", 1, 100, "!X"), Limit("carillon_b", 2, 10, "!X")
    assert [limit_hash.count(at, slow) for at in (0.0, 50.0, 99.9)] == [1, 2, 3]
    assert [limit_hash.count(at, quick) for at in (50.0, 59.9, 60.0)] == [1, 2, 1]
    assert limit_hash.count(100.0, slow) == 1
    assert limit_hash.count(1000.0, quick) == 1


def test_a_window_goes_by_whole_seconds() -> None:
    """As mod_hash counts: of two that touch the first can be a moment long."""
    limit_hash = LimitHash()
    each, other = Limit("each", 2, 1, ""), Limit("other", 1, 2, "")
    moments = (10.0, 10.9, 10.95, 11.0, 11.1, 11.2)
    assert [limit_hash.count(at, each) for at in moments] == [1, 2, 3, 1, 2, 3]
    assert [limit_hash.count(at, other) for at in (10.9, 11.95, 12.0, 13.9, 14.0)] == [1, 2, 1, 2, 1]


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("hash r k 5/1 bridge sofia/a b", Limit("r_k", 5, 1, "bridge", "sofia/a b")),
        ("hash carillon u 1/3600 !LOSE_RACE", Limit("carillon_u", 1, 3600, "!LOSE_RACE")),
        ("hash r k 5/1", Limit("r_k", 5, 1, "limit_exceeded")),
        ("hash r k 5", None),
        ("hash r k 5/0", None),
        ("db r k 5/1", None),
        ("", None),
    ],
)
def test_only_a_rate_in_the_hash_is_counted(argument: str, expected: Limit | None) -> None:
    assert parse_limit(argument) == expected
