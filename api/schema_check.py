"""Whether the database has the schema that this release needs; each release process brings it up to date."""

from __future__ import annotations

from api.errors import ApiError
from api.transactions import transaction
from models import SCHEMA_VERSION, rows

_TABLE = "SELECT to_regclass('schema_migration') IS NOT NULL AS there"
_NEWEST = "SELECT max(left(name, 4)) AS newest FROM schema_migration"
RELEASE = "run python -m migrations"


def schema_fault() -> str | None:
    """One sentence where it has an older one or none. On the connection that this greenlet has."""
    if not rows(_TABLE)[0]["there"]:
        return f"The database has no schema yet: {RELEASE}."
    newest = int(rows(_NEWEST)[0]["newest"] or 0)
    if newest < SCHEMA_VERSION:
        return f"The database's schema is {newest:04}, and this release needs {SCHEMA_VERSION:04}: {RELEASE}."
    return None


def schema_fault_now() -> str | None:
    """The same in a transaction of its own; None also where nobody can say."""
    try:
        with transaction(2.0):
            return schema_fault()
    except ApiError:
        return None
