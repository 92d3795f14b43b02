"""One initdb for all PostgreSQL servers of a run: it takes most of a second, a copy of what it made a tenth of that.

They have one password: a test in which one server could be taken for another gives its home one of its own before.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import local.postgres
from local.home import secret, write_private
from local.initdb import PASSWORD, initialise
from local.placement import Placement
from tests.folders import folder_of_a_run

PREFIX = "carillon-clusters-"


@contextmanager
def initialised_once() -> Iterator[None]:
    """Meanwhile the first server of this process is made by initdb, and the data of others are copied from it."""
    with folder_of_a_run(PREFIX) as folder, pytest.MonkeyPatch.context() as patched:
        made: dict[int, Path] = {}

        def copied(home: Path, placement: Placement, *, durable: bool) -> None:
            owner = placement.folder.stat().st_uid
            if owner in made and _copied(made[owner], home, placement.data):
                return
            initialise(home, placement, durable=durable)
            if owner not in made:
                kept = folder / str(owner)
                _copy(placement.data, kept)
                write_private(folder / f"{owner}.password", secret(home / PASSWORD))
                made[owner] = kept

        patched.setattr(local.postgres, "initialise", copied)
        yield


def _copied(made: Path, home: Path, data: Path) -> bool:
    """False where the home has what only initdb can deal with: a password of its own, or half of its work."""
    if (home / PASSWORD).exists() or data.with_name("data.new").exists():
        return False
    write_private(home / PASSWORD, made.with_suffix(".password").read_text(encoding="ascii"))
    _copy(made, data)
    return True


def _copy(source: Path, target: Path) -> None:
    """With its owner, who is another user where root runs the tests."""
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)
