"""What it costs to write what became of calls, beside bare updates of the same rows, however many are in flight."""

from __future__ import annotations

from bench.recording import recording

IN_PAIRS = True

measure = recording
