"""The simulator is still started by its old name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.waiting import HANG_SECONDS

ROOT = Path(__file__).resolve().parents[3]


def test_the_simulator_is_still_started_by_its_old_name() -> None:
    command = [sys.executable, "-m", "freeswitch.simulator", "--port", "none"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=HANG_SECONDS, check=False)
    assert run.returncode == 2
    assert "python -m simulator: error: argument --port" in run.stderr
