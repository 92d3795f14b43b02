"""The field values of a channel's events that are set once: those of its first moment, and the times of its CDR.

Pure. Moments are microseconds since the epoch as the call reports them, 0 for one that never came.
"""

from __future__ import annotations

from typing import NamedTuple

from simulator.render import escape, stamp

TICK_MICROSECONDS = 20_000
_DIGITS = "23456789ABCDEFGHJKLMNPQRSTUVXYZabcdefghjkmnpqrstuvxyz"
_EMPTY = {
    "state": "CS_NONE",
    "state_number": "0",
    "call_state": "DOWN",
    "call_state_number": "0",
    "answer_state": "ringing",
    **dict.fromkeys(("answered", "bridged", "bridge_epoch", "progress", "progress_media", "hangup"), "0"),
    **dict.fromkeys(("now_local", "now_gmt", "now_us", "sequence", "late_j"), ""),
    **dict.fromkeys(("application", "application_j", "application_uuid", "application_uuid_j"), ""),
}


def first_fields(
    uuid: str,
    number: str,
    gateway: str,
    *,
    endpoint: str,
    caller: tuple[str, str],
    session: int,
    created_us: int,
    early_media_wins: bool,
) -> dict[str, str]:
    """Every field of a channel that has just been made; `caller` is its name and number."""
    channel = f"sofia/external/{number}" if endpoint == "sofia" else f"{endpoint}/{number}"
    foreign = {
        "uuid": uuid,
        "number": number,
        "gateway": gateway,
        "channel": channel,
        "cid_name": caller[0],
        "cid_number": caller[1] or "0000000000",
    }
    return {
        **_EMPTY,
        **foreign,
        **{f"{name}_j": escape(value) for name, value in foreign.items()},
        **_sip_fields(session, created_us),
        "endpoint": endpoint,
        "early_ok": "true" if early_media_wins else "false",
        "created": str(created_us),
    }


def _sip_fields(session: int, created_us: int) -> dict[str, str]:
    """What a SIP stack would draw for a dialog, made from the session's number."""
    tag = _tag(session)
    return {
        "session": str(session),
        "port": str(20_000 + session * 2 % 10_000),
        "sdp": str(179_539_000 + session % 1_000),
        "branch": f"mg{tag}X",
        "from_tag": f"F{tag}K",
        "to_tag": f"25160T{session}",
        "cseq": str(123_154_000 + session),
        "call_id": f"{session:08x}-61ac-1240-76be-{int(created_us / 1e6):012x}",
        "ssrc": str(4_279_000_000 + session % 10_000_000),
    }


class CallTimes(NamedTuple):
    """The moments of a call that is over."""

    created: int
    progress: int
    media: int
    answered: int
    ended: int


def final_fields(times: CallTimes) -> dict[str, str]:
    """What a call knows only at its end: the times of its CDR."""
    start, end, answered = times.created, times.ended, times.answered
    moments = {"answer": answered, "progress": times.progress, "progress_media": times.media}
    fields = {"hangup": str(end)}
    for name, moment in {"start": start, "end": end, **moments}.items():
        fields[f"{name}_epoch"] = str(moment // 1_000_000)
        if moment:
            fields[f"{name}_stamp"] = stamp(moment // 1_000_000)
    for name, moment in moments.items():
        fields |= _spans(f"{name}sec", f"{name}msec", f"{name}usec", start, moment or start)
    fields |= _spans("duration", "mduration", "uduration", start, end)
    fields |= _spans("billsec", "billmsec", "billusec", answered or end, end)
    fields |= _spans("flow_billsec", "flow_billmsec", "flow_billusec", start if answered else end, end)
    fields["skipped"] = str((end - (times.media or answered or end)) // TICK_MICROSECONDS)
    return fields


def _spans(seconds: str, milliseconds: str, microseconds: str, start: int, end: int) -> dict[str, str]:
    # Differences of whole epochs, as recorded: 2.999985 s across three ticks of the second is 3.
    return {
        seconds: str(end // 1_000_000 - start // 1_000_000),
        milliseconds: str(end // 1_000 - start // 1_000),
        microseconds: str(end - start),
    }


def _tag(session: int) -> str:
    value = session * 2_654_435_761 % 0x7FFF_FFFF_FFFF + 0x1000_0000
    text = ""
    while value:
        value, digit = divmod(value, len(_DIGITS))
        text += _DIGITS[digit]
    return text
