"""The first key of an installation, by which it is known on this machine."""

from __future__ import annotations

from pathlib import Path

from local.errors import LocalError


def first_key(home: Path, given: str | None) -> tuple[str, str]:
    """The first key of an installation, and where a person finds it; `given` is its CARILLON_BOOTSTRAP_KEY.

    Raises LocalError where neither tells it.
    """
    made = home / "demo.key"
    if made.exists():
        return made.read_text(encoding="ascii").strip(), str(made)
    if given:
        return given, "CARILLON_BOOTSTRAP_KEY"
    raise LocalError(f"the first key of {home} was given in CARILLON_BOOTSTRAP_KEY; set it again")
