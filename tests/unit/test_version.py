"""The version stands in one place."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from version import VERSION

ROOT = Path(__file__).parents[2]


def test_the_package_takes_its_version_from_there() -> None:
    package = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in package["project"]
    assert "version" in package["project"]["dynamic"]
    assert package["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "version.VERSION"}


def test_it_is_one_of_semantic_versioning() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)
