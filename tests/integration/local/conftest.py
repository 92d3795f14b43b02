"""Homes to start servers in: a path with a space, which any user can pass through."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.postgres import EmbeddedPostgres
from local.valkey import EmbeddedValkey
from tests.folders import removed


@pytest.fixture
def home() -> Iterator[Path]:
    """A CARILLON_HOME that does not exist yet."""
    with made_home() as made:
        yield made


@pytest.fixture(scope="module")
def common_home() -> Iterator[Path]:
    """Another, for all tests of a module that only look at what runs there."""
    with made_home() as made:
        yield made


@contextlib.contextmanager
def made_home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="carillon home "))
    folder.chmod(0o711)
    yield folder / "a clone" / ".carillon"
    removed(folder)


@pytest.fixture
def servers(postgres: EmbeddedPostgres, valkey: EmbeddedValkey) -> dict[str, str]:
    """Settings for a stack that need not start servers of its own."""
    return {"DATABASE_URL": postgres.url, "REDIS_URL": valkey.url}
