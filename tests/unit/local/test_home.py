"""The folder of an installation: who may read what, and who owns it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from local.errors import HomeInUseError, UnusableSettingError
from local.home import Lock, prepare, secret, write_private


def test_a_secret_is_made_once_and_is_private(tmp_path: Path) -> None:
    made = secret(tmp_path / "key")
    assert secret(tmp_path / "key") == made
    assert len(made) >= 32
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert secret(tmp_path / "other") != made


def test_a_secret_that_was_cut_short_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("", encoding="ascii")
    assert len(secret(tmp_path / "key")) >= 32


def test_a_private_file_replaces_an_open_one(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("old", encoding="ascii")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text(encoding="ascii") == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_home_is_made_with_its_parents_and_nobody_can_list_it(tmp_path: Path) -> None:
    home = prepare(tmp_path / "a" / "b c")
    assert home.is_dir()
    assert not stat.S_IMODE(home.stat().st_mode) & 0o066


def test_an_existing_home_keeps_its_permissions(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o755)
    (tmp_path / "home").chmod(0o755)
    assert stat.S_IMODE(prepare(tmp_path / "home").stat().st_mode) == 0o755


@pytest.mark.parametrize("path", ["file", "file/below"])
def test_a_home_that_cannot_be_a_folder_is_a_wrong_setting(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("", encoding="ascii")
    with pytest.raises(UnusableSettingError, match=r"^CARILLON_HOME: .*file"):
        prepare(tmp_path / path)


def test_a_lock_has_one_holder_who_is_named(tmp_path: Path) -> None:
    with Lock(tmp_path / "lock"), pytest.raises(HomeInUseError) as refused:
        Lock(tmp_path / "lock").acquire()
    assert refused.value.holder == str(os.getpid())
    assert refused.value.folder == tmp_path
    with Lock(tmp_path / "lock"):
        pass
