"""What a stop of a hundred thousand contacts takes, and costs those who ask for something else."""

from __future__ import annotations

import time
from collections.abc import Sequence

from bench.bystander import Bystander
from bench.served import LONGEST_MS, TICK_SECONDS, served, waited_for_a_processor
from bench.table import Bound, Figure
from models import new_id
from tests.integration.api.test_long_lists import CONTACTS, seeded


def measure(_quick: bool) -> Sequence[Figure]:
    """A stop that cancels 100,000: how long it takes, and others wait for a turn."""
    with served() as site:
        campaign_id = seeded(site)
        site.move_contact(campaign_id, 7, "originated")
        site.sql("UPDATE contact SET call_id = %s WHERE call_id IS NOT NULL", new_id())
        site.get("/campaigns")
        before = waited_for_a_processor(site)
        with Bystander(TICK_SECONDS).running() as bystander:
            began = time.monotonic()
            answer = site.post(f"/campaigns/{campaign_id}/stop")
            took = time.monotonic() - began
        took -= waited_for_a_processor(site) - before
        # Its 100,000 transitions are published behind its back.
        site.services.background.join(timeout=10)
        assert answer.json["counts"]["cancelled"] == CONTACTS - 1
    what = "a stop of 100,000"
    return [
        Figure(what, took, "s", Bound.AT_MOST, 2.0, "what a stop may take"),
        Figure(
            f"longest turn of {what}",
            bystander.longest * 1000,
            "ms of CPU",
            Bound.AT_MOST,
            LONGEST_MS,
            "what a request may wait",
        ),
    ]
