"""How long after a denial it is worth asking again, and when what denied is over. Pure, but for the lot."""

from __future__ import annotations

import random
from datetime import UTC, datetime, time, timedelta

from dialer.dispatch.agenda import BLOCKED_SECONDS
from dialer.dispatch.node_health import told
from dialer.dispatch.plans import Plan
from limits.caps import Denied

TURN_SECONDS = 0.004
"""Within so long dialers that wait for the same come apart."""


def pause(denial: Denied, horizon: float) -> float:
    """The seconds from one question to the next that is worth asking, whatever the claim between them takes.

    Of a rate half a `horizon` of turns is asked for at once: one by one each would cost a claim of its own. A cap may
    have been raised, or places in it given back, long before the time that was named. Dialers that wait for the same
    come apart by lot.
    """
    rate = denial.reason.endswith(("_cps", "_minute"))
    least = horizon / 2 if rate else 0.0
    return min(max(denial.retry_after, least), BLOCKED_SECONDS) + TURN_SECONDS * random.random()


def over_at(plan: Plan, denial: Denied, now: datetime) -> str | None:
    """When what denies a call is over, where that is known."""
    if (held_until := plan.over_at(denial.reason)) is not None:
        return held_until
    if denial.reason == "tenant_minute":
        return told(now + timedelta(seconds=denial.retry_after))
    if denial.reason.startswith("tenant_day_"):
        return told(datetime.combine(now.date() + timedelta(days=1), time(), UTC))
    return None
