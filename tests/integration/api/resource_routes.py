"""Every route of the platform's and tenants' resources, with a request that succeeds, as the tests walk them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from models import new_id
from settings import nodes_from
from tests.integration.api.site import Site

NOBODY = "019ab0c4-7d2e-7b10-9c55-2f0f4b1a6a01"
NODES = nodes_from("esl://:s3cret@127.0.0.1:8021?name=fs1&cps=20&channels=500")


@dataclass(frozen=True, slots=True)
class Route:
    """One route: who may ask, a good request, its status; `tables` that it needs, and `what` its path names."""

    method: str
    path: str
    role: str
    status: int
    body: Mapping[str, Any] | None = None
    tables: tuple[str, ...] = ()
    what: str = ""
    creates: bool = False

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


AGENT = {"name": "Desk", "action": {"type": "echo"}}
NUMBER = {"e164": "+14155550111", "gateway_id": "{gateway}"}
GATEWAY = {"name": "second", "dial_string": "sofia/gateway/second/{{number}}"}
NODE = {"name": "fs2", "host": "fs2.example.com", "password": "s3cret", "channels": 500}
SUPPRESSION = {"number": "+14155550123", "source": "phone"}
LIMITS = {"concurrent_max": 1, "calls_per_minute": 2, "daily_calls_max": None, "daily_minutes_max": 0}
TENANT = {"id": "new", "name": "New", "gateway_ids": ["{gateway}"], "queues": ["support@default"]}

ROUTES = [
    Route("GET", "/agents", "read", 200, tables=("agent",)),
    Route("POST", "/agents", "admin", 201, AGENT, tables=("agent", "tenant"), creates=True),
    Route("GET", "/agents/{agent}", "read", 200, tables=("agent",), what="Agent"),
    Route("PATCH", "/agents/{agent}", "admin", 200, {"name": "Desk"}, tables=("agent",), what="Agent"),
    Route("DELETE", "/agents/{agent}", "admin", 204, tables=("agent", "campaign"), what="Agent"),
    Route("GET", "/phone-numbers", "read", 200, tables=("phone_number",)),
    Route(
        "POST", "/phone-numbers", "platform", 201, NUMBER, tables=("phone_number", "gateway"), creates=True
    ),
    Route("GET", "/phone-numbers/{number}", "read", 200, tables=("phone_number",), what="Phone number"),
    Route(
        "PATCH",
        "/phone-numbers/{number}",
        "platform",
        200,
        {"outbound_enabled": False, "agent_id": "{agent}"},
        tables=("phone_number", "agent"),
        what="Phone number",
    ),
    Route(
        "DELETE",
        "/phone-numbers/{number}",
        "platform",
        204,
        tables=("phone_number", "campaign"),
        what="Phone number",
    ),
    Route("GET", "/call-limits", "read", 200, tables=("call_limits",)),
    Route("PUT", "/call-limits", "platform", 200, LIMITS, tables=("call_limits",)),
    Route("GET", "/defaults", "read", 200, tables=("tenant",)),
    Route(
        "PATCH",
        "/defaults",
        "admin",
        200,
        {"default_max_concurrent_calls": 1},
        tables=("tenant", "call_limits"),
    ),
    Route("GET", "/policy-packs", "read", 200),
    Route("GET", "/test-numbers", "read", 200, tables=("tenant",)),
    Route("PUT", "/test-numbers", "admin", 200, {"test_numbers": ["+14155550123"]}, tables=("tenant",)),
    Route("GET", "/calls", "read", 200, tables=("call",)),
    Route("GET", "/calls/{call}", "read", 200, tables=("call",), what="Call"),
    Route("GET", "/reports/hours", "read", 200, tables=("report_total",)),
    Route("GET", "/reports/gateways", "read", 200, tables=("report_route",)),
    Route("GET", "/reports/caller-ids", "read", 200, tables=("report_route",)),
    Route("GET", "/reports/prefixes", "read", 200, tables=("report_route",)),
    Route("GET", "/reports/distributions", "read", 200, tables=("report_total",)),
    Route("GET", "/reports/short-calls", "read", 200, tables=("report_route",)),
    Route("GET", "/reports/attempts", "read", 200, tables=("report_outcome",)),
    Route("GET", "/reports/uncounted", "read", 200, tables=("report_outcome",)),
    Route("GET", "/reports/abandon-rate", "read", 200, tables=("report_total",)),
    Route("GET", "/reports/penetration", "read", 200, tables=("report_outcome",)),
    Route("GET", "/suppressions", "read", 200, tables=("suppression",)),
    Route("POST", "/suppressions", "operate", 201, SUPPRESSION, tables=("suppression",)),
    Route(
        "GET",
        "/suppressions/{suppression}",
        "read",
        200,
        tables=("suppression",),
        what="Suppression",
    ),
    Route(
        "DELETE",
        "/suppressions/{suppression}",
        "operate",
        204,
        tables=("suppression",),
        what="Suppression",
    ),
    Route(
        "POST",
        "/privacy/erase",
        "admin",
        202,
        {"number": "+14155550123"},
        tables=("erasure", "suppression"),
    ),
    Route("GET", "/privacy/erasures/{erasure}", "admin", 200, tables=("erasure",), what="Erasure"),
    Route("GET", "/api-keys", "admin", 200, tables=("api_key",)),
    Route("POST", "/api-keys", "admin", 201, {"name": "crm", "role": "operate"}, tables=("api_key",)),
    Route("DELETE", "/api-keys/{key}", "admin", 204, tables=("api_key",), what="API key"),
    Route("GET", "/gateways", "operate", 200, tables=("gateway",)),
    Route("POST", "/gateways", "platform", 201, GATEWAY, tables=("gateway",), creates=True),
    Route("GET", "/gateways/{spare}", "operate", 200, tables=("gateway",), what="Gateway"),
    Route("PATCH", "/gateways/{spare}", "platform", 200, {"cps": 5}, tables=("gateway",), what="Gateway"),
    Route("POST", "/gateways/{spare}/resume", "platform", 200, tables=("gateway",), what="Gateway"),
    Route("GET", "/gateways/{spare}/log", "platform", 200, tables=("gateway", "gateway_log"), what="Gateway"),
    Route("DELETE", "/gateways/{spare}", "platform", 204, tables=("gateway", "phone_number"), what="Gateway"),
    Route("GET", "/nodes", "operate", 200, tables=("node", "node_drain")),
    Route("GET", "/dialers", "platform", 200, tables=("dialer",)),
    Route("GET", "/usage", "platform", 200, tables=("tenant", "gateway")),
    Route("POST", "/nodes", "platform", 201, NODE, tables=("node",), creates=True),
    Route("GET", "/nodes/fs1", "operate", 200, tables=("node", "node_drain"), what="Node"),
    Route(
        "PATCH", "/nodes/{node}", "platform", 200, {"weight": 2}, tables=("node", "node_drain"), what="Node"
    ),
    Route(
        "DELETE",
        "/nodes/{node}",
        "platform",
        204,
        tables=("node", "node_drain", "node_examination", "call"),
        what="Node",
    ),
    Route("POST", "/nodes/fs1/drain", "platform", 200, tables=("node_drain",), what="Node"),
    Route("POST", "/nodes/{node}/undrain", "platform", 200, tables=("node", "node_drain"), what="Node"),
    Route("GET", "/tenants", "platform", 200, tables=("tenant",)),
    Route(
        "POST", "/tenants", "platform", 201, TENANT, tables=("tenant", "call_limits", "gateway"), creates=True
    ),
    Route("GET", "/tenants/{tenant}", "platform", 200, tables=("tenant",), what="Tenant"),
    Route("PATCH", "/tenants/{tenant}", "platform", 200, {"queues": []}, tables=("tenant",), what="Tenant"),
    Route(
        "DELETE", "/tenants/{tenant}", "platform", 204, tables=("tenant", "campaign", "agent"), what="Tenant"
    ),
]


def of_a_tenant(route: Route) -> bool:
    """Whether the route names one thing of a tenant by its id."""
    return any(
        f"{{{name}}}" in route.path for name in ("agent", "number", "call", "key", "suppression", "erasure")
    )


def with_ids(route: Route, ids: Mapping[str, str]) -> tuple[str, Any]:
    """The route's path and body with the ids of what is there."""
    return route.path.format_map(ids), _filled(route.body, ids)


