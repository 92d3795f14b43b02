"""What an uploaded list costs, and what others notice of it."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from pathlib import Path

from bench.bystander import Bystander
from bench.table import Bound, Figure
from campaigns.columns import Limits
from campaigns.csvfile import read_rows
from campaigns.encodings import open_text
from campaigns.import_rows import ImportCounts
from campaigns.importer import read_list
from campaigns.spooling import spool
from campaigns.time_slice import TimeSlice, nobody_else
from cooperative import let_others_run
from tests.unit.campaigns.test_csvfile import HOSTILE
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


def full_list(_quick: bool) -> Sequence[Figure]:
    """The largest list that is taken: CPU time and memory. What is imported before does not count."""
    data = many(ROWS)
    assert len(data) < 10 * 1024 * 1024
    before = forget_peak()
    began = time.process_time()
    file, _ = spool(io.BytesIO(data), Limits())
    counts = ImportCounts()
    with file:
        for batch in read_list(file, default_region="US", limits=Limits()):
            counts.add(batch)
    seconds = time.process_time() - began
    megabytes = memory("VmHWM") - before
    assert counts.accepted == ROWS
    beside = "what a list may cost"
    return [
        Figure("CPU time of a list of 100,000", seconds, "s", Bound.AT_MOST, 5.0, beside),
        Figure("memory of a list of 100,000", megabytes, "MB", Bound.AT_MOST, 100.0, beside),
    ]


def held_up(quick: bool) -> Sequence[Figure]:
    """How long others wait for a list that is read beside them."""
    data = many(15_000 if quick else ROWS)
    with Bystander().running() as bystander:
        file, _ = spool(io.BytesIO(data), Limits(), let_others_run=let_others_run)
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


def hostile(_quick: bool) -> Sequence[Figure]:
    """Quotes that are never closed and the like: four times as long a list may not take sixteen times as long."""
    worst = max(cpu_seconds(data) / cpu_seconds(data[: len(data) // 4]) for data in HOSTILE)
    return [Figure("the dearest of nine hostile lists", worst, "×", Bound.AT_MOST, 8.0, "a quarter of it")]


def cpu_seconds(data: bytes) -> float:
    """What it takes to read the rows of a list."""
    began = time.process_time()
    time_slice = TimeSlice(nobody_else)
    for _ in read_rows(
        open_text(io.BytesIO(b"phone_number,name\n" + data), None, time_slice), Limits(), time_slice
    ):
        pass
    return time.process_time() - began
