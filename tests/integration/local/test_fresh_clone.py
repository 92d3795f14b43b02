"""A clone that was never set up, in a path with a space: what a person types first, as root and as somebody else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.process import User, carrying, free_port, run, unprivileged_user
from local.stack import OWNER_VARIABLE
from tests.folders import removed
from tests.integration.local.owner_process import ROOT

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
ROWS = 200
"""Lines of the list that the demo dials; all of it is dialled by `tests/e2e/test_proof.py`."""
OUR_PATH = f"{Path(sys.base_prefix) / 'bin'}:{SYSTEM_PATH}"


def copy_clone(target: Path) -> None:
    """What git would clone, with what is not committed yet."""
    argv = [
        "git",
        "-c",
        f"safe.directory={ROOT}",
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]
    listed = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


@pytest.fixture
def clone(pytestconfig: pytest.Config) -> Iterator[Path]:
    """With a part of the list that the demo dials, and the whole list under --full."""
    folder = Path(tempfile.mkdtemp(prefix="carillon fresh "))
    copy_clone(folder / "a clone")
    if not pytestconfig.getoption("--full"):
        listed = folder / "a clone" / "examples" / "contacts.csv"
        lines = listed.read_text(encoding="utf-8").splitlines(keepends=True)
        listed.write_text("".join(lines[:ROWS]), encoding="utf-8")
    yield folder / "a clone"
    place = folder / "a clone" / ".carillon" / "postgres.place"
    if place.exists():
        removed(Path(place.read_text(encoding="utf-8").strip()))
    removed(folder)


def typed(clone: Path, command: list[str], user: User | None, path: str) -> tuple[int, str]:
    """Status and output of a command that `user` types in the clone, with nothing of ours in his environment."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "HTTP", "http"))}
    given = {"HOME": str(clone.parent), "PATH": path, "PORT": str(free_port()), **kept}
    environ = [f"{name}={value}" for name, value in given.items()]
    return run(["/usr/bin/env", "-i", *environ, clone / command[0], *command[1:]], user=user, cwd=clone)


def try_the_demo(clone: Path, user: User | None, path: str) -> None:
    status, output = typed(clone, ["script/demo", "--exit"], user, path)
    assert status == 0, output
    assert "every contact is settled" in output
    assert carrying(OWNER_VARIABLE, str(clone / ".carillon")) == []


def try_the_tests(clone: Path, user: User | None, path: str) -> None:
    """Installs what only they need, which takes longest of all: where this run itself began so, it is proven."""
    status, output = typed(clone, ["script/test", "-q", "tests/unit/local"], user, path)
    assert status == 0, output


def test_the_demo_runs_where_only_we_can_go(clone: Path) -> None:
    """As whoever runs the tests; the temporary folder is closed to others, so root has to place its data outside."""
    try_the_demo(clone, None, OUR_PATH)


@pytest.mark.full
def test_the_tests_run_where_only_we_can_go(clone: Path) -> None:
    try_the_tests(clone, None, OUR_PATH)


@pytest.mark.full
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_the_demo_and_the_tests_run_for_an_ordinary_user(clone: Path) -> None:
    user = unprivileged_user()
    for path in (clone.parent, *clone.parent.rglob("*")):
        os.chown(path, user.uid, user.gid)
    status, output = typed(clone, ["script/setup"], user, SYSTEM_PATH)
    if "none was found" in output:
        pytest.skip("there is no Python that an ordinary user of this machine can run")
    assert status == 0, output
    try_the_demo(clone, user, SYSTEM_PATH)
    try_the_tests(clone, user, SYSTEM_PATH)
