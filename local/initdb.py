"""The data of an embedded PostgreSQL, made anew.

`initialise` takes most of a second; the tests put a copy of what it made once in its place.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from local.errors import ServerFailedError
from local.home import secret
from local.placement import Placement
from local.process import run

USER = "carillon"
PASSWORD = "postgres.password"
"""In the home, the password of USER: made by whoever asks for it first."""


def initialise(home: Path, placement: Placement, *, durable: bool) -> None:
    """Run initdb into a folder that is renamed when whole, so one that was cut short is never taken for data.

    Raises ServerFailedError.
    """
    partial, password = placement.folder / "data.new", placement.folder / "password.new"
    shutil.rmtree(partial, ignore_errors=True)
    password.unlink(missing_ok=True)
    with open(os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secret(home / PASSWORD) + "\n")
    if placement.user:
        os.chown(password, placement.user.uid, placement.user.gid)
    argv: list[str | Path] = [
        placement.binaries / "initdb",
        "-D",
        partial,
        "-U",
        USER,
        f"--pwfile={password}",
    ]
    argv += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"]
    argv += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    # Thousands would slow a guess down; nobody guesses ours, and each of our connections would go through them.
    argv.append("--set=scram_iterations=1")
    if not durable:
        argv.append("--no-sync")
    try:
        status, output = run(argv, user=placement.user, cwd=placement.folder)
    finally:
        password.unlink(missing_ok=True)
    if status != 0:
        raise ServerFailedError("PostgreSQL", f"initdb ended with status {status}", output)
    partial.rename(placement.data)
