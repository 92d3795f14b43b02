"""What the demo reads of its environment and of its home."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.demo import own_environ
from local.errors import LocalError
from local.first_key import first_key


def test_the_demo_leaves_out_what_names_servers_and_nodes() -> None:
    given = {"DATABASE_URL": "a", "REDIS_URL": "b", "FREESWITCH_URLS": "c", "PORT": "8080", "PATH": "/bin"}
    assert own_environ(given) == {"PORT": "8080", "PATH": "/bin"}
    assert len(given) == 5


def test_the_first_key_is_the_one_that_was_made_or_else_the_one_that_was_given(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="was given in CARILLON_BOOTSTRAP_KEY; set it again"):
        first_key(tmp_path, None)
    assert first_key(tmp_path, "given") == ("given", "CARILLON_BOOTSTRAP_KEY")
    (tmp_path / "demo.key").write_text("made\n", encoding="ascii")
    assert first_key(tmp_path, "given") == ("made", str(tmp_path / "demo.key"))
