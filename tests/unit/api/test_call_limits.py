"""Which dialers are too old for caps on numbers."""

from __future__ import annotations

from pathlib import Path

from api.routes.call_limits import KNOWS

MIGRATIONS = Path(__file__).parents[3] / "migrations"


def test_a_dialer_heeds_caps_on_numbers_that_knows_the_migration_which_brings_them() -> None:
    assert [path.name for path in MIGRATIONS.glob("*_number_caps.py")] == [f"{KNOWS:04d}_number_caps.py"]
