"""Reads a migration for what would block the dialers or fail on the rows of a running installation.

The rules, with their reasons, are those of CONTRIBUTING.md. They are about tables that stood before the migration:
nobody waits for one that it creates itself.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

_CREATED = re.compile(r"CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?(\w+)")
_INDEX = re.compile(r"CREATE (?:UNIQUE )?INDEX (CONCURRENTLY )?(IF NOT EXISTS )?\w+ ON (\w+)")
_ALTER = re.compile(r"ALTER TABLE (?:IF EXISTS )?(?:ONLY )?(\w+) (.*)")
_ADD_CONSTRAINT = re.compile(r"ADD CONSTRAINT (\w+) (.*)")
_DEFAULT = re.compile(r"\bDEFAULT ('[^']*'(?:::\w+)?|-?\d+(?:\.\d+)?|true|false|NULL)(?= |$)")
_INLINE = re.compile(
    r"\b(CHECK|REFERENCES|UNIQUE|PRIMARY KEY|GENERATED|(?:big|small)?serial)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a migration, its white space folded, and the line of the file that it begins on."""

    line: int
    sql: str


@dataclass(frozen=True, slots=True)
class Violation:
    """A statement that breaks a rule."""

    line: int
    rule: str


def violations(source: str) -> list[Violation]:
    """What in the source of a migration breaks a rule."""
    tree = ast.parse(source)
    statements = list(_statements(tree))
    atomic = not _says_not_atomic(tree)
    created = {table[1] for statement in statements if (table := _CREATED.match(statement.sql))}
    written = {statement.sql for statement in statements}
    found = [
        Violation(line, "a migration is written in SQL, which can be read") for line in _migrator_uses(tree)
    ]
    for statement in statements:
        rules = (
            *_index_rules(statement.sql, created, atomic),
            *_alter_rules(statement.sql, created, atomic, written),
        )
        found += [Violation(statement.line, rule) for rule in rules]
    return found


def _statements(tree: ast.Module) -> Iterator[Statement]:
    """The statements within the file's texts, but for docstrings."""
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)) or id(node) in docstrings:
            continue
        line = node.lineno
        for text in re.split(r";\n", node.value):
            blank = len(text) - len(text.lstrip())
            sql = re.sub(r"\s+", " ", text).strip()
            if re.match(r"[A-Z]+ ", sql):
                yield Statement(line + text[:blank].count("\n"), sql)
            line += text.count("\n") + 1


def _says_not_atomic(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == "atomic" for target in node.targets)
        and isinstance(node.value, ast.Constant)
        and node.value.value is False
        for node in tree.body
    )


def _migrator_uses(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and "migrator" in node.value.id
        ):
            yield node.lineno


def _index_rules(sql: str, created: set[str], atomic: bool) -> Iterator[str]:
    found = _INDEX.match(sql)
    if found is None:
        if sql.startswith(("CREATE INDEX", "CREATE UNIQUE INDEX")):
            yield "an index has a name, so that one that was left half built is found"
        return
    if found[3] in created:
        return
    if not found[1]:
        yield f"an index on {found[3]}, which exists, is created CONCURRENTLY: otherwise nobody writes meanwhile"
    elif not found[2]:
        yield "CREATE INDEX CONCURRENTLY says IF NOT EXISTS: a run that was interrupted is run again"
    elif atomic:
        yield "CREATE INDEX CONCURRENTLY needs atomic = False: it cannot run in a transaction"


def _alter_rules(sql: str, created: set[str], atomic: bool, written: set[str]) -> Iterator[str]:
    found = _ALTER.match(sql)
    if found is None or found[1] in created:
        return
    table, action = found[1], found[2]
    if action.startswith("ADD COLUMN"):
        yield from _column_rules(action, atomic)
    elif constraint := _ADD_CONSTRAINT.match(action):
        yield from _constraint_rules(table, constraint[1], constraint[2], atomic, written)
    elif action.startswith("ADD "):
        yield "a column is added by ADD COLUMN, a constraint by ADD CONSTRAINT with a name"
    elif action.startswith("VALIDATE CONSTRAINT") and atomic:
        yield "VALIDATE CONSTRAINT needs atomic = False: the lock of the statement before it would be held meanwhile"
    elif re.match(r"ALTER (COLUMN )?\w+ (SET DATA )?TYPE\b", action):
        yield "the type of a column stays: the table would be rewritten under a lock; add a column and fill it"
    elif re.match(r"ALTER (COLUMN )?\w+ SET NOT NULL", action):
        yield from _not_null_rules(action, written)


def _column_rules(action: str, atomic: bool) -> Iterator[str]:
    if _INLINE.search(action):
        yield "a column is added without a constraint: ADD CONSTRAINT ... NOT VALID, then VALIDATE CONSTRAINT"
    constant = _DEFAULT.search(action)
    if "DEFAULT" in action and constant is None:
        yield "the default of a new column is a constant: any other rewrites the table under a lock"
    if "NOT NULL" in action and "DEFAULT" not in action:
        yield "a new column that is NOT NULL has a default: an older process does not write it"
    if not atomic and not action.startswith("ADD COLUMN IF NOT EXISTS"):
        yield "with atomic = False, ADD COLUMN says IF NOT EXISTS: a run that was interrupted is run again"


def _constraint_rules(table: str, name: str, rest: str, atomic: bool, written: set[str]) -> Iterator[str]:
    if "USING INDEX" in rest:
        return
    if rest.startswith(("UNIQUE", "PRIMARY KEY")):
        yield "a unique constraint is made USING an INDEX that was created CONCURRENTLY"
        return
    if not rest.endswith("NOT VALID"):
        yield "a constraint is added NOT VALID, and validated after: otherwise every row is read under a lock"
    if not atomic and f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}" not in written:
        yield "with atomic = False, a constraint is dropped IF EXISTS before: a run that was interrupted is run again"


def _not_null_rules(action: str, written: set[str]) -> Iterator[str]:
    column = action.removeprefix("ALTER ").removeprefix("COLUMN ").split(" ")[0]
    proof = f"CHECK ({column} IS NOT NULL) NOT VALID"
    if not any(sql.endswith(proof) for sql in written) or not any(
        "VALIDATE CONSTRAINT" in sql for sql in written
    ):
        yield f"SET NOT NULL comes after {proof} and its VALIDATE: otherwise every row is read under a lock"
