"""What the board's screenshots show, and a tenant whose every name would do something where a page let it: the same
rows and times each time."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from campaigns.window_waits import Wait
from limits.caps import InUse, Usage, WayUsage
from limits.limiter import Limiter
from models import new_id
from settings import NodeSettings
from tests.integration.api.site import OTHER, TENANT, Site
from tests.integration.web import hostile

NOW = datetime(2026, 11, 30, 14, 2, 58, tzinfo=UTC)
"""The moment of the pictures: two minutes past nine in New York."""
WORKDAYS = ["mon", "tue", "wed", "thu", "fri"]
HOURS = [{"from": "09:00", "to": "20:00", "days": WORKDAYS}]
PEOPLE = (
    ("Ada Byron", "+12025550101"), ("Grace Hopper", "+12025550102"), ("Siobhán O’Neill", "+12025550110"),
    ("Edsger D.", "+12025550103"), ("Li (Home)", "+12025550123"), ("Annie Easley", "+12025550131"),
    ("Mary Jackson", "+12025550140"), ("Katherine J.", "+12025550141"), ("Alan M.", "+12025550142"),
    ("Hedy L.", "+12025550143"), ("Радia Перlman", "+12025550144"), ("Barbara L.", "+12025550145"),
)  # fmt: skip
ENDS = (
    ("answered", "NORMAL_CLEARING", 200, 41), ("busy", "USER_BUSY", 486, None),
    ("answered", "NORMAL_CLEARING", 200, 38), ("invalid", "UNALLOCATED_NUMBER", 404, None),
    ("no_answer", "NO_ANSWER", 480, None), ("gateway_fault", "NORMAL_TEMPORARY_FAILURE", 503, None),
    ("answered", "NORMAL_CLEARING", 200, 62), ("answered", "NORMAL_CLEARING", 200, 12),
    ("rejected", "CALL_REJECTED", 603, None), ("answered", "NORMAL_CLEARING", 200, 75),
    ("unreachable", "SUBSCRIBER_ABSENT", 480, None), ("answered", "NORMAL_CLEARING", 200, 33),
)  # fmt: skip
PHRASES = {200: "OK", 404: "Not Found", 480: "Temporarily Unavailable", 486: "Busy Here",
           503: "Service Unavailable", 603: "Decline"}  # fmt: skip
End = tuple[str, str, int, int | None]
"""Disposition, cause, SIP status, seconds of talk."""
OUTCOMES = {"answered": 6412, "no_answer": 1288, "busy": 1100, "invalid": 356, "unreachable": 214,
            "gateway_fault": 118, "rejected": 73}  # fmt: skip
AGENTS = {
    "Front desk": {"type": "bridge", "queue": "desk"},
    "Survey": {"type": "socket", "host": "ai.example", "port": 9000},
}
COUNTS = {
    "pending": 12_699,
    "originated": 61,
    "connected": 31,
    "completed": 6412,
    "failed": 771,
    "cancelled": 26,
}


@dataclass(frozen=True, slots=True)
class Seeded:
    """The ids of what was put there."""

    running: str
    over: str
    person: str
    addressed: dict[str, list[str]]
    """What stands in the addresses of the tenant's pages."""
    hostile: dict[str, list[str]]
    """Likewise of the other tenant, that wrote what it could."""


class Living:
    """Dialers that live, and say what they see of two nodes."""

    def leases(self, dialer_ids: Collection[str]) -> dict[str, float]:
        """So long each may still send."""
        return dict.fromkeys(dialer_ids, 4.6)

    def alive(self) -> dict[str, Any]:
        """By their ids."""
        return {
            "dialer-a": {"nodes": [_node("fs1", 47, 20.1), _node("fs2", 45, 19.5)]},
            "dialer-b": {"nodes": [_node("fs1", 0, 0.0), _node("fs2", 0, 0.0)]},
        }