def _filled(value: Any, ids: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return value.format_map(ids)
    if isinstance(value, list):
        return [_filled(item, ids) for item in value]
    if isinstance(value, Mapping):
        return {name: _filled(item, ids) for name, item in value.items()}
    return value


def create_one_of_each(site: Site) -> dict[str, str]:
    """One more of everything, no part of which is used by another but the number's gateway; their ids."""
    site.use(settings=replace(site.services.settings, nodes=NODES))
    spare, agent, number, key = (str(new_id()) for _ in range(4))
    (row,) = site.sql(
        "SELECT gateway_id::text AS id, (SELECT count(*) FROM tenant) AS count FROM phone_number WHERE id = %s",
        site.phone_number_id,
    )
    tenant, e164 = f"tenant-{row['count']}", f"+1415555{2000 + row['count']}"
    site.sql(
        "INSERT INTO gateway (id, name, dial_string) VALUES (%s, %s, 'sofia/gateway/spare/{number}')",
        spare,
        spare,
    )
    site.sql(
        "INSERT INTO agent (id, tenant_id, name, action) VALUES (%s, 'demo', 'spare', '{\"type\": \"park\"}')",
        agent,
    )
    site.sql(
        "INSERT INTO phone_number (id, tenant_id, e164, gateway_id) VALUES (%s, 'demo', %s, %s)",
        number,
        e164,
        row["id"],
    )
    site.sql(
        "INSERT INTO api_key (id, tenant_id, name, role, digest, prefix)"
        " VALUES (%s, 'demo', 'spare', 'read', %s, 'sk')",
        key,
        key,
    )
    site.sql(
        "INSERT INTO node (id, name, host, port, password, cps, weight) VALUES (%s, %s, %s, 8021, 's3cret', 10, 1)",
        key,
        f"n{key}",
        f"{key}.example.com",
    )
    site.sql(
        "INSERT INTO suppression (id, scope, number, source, created_by) VALUES (%s, 'demo', %s, 'test', 'test')",
        key,
        e164,
    )
    site.sql(
        "INSERT INTO erasure (id, tenant_id, number, created_by) VALUES (%s, 'demo', %s, 'test')", key, e164
    )
    site.sql("INSERT INTO tenant (id, name) VALUES (%s, 'Acme')", tenant)
    site.sql("INSERT INTO call_limits (tenant_id) VALUES (%s)", tenant)
    ids = {
        "gateway": row["id"],
        "spare": spare,
        "agent": agent,
        "number": number,
        "key": key,
        "tenant": tenant,
        "node": f"n{key}",
        "suppression": key,
        "erasure": key,
    }
    return ids | {"call": call_of(site, site.create(1))}


def call_of(site: Site, campaign_id: str, **columns: Any) -> str:
    """A call to the first contact of a campaign, written by SQL as a dialer would; its id."""
    call_id = str(new_id())
    (contact,) = site.sql(
        "SELECT id, phone_number FROM contact WHERE campaign_id = %s AND position = 1", campaign_id
    )
    values = {
        "id": call_id,
        "tenant_id": "demo",
        "campaign_id": campaign_id,
        "contact_id": contact["id"],
        "seq": 1,
        "generation": 1,
        "phone_number": contact["phone_number"],
        "caller_id": "+14155550100",
        "gateway_id": NOBODY,
        "node": "fs1",
        "dialer_id": "d0192f3a4b5c6",
        "sent_by": "d0192f3a4b5c6",
    } | columns
    marks = ", ".join(["%s"] * len(values))
    site.sql(f"INSERT INTO call ({', '.join(values)}) VALUES ({marks})", *values.values())
    return call_id
