"""`python -m tests`: the whole suite as several pytest runs side by side; with arguments, one pytest run with those.

Many tests mostly wait (for phones that ring, for leases that lapse, for servers that start), others mostly compute:
side by side they take the time of the longest run. pytest-xdist does not work under gevent's monkey patch. `--full`
goes to all of them. What only computes steps back for the others, which have deadlines to keep.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from types import FrameType

FULL = "--full"
API = "tests/integration/api"
DIALER = ("tests/integration/dialer", "tests/integration/model")
LOCAL = "tests/integration/local"
SETUP = (f"{LOCAL}/test_fresh_clone.py", f"{LOCAL}/test_setup.py")
PROOF = "tests/e2e/test_proof.py"
STEP_BACK = ("nice", "-n", "10")
SHOWN = ("tests/unit", *SETUP)
"""The run whose output is seen while it goes on; that of each other follows when all are over."""
BESIDE = (
    (API,),
    ("tests/e2e", "tests/real", f"--ignore={PROOF}"),
    (LOCAL, "tests/chaos", *(f"--ignore={file}" for file in SETUP)),
    DIALER,
    ("tests/integration", PROOF, *(f"--ignore={folder}" for folder in (API, LOCAL, *DIALER))),
)


def main(arguments: Sequence[str]) -> int:
    """The exit status: 0 where every test passed."""
    pytest = [sys.executable, "-m", "pytest"]
    if set(arguments) - {FULL}:
        return subprocess.run([*pytest, *arguments], check=False).returncode
    with ExitStack() as files:
        runs = []
        for chosen in BESIDE:
            said = files.enter_context(tempfile.TemporaryFile())
            run = subprocess.Popen(
                [*pytest, *arguments, *chosen],
                stdout=said,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
            runs.append((run, said))
        shown = subprocess.Popen([*STEP_BACK, *pytest, *arguments, *SHOWN])

        def end(number: int, _frame: FrameType | None) -> None:
            for run in (shown, *(run for run, _ in runs)):
                run.send_signal(number)

        # A Ctrl-C reaches every run by itself; each ends its servers and says what it has done.
        signal.signal(signal.SIGINT, lambda _number, _frame: None)
        signal.signal(signal.SIGTERM, end)
        statuses = [shown.wait()]
        for run, said in runs:
            statuses.append(run.wait())
            said.seek(0)
            sys.stdout.buffer.write(said.read())
            sys.stdout.flush()
    return next((status for status in statuses if status), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
