"""A copy of the project that is broken and mended again and again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.mutations.mutation import Mutation

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(
    ".git",
    ".venv",
    ".carillon",
    ".hypothesis",
    ".mypy_cache",
    ".ruff_cache",
    "__pycache__",
    "*.egg-info",
    "node_modules",
)


class NotMutableError(Exception):
    """A mutation does not fit the file as it is now."""


class Tree:
    """The copy, below a folder that is the caller's to remove."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._broken = 0
        shutil.copytree(ROOT, root, ignore=LEFT_OUT)

    @contextmanager
    def broken(self, mutation: Mutation) -> Iterator[None]:
        """With this mutation in it for as long as the block takes; raises NotMutableError before it.

        Compiled files stay. Python tells by a file's size and the whole second of its last change whether what was
        compiled is of another text: each mutation's file has a second that no other text of it has had.
        """
        path = self.root / mutation.file
        whole, status = path.read_bytes(), path.stat()
        text = mutated(mutation, whole.decode("utf-8"))
        self._broken += 1
        try:
            path.write_bytes(text.encode("utf-8"))
            os.utime(path, (status.st_atime, int(status.st_mtime) + self._broken))
            yield
        finally:
            path.write_bytes(whole)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
            # Which examples made other mutants fail is not for the next test to know.
            shutil.rmtree(self.root / ".hypothesis" / "examples", ignore_errors=True)


def mutated(mutation: Mutation, text: str) -> str:
    """The text with the mutation made. Raises NotMutableError where an old text of it is not there exactly once."""
    for old, new in mutation.edits:
        if text.count(old) != 1:
            raise NotMutableError(f"{mutation.name}: an old text of it occurs {text.count(old)} times")
        text = text.replace(old, new)
    return text
