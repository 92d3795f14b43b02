"""What is read of an event's bytes makes the same record as reading all of them, and no value passes for a header."""

from __future__ import annotations

import orjson
import pytest

from freeswitch.decoding import decode_event
from freeswitch.events import ChannelEvent, ChannelEventKind, event_from_json
from freeswitch.protocol import FrameDecoder, ProtocolError, decode_json
from tests.unit.freeswitch.samples import CALL, CORE, DIALER, START_US, channel, hangup, job
from tests.unit.freeswitch.transcripts import recordings, server_streams


def test_every_recorded_event_makes_the_record_that_reading_all_of_it_makes() -> None:
    seen = set()
    for path in recordings():
        if path.name.startswith("30_"):
            continue
        for stream in server_streams(path).values():
            for frame in FrameDecoder().feed(stream):
                if frame.content_type == "text/event-json":
                    whole = event_from_json(decode_json(frame.body))
                    if isinstance(whole, ChannelEvent) and whole.hangup is None:
                        whole = whole._replace(dialer_id=None)
                    assert decode_event(frame.body) == whole, path.name
                    seen.add(type(whole).__name__)
    assert seen >= {"ChannelEvent", "Heartbeat", "NoneType"}


def test_an_event_that_nobody_needs_is_not_read() -> None:
    assert decode_event(b'{"Event-Name":"CHANNEL_PARK","Unique-ID') is None


def test_the_variables_of_a_channel_that_goes_on_are_not_read() -> None:
    body = orjson.dumps(channel("CHANNEL_ANSWER"))
    expected = ChannelEvent(ChannelEventKind.ANSWERED, CALL, CORE, START_US + 5_540_060, None)
    assert decode_event(body) == expected
    assert decode_event(body[: body.index(b'"variable_dialer_id')] + b'"variable_x') == expected


def test_what_looks_like_a_variable_within_a_value_cuts_nothing_off() -> None:
    event = {"Event-Name": "CHANNEL_CREATE", "Caller-Name": 'x","variable_y":"', "Unique-ID": CALL}
    assert decode_event(orjson.dumps(event)) == event_from_json(event)


@pytest.mark.parametrize("event", [hangup("USER_BUSY", 17), job(f"{DIALER}.{CALL}", "-ERR USER_BUSY\n")])
def test_the_end_of_a_channel_and_of_a_job_is_read_whole(event: dict[str, str]) -> None:
    assert decode_event(orjson.dumps(event)) == event_from_json(event)


def test_an_event_that_does_not_begin_with_its_name_is_read_whole() -> None:
    event = hangup("USER_BUSY", 17)
    event["Event-Name"] = event.pop("Event-Name")
    assert decode_event(orjson.dumps(event)) == event_from_json(event)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"Event-Name":"SHUTDOWN"'])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_event(body)


REPEATED = [
    ("Event-Name", "CHANNEL_HANGUP_COMPLETE"),
    ("Unique-ID", "forged"),
    ("Core-UUID", "forged"),
    ("Event-Date-Timestamp", "1"),
    ("Hangup-Cause", "CALL_REJECTED"),
    ("variable_hangup_cause_q850", "21"),
    ("variable_dialer_id", "forged"),
]


@pytest.mark.parametrize("name", ["CHANNEL_CREATE", "CHANNEL_ANSWER", "CHANNEL_HANGUP_COMPLETE"])
@pytest.mark.parametrize("again", REPEATED)
def test_a_key_repeated_behind_the_first_changes_nothing(name: str, again: tuple[str, str]) -> None:
    event = hangup("USER_BUSY", 17)
    body = orjson.dumps({"Event-Name": name, "Hangup-Cause": event.pop("Hangup-Cause")} | event)
    body = body.replace(b"CHANNEL_HANGUP_COMPLETE", name.encode(), 1)
    assert decode_event(body[:-1] + b"," + orjson.dumps(dict([again]))[1:]) == decode_event(body)


@pytest.mark.parametrize("key", ["Unique-ID", "Core-UUID", "Event-Date-Timestamp", "Hangup-Cause"])
@pytest.mark.parametrize("value", [None, "", 'a"b', ["a"]])
@pytest.mark.parametrize("name", ["CHANNEL_CREATE", "CHANNEL_HANGUP_COMPLETE"])
def test_a_header_that_is_not_written_as_it_is_makes_what_reading_all_of_it_makes(
    name: str, key: str, value: object
) -> None:
    sample = hangup("USER_BUSY", 17) | {"Event-Name": name, key: value}
    event = dict(sorted(sample.items(), key=lambda item: item[0].startswith("variable_")))
    if value is None:
        del event[key]
    both = [decode_event(orjson.dumps(event)), event_from_json(event)]
    record, whole = (one._replace(dialer_id=None) if isinstance(one, ChannelEvent) else one for one in both)
    assert record == whole


def test_a_name_repeated_behind_the_first_changes_nothing() -> None:
    body = orjson.dumps(channel("CHANNEL_CREATE"))[:-1] + b',"Event-Name":"CHANNEL_HANGUP_COMPLETE"}'
    record = decode_event(body)
    assert isinstance(record, ChannelEvent)
    assert record.kind is ChannelEventKind.CREATED
