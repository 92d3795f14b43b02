"""The life of a call in the simulated core, with time moved by hand."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from simulator.number_plan import CalledParty
from simulator.subscriptions import EVENT_NAMES
from tests.unit.simulator.node import Node

SETUP = ["OUTGOING", "CREATE", "ORIGINATE"]
END = ["HANGUP", "HANGUP_COMPLETE", "DESTROY"]
RINGS_OUT = CalledParty(ring=0.02)
MEDIA_ONLY = CalledParty(early=0.02)


class Ending(NamedTuple):
    """What the last event of a call says, and what its job was told."""

    cause: str
    sip: int
    disposition: str
    billsec: int = 0
    job: str = ""


RANG = [*SETUP, "PROGRESS"]
ANSWERED = ["ANSWER", "PARK", *END]
PLAN = {
    "00": ([*RANG, *ANSWERED], Ending("NORMAL_CLEARING", 200, "recv_bye", 4, "+OK u")),
    "01": ([*SETUP, *END], Ending("USER_BUSY", 486, "recv_refuse")),
    "02": ([*RANG, *END], Ending("NO_ANSWER", 487, "send_cancel")),
    "03": ([*SETUP, *END], Ending("UNALLOCATED_NUMBER", 404, "recv_refuse")),
    "04": ([*SETUP, *END], Ending("NORMAL_TEMPORARY_FAILURE", 503, "recv_refuse")),
    "05": ([*SETUP, *END], Ending("NO_USER_RESPONSE", 480, "recv_refuse")),
    "06": ([*SETUP, *END], Ending("CALL_REJECTED", 603, "recv_refuse")),
    "08": ([*SETUP, "PROGRESS_MEDIA", *ANSWERED], Ending("NORMAL_CLEARING", 200, "recv_bye", 3, "+OK u")),
    "09": ([*SETUP, *END], Ending("NO_ANSWER", 487, "send_cancel")),
    "10": ([*RANG, *ANSWERED], Ending("NORMAL_CLEARING", 200, "recv_bye", 2, "+OK u")),
    "12": ([*SETUP, "PROGRESS_MEDIA", *END], Ending("USER_BUSY", 486, "recv_refuse")),
    "13": ([*SETUP, *ANSWERED], Ending("NORMAL_CLEARING", 200, "recv_bye", 1, "+OK u")),
}


@pytest.mark.parametrize("ending", sorted(PLAN))
@pytest.mark.parametrize("speed", [1.0, 20.0])
def test_each_number_of_the_plan_ends_as_recorded(speed: float, ending: str) -> None:
    node = Node(speed)
    node.call(ending, "originate_timeout=10")
    node.pass_time(60.0)
    events, wanted = PLAN[ending]
    assert node.names() == events
    assert node.jobs == [f"{wanted.job or f'-ERR {wanted.cause}'}\n"]
    complete = node.last("CHANNEL_HANGUP_COMPLETE")
    assert complete["Hangup-Cause"] == complete["variable_hangup_cause"] == wanted.cause
    assert complete["variable_sip_hangup_disposition"] == wanted.disposition
    assert complete["variable_billsec"] == str(wanted.billsec)
    (end,) = node.ledger("end")
    assert (end["cause"], end["sip"], end["billsec"]) == (wanted.cause, wanted.sip, wanted.billsec)
    assert not node.core.channels


def test_the_epochs_of_a_call_agree_with_its_durations_at_any_speed() -> None:
    node = Node(speed=50.0)
    node.call("00")
    node.pass_time(30.0)
    complete = node.last("CHANNEL_HANGUP_COMPLETE")
    start, answer, end = (int(complete[f"variable_{name}_uepoch"]) for name in ("start", "answer", "end"))
    assert (answer - start, end - answer) == (1_520_000, 4_000_000)
    assert complete["variable_progressmsec"] == "20"
    assert complete["variable_billmsec"] == "4000"
    assert complete["Caller-Channel-Answered-Time"] == str(answer)


def test_caller_and_callee_swap_once_applications_run() -> None:
    node = Node()
    node.call("00", "origination_caller_id_number=15551230000,origination_caller_id_name=Dialer")
    node.pass_time(30.0)
    answer, complete = node.last("CHANNEL_ANSWER"), node.last("CHANNEL_HANGUP_COMPLETE")
    assert (answer["Caller-Caller-ID-Number"], answer["Caller-Callee-ID-Number"]) == (
        "15551230000",
        "15550000",
    )
    assert (complete["Caller-Caller-ID-Number"], complete["Caller-Callee-ID-Number"]) == (
        "15550000",
        "15551230000",
    )
    assert complete["Caller-Destination-Number"] == "15550000"


def test_originate_timeout_fires_on_the_second_and_tells_the_job_before_the_channel_is_done() -> None:
    node = Node()
    seen: list[list[str]] = []
    line = "{origination_uuid=u,originate_timeout=2}sofia/gateway/carrier/15550002 &park()"
    node.switch.originate(node.now, line, lambda _text: seen.append(node.names()))
    node.pass_time(1.74)
    assert seen == []
    node.pass_time(0.02)
    assert seen == [[*SETUP, "PROGRESS", "HANGUP"]]
    assert node.last("CHANNEL_HANGUP_COMPLETE")["variable_mduration"] == "1750"


@pytest.mark.parametrize(("ending", "hook"), [("02", "execute_on_ring"), ("12", "execute_on_pre_answer")])
def test_a_ring_timer_set_by_a_hook_ends_the_call(ending: str, hook: str) -> None:
    node = Node(called_party=lambda _number: RINGS_OUT if ending == "02" else MEDIA_ONLY)
    node.call(ending, f"originate_timeout=46,{hook}='sched_hangup +8 NO_ANSWER'")
    node.pass_time(7.7)
    assert node.jobs == []
    node.pass_time(0.1)
    assert node.jobs == ["-ERR NO_ANSWER\n"]
    assert node.last("CHANNEL_HANGUP_COMPLETE")["variable_sip_hangup_disposition"] == "send_cancel"


def test_the_ring_hook_does_not_run_on_a_183_nor_the_other_on_a_180() -> None:
    node = Node(called_party=lambda number: RINGS_OUT if number == "1" else MEDIA_ONLY)
    for uuid, number, hook in (("a", "1", "execute_on_pre_answer"), ("b", "2", "execute_on_ring")):
        own = f"origination_uuid={uuid},ignore_early_media=true,{hook}='sched_hangup +2 NO_ANSWER'"
        node.originate(f"{{{own}}}sofia/gateway/c/{number} &park()")
    node.pass_time(30.0)
    assert node.jobs == []


def test_sched_del_on_answer_removes_the_ring_timer() -> None:
    node = Node()
    node.call("07", "execute_on_ring='sched_hangup +2 NO_ANSWER',api_on_answer='sched_del u'")
    node.pass_time(60.0)
    assert node.names()[-1] == "PARK"


def test_sched_del_on_answer_also_erases_a_timer_set_on_answer() -> None:
    node = Node()
    node.call("07", "execute_on_answer='sched_hangup +3 ALLOTTED_TIMEOUT',api_on_answer='sched_del u'")
    node.pass_time(60.0)
    assert node.names()[-1] == "PARK"


def test_the_maximum_duration_set_in_the_answered_leg_ends_it() -> None:
    node = Node()
    node.call("07", "api_on_answer='sched_del u'", then="'m:^:sched_hangup:+9 ALLOTTED_TIMEOUT^park:' inline")
    node.pass_time(8.7)
    assert "HANGUP" not in node.names()
    node.pass_time(0.4)
    complete = node.last("CHANNEL_HANGUP_COMPLETE")
    assert complete["Hangup-Cause"] == "ALLOTTED_TIMEOUT"
    assert complete["variable_hangup_cause_q850"] == "16"
    assert complete["variable_sip_hangup_disposition"] == "send_bye"
    assert "variable_sip_term_status" not in complete


def test_an_application_list_that_is_through_hangs_up_from_our_side() -> None:
    node = Node()
    node.call("07", then="'m:^:playback:silence_stream://1500^hangup:' inline")
    node.pass_time(10.0)
    complete = node.last("CHANNEL_HANGUP_COMPLETE")
    assert (complete["Hangup-Cause"], complete["variable_sip_hangup_disposition"]) == (
        "NORMAL_CLEARING",
        "send_bye",
    )
    assert complete["variable_billmsec"] == "1500"


def test_an_unknown_application_ends_the_call_after_the_job_said_ok() -> None:
    node = Node()
    node.call("07", then="&nosuchapp(x)")
    node.pass_time(1.0)
    assert node.jobs == ["+OK u\n"]
    assert node.last("CHANNEL_HANGUP_COMPLETE")["Hangup-Cause"] == "DESTINATION_OUT_OF_ORDER"


def test_a_call_without_a_route_ends_though_nothing_ran_and_everybody_watches() -> None:
    node = Node()
    node.hub.subscribe(node.watcher, set(EVENT_NAMES))
    node.call("07", then="0007")
    node.pass_time(1.0)
    assert "EXECUTE_COMPLETE" not in node.names()
    assert node.names()[-2:] == ["DESTROY", "STATE"]


@pytest.mark.parametrize(
    ("then", "cause"), [("0007", "NO_ROUTE_DESTINATION"), ("'transfer:1000 XML sales' inline", None)]
)
def test_extensions_exist_outside_the_default_context_only(then: str, cause: str | None) -> None:
    node = Node()
    node.call("07", then=then)
    node.pass_time(5.0)
    ends = node.ledger("end")
    assert [line["cause"] for line in ends] == ([] if cause is None else [cause])


def test_the_hangup_hook_leaves_its_marker_for_answered_and_failed_calls() -> None:
    node = Node()
    for ending in ("00", "01"):
        node.call(ending, f"api_hangup_hook='hash insert/carillon/c{ending}/done'", uuid=f"c{ending}")
    assert node.api("hash select/carillon/c00") == ""
    node.pass_time(30.0)
    assert [node.api(f"hash select/carillon/c{ending}") for ending in ("00", "01")] == ["done", "done"]
    assert node.api("hash_dump db carillon") == "D/carillon_c01/done\nD/carillon_c00/done\n"
    assert node.api("hash delete/carillon/c00") == "+OK\n"
    assert node.api("hash delete/carillon/c00") == "-ERR Not found\n"
    assert node.api("hash_dump db") == "D/carillon_c01/done\n"
    assert node.api("hash_dump db other") == ""


def test_without_ignoring_early_media_the_job_is_done_at_the_183() -> None:
    node = Node()
    node.originate("{origination_uuid=u,originate_timeout=9}sofia/gateway/carrier/15550012 &park()")
    node.pass_time(0.5)
    assert node.jobs == ["+OK u\n"]
    node.pass_time(10.0)
    assert node.names() == [*SETUP, "PROGRESS_MEDIA", "PARK", *END]
    assert node.last("CHANNEL_HANGUP_COMPLETE")["variable_answer_epoch"] == "0"


def test_killing_a_ringing_call_cancels_it() -> None:
    node = Node()
    node.call("02")
    node.pass_time(1.0)
    assert node.api("uuid_kill u") == "+OK\n"
    assert node.api("uuid_exists u") == "false"
    node.pass_time(1.0)
    complete = node.last("CHANNEL_HANGUP_COMPLETE")
    assert node.jobs == ["-ERR NORMAL_CLEARING\n"]
    assert complete["variable_sip_hangup_disposition"] == "send_cancel"
    assert (
        complete["variable_sip_invite_failure_status"],
        complete["variable_sip_invite_failure_phrase"],
    ) == (
        "487",
        "CANCEL",
    )
    assert node.api("uuid_kill u") == "-ERR No such channel!\n"


def test_of_several_legs_the_first_answer_wins_and_the_others_lose() -> None:
    node = Node()
    node.originate(
        "[origination_uuid=a]sofia/gateway/c/15550002,[origination_uuid=b]sofia/gateway/c/15550010 &park()"
    )
    node.pass_time(1.0)
    assert node.jobs == ["+OK b\n"]
    assert node.last("CHANNEL_HANGUP_COMPLETE", "a")["Hangup-Cause"] == "LOSE_RACE"


def test_alternatives_are_tried_one_after_another() -> None:
    node = Node()
    node.originate("sofia/gateway/c/15550001|sofia/gateway/c/15550003 &park()")
    node.pass_time(1.0)
    assert node.jobs == ["-ERR UNALLOCATED_NUMBER\n"]
    assert [line["number"] for line in node.ledger("originate")] == ["15550001", "15550003"]


@pytest.mark.parametrize(
    ("url", "cause", "events"),
    [
        ("sofia/gateway/nosuch/1", "INVALID_GATEWAY", ["DESTROY"]),
        ("sofia/gateway/carrier_down/1", "GATEWAY_DOWN", ["DESTROY"]),
        ("sofia/nosuch/1@h", "INVALID_PROFILE", ["DESTROY"]),
        ("sofia/gateway/carrier", "INVALID_URL", ["DESTROY"]),
        ("sofia/external/", "USER_NOT_REGISTERED", ["DESTROY"]),
        ("user/1000", "MANDATORY_IE_MISSING", []),
        ("error/USER_BUSY", "USER_BUSY", []),
        ("foo/bar", "CHAN_NOT_IMPLEMENTED", []),
    ],
)
def test_a_leg_refused_before_its_invite_has_a_destroy_at_most(
    url: str, cause: str, events: list[str]
) -> None:
    node = Node()
    node.originate(f"{{origination_uuid=u,mine=1}}{url} &park()")
    assert node.jobs == [f"-ERR {cause}\n"]
    assert node.names() == events
    assert [line["result"] for line in node.ledger("originate")] == [f"refused:{cause}"]
    for event in node.watcher.events:
        assert "variable_mine" not in event
        assert "Hangup-Cause" not in event


def test_a_gateway_that_swallows_packets_runs_into_timer_b() -> None:
    node = Node()
    node.originate("{origination_uuid=u,originate_timeout=45}sofia/gateway/carrier_hole/15550000 &park()")
    node.pass_time(31.9)
    assert node.jobs == []
    node.pass_time(0.2)
    complete = node.last("CHANNEL_HANGUP_COMPLETE")
    assert node.jobs == ["-ERR RECOVERY_ON_TIMER_EXPIRE\n"]
    assert (complete["variable_sip_invite_failure_status"], complete["variable_hangup_cause_q850"]) == (
        "408",
        "102",
    )


@pytest.mark.parametrize("limit", ["sps", "max_sessions", "pause", "duplicate"])
def test_every_limit_refuses_in_the_same_words_and_without_a_channel(limit: str) -> None:
    node = Node(sps=2 if limit == "sps" else 1_000, max_sessions=1 if limit == "max_sessions" else 1_000)
    node.call("07", uuid="first")
    if limit == "pause":
        node.api("fsctl pause outbound")
    node.jobs.clear()
    node.call("07", uuid="first" if limit == "duplicate" else "u")
    assert node.jobs == ["-ERR DESTINATION_OUT_OF_ORDER\n"]
    assert node.names() == []
    assert node.ledger("originate")[-1]["result"] == "refused:DESTINATION_OUT_OF_ORDER"


def test_a_duplicate_leaves_the_first_call_untouched_and_a_dead_uuid_may_be_used_again() -> None:
    node = Node()
    node.call("07", "n=1")
    node.pass_time(1.0)
    node.call("07", "n=2")
    assert node.api("uuid_getvar u n") == "1"
    node.api("uuid_kill u")
    node.pass_time(1.0)
    node.call("07", "n=3")
    assert node.api("uuid_getvar u n") == "3"


def test_a_number_with_an_expansion_ends_before_its_invite() -> None:
    node = Node()
    node.originate("{origination_uuid=u}sofia/gateway/carrier/${hostname} &park()")
    node.pass_time(1.0)
    assert node.names() == [*SETUP, *END]
    assert node.jobs == ["-ERR DESTINATION_OUT_OF_ORDER\n"]


def test_a_variable_with_an_expansion_is_dropped_and_every_other_one_arrives() -> None:
    node = Node()
    node.call("01", "carillon_a=x\\\\sy,carillon_b=${hostname},carillon_c=\u20ac")
    node.pass_time(1.0)
    complete = node.last("CHANNEL_HANGUP_COMPLETE")
    assert complete["variable_carillon_a"] == "x y"
    assert complete["variable_carillon_c"] == "\u20ac"
    assert "variable_carillon_b" not in complete


def test_an_injected_command_is_noted_and_never_run() -> None:
    node = Node()
    node.call("07", "lead=Bob,api_on_answer=system\\stouch\\s/tmp/x")
    node.pass_time(1.0)
    assert [line["command"] for line in node.ledger("command")] == ["touch /tmp/x"]


def test_a_stored_expansion_runs_when_an_application_uses_it() -> None:
    node = Node()
    node.call("07")
    node.pass_time(1.0)
    node.api("uuid_setvar u lead ${system touch /tmp/x}")
    assert node.api("uuid_getvar u lead") == "${system touch /tmp/x}"
    node.api("uuid_broadcast u set::y=${lead} aleg")
    assert [line["command"] for line in node.ledger("command")] == ["touch /tmp/x"]


def test_hupall_ends_exactly_the_matching_channels() -> None:
    node = Node()
    for uuid, campaign in (("a", "x"), ("b", "y"), ("c", "x")):
        node.call("07", f"dialer_campaign={campaign}", uuid=uuid)
    node.pass_time(1.0)
    answer = node.api("hupall NORMAL_CLEARING dialer_campaign x")
    assert answer == "+OK hangup all channels matching [dialer_campaign]=[x] with cause: NORMAL_CLEARING\n"
    node.pass_time(1.0)
    assert [node.api(f"uuid_exists {uuid}") for uuid in "abc"] == ["false", "true", "false"]


def test_show_channels_lags_behind() -> None:
    node = Node()
    node.call("07")
    assert node.api("show channels count") == "\n0 total.\n"
    node.pass_time(0.3)
    assert node.api("show channels count") == "\n1 total.\n"
    node.api("uuid_kill u")
    node.pass_time(0.05)
    assert node.api("show channels count") == "\n1 total.\n"
    node.pass_time(1.0)
    assert node.api("show channels as json") == '{"row_count": 0}\n'


def test_a_shutdown_when_empty_waits_for_the_last_call() -> None:
    node = Node()
    node.call("10")
    answers: list[str] = []
    node.apis.start("fsctl", "shutdown asap", node.now, answers.append)
    assert (node.api("fsctl ready_check"), node.api("fsctl shutdown_check")) == ("false", "true")
    node.call("10", uuid="late")
    assert node.jobs == ["-ERR DESTINATION_OUT_OF_ORDER\n"]
    assert (answers, node.ended) == ([], 0)
