"""How the time for reading a list that is made to be dear grows with its length."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence

from bench.table import Bound, Figure
from campaigns.columns import Limits
from campaigns.csvfile import read_rows
from campaigns.encodings import open_text
from campaigns.time_slice import TimeSlice, nobody_else
from tests.unit.campaigns.test_csvfile import HOSTILE

IN_PAIRS = True


def measure(_quick: bool) -> Sequence[Figure]:
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
