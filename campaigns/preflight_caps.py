"""Which caps a campaign will meet, as the limiter will judge its calls, with what the tenant has used of them."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from campaigns.forecast import Cap, Caps, DayCap, Outcome
from campaigns.routing import in_order
from campaigns.single_calls import Limits, Used
from models import DialOrder, rows

MINUTE = 60.0
LEAVING = """
    SELECT other.id::text, other.cps, other.channels, other.prefixes, other.cost,
        other.paused_at IS NOT NULL OR NOT other.outbound_enabled AS paused
    FROM gateway AS own, LATERAL jsonb_array_elements_text(jsonb_build_array(own.id) || own.failover)
        WITH ORDINALITY AS named (id, place) JOIN gateway AS other ON other.id::text = named.id
    WHERE own.id = {own} AND other.deleted_at IS NULL ORDER BY named.place"""
"""The gateways that calls leave by, of a caller id whose own gateway is named."""
_GATEWAYS = LEAVING.format(own="%s")


@dataclass(frozen=True, slots=True)
class Route:
    """A gateway that its calls may leave by; `paused` also where it is switched off."""

    id: str
    cps: int | None
    channels: int | None
    prefixes: Sequence[str] = field(default_factory=tuple)
    cost: float | None = None
    paused: bool = False


@dataclass(frozen=True, slots=True)
class NodeCaps:
    """What the nodes that take calls have together; None is unlimited, or not known."""

    cps: float | None = None
    channels: float | None = None


@dataclass(frozen=True, slots=True)
class House:
    """What nobody's rows say: the caps of the nodes, and what the tenant has used today, None where that is not
    known: then nothing."""

    nodes: NodeCaps = NodeCaps()
    used: Used | None = None


def routes(gateway_id: uuid.UUID) -> list[Route]:
    """The caller id's own gateway and those it fails over to."""
    return [Route(**row) for row in rows(_GATEWAYS, gateway_id)]


def caps(one: Mapping[str, Any], outcomes: Sequence[Outcome], numbers: Sequence[str], house: House) -> Caps:
    """The caps over a campaign that calls these numbers."""
    nodes, used = house.nodes, house.used
    limits = Limits.of(one["tenant_id"])
    most, kept = limits.concurrent_max, limits.reserved_concurrency
    tenant_places = None if most is None else max(0, most - kept)
    per_minute = limits.calls_per_minute
    rate, channels = gateway_caps(routes(one["gateway_id"]), numbers)
    return Caps(
        rates=[
            Cap("tenant_minute", None if per_minute is None else per_minute / MINUTE),
            Cap("gateway_cps", rate),
            Cap("node_cps", nodes.cps),
        ],
        places=[
            Cap("campaign_concurrency", one["max_concurrent_calls"]),
            Cap("tenant_concurrency", tenant_places),
            Cap("gateway_channels", channels),
            Cap("node_channels", nodes.channels),
        ],
        days=[
            day_cap("tenant_day_calls", limits.daily_calls_max, 0 if used is None else used.day_calls, 1.0),
            day_cap(
                "tenant_day_minutes",
                None if limits.daily_minutes_max is None else limits.daily_minutes_max * MINUTE,
                0 if used is None else used.day_seconds,
                sum(outcome.share * outcome.billed_seconds for outcome in outcomes),
            ),
        ],
        slow_start=one["slow_start"],
        new_first=one["dial_order"] == DialOrder.NEW_FIRST,
    )


def day_cap(word: str, limit: float | None, used: float, each: float) -> DayCap:
    """A cap on a day of which so much is used."""
    return DayCap(word, limit, 0.0 if limit is None else max(0.0, limit - used), each)


def gateway_caps(leaving: Sequence[Route], numbers: Sequence[str]) -> tuple[float | None, float | None]:
    """The calls a second by the gateways that would carry these numbers, each its share of them, and the channels of
    all that may: where one has none free, calls leave by the next. A paused one carries nobody; no number, no cap."""
    open_now = [route for route in leaving if not route.paused]
    first = Counter[str]()
    carrying: dict[str, Route] = {}
    for number in numbers:
        ordered = in_order(open_now, number)
        if ordered:
            first[ordered[0].id] += 1
        carrying |= {route.id: route for route in ordered}
    if not carrying:
        return None, None
    rates = [
        route.cps * first.total() / first[name]
        for name, route in carrying.items()
        if route.cps is not None and first[name]
    ]
    channels = [route.channels for route in carrying.values()]
    known = [one for one in channels if one is not None]
    return min(rates, default=None), sum(known) if len(known) == len(channels) else None
