"""`python -m tests`: the whole suite as three pytest runs side by side; with arguments, one pytest run with those.

The end-to-end tests, those of the embedded servers and the chaos mostly wait (for phones that ring, for leases that
lapse, for servers that start), the others mostly compute: together they take the time of the longest. pytest-xdist
does not work under gevent's monkey patch. `--full` goes to all of them.
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
LOCAL = "tests/integration/local"
COMPUTING = ("tests/unit", "tests/integration", f"--ignore={LOCAL}")
WAITING = (("tests/e2e", "tests/real"), (LOCAL, "tests/chaos"))


def main(arguments: Sequence[str]) -> int:
    """The exit status: 0 where every test passed."""
    pytest = [sys.executable, "-m", "pytest"]
    if set(arguments) - {FULL}:
        return subprocess.run([*pytest, *arguments], check=False).returncode
    with ExitStack() as files:
        runs = []
        for chosen in WAITING:
            said = files.enter_context(tempfile.TemporaryFile())
            run = subprocess.Popen(
                [*pytest, *arguments, *chosen],
                stdout=said,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
            runs.append((run, said))
        computing = subprocess.Popen([*pytest, *arguments, *COMPUTING])

        def end(number: int, _frame: FrameType | None) -> None:
            for run in (computing, *(run for run, _ in runs)):
                run.send_signal(number)

        # A Ctrl-C reaches every run by itself; each ends its servers and says what it has done.
        signal.signal(signal.SIGINT, lambda _number, _frame: None)
        signal.signal(signal.SIGTERM, end)
        statuses = [computing.wait()]
        for run, said in runs:
            statuses.append(run.wait())
            said.seek(0)
            sys.stdout.buffer.write(said.read())
            sys.stdout.flush()
    return next((status for status in statuses if status), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
