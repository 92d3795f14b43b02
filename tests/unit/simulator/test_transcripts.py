"""The simulated node against recordings of a real one: replies, events, their order, names and values.

What is left out, with its reason: CODEC, CALL_UPDATE and CHANNEL_UUID (media and transfer details no dialer reads),
HEARTBEAT and RE_SCHEDULE (the recorded node's own timetable), the place of API and BACKGROUND_JOB among a
channel's events (the real one gives no order either), and the order of the variables within an event (the real one
moves a variable to the end whenever it sets it again).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict

import pytest

from tests.unit.simulator.replay import Event, anonymous, decode, replay, transcripts

LEFT_OUT = {"CODEC", "CALL_UPDATE", "CHANNEL_UUID", "HEARTBEAT", "RE_SCHEDULE"}
CALLS = [name for name in transcripts() if re.match(r"1[0-9]_call|2[0-2]_call", name)]
DIALOGUES = [
    "01_auth_ok",
    "31_bgapi_other_conn",
    "32_bgapi_conn_closed",
    "35_fsctl_pause",
    "36_dup_origination_uuid",
    "34_max_sessions_exceeded",
    "37_originate_errors",
    "46_sendevent_custom",
    "33_sps_exceeded",
    "40_escape_enc3",
    "40_escape_quoted",
    "40_escape_caret_tilde_quoted",
    "67_timeouts_gateway_hole",
    "65_originate_timeout_accuracy",
    "47_expansion",
    "44_filters",
]

# Made up anew for each call or each node; that they are there is compared, not what they say.
VOLATILE = re.compile(
    r"Core-UUID|FreeSWITCH-.*|Event-Date-.*|Event-Sequence|Application-UUID|Task-.*|.*-Time|Event-Info|Up-Time|"
    r"variable_(session_id|local_media_port|rtp_local_sdp_str|sip_full_(via|from|to)|sip_recover_via|sip_(to|from)_tag|"
    r"sip_cseq|sip_call_id|rtp_use_ssrc|.*_u?epoch|.*_stamp|.*usec|uduration|rtp_audio_in_skip_packet_count|"
    r"sip_destination_url|sip_req_uri|sip_to_host|sip_from_host)"
)
# Durations differ by the recorded node's own latency.
DURATIONS = re.compile(r"variable_(.*sec|m?duration)")


def events(frames: list[bytes]) -> list[Event]:
    found = [event for frame in frames if (event := decode(frame)) is not None]
    return [event for event in found if event.get("Event-Name") not in LEFT_OUT]


def by_channel(found: list[Event]) -> list[list[Event]]:
    """The events of each channel, in order; channels in order of their first event."""
    channels: dict[str, list[Event]] = defaultdict(list)
    for event in found:
        if event.get("Unique-ID"):
            channels[event.get("Unique-ID")].append(event)
    return list(channels.values())


def jobs(found: list[Event]) -> Counter[tuple[str, str]]:
    return Counter(
        (anonymous(event.get("Job-UUID")), anonymous(event.body))
        for event in found
        if event.get("Event-Name") == "BACKGROUND_JOB" and not event.body.startswith("UP ")
    )


def replies(frames: list[bytes]) -> list[str]:
    """Everything that is no event; a status text differs by nature."""
    texts = [anonymous(frame.decode("utf-8", "replace")) for frame in frames if decode(frame) is None]
    return [re.sub(r"Content-Length: \d+\n\nUP .*", "status", text, flags=re.DOTALL) for text in texts]


def assert_alike(recorded: Event, simulated: Event) -> None:
    """The same headers as often and, variables aside, in the same order; the same values but for what is volatile."""
    names = [[name for name, _ in event.headers] for event in (recorded, simulated)]
    assert Counter(names[1]) == Counter(names[0])
    plain = [[name for name in found if not name.startswith("variable_")] for found in names]
    assert plain[1] == plain[0]
    ours = dict(simulated.headers)
    for name, value in recorded.headers:
        if VOLATILE.fullmatch(name):
            continue
        match = DURATIONS.fullmatch(name)
        if match is None:
            assert anonymous(ours[name]) == anonymous(value), name
        else:
            allowed = 90 if "msec" in name or "mduration" in name else 1
            assert abs(int(value) - int(ours[name])) <= allowed, name


@pytest.mark.parametrize("name", CALLS)
def test_a_call_has_the_recorded_events_headers_and_values(name: str) -> None:
    result = replay(transcripts()[name])
    recorded, simulated = events(result.recorded[1]), events(result.simulated[1])
    assert jobs(simulated) == jobs(recorded)
    (ours,), (theirs,) = by_channel(simulated), by_channel(recorded)
    assert [event.get("Event-Name") for event in ours] == [event.get("Event-Name") for event in theirs]
    for event, counterpart in zip(theirs, ours, strict=True):
        assert_alike(event, counterpart)


@pytest.mark.parametrize("name", DIALOGUES)
def test_a_dialogue_has_the_recorded_replies_and_events(name: str) -> None:
    result = replay(transcripts()[name])
    for connection, frames in result.recorded.items():
        ours = result.simulated[connection]
        # A client that closed first never saw what was on its way.
        wanted = replies(frames)
        assert replies(ours)[: len(wanted)] == wanted
        assert jobs(events(ours)) == jobs(events(frames))
        summary = [
            [[event.get("Event-Name") for event in channel] for channel in by_channel(events(side))]
            for side in (frames, ours)
        ]
        assert sorted(summary[1]) == sorted(summary[0])
