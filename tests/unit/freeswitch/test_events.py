"""The records of events: how a call ended as the headers of its end say it, and what of them may be hostile."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeswitch.causes import HANGUP_CAUSES
from freeswitch.events import (
    ChannelEvent,
    ChannelEventKind,
    Heartbeat,
    JobResult,
    Shutdown,
    channel_from_dump,
    event_from_json,
)
from freeswitch.hangup import Hangup, hangup_from_variables
from freeswitch.protocol import FrameDecoder, decode_json
from tests.unit.freeswitch.samples import CALL, CORE, DIALER, START_US, at, channel, hangup, job
from tests.unit.freeswitch.transcripts import recordings, server_streams


def hangup_of(event: dict[str, Any]) -> Hangup:
    record = event_from_json(event)
    assert isinstance(record, ChannelEvent)
    assert record.hangup is not None
    return record.hangup


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("CHANNEL_CREATE", ChannelEventKind.CREATED),
        ("CHANNEL_PROGRESS", ChannelEventKind.PROGRESS),
        ("CHANNEL_PROGRESS_MEDIA", ChannelEventKind.PROGRESS_MEDIA),
        ("CHANNEL_ANSWER", ChannelEventKind.ANSWERED),
    ],
)
def test_each_moment_of_a_call_has_a_kind(name: str, kind: ChannelEventKind) -> None:
    assert event_from_json(channel(name)) == ChannelEvent(kind, CALL, CORE, START_US + 5_540_060, DIALER)


def test_a_channel_of_somebody_else_has_no_dialer() -> None:
    event = channel("CHANNEL_CREATE")
    del event["variable_dialer_id"]
    record = event_from_json(event)
    assert isinstance(record, ChannelEvent)
    assert record.dialer_id is None


def test_an_answered_call_that_the_far_end_cleared() -> None:
    result = hangup_of(
        hangup(
            "NORMAL_CLEARING",
            16,
            **at("progress", 20),
            **at("answer", 1520),
            sip_term_status="200",
            sip_hangup_disposition="recv_bye",
            sip_reason='Q.850;cause=16;text="NORMAL_CLEARING"',
            billsec="4",
            billmsec="4020",
        )
    )
    assert result == Hangup(
        cause="NORMAL_CLEARING",
        q850=16,
        sip_status=200,
        sip_phrase=None,
        sip_reason='Q.850;cause=16;text="NORMAL_CLEARING"',
        sip_603plus_reason=None,
        hung_up_by="remote",
        answered=True,
        progress=True,
        billsec=4,
        billmsec=4020,
        duration_ms=5540,
        pdd_ms=20,
        ring_ms=1500,
        gateway="carrier",
        alert_ms=20,
    )


CONNECTS = {"dialer_connect": "true", **at("answer", 20)}


@pytest.mark.parametrize(
    ("variables", "abandoned"),
    [
        (CONNECTS | {"dialer_abandoned": "true", "sip_hangup_disposition": "send_bye"}, True),
        (CONNECTS | {"dialer_abandoned": "true", "sip_hangup_disposition": "recv_bye"}, True),
        (CONNECTS | {"sip_hangup_disposition": "send_bye"}, True),
        (CONNECTS | {"sip_hangup_disposition": "recv_bye"}, False),
        (CONNECTS | {"sip_hangup_disposition": "send_bye", **at("bridge", 900)}, False),
        (CONNECTS | {"sip_hangup_disposition": "send_bye", "conference_member_id": "7"}, False),
        (CONNECTS | {"sip_hangup_disposition": "send_bye", "conference_member_id": "0"}, True),
        (at("answer", 20) | {"sip_hangup_disposition": "send_bye"}, False),
        ({"dialer_connect": "true", "sip_hangup_disposition": "send_cancel"}, False),
    ],
    ids=[
        *(
            "given up",
            "left during the message",
            "cut off by us",
            "left before the deadline",
            "bridged",
            "in a room",
        ),
        *("in no room", "nobody was to join", "never answered"),
    ],
)
def test_a_call_is_abandoned_where_this_side_ended_it_before_anybody_joined(
    variables: dict[str, str], abandoned: bool
) -> None:
    assert hangup_of(hangup("NORMAL_CLEARING", 16, **variables)).abandoned is abandoned


def test_a_call_answered_within_a_second_is_answered_although_billsec_is_zero() -> None:
    result = hangup_of(hangup("NORMAL_CLEARING", 16, **at("answer", 300)))
    assert (result.answered, result.billsec, result.pdd_ms, result.ring_ms) == (True, 0, 300, None)


def test_a_busy_number_never_rang() -> None:
    result = hangup_of(
        hangup(
            "USER_BUSY",
            17,
            sip_term_status="486",
            sip_invite_failure_status="486",
            sip_invite_failure_phrase="Busy Here",
            sip_hangup_disposition="recv_refuse",
        )
    )
    assert (result.sip_status, result.sip_phrase, result.hung_up_by) == (486, "Busy Here", "remote")
    assert (result.answered, result.progress) == (False, False)
    assert (result.pdd_ms, result.ring_ms) == (None, None)


def test_early_media_counts_as_ringing() -> None:
    result = hangup_of(hangup("USER_BUSY", 17, **at("progress_media", 40), sip_term_status="486"))
    assert (result.progress, result.pdd_ms, result.ring_ms) == (True, 40, 5500)


def test_a_redirection_that_is_not_followed_is_the_far_ends_answer_and_no_cancel_of_ours() -> None:
    result = hangup_of(
        hangup(
            "REQUESTED_CHAN_UNAVAIL",
            44,
            proto_specific_hangup_cause="sip:302",
            sip_hangup_disposition="send_cancel",
            sip_invite_failure_status="487",
            sip_invite_failure_phrase="CANCEL",
        )
    )
    assert (result.sip_status, result.sip_phrase, result.hung_up_by) == (302, None, "remote")


def test_our_own_timer_cancels() -> None:
    result = hangup_of(
        hangup(
            "NO_ANSWER",
            19,
            **at("progress", 540),
            sip_invite_failure_status="487",
            sip_invite_failure_phrase="CANCEL",
            sip_hangup_disposition="send_cancel",
        )
    )
    assert (result.sip_status, result.hung_up_by, result.pdd_ms, result.ring_ms) == (487, "us", 540, 5000)


def test_a_status_that_is_not_sip_is_no_sip_status() -> None:
    assert hangup_of(hangup("NORMAL_UNSPECIFIED", 31, sip_term_status="900")).sip_status is None


def test_a_blocked_call_keeps_what_the_carrier_said() -> None:
    result = hangup_of(
        hangup(
            "CALL_REJECTED",
            21,
            sip_603plus_reason="v=analytics1;url=https://redress",
            sip_invite_failure_phrase="Network Blocked",
        )
    )
    assert result.sip_603plus_reason == "v=analytics1;url=https://redress"
    assert result.sip_phrase == "Network Blocked"


@pytest.mark.parametrize(
    ("body", "ok", "text"),
    [
        (f"+OK {CALL}\n", True, CALL),
        ("-ERR USER_BUSY\n", False, "USER_BUSY"),
        ("-ERR originate Command not found!\n", False, "originate Command not found!"),
        ("-USAGE: <call url>\n", False, "-USAGE: <call url>"),
        ("", False, ""),
    ],
)
def test_the_end_of_an_originate_job(body: str, ok: bool, text: str) -> None:
    assert event_from_json(job(f"{DIALER}.{CALL}", body)) == JobResult(CALL, DIALER, ok, text, CORE, START_US)


@pytest.mark.parametrize("job_uuid", ["", CALL, ".x", "d1."])
def test_a_job_that_is_not_an_originate_of_ours_is_none(job_uuid: str) -> None:
    assert event_from_json(job(job_uuid, "+OK x\n")) is None


def test_a_heartbeat() -> None:
    event = {
        "Event-Name": "HEARTBEAT",
        "Core-UUID": CORE,
        "FreeSWITCH-Hostname": "vm",
        "Event-Date-Timestamp": "1795416895014232",
        "Uptime-msec": "819602",
        "Session-Count": "1",
        "Max-Sessions": "5000",
        "Session-Per-Sec": "1999",
        "Session-Per-Sec-Last": "3",
        "Idle-CPU": "91.333333",
    }
    assert event_from_json(event) == Heartbeat(CORE, "vm", 1, 5000, 1999, 91.333333, 1795416895014232)


@pytest.mark.parametrize("idle", ["nan", "inf", "", "a lot"])
def test_an_idle_figure_that_is_no_number_is_zero(idle: str) -> None:
    record = event_from_json({"Event-Name": "HEARTBEAT", "Idle-CPU": idle})
    assert isinstance(record, Heartbeat)
    assert record.idle_cpu == 0.0


def test_a_shutdown() -> None:
    assert event_from_json({"Event-Name": "SHUTDOWN", "Core-UUID": CORE}) == Shutdown(CORE, 0)


@pytest.mark.parametrize("event", [{}, {"Event-Name": "CHANNEL_DESTROY"}, {"Event-Name": ["A"]}])
def test_what_says_nothing_about_us_is_none(event: dict[str, Any]) -> None:
    assert event_from_json(event) is None


def test_a_channel_event_without_an_id_is_none() -> None:
    assert event_from_json({"Event-Name": "CHANNEL_ANSWER"}) is None


names = st.sampled_from(
    [*hangup("X", 1, **at("answer", 1)), "_body", "Job-UUID", "Session-Count", "Idle-CPU", "Uptime-msec"]
)
kinds = st.sampled_from(
    ["CHANNEL_CREATE", "CHANNEL_HANGUP_COMPLETE", "BACKGROUND_JOB", "HEARTBEAT", "SHUTDOWN", "OTHER"]
)
values = st.one_of(st.text(), st.integers().map(str), st.lists(st.text()), st.none())


@given(kinds, st.dictionaries(names, values))
def test_no_value_of_any_header_breaks_the_reading(kind: str, event: dict[str, Any]) -> None:
    event_from_json(event | {"Event-Name": kind})
    channel_from_dump(event)


def dump(**headers: str) -> dict[str, Any]:
    return channel("CHANNEL_DATA") | {
        "Caller-Channel-Created-Time": str(START_US),
        "Caller-Channel-Answered-Time": "0",
        "Caller-Channel-Progress-Time": "0",
        "Caller-Channel-Progress-Media-Time": "0",
        "Answer-State": "ringing",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }


def test_a_live_channel_that_is_still_silent() -> None:
    live = channel_from_dump(dump())
    assert live is not None
    assert (live.call_id, live.dialer_id, live.core_uuid, live.gateway) == (CALL, DIALER, CORE, "carrier")
    assert (live.answered, live.progress, live.ended) == (False, False, False)
    assert (live.age_ms, live.answered_ms_ago) == (5540, None)


def test_a_live_channel_that_was_answered() -> None:
    live = channel_from_dump(
        dump(
            Caller_Channel_Answered_Time=str(START_US + 1_540_060),
            Caller_Channel_Progress_Media_Time=str(START_US + 20_000),
            Answer_State="answered",
        )
    )
    assert live is not None
    assert (live.answered, live.progress, live.answered_ms_ago) == (True, True, 4000)


def test_a_channel_that_is_being_torn_down_has_ended() -> None:
    live = channel_from_dump(dump(Answer_State="hangup"))
    assert live is not None
    assert live.ended


def test_an_answer_without_a_channel_is_none() -> None:
    assert channel_from_dump({"row_count": 0}) is None


def test_the_causes_have_their_numbers() -> None:
    assert HANGUP_CAUSES["USER_BUSY"] == 17
    assert HANGUP_CAUSES["ALLOTTED_TIMEOUT"] == 802
    assert HANGUP_CAUSES["UNWANTED"] == 819


def test_every_recorded_event_makes_a_sound_record() -> None:
    hangups: list[Hangup] = []
    kinds_seen = set()
    for path in recordings():
        if path.name.startswith(("30_", "46_")):
            continue
        for stream in server_streams(path).values():
            for frame in FrameDecoder().feed(stream):
                if frame.content_type != "text/event-json":
                    continue
                record = event_from_json(decode_json(frame.body))
                if isinstance(record, ChannelEvent):
                    kinds_seen.add(record.kind)
                    if record.hangup is not None:
                        hangups.append(record.hangup)
                elif isinstance(record, Heartbeat):
                    assert record.max_sessions == 5000
    assert kinds_seen == set(ChannelEventKind)
    assert len(hangups) > 100
    for item in hangups:
        assert item.cause in HANGUP_CAUSES
        assert item.q850 == (code if (code := HANGUP_CAUSES[item.cause]) <= 127 else 16)
        assert item.pdd_ms is None or item.pdd_ms <= item.duration_ms
        assert item.ring_ms is None or item.progress
    assert {item.sip_status for item in hangups} >= {None, 200, 404, 486, 487}
    assert {item.hung_up_by for item in hangups} == {None, "us", "remote"}


@pytest.mark.parametrize(
    ("variables", "no_codec"),
    [
        ({"endpoint_disposition": "NO CODECS"}, True),
        ({"endpoint_disposition": "CODEC NEGOTIATION ERROR"}, True),
        # Behind a 183 a node that has no port says so too, and has agreed on a codec.
        ({"endpoint_disposition": "CODEC NEGOTIATION ERROR", "rtp_use_codec_name": "PCMU"}, False),
        ({"rtp_use_codec_name": "PCMU"}, False),
        ({}, False),
    ],
)
def test_a_codec_that_is_not_in_common_is_told_from_a_missing_port(
    variables: dict[str, str], no_codec: bool
) -> None:
    hangup = hangup_from_variables({"hangup_cause": "INCOMPATIBLE_DESTINATION", **variables})
    assert hangup is not None
    assert hangup.no_codec == no_codec


@pytest.mark.parametrize(
    ("variables", "invited"),
    [
        ({"sip_gateway_name": "carrier"}, False),
        ({"sip_gateway_name": "carrier", "sip_req_uri": "+12125550107@127.0.0.1:5190"}, True),
        ({"sip_gateway_name": "carrier", "sip_invite_failure_status": "503"}, True),
        ({"sip_gateway_name": "carrier", "sip_hangup_disposition": "send_cancel"}, True),
        ({}, True),
    ],
)
def test_whether_an_invite_left_is_told_by_what_it_leaves_behind(
    variables: dict[str, str], invited: bool
) -> None:
    hangup = hangup_from_variables({"hangup_cause": "DESTINATION_OUT_OF_ORDER", **variables})
    assert hangup is not None
    assert hangup.invited == invited
