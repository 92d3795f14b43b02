"""Where mutations are tried one after the other: a copy of the project, and a process that runs its tests there."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from local.postgres import EmbeddedPostgres
from tests.examples import UNSHRUNK
from tests.mutations.mutation import Mutation
from tests.mutations.tree import Tree
from tests.shared_postgres import drop_databases

HANG_SECONDS = 120
"""Of one test: longer than a wait for what never comes, and short enough for the run to say what hung."""
BESIDES_SECONDS = 180.0
"""What a run may take besides its tests: the servers, and what they are started with."""
END_SECONDS = 60.0
MAKES_THE_SCHEMA = ("migrations/", "local/")


class WorkplaceClosedError(Exception):
    """The process that runs the tests has ended."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A pytest run: its exit status (None where it did not end), the end of what it said, and what it cost."""

    status: int | None
    said: str
    processor_seconds: float


class Workplace:
    """Below `folder`, which is the caller's to remove. Its tests use `postgres`, one that is `shared`."""

    def __init__(self, folder: Path, postgres: EmbeddedPostgres) -> None:
        self._postgres = postgres
        temporary = folder / "tmp"
        temporary.mkdir(parents=True)
        self.tree = Tree(folder / "carillon")
        environ = {**os.environ, "PYTHONPATH": str(self.tree.root), "TMPDIR": str(temporary)}
        # The runs compile what they import, once for all of them.
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        self._worker = subprocess.Popen(
            [sys.executable, "-m", "tests.mutations.worker"],
            cwd=self.tree.root,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            # A Ctrl-C is ours alone, and we close.
            start_new_session=True,
        )

    def run(
        self, tests: Sequence[str], *options: str, broken: Mutation | None = None, own_servers: bool = False
    ) -> Ran:
        """Run these tests, on the project as it is or `broken`; with `own_servers` where they stop them.

        Raises NotMutableError, or WorkplaceClosedError where `close` was called meanwhile.
        """
        settled = ("-q", f"--timeout={HANG_SECONDS}", f"--hypothesis-profile={UNSHRUNK}")
        arguments = [*options, *settled, *tests]
        shares = not own_servers and (broken is None or not broken.file.startswith(MAKES_THE_SCHEMA))
        if shares:
            arguments.append(f"--shared-postgres={self._postgres.home}")
        asked = {"arguments": arguments, "seconds": len(tests) * HANG_SECONDS + BESIDES_SECONDS}
        with self.tree.broken(broken) if broken is not None else contextlib.nullcontext():
            ran = self._ask(json.dumps(asked))
        if shares:
            drop_databases(self._postgres)
        return ran

    def _ask(self, line: str) -> Ran:
        assert self._worker.stdin is not None
        assert self._worker.stdout is not None
        try:
            print(line, file=self._worker.stdin, flush=True)
            answer = self._worker.stdout.readline()
        except (OSError, ValueError) as error:
            raise WorkplaceClosedError from error
        if not answer:
            raise WorkplaceClosedError
        return Ran(**json.loads(answer))

    def close(self) -> None:
        """End the run that goes on, and the process; from any thread."""
        assert self._worker.stdin is not None
        with contextlib.suppress(OSError):
            self._worker.stdin.close()
        try:
            self._worker.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._worker.kill()
            self._worker.wait()

    def __enter__(self) -> Workplace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
