"""HEARTBEAT: what a node says of its own load, every 20 seconds. Pure."""

from __future__ import annotations

from simulator.session_limits import Admission
from simulator.status_texts import spelled_duration

SOURCE = ("switch_core.c", "send_heartbeat", 95)


def heartbeat_headers(admission: Admission, sessions: int, uptime: float) -> list[tuple[str, str]]:
    """The headers after the first thirteen; `sessions` are those that exist now, `uptime` is in seconds."""
    headers = {
        "Event-Info": "System Ready" if admission.ready else "System Paused",
        "Up-Time": spelled_duration(uptime),
        "FreeSWITCH-Version": "1.11.3-dev+simulator~64bit",
        "Uptime-msec": int(uptime * 1_000),
        "Session-Count": sessions,
        "Max-Sessions": admission.max_sessions,
        "Session-Per-Sec": admission.left,
        "Session-Per-Sec-Last": admission.last_sps,
        "Session-Per-Sec-Max": admission.peak_sps,
        "Session-Per-Sec-FiveMin": admission.five_minute_peak(),
        "Session-Since-Startup": admission.sessions_since_startup,
        "Session-Peak-Max": admission.peak_sessions,
        "Session-Peak-FiveMin": admission.peak_sessions,
        "Idle-CPU": "95.000000",
    }
    return [(name, str(value)) for name, value in headers.items()]
