"""Which rates a campaign's calls are held to now, each by the word of its cap: what its pacing is told beside.

`Terms` is what rows say of them, in the caller's transaction; what nodes and gateways are cut to is nobody's row.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from campaigns.preflight_caps import LEAVING, MINUTE, Route
from campaigns.slow_start import LAST_LEVEL, share
from models import rows

RATES: Final = ("node_cps", "gateway_cps", "tenant_minute", "slow_start")
_TERMS = f"""
    SELECT l.calls_per_minute, c.max_concurrent_calls,
        (SELECT coalesce(jsonb_agg(to_jsonb(leaving)), '[]') FROM ({LEAVING.format(own="p.gateway_id")}) AS leaving)
            AS gateways,
        CASE WHEN c.slow_start AND c.status = 'running' THEN coalesce(ramp.level, 0) END AS slow_level
    FROM campaign AS c JOIN phone_number AS p ON p.id = c.phone_number_id
    LEFT JOIN call_limits AS l ON l.tenant_id = c.tenant_id
    LEFT JOIN campaign_ramp AS ramp ON ramp.campaign_id = c.id AND ramp.generation = c.generation
    WHERE c.id = %s"""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many calls a second at the most, by the cap of this word."""

    cap: str
    calls_per_second: float


@dataclass(frozen=True, slots=True)
class Configured:
    """A node or a gateway that takes calls: its calls a second as they were set, None for unlimited, and what is left
    of them where it refused."""

    cps: int | None
    now: int | None


@dataclass(frozen=True, slots=True)
class Terms:
    """What rows say of a campaign: its tenant's calls a minute, the gateways that it may leave by, and how often its
    rate was doubled, None where it does not begin slowly."""

    calls_per_minute: int | None
    max_concurrent_calls: int
    slow_level: int | None
    gateways: Sequence[Route]

    @classmethod
    def of(cls, campaign_id: uuid.UUID) -> Self:
        """Those of a campaign that there is."""
        (row,) = rows(_TERMS, campaign_id)
        leaving = [Route(**gateway) for gateway in row.pop("gateways")]
        return cls(gateways=[route for route in leaving if not route.paused], **row)


def rates(terms: Terms, nodes: Sequence[Configured], gateways_now: Mapping[str, int | None]) -> list[Rate]:
    """In the order of RATES, without what is unlimited or has nothing that takes calls. A slow start goes by what was
    set, as dialers do (`dialer/dispatch/slow_start.py`)."""
    minute = None if terms.calls_per_minute is None else terms.calls_per_minute / MINUTE
    gateways = [Configured(route.cps, gateways_now.get(route.id, route.cps)) for route in terms.gateways]
    found = {
        "node_cps": _sum(node.now for node in nodes),
        "gateway_cps": _sum(gateway.now for gateway in gateways),
        "tenant_minute": minute,
    }
    if terms.slow_level is not None and terms.slow_level < LAST_LEVEL:
        whole = (minute, _sum(node.cps for node in nodes), _sum(gateway.cps for gateway in gateways))
        full = min((rate for rate in whole if rate is not None), default=float(terms.max_concurrent_calls))
        found["slow_start"] = full * share(terms.slow_level)
    return [Rate(word, round(rate, 2)) for word in RATES if (rate := found.get(word)) is not None]


def _sum(limits: Iterable[int | None]) -> float | None:
    """Of all together; None where one of them has none, or there is none."""
    given = list(limits)
    known = [limit for limit in given if limit is not None]
    return float(sum(known)) if known and len(known) == len(given) else None
