"""What it costs to guard a repeated task against whatever it raises, beside a `str` of the task."""

from __future__ import annotations

from bench.hot_paths import guarding

IN_PAIRS = True

measure = guarding
