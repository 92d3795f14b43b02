"""What `script/setup` decides and says, without making anything."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from local.setup import SetupError, create, kept, stamp, usable


def requirements(root: Path) -> Path:
    (root / "requirements.txt").write_text("one==1\n", encoding="ascii")
    (root / "requirements-dev.txt").write_text("two==2\n", encoding="ascii")
    return root


def test_the_stamp_changes_with_what_it_stands_for(tmp_path: Path) -> None:
    root = requirements(tmp_path)
    runtime, development = stamp(root, False), stamp(root, True)
    (root / "requirements-dev.txt").write_text("two==3\n", encoding="ascii")
    assert stamp(root, False) == runtime
    assert stamp(root, True) != development
    (root / "requirements.txt").write_text("one==2\n", encoding="ascii")
    assert stamp(root, False) != runtime


def test_nothing_is_kept_of_an_environment_whose_python_is_gone(tmp_path: Path) -> None:
    (tmp_path / ".ready").write_text("abc", encoding="ascii")
    assert kept(tmp_path, False) is None
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    assert kept(tmp_path, False) == "abc"
    assert kept(tmp_path, True) is None


def test_an_environment_that_does_not_run_is_not_usable(tmp_path: Path) -> None:
    assert not usable(tmp_path / ".venv", tmp_path)


def test_a_python_without_ensurepip_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python, venv = tmp_path / "python", tmp_path / ".venv"
    said = "The virtual environment was not created successfully because ensurepip is not available."
    python.write_text(f"#!/bin/sh\necho '{said}'\nexit 1\n", encoding="ascii")
    python.chmod(0o755)
    venv.mkdir()
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(SetupError, match=r"apt install python3-venv(?s:.*)ensurepip is not available"):
        create(venv)
