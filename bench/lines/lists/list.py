"""The largest list that is taken: CPU time and memory."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from pathlib import Path

from bench.table import Bound, Figure
from campaigns.columns import Limits
from campaigns.import_rows import ImportCounts
from campaigns.importer import read_list
from campaigns.spooling import spool
from tests.unit.campaigns.test_importer import many

ROWS = 100_000


def memory(name: str) -> float:
    """A size that the kernel shows of this process, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


def forget_peak() -> float:
    """Let the kernel begin anew with the most memory this process had (VmHWM); what it has now, in MB."""
    Path("/proc/self/clear_refs").write_text("5")
    return memory("VmRSS")


def measure(_quick: bool) -> Sequence[Figure]:
    """The largest list that is taken: CPU time and memory. What is imported before does not count."""
    data = many(ROWS)
    assert len(data) < 10 * 1024 * 1024
    before = forget_peak()
    began = time.process_time()
    file, *_ = spool(io.BytesIO(data), Limits())
    counts = ImportCounts()
    with file:
        for batch in read_list(file, default_region="US", limits=Limits()):
            counts.add(batch.counts())
    seconds = time.process_time() - began
    megabytes = memory("VmHWM") - before
    assert counts.accepted == ROWS
    beside = "what a list may cost"
    return [
        Figure("CPU time of a list of 100,000", seconds, "s", Bound.AT_MOST, 5.0, beside),
        Figure("memory of a list of 100,000", megabytes, "MB", Bound.AT_MOST, 100.0, beside),
    ]
