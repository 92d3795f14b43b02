"""`python -m tests`: the whole suite as two pytest runs side by side; with arguments, one pytest run with those.

The end-to-end tests mostly wait (for phones that ring, for leases that lapse), the others mostly compute: together
they take the time of the longer. pytest-xdist does not work under gevent's monkey patch. `--full` goes to both.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

FULL = "--full"
WAITING = ("tests/e2e", "tests/real")
COMPUTING = ("tests/unit", "tests/integration")


def main(arguments: Sequence[str]) -> int:
    """The exit status: 0 where every test passed."""
    pytest = [sys.executable, "-m", "pytest"]
    if set(arguments) - {FULL}:
        return subprocess.run([*pytest, *arguments], check=False).returncode
    with tempfile.TemporaryFile() as said:
        present = [folder for folder in WAITING if Path(folder).is_dir()]
        waiting = subprocess.Popen(
            [*pytest, *arguments, *present], stdout=said, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
        computing = subprocess.Popen([*pytest, *arguments, *COMPUTING])

        def end(number: int, _frame: FrameType | None) -> None:
            for run in (waiting, computing):
                run.send_signal(number)

        # A Ctrl-C reaches both runs by itself; each ends its servers and says what it has done.
        signal.signal(signal.SIGINT, lambda _number, _frame: None)
        signal.signal(signal.SIGTERM, end)
        statuses = [computing.wait(), waiting.wait()]
        said.seek(0)
        sys.stdout.buffer.write(said.read())
        sys.stdout.flush()
    return next((status for status in statuses if status), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
