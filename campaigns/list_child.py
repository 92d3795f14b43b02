"""`python -m campaigns.list_child REQUEST < LIST`: reads one list for a web process, which stores what this writes.

Nobody's request waits for it. It ends with whoever started it, whatever ended that one: it writes at least once a
second, and to write where nobody reads is its end. A stop of the platform, which signals every process, is for the
web process to heed: it finishes its requests first.
"""

from __future__ import annotations

import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO

from campaigns.contact_rows import contact_rows
from campaigns.copy_rows import CopyRows
from campaigns.errors import ListRefused
from campaigns.import_notes import ImportNotes
from campaigns.list_frames import end_frame, refused_frame, rows_frame
from campaigns.list_process import ListForm, ListRequest
from campaigns.suppression_list import read_entries

CPU_SECONDS = 120
MEMORY_BYTES = 2 * 1024**3
"""Of address space; the longest list takes a fraction of it."""
SIGN_OF_LIFE_SECONDS = 1.0


class Output:
    """Where the frames go; an empty one at least every second, from which the reader sees that work goes on."""

    def __init__(self, out: BinaryIO, now: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._now = now
        self._last = now()

    def write(self, frame: bytes) -> None:
        """Write one frame."""
        self._out.write(frame)
        self._out.flush()
        self._last = self._now()

    def sign_of_life(self) -> None:
        """Say that work goes on, if nothing was said for a while."""
        if self._now() - self._last >= SIGN_OF_LIFE_SECONDS:
            self.write(rows_frame(CopyRows()))


def read(request: ListRequest, file: BinaryIO, output: Output) -> None:
    """Read the list in `file` and write it to `output`."""
    try:
        for rows in _pieces(request, file, output.sign_of_life):
            output.write(rows_frame(rows))
    except ListRefused as refused:
        output.write(refused_frame(refused))
    else:
        output.write(end_frame())


def _pieces(request: ListRequest, file: BinaryIO, meanwhile: Callable[[], None]) -> Iterator[CopyRows]:
    if request.form is ListForm.SUPPRESSIONS:
        return read_entries(
            file,
            default_region=request.region,
            limits=request.limits,
            encoding=request.encoding,
            notes=ImportNotes(),
            let_others_run=meanwhile,
        )
    return contact_rows(request, file, meanwhile)


def main() -> None:
    """Read the list of standard input."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for heeded_by_the_web_process in (signal.SIGTERM, signal.SIGINT):
        signal.signal(heeded_by_the_web_process, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    read(ListRequest.from_json(sys.argv[1]), sys.stdin.buffer, Output(sys.stdout.buffer))


if __name__ == "__main__":
    main()
