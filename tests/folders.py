"""Folders for what servers and copies of one run write: passed through by any user, and left behind by nobody."""

from __future__ import annotations

import contextlib
import shutil
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
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
