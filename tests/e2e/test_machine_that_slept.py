"""Everything stands still for a while, as on a machine that slept: every process goes on, and asks the switch about
its calls before it tells anybody how they ended."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable

import pytest

from tests.chaos.stage import children_of, signal_all
from tests.e2e.listening import Listener
from tests.e2e.parts import Parts
from tests.e2e.rig import numbers, polled

ENDINGS = ("02", "00", "08", "02", "07", "09")
"""Most of them ring, or talk, until a timer ends them."""
CONTACTS = 60
CONCURRENT = 40


def with_children(pids: Iterable[int | None]) -> list[int]:
    """These processes and all that they started, in the order in which they were."""
    found = [pid for pid in pids if pid is not None]
    for pid in found:
        found += [child for child in children_of(pid) if child not in found]
    return found


@pytest.mark.full
@pytest.mark.parametrize("seconds", [50, 90])
def test_after_a_sleep_nobody_is_told_what_has_to_be_corrected(parts: Parts, seconds: int) -> None:
    # gunicorn may take a worker that slept for one that hangs, and put another in its place.
    tenant = parts.persistent(parts.tenant())
    campaign = tenant.campaign(numbers(*ENDINGS, count=CONTACTS), max_concurrent_calls=CONCURRENT)
    listener = Listener(tenant, campaign)
    polled(lambda: listener.heard.last_id is not None, "a listener")
    tenant.act(campaign, "start")
    polled(lambda: tenant.in_flight(campaign) >= CONCURRENT // 2, "calls in flight")
    before = {name: pid for name, pid in parts.stack.pids.items() if name.startswith(("web", "dialer"))}
    asleep = with_children([*parts.stack.pids.values(), parts.postgres.pid, parts.valkey.pid])
    signal_all(asleep, signal.SIGSTOP)
    since = time.monotonic()
    try:
        polled(lambda: time.monotonic() >= since + seconds, "the time it sleeps", seconds=2 * seconds)
    finally:
        signal_all(asleep, signal.SIGCONT)

    tenant.wait_over(campaign)
    polled(lambda: listener.heard.ended, "word of the campaign's end")
    told = list(listener.heard.of("contact"))
    assert [each for each in told if each["disposition"] == "outcome_unknown"] == []
    calls = tenant.api.get("/api/v1/calls", campaign_id=campaign, limit=1000)["calls"]
    assert [call for call in calls if call["disposition"] == "outcome_unknown"] == []
    assert {name: parts.stack.pids.get(name) for name in before} == before
    assert tenant.proof(campaign, parts.stack).faults == []