def _node(name: str, calls: int, rate: float) -> dict[str, Any]:
    return {
        "name": name, "source": "environment", "address": f"{name}.example:8021", "connected": True,
        "core_uuid": None, "calls": calls, "calls_per_second": rate, "lag_ms": 3, "sessions": calls,
        "max_sessions": 1000, "idle_cpu": 71.0, "last_error": None, "error_since": None, "unanswered": 0,
    }  # fmt: skip


def seed(site: Site) -> Seeded:
    """Put everything there."""
    site.sql("UPDATE tenant SET name = 'Acme Clinics', created_at = %s WHERE id = %s", NOW, TENANT)
    site.sql("UPDATE gateway SET name = 'east', cps = 60, channels = 200")
    west = new_id()
    site.sql(
        "INSERT INTO gateway (id, name, dial_string, cps, channels) VALUES (%s, 'west', 'x', 40, 100)", west
    )
    said = {"type": "playback", "say": {"text": "Hello {first_name}, see you on {appointment}."}}
    site.sql("UPDATE agent SET name = 'Reminder', action = %s::jsonb", orjson.dumps(said).decode())
    for name, action in AGENTS.items():
        site.sql(
            "INSERT INTO agent (id, tenant_id, name, action) VALUES (%s, %s, %s, %s::jsonb)",
            new_id(), TENANT, name, orjson.dumps(action).decode())  # fmt: skip
    over = _over(site)
    _others(site)
    running = _running(site, west)
    for number, why in (("+12025550177", "Asked by phone"), ("+12025550178", "Asked for it in writing")):
        site.post("/suppressions", json={"number": number, "source": "phone", "reason": why})
    premium = {"prefix": "+1900", "source": "policy", "reason": "Premium rate"}
    site.post("/suppressions", json=premium)
    site.sql("UPDATE suppression SET created_at = %s, created_by = 'maria'", NOW - timedelta(days=2))
    site.sql("UPDATE api_key SET created_at = %s", NOW - timedelta(days=20))
    site.sql(
        "UPDATE call_limits SET concurrent_max = 400, calls_per_minute = 6000 WHERE tenant_id = %s", TENANT
    )
    (person,) = site.sql(
        "SELECT id::text AS id FROM contact WHERE campaign_id = %s AND position = 2", running
    )
    named = {"campaign_id": [running, over], "contact_id": [person["id"]]} | _named(site, TENANT)
    _hostile(site)
    theirs = site.sql("SELECT id::text AS id, campaign_id::text AS campaign_id FROM contact WHERE campaign_id IN"
                      " (SELECT id FROM campaign WHERE tenant_id = %s)", OTHER)  # fmt: skip
    addressed = {"campaign_id": [theirs[0]["campaign_id"]], "contact_id": [one["id"] for one in theirs]}
    for status, cause, calls in (
        (0, "", 3388),
        (503, "NORMAL_TEMPORARY_FAILURE", 10),
        (403, "CALL_REJECTED", 2),
    ):
        site.sql(
            "INSERT INTO gateway_count VALUES (now(), %s, 'dialer-a', %s, %s, %s)", west, status, cause, calls
        )
    found = Seeded(running, over, person["id"], named, addressed | _named(site, OTHER))
    site.sql(
        "INSERT INTO dialer (id, started_at, settled_at, heir) VALUES ('dialer-a', %s, NULL, NULL),"
        " ('dialer-b', %s, NULL, NULL), ('dialer-0', %s, %s, 'dialer-a') ON CONFLICT (id) DO NOTHING",
        *(NOW - timedelta(minutes=ago) for ago in (360, 5, 370, 4)))  # fmt: skip
    nodes = [NodeSettings(name, f"{name}.example", 8021, "x", 25, 200) for name in ("fs1", "fs2")]
    site.use(membership=Living(), settings=replace(site.services.settings, nodes=tuple(nodes)))
    _examined(site)
    _reported(site, running, west)
    return found


