"""The largest list that is taken: CPU time and memory, beside the libraries that do the least with it."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import phonenumbers

from bench.table import Bound, Figure
from campaigns.columns import Limits
from campaigns.import_rows import ImportCounts
from campaigns.importer import read_list
from campaigns.spooling import spool
from tests.unit.campaigns.test_importer import many

IN_PAIRS = True

ROWS = 100_000


def measure(_quick: bool) -> Sequence[Figure]:
    """CPU time and memory, in turns. What is imported before does not count."""
    data = many(ROWS)
    assert len(data) < 10 * 1024 * 1024
    theirs, _ = cost(lambda: parsed(data))
    ours, megabytes = cost(lambda: read(data))
    return [
        Figure(
            "CPU time of a list of 100,000",
            ours / theirs,
            "×",
            Bound.AT_MOST,
            2.0,
            f"csv.reader and phonenumbers: {theirs:.2f} s; ours {ours:.2f} s",
        ),
        Figure(
            "memory of a list of 100,000",
            megabytes / (len(data) / 1024 / 1024),
            "×",
            Bound.AT_MOST,
            15.0,
            f"its own {len(data) / 1024 / 1024:.1f} MB; ours {megabytes:.0f} MB",
        ),
    ]


def read(data: bytes) -> None:
    """The list as an upload is read."""
    file, *_ = spool(io.BytesIO(data), Limits())
    counts = ImportCounts()
    with file:
        for batch in read_list(file, default_region="US", limits=Limits()):
            counts.add(batch.counts())
    assert counts.accepted == ROWS


def parsed(data: bytes) -> None:
    """Its rows and its numbers, kept by nobody."""
    rows = csv.DictReader(io.StringIO(data.decode()))
    assert all(phonenumbers.is_valid_number(phonenumbers.parse(row["phone_number"], "US")) for row in rows)


def cost(work: Callable[[], None]) -> tuple[float, float]:
    """CPU seconds, and the most memory in MB on top of what there was."""
    before = forget_peak()
    began = time.process_time()
    work()
    return time.process_time() - began, memory("VmHWM") - before


def memory(name: str) -> float:
    """A size that the kernel shows of this process, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


def forget_peak() -> float:
    """Let the kernel begin anew with the most memory this process had (VmHWM); what it has now, in MB."""
    Path("/proc/self/clear_refs").write_text("5")
    return memory("VmRSS")
