"""Every migration can run while the dialers do: the rules of CONTRIBUTING.md, read in each file."""

from __future__ import annotations

from pathlib import Path

import pytest

from models import SCHEMA_VERSION
from tests.unit.migrations.rules import violations

ROOT = Path(__file__).parents[3]
MIGRATIONS = sorted((ROOT / "migrations").glob("[0-9]*.py"))

HELD_SLOTS_OF_0_1 = '''"""Until when a call that was closed without proof of its end keeps its slots."""

STATEMENTS = (
    "ALTER TABLE call ADD COLUMN slot_until timestamptz",
    "ALTER TABLE call ADD COLUMN ring_seconds int",
    "ALTER TABLE call ADD COLUMN max_seconds int",
    "CREATE INDEX call_held ON call (dialer_id) WHERE slot_until IS NOT NULL",
)
'''


@pytest.mark.parametrize("path", MIGRATIONS, ids=lambda path: path.name)
def test_a_migration_blocks_nobody(path: Path) -> None:
    found = violations(path.read_text(encoding="utf-8"))
    assert not found, "\n".join(f"{path.relative_to(ROOT)}:{one.line}: {one.rule}" for one in found)


def test_there_are_migrations_to_read() -> None:
    assert len(MIGRATIONS) >= 12


def test_the_index_that_was_created_under_running_dialers_is_found() -> None:
    (found,) = violations(HELD_SLOTS_OF_0_1)
    assert (found.line, found.rule.split(",")[0]) == (7, "an index on call")


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("CREATE UNIQUE INDEX one ON call (id)", "created CONCURRENTLY"),
        ("CREATE INDEX CONCURRENTLY one ON call (id)", "IF NOT EXISTS"),
        ("CREATE INDEX CONCURRENTLY IF NOT EXISTS one ON call (id)", "atomic = False"),
        ("CREATE INDEX ON call (id)", "has a name"),
        ("ALTER TABLE call ADD COLUMN a int CHECK (a > 0)", "without a constraint"),
        ("ALTER TABLE call ADD COLUMN a uuid REFERENCES agent", "without a constraint"),
        ("ALTER TABLE call ADD COLUMN a int UNIQUE", "without a constraint"),
        ("ALTER TABLE call ADD COLUMN a bigserial", "without a constraint"),
        ("ALTER TABLE call ADD COLUMN a uuid DEFAULT gen_random_uuid()", "is a constant"),
        ("ALTER TABLE call ADD COLUMN a int NOT NULL", "has a default"),
        ("ALTER TABLE call ADD a int", "by ADD COLUMN"),
        ("ALTER TABLE call ADD CHECK (a > 0)", "by ADD CONSTRAINT"),
        ("ALTER TABLE call ADD CONSTRAINT a CHECK (a > 0)", "NOT VALID"),
        ("ALTER TABLE call ADD CONSTRAINT a UNIQUE (a)", "USING an INDEX"),
        ("ALTER TABLE call VALIDATE CONSTRAINT a", "atomic = False"),
        ("ALTER TABLE call ALTER COLUMN a TYPE bigint", "stays"),
        ("ALTER TABLE call ALTER a SET DATA TYPE bigint", "stays"),
        ("ALTER TABLE call ALTER COLUMN a SET NOT NULL", "CHECK (a IS NOT NULL) NOT VALID"),
    ],
)
def test_what_blocks_is_found_with_its_line(statement: str, rule: str) -> None:
    (found,) = violations(f'STATEMENTS = (\n    "SELECT 1",\n    """\n    {statement}""",\n)\n')
    assert found.line == 4
    assert rule in found.rule


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("ALTER TABLE call ADD COLUMN a int", "IF NOT EXISTS"),
        ("ALTER TABLE call ADD CONSTRAINT a CHECK (a > 0) NOT VALID", "dropped IF EXISTS"),
    ],
)
def test_what_cannot_be_run_again_is_found(statement: str, rule: str) -> None:
    (found,) = violations(f'atomic = False\nSTATEMENTS = ("{statement}",)\n')
    assert rule in found.rule


def test_what_is_built_by_peewee_is_found() -> None:
    (found,) = violations("def up(migrator, db):\n    migrator.add_index('call', ('id',))\n")
    assert (found.line, found.rule) == (2, "a migration is written in SQL, which can be read")


@pytest.mark.parametrize(
    "source",
    [
        'STATEMENTS = ("CREATE TABLE a (id int CHECK (id > 0))", "CREATE INDEX a_id ON a (id)")',
        "STATEMENTS = (\"ALTER TABLE call ADD COLUMN a text NOT NULL DEFAULT ''\",)",
        'STATEMENTS = ("ALTER TABLE call ADD COLUMN a int DEFAULT -1 NOT NULL",)',
        'STATEMENTS = ("ALTER TABLE call ADD CONSTRAINT a CHECK (a > 0) NOT VALID",)',
        'STATEMENTS = ("ALTER TABLE call ADD CONSTRAINT a UNIQUE USING INDEX a_index",)',
        'atomic = False\nSTATEMENTS = ("CREATE INDEX CONCURRENTLY IF NOT EXISTS a ON call (id)",)',
        (
            'atomic = False\nSTATEMENTS = ("ALTER TABLE call DROP CONSTRAINT IF EXISTS a",'
            ' "ALTER TABLE call ADD CONSTRAINT a CHECK (b IS NOT NULL) NOT VALID",'
            ' "ALTER TABLE call VALIDATE CONSTRAINT a", "ALTER TABLE call ALTER COLUMN b SET NOT NULL")'
        ),
    ],
)
def test_what_blocks_nobody_is_let_through(source: str) -> None:
    assert violations(source) == []


def test_a_dialer_tells_the_last_migration_that_its_release_knows() -> None:
    assert MIGRATIONS[-1].name.split("_")[0] == f"{SCHEMA_VERSION:04}"


def test_each_has_a_number_of_its_own() -> None:
    """Two of one number are applied in the order of their names, whichever was first on a machine."""
    numbers = [path.name.split("_")[0] for path in MIGRATIONS]
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]


def test_each_decision_has_a_number_of_its_own() -> None:
    numbers = [path.name.split("-")[0] for path in sorted((ROOT / "docs/decisions").glob("0*.md"))]
    assert len(numbers) == len(set(numbers))
