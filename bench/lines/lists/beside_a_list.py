"""What others notice of a list that is read."""

from __future__ import annotations

import io
from collections.abc import Sequence

from bench.bystander import Bystander
from bench.table import Bound, Figure
from campaigns.columns import Limits
from campaigns.importer import read_list
from campaigns.spooling import spool
from cooperative import let_others_run
from tests.unit.campaigns.test_importer import many

IN_PAIRS = True

ROWS = 100_000


def measure(quick: bool) -> Sequence[Figure]:
    """How long others wait for a list that is read beside them."""
    data = many(15_000 if quick else ROWS)
    with Bystander().running() as bystander:
        file, *_ = spool(io.BytesIO(data), Limits(), let_others_run=let_others_run)
        with file:
            for _ in read_list(file, default_region="US", limits=Limits(), let_others_run=let_others_run):
                pass
    return [
        Figure(
            "longest turn of a list that is read",
            bystander.longest * 1000,
            "ms of CPU",
            Bound.AT_MOST,
            50.0,
            "what a request may wait",
        )
    ]