def _reported(site: Site, campaign_id: str, gateway_id: Any) -> None:
    """A week's calls, as reports count them: at noon and in the evening people pick up, on Sundays few are called."""
    for hours in range(1, 7 * 24):
        at = NOW.replace(minute=0, second=0) - timedelta(hours=hours)
        if not 12 <= at.hour < 24:
            continue
        calls = (60 if at.weekday() >= 5 else 240) - 7 * abs(at.hour - 17)
        percent = 22 + 14 * (at.hour in (16, 17, 22, 23)) + (3 * at.hour + 5 * at.weekday()) % 11
        answered = calls * percent // 100
        for disposition, number in (("answered", answered), ("no_answer", calls - answered)):
            site.sql(
                "INSERT INTO report_change (n, tenant_id, campaign_id, quarter, gateway_id, caller_id, prefix,"
                " disposition, attempt, placed, picked_up, seconds, pdd, ring, length)"
                " VALUES (%s, %s, %s, %s, %s, '+12025550199', '+1202', %s, 1, true, %s, 48, 4, 5, 12)",
                number, TENANT, campaign_id, at, gateway_id, disposition, disposition == "answered")  # fmt: skip


def _examined(site: Site) -> None:
    """What the doctor found: nothing at one node, a gateway that is down at the other."""
    seen = NOW - timedelta(minutes=2)
    site.sql(
        "INSERT INTO node_examination (node, dialer_id, ended_at) VALUES ('fs1', 'dialer-a', %s),"
        " ('fs2', 'dialer-b', %s) ON CONFLICT DO NOTHING", seen, seen)  # fmt: skip
    site.sql(
        "INSERT INTO node_finding (node, code, subject, sentence, since, seen_at)"
        " VALUES ('fs2', 'gateway_down', 'west', %s, %s, %s) ON CONFLICT DO NOTHING",
        "the gateway west is DOWN. Look at: sofia status gateway west.",
        NOW - timedelta(minutes=47), seen)  # fmt: skip


def in_use(_: Limiter, tenants: Sequence[str], gateways: Sequence[str] = (), *__: object) -> InUse:
    """What the limiter counts, in the place of its own: always the same."""
    ways = [WayUsage(61, 40), WayUsage(31, 0)]
    return InUse(
        {one: Usage(92, 2380, 9573, 252_690) if one == TENANT else Usage(0, 0, 0, 0) for one in tenants},
        {one: ways[number % 2] for number, one in enumerate(gateways)},
        {},
    )


def waits(campaigns: Sequence[uuid.UUID], *_: int) -> Mapping[uuid.UUID, list[Wait]]:
    """Who waits for the hours of the one campaign that is outside them: always the same."""
    at = NOW.replace(hour=16, minute=0, second=0, microsecond=0)
    one: Wait = {"time_zones": ["America/Denver"], "opens_at": at, "contacts": 40, "more": False}
    return {campaign_id: [one] for campaign_id in campaigns}


def _named(site: Site, tenant: str) -> dict[str, list[str]]:
    """What else stands in the addresses of a tenant's pages; somebody's data is being erased."""
    erasure = site.post("/privacy/erase", tenant=tenant, role="admin", json={"number": "+12025550169"}).json[
        "id"
    ]
    entries = site.get("/suppressions", tenant=tenant, role="admin").json["suppressions"]
    site.sql("UPDATE suppression SET created_at = %s WHERE created_at > %s", NOW - timedelta(days=1), NOW)
    agents = site.get("/agents", tenant=tenant).json["agents"]
    gateways = site.get("/gateways", tenant=tenant).json["gateways"]
    entry = next(one["id"] for one in entries if not one["erased"])
    (call,) = site.sql(
        "SELECT id::text AS id FROM call WHERE tenant_id = %s AND state = 'ended' ORDER BY id LIMIT 1", tenant
    )
    return {
        "tenant_id": [tenant],
        "suppression_id": [entry],
        "erasure_id": [erasure],
        "agent_id": [agents[0]["id"]],
        "gateway_id": [gateways[0]["id"]],
        "call_id": [call["id"]],
    }


def _list(people: int) -> str:
    rows = [f"{number},{name},Tuesday {9 + place}:00" for place, (name, number) in enumerate(PEOPLE)]
    rows += [f"+1202556{place:04},Person {place},Friday 9:00" for place in range(people - len(rows))]
    return "phone_number,first_name,appointment\n" + "\n".join(rows) + "\n"


