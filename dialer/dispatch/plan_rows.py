"""Reads the plans of the running campaigns from their rows, and the version of what these rows say.

The version is looked at once a second and on a control message; the rows are read when it is another one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from campaigns import policy_choice
from campaigns.policies import NumberLimits
from campaigns.retry_rules import RetryTerms, retry_rules
from dialer.dispatch import number_memory
from dialer.dispatch.plans import GatewayPlan, Plan, caps_of
from dialer.dispatch.second_legs import BridgeGateway, divided
from dialer.holds import SECOND_LEG_SECONDS, Hold, HoldKind, PrefixPause
from limits.caps import NumberCaps
from models import CallerIdFormat, CallerIdHeader, db, rows

_OF_RUNNING = """
FROM campaign
    JOIN phone_number ON phone_number.id = campaign.phone_number_id
    JOIN gateway ON gateway.id = phone_number.gateway_id
    JOIN agent ON agent.id = campaign.agent_id
    JOIN tenant ON tenant.id = campaign.tenant_id
    LEFT JOIN call_limits ON call_limits.tenant_id = campaign.tenant_id
    LEFT JOIN campaign_ramp AS ramp
        ON campaign.slow_start AND ramp.campaign_id = campaign.id AND ramp.generation = campaign.generation
WHERE campaign.status = 'running' AND campaign.deleted_at IS NULL
"""
_PLACES = """(
        SELECT jsonb_agg(DISTINCT zone.places) FROM campaign_zone AS zone WHERE zone.campaign_id = campaign.id)"""
_RUNNING = f"""
SELECT campaign.id::text AS campaign_id, campaign.tenant_id, campaign.generation, campaign.max_concurrent_calls,
    campaign.retries_per_contact, campaign.retry_delay_seconds, campaign.retry_rules, campaign.weight,
    campaign.blocked_reason,
    campaign.breaker_exempt_at IS NOT NULL AS breaker_exempt, campaign.slow_start, campaign.keep_open,
    campaign.single_call, coalesce(call_limits.reserved_concurrency, 0) AS reserved_concurrency,
    ramp.level IS NOT NULL AS has_ramp, coalesce(ramp.level, 0) AS ramp_level,
    to_char(campaign.next_action_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS next_action_at,
    CASE WHEN EXISTS (SELECT 1 FROM halt WHERE scope IN ('*', campaign.tenant_id)) THEN 'halted'
        WHEN agent.deleted_at IS NOT NULL OR agent.held_at IS NOT NULL THEN 'agent'
        WHEN phone_number.deleted_at IS NOT NULL OR NOT phone_number.outbound_enabled THEN 'caller_id' END AS held,
    phone_number.e164 AS caller_id, gateway.id::text AS gateway_id, gateway.failover,
    campaign.import_columns AS columns, campaign.import_region AS region,
    agent.action, agent.safe_harbour, agent.ring_timeout_seconds, agent.max_call_seconds, agent.variables,
    call_limits.concurrent_max, call_limits.calls_per_minute, call_limits.daily_calls_max,
    call_limits.daily_minutes_max, coalesce(call_limits.number_gap_seconds, 0) AS number_gap_seconds,
    call_limits.number_calls_24h, call_limits.number_calls_7d, call_limits.number_calls_30d,
    coalesce(call_limits.xmin::text, '') AS limits_version,
    tenant.dialplan_context, tenant.gateway_ids, tenant.queues,
    tenant.weight AS tenant_weight, campaign.policy_packs, campaign.purpose,
    CASE WHEN campaign.policy_packs = 'on' THEN {_PLACES} END AS places
{_OF_RUNNING}
ORDER BY campaign.started_at, campaign.id
"""
_TERMS = """
SELECT id::text, retries_per_contact, retry_delay_seconds, retry_rules FROM campaign WHERE id = ANY(%s::uuid[])
"""
# When what is held may be probed: by a first leg, and by a second one, which waits for those.
_PROBE_DUE = "coalesce(probe_at <= now(), false)"
_SECOND_DUE = f"coalesce(probe_at <= now() - interval '{SECOND_LEG_SECONDS} s', false)"
_RFC_3339 = """to_char(({}) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
_PROBES = f"""{_PROBE_DUE} AS probe_due, {_SECOND_DUE} AS second_due, {_RFC_3339.format("probe_at")} AS probe_at,
    {_RFC_3339.format(f"probe_at + interval '{SECOND_LEG_SECONDS} s'")} AS second_at"""
_OF_CALLERS = "id IN (SELECT gateway_id FROM phone_number WHERE deleted_at IS NULL)"
_GATEWAYS = f"""
SELECT id::text AS gateway_id, dial_string, cps, channels, prefixes, cost, caller_id_header, caller_id_format,
    faults_in_row AS faults, paused_at IS NOT NULL AS paused, {_PROBES}, paused_alone, failover,
    NOT outbound_enabled AS off, {_OF_CALLERS} AS callers
FROM gateway WHERE deleted_at IS NULL
"""
_OF_PREFIXES = (
    "FROM gateway_prefix WHERE faults_in_row > 0 OR silent_since IS NOT NULL OR paused_at IS NOT NULL"
)
_PREFIXES = f"""
SELECT gateway_id::text, prefix, paused_at IS NOT NULL AS paused, {_PROBES} {_OF_PREFIXES} ORDER BY gateway_id, prefix
"""
_OF_BREAKERS = "FROM breaker WHERE released_at IS NULL"
_BREAKERS = f"""
SELECT id::text AS breaker_id, gateway_id, prefix, caller_id, {_PROBES} {_OF_BREAKERS} ORDER BY id
"""
_OF_BRIDGED = "FROM call WHERE ended_at IS NULL AND second_leg_gateway_id IS NOT NULL"
BRIDGED = f"SELECT DISTINCT second_leg_gateway_id::text AS gateway_id {_OF_BRIDGED}"
"""The gateways by which second legs of calls under way may have left."""
# Of every row of the statements above the transaction that wrote it last, and what they make of the time.
VERSION = f"""(
SELECT md5(concat_ws(' / ',
    (SELECT string_agg(row(campaign.id, campaign.xmin, phone_number.xmin, gateway.xmin, agent.xmin, tenant.xmin,
        call_limits.xmin, ramp.xmin, CASE WHEN campaign.policy_packs = 'on' THEN {_PLACES} END)::text,
        ' ' ORDER BY campaign.id) {_OF_RUNNING}),
    (SELECT string_agg(row(id, xmin, {_PROBE_DUE}, {_SECOND_DUE}, {_OF_CALLERS})::text, ' ' ORDER BY id)
        FROM gateway WHERE deleted_at IS NULL),
    (SELECT string_agg(row(gateway_id, prefix, xmin, {_PROBE_DUE}, {_SECOND_DUE})::text, ' '
        ORDER BY gateway_id, prefix) {_OF_PREFIXES}),
    (SELECT string_agg(row(id, xmin, {_PROBE_DUE}, {_SECOND_DUE})::text, ' ' ORDER BY id) {_OF_BREAKERS}),
    (SELECT string_agg(DISTINCT second_leg_gateway_id::text, ' ') {_OF_BRIDGED}),
    (SELECT string_agg(row(scope)::text, ' ' ORDER BY scope) FROM halt), {number_memory.VERSION}))
)"""
"""Of what `running` reads, a text that is another one whenever that says something else: a part of the statement with
which a dialer looks for that. A thousand plans read each second cost a tenth of a core."""


def running() -> dict[str, Plan]:
    """The plans of all running campaigns, by campaign id."""
    with db.connection_context():
        found = rows(_RUNNING)
        gateways = rows(_GATEWAYS)
        faulty: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in rows(_PREFIXES):
            faulty[row["gateway_id"]].append(row)
        breakers = rows(_BREAKERS)
        # Also of campaigns that run no more: whoever of theirs answers now is still connected.
        bridged = {row["gateway_id"] for row in rows(BRIDGED)}
    bridged |= {str(row["action"].get("gateway_id", "")).strip() for row in found}
    dialled: set[str] = set()
    for row in gateways:
        others = row.pop("failover")
        if row.pop("callers"):
            dialled |= {row["gateway_id"], *others}
    leaving, bridging = {}, {}
    for row in gateways:
        name = row["gateway_id"]
        first, second = divided(row["cps"], dialled=name in dialled, bridged=name in bridged)
        destinations = faulty.get(name, ())
        bridging[name] = _bridge(row, second, destinations)
        leaving[name] = _gateway(row | {"cps": first}, destinations)
    places = {row["campaign_id"]: row.pop("places") or [] for row in found}
    plans = {row["campaign_id"]: _plan(row, leaving, bridging, breakers) for row in found}
    return _remembering(plans, places)


def retry_terms(campaigns: Collection[str]) -> dict[str, RetryTerms]:
    """What campaigns say of retries, running or not."""
    with db.connection_context():
        found = rows(_TERMS, list(campaigns))
    return {
        row["id"]: RetryTerms(
            row["retries_per_contact"], row["retry_delay_seconds"], retry_rules(row["retry_rules"])
        )
        for row in found
    }


def _remembering(plans: dict[str, Plan], places: Mapping[str, Sequence[Sequence[str]]]) -> dict[str, Plan]:
    """The plans, in which all of a tenant know of its calls as far back as packs look for any of them, or did of
    late."""
    asked_for: dict[str, int] = defaultdict(int)
    for name, plan in plans.items():
        if plan.policy is not None:
            asked = [NumberLimits().strictest(plan.policy.demands_on(tuple(some))) for some in places[name]]
            longest = max((caps_of(limits).longest_ms for limits in asked), default=0)
            asked_for[plan.tenant_id] = max(asked_for[plan.tenant_id], longest)
    furthest = number_memory.kept(asked_for)
    return {
        name: replace(plan, number_caps=replace(plan.number_caps, memory_ms=furthest[plan.tenant_id]))
        if furthest.get(plan.tenant_id)
        else plan
        for name, plan in plans.items()
    }


def _bridge(row: Mapping[str, Any], cps: int | None, faulty: Sequence[dict[str, Any]]) -> BridgeGateway:
    return BridgeGateway(
        row["gateway_id"],
        row["dial_string"],
        tuple(row["prefixes"]),
        row["channels"],
        cps,
        paused=row["paused"],
        probe_due=row["second_due"],
        probe_at=row["second_at"],
        paused_alone=row["paused_alone"],
        pauses=tuple(
            PrefixPause(one["prefix"], one["second_due"], one["second_at"]) for one in faulty if one["paused"]
        ),
        faulty=bool(row["faults"] or faulty),
        off=row["off"],
    )


def _gateway(row: dict[str, Any], faulty: Sequence[dict[str, Any]]) -> GatewayPlan:
    known = {name: value for name, value in row.items() if name not in ("second_due", "second_at")}
    return GatewayPlan(
        **(
            known
            | {
                "prefixes": tuple(row["prefixes"]),
                "caller_id_header": CallerIdHeader(row["caller_id_header"]),
                "caller_id_format": CallerIdFormat(row["caller_id_format"]),
                "faulty": bool(faulty),
                "pauses": tuple(
                    PrefixPause(one["prefix"], one["probe_due"], one["probe_at"])
                    for one in faulty
                    if one["paused"]
                ),
            }
        )
    )


def _breakers(
    row: Mapping[str, Any], leaving: Sequence[str], breakers: Sequence[Mapping[str, Any]]
) -> tuple[Hold, ...]:
    """Those that hold calls of a campaign, which leave by these gateways."""
    if row["breaker_exempt"]:
        return ()
    return tuple(
        Hold(
            HoldKind.BREAKER,
            one["breaker_id"],
            one["prefix"],
            one["probe_due"],
            one["probe_at"],
            one["gateway_id"],
        )
        for one in breakers
        if one["caller_id"] == row["caller_id"] or one["gateway_id"] in leaving
    )


def _second_leg_breakers(row: Mapping[str, Any], breakers: Sequence[Mapping[str, Any]]) -> tuple[Hold, ...]:
    """Those that hold the second legs of a campaign's calls."""
    gateway_id = str(row["action"].get("gateway_id", "")).strip()
    if row["breaker_exempt"] or not gateway_id:
        return ()
    return tuple(
        Hold(
            HoldKind.BREAKER,
            one["breaker_id"],
            one["prefix"],
            one["second_due"],
            one["second_at"],
            gateway_id,
            second_leg=True,
        )
        for one in breakers
        if one["gateway_id"] == gateway_id
    )


def _plan(
    row: dict[str, Any],
    gateways: Mapping[str, GatewayPlan],
    bridging: Mapping[str, BridgeGateway],
    breakers: Sequence[Mapping[str, Any]],
) -> Plan:
    granted = tuple(row.pop("gateway_ids"))
    columns, known = row.pop("variables"), row.pop("columns")
    leaving = [row.pop("gateway_id"), *row.pop("failover")]
    number_caps = NumberCaps(
        row.pop("number_gap_seconds"),
        row.pop("number_calls_24h"),
        row.pop("number_calls_7d"),
        row.pop("number_calls_30d"),
    )
    policy = policy_choice.PolicyChoice(
        row.pop("policy_packs") == policy_choice.ON, row.pop("purpose")
    ).policy
    plan = Plan(
        **(row | {"queues": tuple(row["queues"]), "retry_rules": retry_rules(row["retry_rules"])}),
        columns=None if known is None else {one["column"]: one["variable"] for one in known},
        gateways=tuple(gateways[gateway] for gateway in dict.fromkeys(leaving) if gateway in gateways),
        variables=None if columns is None else tuple(columns),
        number_caps=number_caps,
        policy=policy,
        gateway_ids=granted,
        breakers=_breakers(row, leaving, breakers),
        second_leg_breakers=_second_leg_breakers(row, breakers),
        bridge_gateways={name: bridging[name] for name in granted if name in bridging},
    )
    if plan.held is None and plan.second_leg is not None and plan.second_leg.cps == 0:
        # Whoever answered could not be connected.
        return replace(plan, held="gateway_cps")
    return plan
