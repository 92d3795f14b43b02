"""Sets one process' wall clock wrong. Python imports this by its name where its folder is on the path, which only the
harness sees to, and only for the processes whose clocks it wants apart."""

from __future__ import annotations

import os
import time

SECONDS = float(os.environ["CARILLON_CHAOS_CLOCK"])
_time, _time_ns = time.time, time.time_ns

time.time = lambda: _time() + SECONDS
time.time_ns = lambda: _time_ns() + int(SECONDS * 1e9)
