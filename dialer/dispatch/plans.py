"""Plans of the running campaigns: all that dialling them needs, looked at once a second and on a control message.

A plan is a snapshot; what must hold at the moment of a call (the campaign runs, nobody halted the tenant) is
asked again by the claim and by the sender's guard.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from campaigns import policy_choice
from campaigns.policies import NumberLimits, Policy
from campaigns.retry_rules import RetryRules, retry_rules
from campaigns.routing import destination, in_order
from dialer.dispatch import number_memory
from dialer.dispatch.holds import Hold, HoldKind, PrefixPause
from dialer.dispatch.second_legs import BridgeGateway, divided
from limits.caps import NO_NUMBER_CAPS, NumberCaps
from models import CallerIdFormat, CallerIdHeader, db, rows


@dataclass(frozen=True, slots=True)
class GatewayPlan:
    """One gateway that a campaign's calls may leave by. `cps` is what second legs and back-pressure leave of its own.

    `faults` are those in a row, and `faulty`: one of its destinations has some; a paused one may be probed with one
    call when `probe_due`, and by a call elsewhere than to `paused_alone` at once. `pauses` are the destinations for
    which it is paused alone.
    """

    gateway_id: str
    dial_string: str
    cps: int | None
    channels: int | None
    prefixes: tuple[str, ...] = ()
    cost: float | None = None
    caller_id_header: CallerIdHeader = CallerIdHeader.FROM
    caller_id_format: CallerIdFormat = CallerIdFormat.E164
    faults: int = 0
    paused: bool = False
    probe_due: bool = False
    probe_at: str | None = None
    faulty: bool = False
    paused_alone: str | None = None
    pauses: tuple[PrefixPause, ...] = ()

    @property
    def shut(self) -> bool:
        """Whether no call may leave by it, wherever to, not even a probe."""
        return self.paused and not self.probe_due and self.paused_alone is None

    def destination(self, number: str) -> str:
        """Where a number is, as far as this gateway tells destinations apart."""
        return destination(number, self.prefixes)

    def holds(self, number: str) -> list[Hold]:
        """What keeps a call to this number from leaving by it; nothing where none is paused."""
        if not self.paused and not self.pauses:
            return []
        where = self.destination(number)
        found: list[Hold] = []
        if self.paused:
            due = self.probe_due or self.paused_alone not in (None, where)
            found.append(Hold(HoldKind.PAUSE, self.gateway_id, where, due, self.probe_at))
        return found + [
            Hold(HoldKind.PAUSE, self.gateway_id, where, one.probe_due, one.probe_at)
            for one in self.pauses
            if one.prefix == where
        ]

    def caller_id(self, e164: str) -> str:
        """A caller's number as this gateway's carrier wants it written."""
        return e164.removeprefix("+") if self.caller_id_format is CallerIdFormat.DIGITS else e164


@dataclass(frozen=True, slots=True)
class Plan:
    """One running campaign with its agent, caller id, gateways and caps. `held`: why none of its calls may leave
    now, as its `blocked_reason` says it.

    `gateways` are the number's own, in front, and those it fails over to. `bridge_gateways` are, by id, all that the
    tenant may bridge to. `weight` is its share beside the tenant's other campaigns, `tenant_weight` the tenant's
    beside other tenants. In a `slow_start`, `ramp_level` says how often its rate was doubled since it began to run;
    `has_ramp`: there is a row that says so. `limits_version` is another one after every change of the tenant's caps,
    empty where it has none. `breakers` are those that hold calls by its gateways or of its caller
    id, none where it is exempt.
    """

    campaign_id: str
    tenant_id: str
    generation: int
    max_concurrent_calls: int
    retries_per_contact: int
    retry_delay_seconds: int
    blocked_reason: str | None
    next_action_at: str | None
    held: str | None
    caller_id: str
    gateways: tuple[GatewayPlan, ...]
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
    bridge_gateways: Mapping[str, BridgeGateway]
    safe_harbour: Mapping[str, Any] | None = None
    columns: Mapping[str, str] | None = None
    """The variable of each column of its list; None of a list that an older release imported."""
    region: str | None = None
    """The country of numbers without a `+` in its list, where that is not its caller id's."""
    weight: int = 1
    tenant_weight: int = 1
    slow_start: bool = False
    has_ramp: bool = False
    ramp_level: int = 0
    breakers: tuple[Hold, ...] = ()
    breaker_exempt: bool = False
    keep_open: bool = False
    """It goes on where nobody is left."""
    retry_rules: RetryRules = field(default_factory=dict)
    number_caps: NumberCaps = NO_NUMBER_CAPS
    limits_version: str = ""
    single_call: bool = False
    """It is one call that somebody asked for by itself, and goes before campaigns."""
    reserved_concurrency: int = 0
    policy: Policy | None = None
    """What policy packs ask of its calls; None where they do not bind it."""

    def caps_on(self, number: str) -> NumberCaps:
        """What they ask of calls to a number, beside the tenant's caps."""
        return NO_NUMBER_CAPS if self.policy is None else _number_caps(self.policy.limits_of(number))

    def ring_seconds_on(self, number: str) -> int:
        """For how long a call to a number rings: as its agent says, and never shorter than they ask."""
        asked = 0 if self.policy is None else self.policy.demands_of(number).ring_seconds
        return max(self.ring_timeout_seconds, asked)

    def rests_of(self, number: str) -> str | None:
        """After which calls a number is left alone, and for how long, as the claim reads it."""
        return None if self.policy is None else self.policy.rests_of(number)

    @property
    def probe_at(self) -> str | None:
        """When the first of its gateways that are paused, or for a destination, may be probed."""
        found = [one.probe_at for one in self.gateways if one.paused]
        found += [pause.probe_at for one in self.gateways for pause in one.pauses]
        return min((at for at in found if at), default=None)

    @property
    def held_in_part(self) -> bool:
        """Whether some of its contacts may be held while others are not."""
        return bool(self.breakers) or any(
            one.prefixes or one.pauses or one.paused_alone for one in self.gateways
        )

    @property
    def held_whole(self) -> HoldKind | None:
        """What keeps all of its calls from leaving, even as a probe."""
        if all(gateway.shut for gateway in self.gateways):
            return HoldKind.PAUSE
        caller_held = any(not hold.gateway_id and not hold.probe_due for hold in self.breakers)
        return HoldKind.BREAKER if caller_held else None

    def over_at(self, word: str | None) -> str | None:
        """When the first of what holds it by this word may be probed; None for a word of something else."""
        if word == HoldKind.PAUSE:
            return self.probe_at
        if word != HoldKind.BREAKER:
            return None
        return min((hold.probe_at for hold in self.breakers if hold.probe_at), default=None)

    def holds(self, gateway: GatewayPlan, number: str) -> list[Hold]:
        """What keeps its call to a number from leaving by one of its gateways."""
        return gateway.holds(number) + [
            hold
            for hold in self.breakers
            if not hold.gateway_id
            or (hold.gateway_id == gateway.gateway_id and hold.prefix == gateway.destination(number))
        ]

    @property
    def second_leg(self) -> BridgeGateway | None:
        """The gateway that its agent is reached by; None where no second leg of ours leaves."""
        match self.action:
            case {"type": "bridge", "gateway_id": str(gateway_id)}:
                return self.bridge_gateways.get(gateway_id.strip())
            case _:
                return None

    def gateway(self, gateway_id: str) -> GatewayPlan | None:
        """One of its gateways; None where calls no longer leave by it."""
        return next((gateway for gateway in self.gateways if gateway.gateway_id == gateway_id), None)

    def route(self, number: str, tried: Collection[str]) -> list[GatewayPlan]:
        """The gateways that carry a number, in order: those not tried for it, or all where none of these is open."""
        carrying = in_order(self.gateways, number)
        left = [gateway for gateway in carrying if gateway.gateway_id not in tried]
        return left if any(self._open(gateway, number) for gateway in left) else carrying

    def elsewhere(self, number: str, tried: Collection[str]) -> bool:
        """Whether another gateway than those tried may be given a call to this number now."""
        return any(
            one.gateway_id not in tried and not self.holds(one, number)
            for one in in_order(self.gateways, number)
        )

    def _open(self, gateway: GatewayPlan, number: str) -> bool:
        """Whether a call to a number may leave by it, if only as a probe."""
        return all(hold.probe_due for hold in self.holds(gateway, number))


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
_OF_CALLERS = "id IN (SELECT gateway_id FROM phone_number WHERE deleted_at IS NULL)"
_GATEWAYS = f"""
SELECT id::text AS gateway_id, dial_string, cps, channels, prefixes, cost, caller_id_header, caller_id_format,
    faults_in_row AS faults, paused_at IS NOT NULL AS paused, coalesce(probe_at <= now(), false) AS probe_due,
    to_char(probe_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS probe_at, paused_alone,
    failover, {_OF_CALLERS} AS callers
FROM gateway WHERE deleted_at IS NULL
"""
_OF_PREFIXES = "FROM gateway_prefix WHERE faults_in_row > 0 OR paused_at IS NOT NULL"
_PREFIXES = f"""
SELECT gateway_id::text, prefix, paused_at IS NOT NULL AS paused, coalesce(probe_at <= now(), false) AS probe_due,
    to_char(probe_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS probe_at
{_OF_PREFIXES} ORDER BY gateway_id, prefix
"""
_OF_BREAKERS = "FROM breaker WHERE released_at IS NULL"
_BREAKERS = f"""
SELECT id::text AS breaker_id, gateway_id, prefix, caller_id, probe_at <= now() AS probe_due,
    to_char(probe_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS probe_at
{_OF_BREAKERS} ORDER BY id
"""
_OF_BRIDGED = "FROM call WHERE ended_at IS NULL AND second_leg_gateway_id IS NOT NULL"
_BRIDGED = f"SELECT DISTINCT second_leg_gateway_id::text AS gateway_id {_OF_BRIDGED}"
# Of every row of the statements above the transaction that wrote it last, and what they make of the time.
VERSION = f"""(
SELECT md5(concat_ws(' / ',
    (SELECT string_agg(row(campaign.id, campaign.xmin, phone_number.xmin, gateway.xmin, agent.xmin, tenant.xmin,
        call_limits.xmin, ramp.xmin, CASE WHEN campaign.policy_packs = 'on' THEN {_PLACES} END)::text,
        ' ' ORDER BY campaign.id) {_OF_RUNNING}),
    (SELECT string_agg(row(id, xmin, coalesce(probe_at <= now(), false), {_OF_CALLERS})::text, ' ' ORDER BY id)
        FROM gateway WHERE deleted_at IS NULL),
    (SELECT string_agg(row(gateway_id, prefix, xmin, coalesce(probe_at <= now(), false))::text, ' '
        ORDER BY gateway_id, prefix) {_OF_PREFIXES}),
    (SELECT string_agg(row(id, xmin, probe_at <= now())::text, ' ' ORDER BY id) {_OF_BREAKERS}),
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
        bridged = {row["gateway_id"] for row in rows(_BRIDGED)}
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
        leaving[name] = _gateway(row | {"cps": first}, faulty.get(name, ()))
        bridging[name] = BridgeGateway(
            name, row["dial_string"], tuple(row["prefixes"]), row["channels"], second
        )
    places = {row["campaign_id"]: row.pop("places") or [] for row in found}
    plans = {row["campaign_id"]: _plan(row, leaving, bridging, breakers) for row in found}
    return _remembering(plans, places)


def _remembering(plans: dict[str, Plan], places: Mapping[str, Sequence[Sequence[str]]]) -> dict[str, Plan]:
    """The plans, in which all of a tenant know of its calls as far back as packs look for any of them, or did of
    late."""
    asked_for: dict[str, int] = defaultdict(int)
    for name, plan in plans.items():
        if plan.policy is not None:
            asked = [NumberLimits().strictest(plan.policy.demands_on(tuple(some))) for some in places[name]]
            longest = max((_number_caps(limits).longest_ms for limits in asked), default=0)
            asked_for[plan.tenant_id] = max(asked_for[plan.tenant_id], longest)
    furthest = number_memory.kept(asked_for)
    return {
        name: replace(plan, number_caps=replace(plan.number_caps, memory_ms=furthest[plan.tenant_id]))
        if furthest.get(plan.tenant_id)
        else plan
        for name, plan in plans.items()
    }


def _number_caps(limits: NumberLimits) -> NumberCaps:
    return NumberCaps(0, limits.calls_24h, limits.calls_7d, limits.calls_30d)


def _gateway(row: dict[str, Any], faulty: Sequence[dict[str, Any]]) -> GatewayPlan:
    return GatewayPlan(
        **(
            row
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
        bridge_gateways={name: bridging[name] for name in granted if name in bridging},
    )
    if plan.held is None and plan.second_leg is not None and plan.second_leg.cps == 0:
        # Whoever answered could not be connected.
        return replace(plan, held="gateway_cps")
    return plan
