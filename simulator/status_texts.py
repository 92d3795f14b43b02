"""Replies of `status`, `uptime`, `show channels` and `sofia status`. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable

from simulator.calls import ANSWERED, EXECUTING, Call
from simulator.render import stamp
from simulator.session_limits import SessionLimits

_RULE = "=" * 97


def spelled_duration(seconds: float) -> str:
    """`0 years, 0 days, 0 hours, 1 minute, 26 seconds, 607 milliseconds, 853 microseconds`."""
    whole = int(seconds)
    micro = int((seconds - whole) * 1e6)
    amounts = [
        (whole // 31_536_000, "year"),
        (whole // 86_400 % 365, "day"),
        (whole // 3_600 % 24, "hour"),
        (whole // 60 % 60, "minute"),
        (whole % 60, "second"),
        (micro // 1_000, "millisecond"),
        (micro % 1_000, "microsecond"),
    ]
    return ", ".join(f"{amount} {unit}{'' if amount == 1 else 's'}" for amount, unit in amounts)


def up_time(seconds: float, unit: str) -> str:
    """The `uptime` api: whole seconds, or another unit."""
    divisors = {"": 1.0, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
    divisor = divisors.get(unit.strip())
    return f"{int(seconds / divisor)}\n" if divisor else "-USAGE: [us|ms|s|m|h|d]\n"


def status_text(limits: SessionLimits, sessions: int, uptime: float) -> str:
    """The `status` api; `sessions` are those that exist now."""
    ready = "ready" if limits.ready else "not ready"
    return (
        f"UP {spelled_duration(uptime)}\n"
        f"FreeSWITCH (Version 1.11.3-dev simulator 64bit) is {ready}\n"
        f"{limits.sessions_since_startup} session(s) since startup\n"
        f"{sessions} session(s) - peak {limits.peak_sessions}, last 5min {limits.peak_sessions} \n"
        f"{limits.last_sps} session(s) per Sec out of max {limits.sps}, peak {limits.peak_sps}, "
        f"last 5min {limits.five_minute_peak()} \n"
        f"{limits.max_sessions} session(s) max\n"
        "min idle cpu 0.00/98.53\nCurrent Stack Size/Max 240K/240K\n"
    )


def channels_json(calls: Iterable[Call], hostname: str) -> str:
    """`show channels as json`; without rows the key `rows` is missing."""
    rows = [_row(call, hostname) for call in calls]
    if not rows:
        return '{"row_count": 0}\n'
    return json.dumps({"row_count": len(rows), "rows": rows}, ensure_ascii=False, separators=(",", ":"))


def _row(call: Call, hostname: str) -> dict[str, str]:
    fields = call.fields
    flipped = bool(call.flags & EXECUTING)
    name, number = fields["cid_name"], fields["cid_number"]
    codec = ("PCMU", "8000", "64000") if call.flags & ANSWERED else ("", "", "")
    return {
        "uuid": call.uuid,
        "direction": "outbound",
        "created": stamp(call.created_us // 1_000_000),
        "created_epoch": str(call.created_us // 1_000_000),
        "name": fields["channel"],
        "state": fields["state"],
        "cid_name": "Outbound Call" if flipped else name,
        "cid_num": call.number if flipped else number,
        "ip_addr": "",
        "dest": call.number,
        "application": fields["application"],
        "application_data": fields.get("application_data", ""),
        "dialplan": "",
        "context": "default",
        "read_codec": codec[0],
        "read_rate": codec[1],
        "read_bit_rate": codec[2],
        "write_codec": codec[0],
        "write_rate": codec[1],
        "write_bit_rate": codec[2],
        "secure": "",
        "hostname": hostname,
        "presence_id": "",
        "presence_data": "",
        "accountcode": "",
        "callstate": fields["call_state"],
        "callee_name": name if flipped else "Outbound Call",
        "callee_num": number if flipped else call.number,
        "callee_direction": "RECV" if flipped else "",
        "call_uuid": call.uuid,
        "sent_callee_name": "",
        "sent_callee_num": "",
        "initial_cid_name": name,
        "initial_cid_num": number,
        "initial_ip_addr": "",
        "initial_dest": call.number,
        "initial_dialplan": "",
        "initial_context": "default",
    }


def sofia_status(gateways: Collection[str], sessions: int) -> str:
    """`sofia status`."""
    lines = [
        f"{'Name':>25}\t{'Type':>7}\t{'Data':>42}\tState",
        _RULE,
        f"{'external':>25}\t{'profile':>7}\t{'sip:mod_sofia@127.0.0.1:5080':>42}\tRUNNING ({sessions})",
    ]
    lines += [
        f"{'external::' + name:>25}\t{'gateway':>7}\t{'sip:dialer@127.0.0.1:5090':>42}\tNOREG"
        for name in sorted(gateways)
    ]
    lines += [_RULE, "1 profile 0 aliases", ""]
    return "\n".join(lines) + "\n"


def gateway_lines(name: str, *, up: bool) -> str:
    """`sofia status gateway NAME`."""
    pairs = {
        "Name": name,
        "Profile": "external",
        "Scheme": "Digest",
        "Realm": "127.0.0.1:5090",
        "Username": "dialer",
        "From": "<sip:dialer@127.0.0.1:5090>",
        "Proxy": "sip:127.0.0.1:5090",
        "PingFreq": "25",
        "State": "NOREG",
        "Status": "UP" if up else "DOWN",
    }
    return "\n".join([_RULE, *(f"{key:<8}\t{value}" for key, value in pairs.items()), _RULE]) + "\n"
