"""`script/setup` in a clone of its own, with requirements that need no network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.process import run, unprivileged_user
from tests.integration.local.owner_process import ROOT
from tests.waiting import HANG_SECONDS

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def clone() -> Iterator[Path]:
    """The parts of a clone that setup needs, in a path with a space, which anybody can read."""
    folder = Path(tempfile.mkdtemp(prefix="carillon clone "))
    folder.chmod(0o755)
    clone = folder / "a clone"
    for name in ("script/setup", "local/setup.py"):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, clone / name)
    for name in ("requirements.txt", "requirements-dev.txt"):
        (clone / name).write_text("--no-index\n", encoding="ascii")
    yield clone
    shutil.rmtree(folder)


def setup(clone: Path, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [clone / "script" / "setup", *arguments],
        env={"PATH": path or f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(clone)},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )


@pytest.mark.full
def test_two_at_once_make_one_environment_which_follows_the_requirements_and_its_place(clone: Path) -> None:
    argv = [str(clone / "script" / "setup"), "--dev"]
    runs = [subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=HANG_SECONDS)[1] for process in runs]
    assert [process.returncode for process in runs] == [0, 0], said
    assert sum("making the virtual environment" in text for text in said) == 1
    assert sum("installing requirements-dev.txt" in text for text in said) == 1
    pip = subprocess.run([clone / ".venv/bin/pip", "--version"], capture_output=True, text=True, check=False)
    assert pip.returncode == 0, pip.stderr
    for again in (setup(clone, "--dev"), setup(clone)):
        assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    (clone / "requirements.txt").write_text("--no-index\nno-such-thing==1\n", encoding="ascii")
    for _ in range(2):  # a failure is not taken for done
        broken = setup(clone)
        assert broken.returncode == 1
        assert "carillon: pip could not install requirements.txt; is PyPI reachable?" in broken.stderr
        assert "no-such-thing" in broken.stderr
    (clone / "requirements.txt").write_text("--no-index\n# another\n", encoding="ascii")
    mended = setup(clone)
    assert mended.returncode == 0
    assert "making" not in mended.stderr
    moved = clone.rename(clone.with_name("moved here"))
    made_again = setup(moved)
    assert made_again.returncode == 0, made_again.stderr
    assert str(clone) not in (moved / ".venv/bin/pip").read_text(encoding="utf-8")


def programs(folder: Path, **scripts: str) -> str:
    """A PATH with nothing but these scripts and what a shell script needs."""
    folder.mkdir()
    for name in ("dirname", "sh"):
        (folder / name).symlink_to(str(shutil.which(name)))
    for name, script in scripts.items():
        path = folder / name.replace("_", ".")
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
    return str(folder)


def test_a_python_that_is_too_old_is_one_sentence(clone: Path) -> None:
    path = programs(clone.parent / "bin", python3="exit 1", python3_13="exit 127")
    old = setup(clone, path=path)
    assert old.returncode == 1
    assert old.stderr.startswith("carillon: Python 3.11 or newer is needed and none was found;")
    assert len(old.stderr.splitlines()) == 1
    assert not (clone / ".venv").exists()


def test_a_new_enough_python_is_found_behind_an_old_one(clone: Path) -> None:
    answer = 'case "$1" in -c) exit 0 ;; esac; echo "$@"'
    path = programs(clone.parent / "bin", python3="exit 1", python3_11=answer)
    found = setup(clone, "--dev", path=path)
    assert (found.returncode, found.stdout) == (0, f"-I {clone}/local/setup.py {clone} --dev\n")


@as_root
def test_an_environment_of_another_user_is_one_sentence(clone: Path) -> None:
    (clone / ".venv").mkdir()
    status, output = run(
        ["/usr/bin/env", "PATH=/usr/bin:/bin", clone / "script/setup"], user=unprivileged_user()
    )
    if "none was found" in output:
        pytest.skip("there is no Python that an ordinary user of this machine can run")
    assert status == 1
    assert output == (
        f"carillon: cannot write to {clone / '.venv'}: Permission denied; run as the user who owns it"
    )