def _made(site: Site, name: str, people: int, minutes_ago: float, **changes: Any) -> str:
    made = site.post("/campaigns", data=site.form(_list(people), name=name, **changes))
    assert made.status_code == 201, made.text
    campaign_id: str = made.json["id"]
    at = NOW - timedelta(minutes=minutes_ago)
    site.sql("UPDATE campaign SET created_at = %s, created_by = 'maria' WHERE id = %s", at, campaign_id)
    site.sql(
        "UPDATE contact SET created_at = %s, updated_at = %s WHERE campaign_id = %s", at, at, campaign_id
    )
    return campaign_id


def _counts(site: Site, campaign_id: str, counts: dict[str, int], outcomes: dict[str, int]) -> None:
    names = ", ".join(f"{name} = %s" for name in counts)
    site.sql(f"UPDATE campaign_count SET {names} WHERE campaign_id = %s", *counts.values(), campaign_id)
    for disposition, calls in outcomes.items():
        site.sql(
            "INSERT INTO call_count (tenant_id, campaign_id, day, disposition, calls, sent, seconds)"
            " VALUES (%s, %s, %s, %s, %s, 0, 0)", TENANT, campaign_id, NOW.date(), disposition, calls)  # fmt: skip


def _log(
    site: Site, campaign_id: str, *entries: tuple[float, str | None, str, str | None, dict[str, Any]]
) -> None:
    site.sql("ALTER TABLE campaign_log DISABLE TRIGGER USER")
    site.sql("DELETE FROM campaign_log WHERE campaign_id = %s", campaign_id)
    for minutes_ago, by, action, reason, details in entries:
        at, told = NOW - timedelta(minutes=minutes_ago), orjson.dumps(details).decode()
        site.sql(
            "INSERT INTO campaign_log (campaign_id, at, by, action, reason, details)"
            " VALUES (%s, %s, %s, %s, %s, %s)", campaign_id, at, by, action, reason, told)  # fmt: skip
    site.sql("ALTER TABLE campaign_log ENABLE TRIGGER USER")


def _running(site: Site, gateway_id: Any) -> str:
    """In the middle of its list, at the cap of a gateway."""
    campaign_id = _made(site, "November reminders", 300, 22, max_concurrent_calls=100, retries_per_contact=2,
                        windows=orjson.dumps(HOURS).decode(), time_zone="America/New_York")  # fmt: skip
    site.sql(
        "UPDATE campaign SET status = 'running', started_at = %s, version = 1, generation = 1, weight = 2,"
        " import_rows = 20245, import_accepted = 20000, import_invalid = 214, import_suppressed = 31,"
        " blocked_reason = 'gateway_cps', blocked_since = %s WHERE id = %s",
        NOW - timedelta(minutes=3), NOW - timedelta(seconds=30), campaign_id)  # fmt: skip
    _counts(site, campaign_id, COUNTS, OUTCOMES)
    for place, end in enumerate(ENDS, 1):
        _call(site, campaign_id, place, gateway_id, end)
    # Those that ring, at the head of every list whenever somebody looks.
    site.sql(
        "INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, state, generation, phone_number, caller_id,"
        " gateway_id, node, dialer_id, sent_by, created_at)"
        " SELECT gen_random_uuid(), %s, campaign_id, id, 1, 'ringing', 1, phone_number, '+12025550199', %s, 'fs1',"
        " 'd1', 'd1', '2100-01-01' FROM contact WHERE campaign_id = %s AND position BETWEEN 51 AND 248",
        TENANT, gateway_id, campaign_id)  # fmt: skip
    site.sql("UPDATE contact SET status = 'pending', disposition = 'busy', attempts = 1, last_cause = 'USER_BUSY',"
             " next_attempt_at = %s, updated_at = %s WHERE campaign_id = %s AND position = 2",
             NOW + timedelta(minutes=5), NOW, campaign_id)  # fmt: skip
    site.sql(
        "UPDATE call SET retry_seconds = 300 WHERE campaign_id = %s AND disposition = 'busy'", campaign_id
    )
    for version, minutes, status in ((1, 20, "cancelled"), (2, 19, "pending")):
        site.sql(
            "INSERT INTO transition (campaign_id, contact_id, version, status, owner, published, by, at)"
            " SELECT campaign_id, id, %s, %s, 'web', true, 'maria', %s FROM contact"
            " WHERE campaign_id = %s AND position = 2",
            version, status, NOW - timedelta(minutes=minutes), campaign_id)  # fmt: skip
    caps = {"changes": {"max_concurrent_calls": [60, 100]}}
    _log(site, campaign_id, (22, "maria", "created", None, {}), (10, "maria", "changed", None, caps),
         (3, "maria", "started", None, {}), (2, None, "held", "gateway_paused", {}),
         (1.4, None, "let_go", "gateway_paused", {}))  # fmt: skip
    return campaign_id


