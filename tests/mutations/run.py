"""Applies one mutation to a copy of the project and runs the tests that must fail there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.mutations.mutation import Mutation

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".carillon", "__pycache__", "*.egg-info", "node_modules")
SECONDS = 300.0
HANG_SECONDS = 120
"""Of one test: longer than a wait for what never comes, and short enough for the run to say what hung."""
FAILED = 1
"""pytest's exit status where tests ran and some failed; any other says that they did not run."""


SOME_FAILED = re.compile(r"^\d+ failed\b", re.MULTILINE)
"""How pytest counts tests that failed, in its last words of its own."""


class NotCaughtError(Exception):
    """A test that must fail on a mutated product passed there, or could not be run; the text says which."""


@contextmanager
def copied() -> Iterator[Path]:
    """A copy of the project that may be broken."""
    with tempfile.TemporaryDirectory(prefix="carillon-mutation-") as folder:
        copy = Path(folder) / "carillon"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
        # The embedded servers may run as another user than this one.
        Path(folder).chmod(0o755)
        yield copy


def apply(mutation: Mutation, copy: Path) -> None:
    """Make the mutation in a copy."""
    path = copy / mutation.file
    text = path.read_text(encoding="utf-8")
    for old, new in mutation.edits:
        if text.count(old) != 1:
            raise NotCaughtError(f"{mutation.name}: an old text of it occurs {text.count(old)} times")
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def pytest_status(copy: Path, tests: Sequence[str]) -> tuple[int, str]:
    """The exit status of these tests in a copy, and the end of what they said."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", f"--timeout={HANG_SECONDS}", *tests]
    environ = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        run = subprocess.run(
            command,
            cwd=copy,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NotCaughtError(f"{' '.join(tests)} did not end within {SECONDS:.0f} s") from error
    return run.returncode, (run.stdout + run.stderr)[-2000:]


def check(mutation: Mutation) -> None:
    """Raises NotCaughtError unless every test that is to catch this mutation fails on it."""
    with copied() as copy:
        apply(mutation, copy)
        for test in mutation.tests:
            status, said = pytest_status(copy, [test])
            # Where pytest is missing, or a server did not start, it is 1 as well.
            if status != FAILED or not SOME_FAILED.search(said):
                raise NotCaughtError(f"{mutation.name}: {test} ended with status {status}\n{said}")
