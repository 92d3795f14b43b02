"""What a hundred thousand contacts that are imported cost those who ask the API for something else."""

from __future__ import annotations

from collections.abc import Sequence

from bench.bystander import Bystander
from bench.served import LONGEST_MS, TICK_SECONDS, served
from bench.table import Bound, Figure
from tests.integration.api.test_long_lists import CONTACTS, csv_form, json_body


def measure(quick: bool) -> Sequence[Figure]:
    """An upload and a JSON body that are imported: the longest others wait for a turn."""
    figures = []
    json_rows = CONTACTS // 5 if quick else CONTACTS
    with served() as site:
        for what, given in (
            ("an upload of 100,000", csv_form(site, CONTACTS)),
            (f"a JSON body of {json_rows:,}", json_body(site, json_rows)),
        ):
            with Bystander(TICK_SECONDS).running() as bystander:
                assert site.post("/campaigns", **given).status_code == 201
            figures.append(
                Figure(
                    f"longest turn of {what}",
                    bystander.longest * 1000,
                    "ms of CPU",
                    Bound.AT_MOST,
                    LONGEST_MS,
                    "what a request may wait",
                )
            )
    return figures
