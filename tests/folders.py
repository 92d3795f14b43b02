"""Folders for what servers and copies of one run write: passed through by any user, and left behind by nobody."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.errors import LocalError
from local.home import Lock

LOCK = "run.lock"


@contextmanager
def folder_of_a_run(prefix: str) -> Iterator[Path]:
    """A new folder that is removed at the end; those of this prefix that killed runs left are removed as well."""
    _remove_stale(prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    # PostgreSQL may run as another user than this one.
    folder.chmod(0o711)
    with Lock(folder / LOCK):
        try:
            yield folder
        finally:
            _remove(folder)


def _remove_stale(prefix: str) -> None:
    """A run that goes on holds its lock; a folder without a lock is left alone."""
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        if (folder / LOCK).exists():
            with contextlib.suppress(LocalError), Lock(folder / LOCK):
                _remove(folder)


def _remove(folder: Path) -> None:
    """The lock last: what a signal cuts short the next run finds."""
    for path in folder.iterdir():
        if path.name != LOCK:
            removed(path)
    removed(folder)


def removed(path: Path) -> None:
    """Remove a folder, however many it has in it.

    `shutil.rmtree` has one descriptor open for each: gevent closes them in the next turn of its loop, and so an
    ordinary user's 1,024 are gone after a thousand.
    """
    subprocess.run(["rm", "-rf", "--", str(path)], check=True)
