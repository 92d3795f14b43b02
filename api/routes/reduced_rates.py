"""The calls per second that nodes and gateways are asked for now: less than configured where they refused."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from api.services import services
from coordination.errors import CoordinationError
from limits.rate_cuts import Kind, RateCuts

log = structlog.get_logger(__name__)


def rates_now(kind: Kind, configured: Mapping[str, int | None]) -> dict[str, int | None]:
    """By name or id; as configured where Redis cannot be asked, for then nobody dials at any rate."""
    found = services()
    try:
        reduced = RateCuts(found.redis, found.settings.redis_prefix).read((kind, name) for name in configured)
    except CoordinationError as error:
        log.warning("rates_unavailable", reason=str(error))
        reduced = {}
    return {
        name: cps if (left := reduced.get((kind, name))) is None else left.rate(cps)
        for name, cps in configured.items()
    }