def _call(site: Site, campaign_id: str, place: int, gateway_id: Any, end: End) -> None:
    """The call to the contact at this place of the list, and how it ended."""
    disposition, cause, sip, talk = end
    ended = NOW - timedelta(seconds=0.3 * place)
    answered = ended - timedelta(seconds=talk) if talk else None
    begun = (answered or ended) - timedelta(seconds=5)
    rang = begun + timedelta(seconds=1.2) if sip in (200, 480, 486) else None
    charged = None if disposition == "gateway_fault" else 1
    site.sql(
        "INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, attempt, state, generation, phone_number,"
        " caller_id, gateway_id, node, dialer_id, sent_by, created_at, sent_at, ring_at, answered_at, ended_at,"
        " disposition, cause, q850, sip_status, sip_phrase, hung_up_by, billsec, pdd_ms, ring_ms)"
        " SELECT %s, %s, campaign_id, id, 1, %s, 'ended', 1, phone_number, '+12025550199', %s, %s, 'd1', 'd1',"
        " %s, %s, %s, %s, %s, %s, %s, 16, %s, %s, 'remote', %s, 1200, 3800"
        " FROM contact WHERE campaign_id = %s AND position = %s",
        new_id(), TENANT, charged, gateway_id, f"fs{1 + place % 2}", begun, begun, rang, answered, ended, disposition,
        cause, sip, PHRASES[sip], talk, campaign_id, place)  # fmt: skip


def _over(site: Site) -> str:
    campaign_id = _made(site, "October recall", 12, 6000)
    at = NOW - timedelta(days=4)
    site.sql("UPDATE campaign SET status = 'completed', started_at = %s, completed_at = %s, end_reason = 'exhausted',"
             " version = 2, generation = 2 WHERE id = %s", at, at + timedelta(hours=3), campaign_id)  # fmt: skip
    site.sql(
        "UPDATE contact SET attempts = 1, status = CASE WHEN position IN (2, 3) THEN 'failed' ELSE 'completed' END,"
        " disposition = CASE WHEN position IN (2, 3) THEN 'busy' ELSE 'answered' END WHERE campaign_id = %s",
        campaign_id)  # fmt: skip
    counts = {"pending": 0, "completed": 10, "failed": 2}
    _counts(site, campaign_id, counts, {"answered": 10, "busy": 2})
    _log(site, campaign_id, (6000, "maria", "created", None, {}), (5760, None, "started", "schedule", {}),
         (5580, None, "completed", "exhausted", {}))  # fmt: skip
    return campaign_id


def _others(site: Site) -> None:
    """Campaigns in other states."""
    waiting = _made(
        site, "Flu season, Denver", 40, 90, windows=orjson.dumps(HOURS).decode(), time_zone="America/Denver"
    )
    site.sql("UPDATE campaign SET status = 'running', started_at = %s, version = 1, generation = 1,"
             " blocked_reason = 'window', blocked_since = %s, next_action_at = %s WHERE id = %s",
             NOW, NOW, NOW.replace(hour=16, minute=0, second=0), waiting)  # fmt: skip
    paused = _made(site, "Payment follow-up", 80, 150)
    site.sql(
        "UPDATE campaign SET status = 'paused', started_at = %s, version = 2, generation = 2"
        " WHERE id = %s", NOW, paused)  # fmt: skip
    _counts(
        site,
        paused,
        {"pending": 52, "completed": 22, "failed": 6},
        {"answered": 22, "busy": 9, "no_answer": 14},
    )
    later = _made(site, "Survey, December", 60, 200)
    site.sql("UPDATE campaign SET status = 'scheduled', scheduled_at = %s WHERE id = %s",
             NOW + timedelta(hours=20), later)  # fmt: skip
    _made(site, "New patients", 25, 1)


