"""What a run leaves is removed, also by somebody who may have few files open."""

from __future__ import annotations

import resource
from pathlib import Path

from tests.folders import removed


def test_a_folder_with_more_in_it_than_may_be_open_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "a clone"
    for number in range(200):
        (folder / str(number)).mkdir(parents=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
    try:
        removed(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert not folder.exists()
