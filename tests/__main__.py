"""`python -m tests`: the whole suite as several pytest runs side by side; with arguments, one pytest run with those.

Many tests mostly wait (for phones that ring, for leases that lapse, for servers that start), others mostly compute:
side by side they take the time of the longest run, which begins among the first. pytest-xdist does not work under
gevent's monkey patch. `--quick` runs what starts no process, `--full` goes to all of the runs; what judges real
seconds then comes when all others are over. A failure is shown when it happens.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.util import cache_from_source
from pathlib import Path
from types import FrameType
from typing import IO

from tests.judging import JUDGED, ONLY, OTHERS

FULL, QUICK = "--full", "--quick"
API = "tests/integration/api"
LOCAL = "tests/integration/local"
COMPUTING = ("tests/unit/campaigns", "tests/unit/api")
PROOF = "tests/e2e/test_proof.py"
FAULTS = tuple(f"tests/e2e/test_{name}.py" for name in ("faults", "parts_gone", "machine_that_slept"))
DIALER = "tests/integration/dialer"
DEATHS = tuple(
    f"{DIALER}/test_{name}.py"
    for name in (
        "calls_to_end",
        "deaths",
        "draining",
        "failover",
        "lookout",
        "maybe_live_slots",
        "nodes_come_and_go",
        "other_settings",
        "reasons_after_outage",
        "restored_database",
        "stops_of_dialers",
        "own_identities",
    )
)
"""Where leases lapse and links are cut: they wait for most of their time."""
MODEL = "tests/integration/model"
MUTATIONS = "tests/integration/test_mutations.py"
MADE_UP = tuple(f"{API}/test_{name}.py" for name in ("generated_requests", "hostile_fields"))


@dataclass(frozen=True, slots=True)
class Run:
    """One pytest run: what is chosen, and what is left to others."""

    name: str
    chosen: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    quiet: bool = False
    """Begins once all are over that are not."""

    def arguments(self) -> list[str]:
        """As pytest takes them."""
        return [*self.chosen, *(f"--ignore={path}" for path in self.left_out)]


UNIT = (
    Run("units that compute", COMPUTING),
    Run("other units", ("tests/unit",), COMPUTING),
)
CHAOS = Run("chaos", ("tests/chaos",))
ALL = (
    Run("dialer", (DIALER,), DEATHS),
    Run("api", (API,)),
    Run("limits, live, switch", ("tests/integration",), (API, LOCAL, DIALER, MODEL)),
    Run("this machine", (LOCAL,)),
    Run("end to end", ("tests/e2e", "tests/real"), (PROOF, *FAULTS)),
    Run("dialers that die or are cut off", DEATHS),
    CHAOS,
    # Why it was skipped, where it was.
    Run("the board in a browser", ("-rs", "tests/browser")),
    Run("faults, end to end", FAULTS),
    Run("model and proof", (MODEL, PROOF)),
    *UNIT,
)
"""By what each says when it is over. The longest begin first: the last to end must not run alone for long."""


def full_runs() -> list[Run]:
    """ALL with `--full`: longest first, and what judges real seconds when the machine has nothing else to do."""
    others = (replace(run, left_out=(*run.left_out, MUTATIONS, *MADE_UP)) for run in ALL if run is not CHAOS)
    longest = CHAOS, Run("mutations", (MUTATIONS,)), Run("requests that are made up", MADE_UP)
    judged = judged_files()
    whole = tuple(path for path in judged if path.startswith("tests/e2e/"))
    parts = tuple(path for path in judged if path not in whole)
    return [
        *(replace(run, chosen=(f"{JUDGED}={OTHERS}", *run.chosen)) for run in (*longest, *others)),
        Run("real seconds, end to end", (f"{JUDGED}={ONLY}", *whole), quiet=True),
        Run("real seconds of parts", (f"{JUDGED}={ONLY}", *parts), quiet=True),
    ]


def judged_files() -> list[str]:
    """Those that have a test which asks for the fixture `judge`."""
    found = (
        path for path in (ROOT / "tests").rglob("test_*.py") if "judge: Judge" in path.read_text("utf-8")
    )
    return sorted(str(path.relative_to(ROOT)) for path in found)


AT_ONCE = 4
"""More of them would only keep each other from the processors."""


ROOT = Path(__file__).parents[1]
APP = ROOT / "app.py"
IMPORTING = (f"{API}/test_health.py", f"{DIALER}/test_deaths.py")
"""They import what nearly every run does: the application, a dialer, what the tests are written with."""


def main(arguments: Sequence[str]) -> int:
    """The exit status: 0 where every test passed."""
    pytest = [sys.executable, "-m", "pytest"]
    given = set(arguments)
    # Without compiled files every run, and most of what it starts, would compile the same again.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if not given - {FULL, QUICK} and not Path(cache_from_source(str(APP))).exists():
        # In a new clone the first runs would do so all at the same time.
        subprocess.run([*pytest, "--collect-only", *IMPORTING], stdout=subprocess.DEVNULL, check=False)
    if given == {QUICK}:
        return side_by_side(UNIT, pytest)
    if given - {FULL}:
        return subprocess.run([*pytest, *arguments], check=False).returncode
    return side_by_side(full_runs() if FULL in given else ALL, [*pytest, *arguments])


def side_by_side(runs: Sequence[Run], pytest: Sequence[str]) -> int:
    """Start all of them, show what fails when it fails, and the end of each when it is over; the first bad status."""
    with ExitStack() as files:
        began = time.monotonic()
        started: dict[Run, tuple[subprocess.Popen[bytes], IO[bytes]]] = {}
        waiting = list(runs)

        def start_all() -> None:
            while waiting and len(started) - len(statuses) < AT_ONCE:
                busy = any(
                    process.returncode is None for run, (process, _) in started.items() if not run.quiet
                )
                if waiting[0].quiet and busy:
                    break
                start()

        def start() -> None:
            run = waiting.pop(0)
            said: IO[bytes] = files.enter_context(tempfile.TemporaryFile())
            command = [*pytest, "-p", "tests.instant", *run.arguments()]
            started[run] = (subprocess.Popen(command, stdout=said, stdin=subprocess.DEVNULL), said)

        def end(number: int, _frame: FrameType | None) -> None:
            waiting.clear()
            for process, _ in started.values():
                process.send_signal(number)

        # A Ctrl-C reaches every run by itself; each ends its servers and says what it has done. Before any is
        # started: a shell has what it runs in the background ignore Ctrl-C, and so would the runs and their children.
        signal.signal(signal.SIGINT, lambda _number, _frame: waiting.clear())
        signal.signal(signal.SIGTERM, end)
        statuses: list[int] = []
        start_all()
        while len(statuses) < len(started):
            pid, status, used = os.wait4(-1, 0)
            over = next((run for run, (process, _) in started.items() if process.pid == pid), None)
            if over is None:
                continue
            process, output = started[over]
            process.returncode = os.waitstatus_to_exitcode(status)
            statuses.append(process.returncode)
            start_all()
            took = time.monotonic() - began, used.ru_utime + used.ru_stime
            _show(over, took, output, whole=process.returncode != 0)
        return next((status for status in statuses if status), 0)


def _show(run: Run, took: tuple[float, float], said: IO[bytes], *, whole: bool) -> None:
    """The end of what a run said, and why it skipped what it tells of; all of it where something failed. `took`:
    seconds of the clock, of processors."""
    said.seek(0)
    lines = said.read().splitlines(keepends=True)
    sys.stdout.write(f"\n{run.name}, after {took[0]:.0f} s, by {took[1]:.0f} s of a processor:\n")
    sys.stdout.flush()
    skipped = [line for line in lines[:-1] if line.startswith(b"SKIPPED")]
    sys.stdout.buffer.write(b"".join(lines if whole else [*skipped, *lines[-1:]]))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
