"""HEARTBEAT: what a node says of its own load, every 20 seconds. Pure."""

from __future__ import annotations

from simulator.session_limits import SessionLimits
from simulator.status_texts import spelled_duration

SOURCE = ("switch_core.c", "send_heartbeat", 95)


def heartbeat_headers(limits: SessionLimits, sessions: int, uptime: float) -> list[tuple[str, str]]:
    """The headers after the first thirteen; `sessions` are those that exist now, `uptime` is in seconds."""
    headers = {
        "Event-Info": "System Ready" if limits.ready else "System Paused",
        "Up-Time": spelled_duration(uptime),
        "FreeSWITCH-Version": "1.11.3-dev+simulator~64bit",
        "Uptime-msec": int(uptime * 1_000),
        "Session-Count": sessions,
        "Max-Sessions": limits.max_sessions,
        "Session-Per-Sec": limits.left,
        "Session-Per-Sec-Last": limits.last_sps,
        "Session-Per-Sec-Max": limits.peak_sps,
        "Session-Per-Sec-FiveMin": limits.five_minute_peak(),
        "Session-Since-Startup": limits.sessions_since_startup,
        "Session-Peak-Max": limits.peak_sessions,
        "Session-Peak-FiveMin": limits.peak_sessions,
        "Idle-CPU": "95.000000",
    }
    return [(name, str(value)) for name, value in headers.items()]
