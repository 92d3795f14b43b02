"""The largest do-not-call list that is taken: a million numbers, from the file to the rows, and what its reader and
the process that stores it need of memory."""

from __future__ import annotations

import resource
import time
import uuid
from collections.abc import Sequence
from tempfile import TemporaryFile

from bench.recording import database
from bench.table import Bound, Figure, Row
from campaigns import suppressions
from campaigns.list_process import ListForm, ListRequest, read_in_process
from campaigns.suppression_list import COLUMNS, LIMITS
from campaigns.suppressions import NewEntry
from models import transaction

ENTRIES, QUICK_ENTRIES = 1_000_000, 100_000
SECONDS = 60.0
MEGABYTES = 100.0


def measure(quick: bool) -> Sequence[Row]:
    """Once each: new, and again when all of it is there."""
    count = QUICK_ENTRIES if quick else ENTRIES
    asked = ListRequest(ListForm.SUPPRESSIONS, uuid.UUID(int=0), None, LIMITS)
    new = NewEntry("demo", "bench", "bench")
    with database(), TemporaryFile() as file:
        file.write(b"phone_number\n")
        for first in range(0, count, 10_000):
            file.write(b"".join(b"+1212%07d\n" % (2_000_000 + n) for n in range(first, first + 10_000)))
        file.flush()
        took = []
        for expected in (count, 0):
            began, added = time.monotonic(), 0
            for piece in read_in_process(asked, file):
                if piece.contacts:
                    with transaction():
                        added += suppressions.add_all(piece.contacts, COLUMNS, new)
            assert added == expected
            took.append(time.monotonic() - began)
    memory = max(
        resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    beside = f"a promise; {count:,} rows, {took[1]:.0f} s when they are there already"
    return [
        Figure("upload of a do-not-call list", took[0], "s", Bound.AT_MOST, SECONDS, beside),
        Figure("memory for it", memory, "MB", Bound.AT_MOST, MEGABYTES, "any list: nothing of it is kept"),
    ]
