"""What the running campaigns need to be dialled: read together, once a second and when a bell rings.

A plan is a snapshot; what must hold at the moment of a call (the campaign runs, nobody halted the tenant) is
asked again by the claim and by the sender's guard.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models import db, rows


@dataclass(frozen=True, slots=True)
class Plan:
    """One running campaign with its agent, caller id, trunk and caps; `halted` when its tenant may not call.

    `gateways` are the dial strings, by id, of every gateway that the tenant may bridge to. `gateway_faults` are those
    of its own trunk in a row; a paused one may be probed with one call when `gateway_probe_due`.
    """

    campaign_id: str
    tenant_id: str
    generation: int
    max_concurrent_calls: int
    retries_per_contact: int
    retry_delay_seconds: int
    blocked_reason: str | None
    next_action_at: str | None
    halted: bool
    caller_id: str
    gateway_id: str
    dial_string: str
    gateway_cps: int | None
    gateway_channels: int | None
    action: Mapping[str, Any]
    ring_timeout_seconds: int
    max_call_seconds: int
    variables: tuple[str, ...] | None
    concurrent_max: int | None
    calls_per_minute: int | None
    daily_calls_max: int | None
    daily_minutes_max: int | None
    dialplan_context: str | None
    gateway_ids: tuple[str, ...]
    queues: tuple[str, ...]
    gateways: Mapping[str, str]
    gateway_faults: int = 0
    gateway_paused: bool = False
    gateway_probe_due: bool = False


_RUNNING = """
SELECT campaign.id::text AS campaign_id, campaign.tenant_id, campaign.generation, campaign.max_concurrent_calls,
    campaign.retries_per_contact, campaign.retry_delay_seconds, campaign.blocked_reason,
    to_char(campaign.next_action_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS next_action_at,
    EXISTS (SELECT 1 FROM halt WHERE scope IN ('*', campaign.tenant_id)) AS halted,
    phone_number.e164 AS caller_id, gateway.id::text AS gateway_id, gateway.dial_string,
    gateway.cps AS gateway_cps, gateway.channels AS gateway_channels,
    gateway.faults_in_row AS gateway_faults, gateway.paused_at IS NOT NULL AS gateway_paused,
    coalesce(gateway.probe_at <= now(), false) AS gateway_probe_due,
    agent.action, agent.ring_timeout_seconds, agent.max_call_seconds, agent.variables,
    call_limits.concurrent_max, call_limits.calls_per_minute, call_limits.daily_calls_max,
    call_limits.daily_minutes_max, tenant.dialplan_context, tenant.gateway_ids, tenant.queues
FROM campaign
    JOIN phone_number ON phone_number.id = campaign.phone_number_id
    JOIN gateway ON gateway.id = phone_number.gateway_id
    JOIN agent ON agent.id = campaign.agent_id
    JOIN tenant ON tenant.id = campaign.tenant_id
    LEFT JOIN call_limits ON call_limits.tenant_id = campaign.tenant_id
WHERE campaign.status = 'running' AND campaign.deleted_at IS NULL
ORDER BY campaign.started_at, campaign.id
"""


def running() -> dict[str, Plan]:
    """The plans of all running campaigns, by campaign id."""
    with db.connection_context():
        found = rows(_RUNNING)
        gateways = rows("SELECT id::text AS id, dial_string FROM gateway WHERE deleted_at IS NULL")
    dial_strings = {row["id"]: row["dial_string"] for row in gateways}
    return {row["campaign_id"]: _plan(row, dial_strings) for row in found}


def _plan(row: dict[str, Any], dial_strings: Mapping[str, str]) -> Plan:
    granted = tuple(row.pop("gateway_ids"))
    columns = row.pop("variables")
    return Plan(
        **(row | {"queues": tuple(row["queues"])}),
        variables=None if columns is None else tuple(columns),
        gateway_ids=granted,
        gateways={gateway: dial_strings[gateway] for gateway in granted if gateway in dial_strings},
    )
