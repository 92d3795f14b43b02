"""Calls refer to their tenant, campaign and contact by construction: the claim, which alone writes calls, has just
read all three and locked the contact. A foreign key looks each of them up once more for each call, and locks it: a
fifth of what a claim costs. Calls are deleted before their contacts (`campaigns/retention.py`), and the other two
never. Decision 0087.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    "ALTER TABLE call DROP CONSTRAINT IF EXISTS call_contact_id_fkey",
    "ALTER TABLE call DROP CONSTRAINT IF EXISTS call_campaign_id_fkey",
    "ALTER TABLE call DROP CONSTRAINT IF EXISTS call_tenant_id_fkey",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Drop them, one lock at a time."""
    run(db, STATEMENTS)