def _hostile(site: Site) -> None:
    """Another tenant, that has written what it could wherever it may."""
    name, agent_id, number_id = hostile.NAME, new_id(), new_id()
    site.sql(
        "INSERT INTO agent (id, tenant_id, name, action) VALUES (%s, %s, %s, '{\"type\": \"park\"}')",
        agent_id, OTHER, name)  # fmt: skip
    site.sql(
        "INSERT INTO phone_number (id, tenant_id, e164, gateway_id)"
        " SELECT %s, %s, '+12025550188', id FROM gateway LIMIT 1", number_id, OTHER)  # fmt: skip
    header, cell = hostile.COLUMN.replace('"', '""'), name.replace('"', '""')
    lines = [f'phone_number,"{header}",first_name']
    lines += [f'{number},"{cell}","{cell}"' for number in ("+12025550101", "+12025550102", "12")]
    fields = {"name": name, "agent_id": agent_id, "phone_number_id": number_id, "retries_per_contact": 1}
    made = site.post("/campaigns", tenant=OTHER, data=site.form("\n".join(lines), **fields))
    assert made.status_code == 201, made.text
    campaign_id: str = made.json["id"]
    site.sql(
        "UPDATE campaign SET status = 'running', started_at = %s, version = 1, generation = 1, created_by = %s"
        " WHERE id = %s", NOW, name, campaign_id)  # fmt: skip
    site.sql("UPDATE contact SET last_cause = %s WHERE campaign_id = %s", name, campaign_id)
    say = {"text": name, "voice": name}
    said, message = (orjson.dumps(one).decode() for one in ({"type": "playback", "say": say}, {"say": say}))
    site.sql(
        "UPDATE agent SET action = %s::jsonb, safe_harbour = %s::jsonb, variables = %s::jsonb, held_at = %s,"
        " held_reason = %s WHERE id = %s",
        said, message, orjson.dumps([hostile.COLUMN]).decode(), NOW, name, agent_id)  # fmt: skip
    site.sql(
        "INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, attempt, state, generation, phone_number,"
        " caller_id, gateway_id, node, dialer_id, sent_by, created_at, ended_at, disposition, cause, sip_phrase,"
        " sip_status) SELECT %s, %s, campaign_id, id, 1, 1, 'ended', 1, phone_number, '+12025550188', %s, 'fs1',"
        " 'd1', 'd1', %s, %s, 'rejected', %s, %s, 603 FROM contact WHERE campaign_id = %s ORDER BY position LIMIT 1",
        new_id(), OTHER, new_id(), NOW, NOW, name, name, campaign_id)  # fmt: skip
    causes = orjson.dumps([{"cause": name, "sip_status": 603, "calls": 20}]).decode()
    site.sql(
        "INSERT INTO breaker (id, gateway_id, prefix, caller_id, top_causes, probe_at)"
        " VALUES (%s, '', '', '+12025550188', %s::jsonb, %s)", new_id(), causes, NOW)  # fmt: skip
    changes = {"changes": {"name": [name, name], name: [name, name]}}
    _log(site, campaign_id, *[(1.0, name, word, name, changes) for word in ("changed", "held", name)])
    entry = {"number": "+12025550123", "source": name[:40], "reason": name}
    assert site.post("/suppressions", tenant=OTHER, json=entry).status_code == 201
    site.sql("UPDATE api_key SET name = %s WHERE tenant_id = %s", name, OTHER)
    site.sql("UPDATE tenant SET name = %s WHERE id = %s", name, OTHER)
