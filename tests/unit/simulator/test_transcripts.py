"""The simulated node against recordings of a real one: replies, events, their order, names and values.

Of what is compared is left out, with its reason: CODEC, CALL_UPDATE and CHANNEL_UUID (media and transfer details no
dialer reads), HEARTBEAT and RE_SCHEDULE (the recorded node's own timetable), the place of API and BACKGROUND_JOB in
a channel's events (the real one gives no order either), and the order of the variables within an event (the real one
moves a variable to the end whenever it sets it again). `PARTLY` names the replies, and `NOT_COMPARED` the recordings,
that are left out.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict

import pytest

from tests.unit.simulator.replay import Event, anonymous, decode, replay, transcripts

LEFT_OUT = {"CODEC", "CALL_UPDATE", "CHANNEL_UUID", "HEARTBEAT", "RE_SCHEDULE"}
CALLS = [name for name in transcripts() if re.match(r"1[0-9]_call|2[01246]_call", name)]
NOT_COMPARED = {
    "03_userauth": "nobody logs in as a user of the directory",
    "25_call_loopback_park_json": "loopback makes two channels of a call, and is not dialled",
    "25_call_loopback_park_plain": "as above",
    "45_myevents_sendmsg": "myevents, linger and divert_events belong to a client that controls one session",
    "50_press1_dtmf_playback": "nobody presses a key of a simulated phone",
    "51_fs_to_fs_bridge": "bridges of two legs that were dialled apart are not simulated",
    "55_shutdown_sigterm": "the process ends: tests/integration/simulator/test_ends.py",
    "56_shutdown_api": "as above",
    "57_shutdown_asap": "as above",
    "58_sigkill": "the process ends: tests/integration/simulator/test_faults.py",
    "60_log_levels": "the log of a simulated node is not sent",
    "62_early_media_job_ok": "the recorded client was slower than its calls, which a replay by the clock is not",
    "68_dup_uuid_null": "loopback is not dialled",
    "69_slow_reader_calls": "only part of its traffic was recorded",
}
"""Recordings with the reason why they are not replayed."""
PARTLY = {
    # The disconnection for 25 s without a password is the server's: tests/integration/simulator/test_socket.py.
    "02_auth_wrong": r"disconnect-notice",
    # What profiles, gateways and modules are configured with; a simulated node says yes to every module.
    "04_api_basics": r"\tType\t|\n=====|<gateway>|USAGE: |\n\n(true|false)\Z",
    "05_unknown": r"Events Enabled|aready enabled",
    # The reply that the real one cut, with the blank line that its next frame then lacked.
    "30_bgapi_job_uuid": r"BACKGROUND_JOB",
    "41_injection": r"\A\Z",
    # Keys that are pressed, and the columns that tell what a channel hears and says.
    "42_uuid_commands": r"CHANNEL_DATA|row_count",
    # How many calls a `limit` counts now.
    "43_limit_hash": r"\n\n<number>|\n\nL/",
    "48_encoding": r"CHANNEL_DATA|event-xml",
    "63_kill_race": r"\A\Z",
    # What `show` says a moment after a change.
    "64_show_channels_lag": r" total\.",
}
"""Recordings whose replies are compared, but for those that match, on either side, and those to commands that a
simulated node does not have; their events are not: they tell of applications that are not simulated, or of races."""
NOT_SIMULATED = r"ommand not found"
DIALOGUES = sorted(transcripts().keys() - {*CALLS, *NOT_COMPARED, *PARTLY})

# Made up anew for each call or each node; that they are there is compared, not what they say.
VOLATILE = re.compile(
    r"Core-UUID|FreeSWITCH-.*|Event-Date-.*|Event-Sequence|Application-UUID|Task-.*|.*-Time|Event-Info|Up-Time|"
    r"variable_(session_id|local_media_port|rtp_local_sdp_str|sip_full_(via|from|to)|sip_recover_via|sip_(to|from)_tag|"
    r"sip_cseq|sip_call_id|rtp_use_ssrc|.*_u?epoch|.*_stamp|.*usec|uduration|rtp_audio_in_skip_packet_count|"
    r"sip_destination_url|sip_req_uri|sip_to_host|sip_from_host)"
)
# Durations differ by the recorded node's own latency.
DURATIONS = re.compile(r"variable_(.*sec|m?duration)")


# What a node says of itself: how long it has been up, its name and addresses, its version, the lengths that follow.
OF_THE_NODE = [
    (re.compile(r"Content-Length: \d+\n"), ""),
    (re.compile(r"\n\n\d+\n?\Z"), "\n\n<number>"),
    (re.compile(r"\nUP .*", re.DOTALL), "\n<status>"),
    (re.compile(r"FreeSWITCH Version .*"), "<version>"),
    (re.compile(r"\b(vm|host|simulator)\b"), "<host>"),
    (re.compile(r"192\.0\.2\.2|127\.0\.0\.1"), "<address>"),
    (re.compile(r"fd00(%3A%3A|::)2|(%3A%3A|::)1\b"), "<address>"),
    (re.compile(r"(Core-UUID(\": ?\"|: |>))core"), r"\1<uuid>"),
]


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
        if event.get("Event-Name") == "BACKGROUND_JOB"
        and not event.body.startswith(("UP ", "FreeSWITCH Version"))
    )


def replies(frames: list[bytes]) -> list[str]:
    """Everything that is no event, but for what a node says of itself. The lengths were used to cut the frames."""
    texts = [anonymous(frame.decode("utf-8", "replace")) for frame in frames if decode(frame) is None]
    for pattern, text in OF_THE_NODE:
        texts = [pattern.sub(text, said) for said in texts]
    return texts


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


@pytest.mark.parametrize(("name", "left_out"), PARTLY.items())
def test_a_dialogue_has_the_recorded_replies_but_for_what_is_not_simulated(name: str, left_out: str) -> None:
    result = replay(transcripts()[name])
    compared = 0
    for connection, frames in result.recorded.items():
        ours = replies(result.simulated[connection])
        for recorded, simulated in zip(replies(frames), ours, strict=False):
            if not any(re.search(f"{left_out}|{NOT_SIMULATED}", text) for text in (recorded, simulated)):
                assert simulated == recorded
                compared += 1
    assert compared >= 5


def test_every_recording_that_is_left_out_exists() -> None:
    assert {*NOT_COMPARED, *PARTLY} <= transcripts().keys()
