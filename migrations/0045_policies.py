"""`campaign.policy_packs` and `purpose`: whether policy packs bind its calls, and what these are for; a tenant's
`policy_packs` and `default_purpose` are what a campaign gets that says nothing of them.

`campaign_zone.places` and `consented`: in such a campaign contacts are of one group who also share the places whose
law binds calls to them, and whether they have agreed. Decision 0075.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS policy_packs text NOT NULL DEFAULT 'off'",
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS purpose text",
    "ALTER TABLE tenant ADD COLUMN IF NOT EXISTS policy_packs text",
    "ALTER TABLE tenant ADD COLUMN IF NOT EXISTS default_purpose text",
    "ALTER TABLE campaign_zone ADD COLUMN IF NOT EXISTS places jsonb NOT NULL DEFAULT '[]'",
    "ALTER TABLE campaign_zone ADD COLUMN IF NOT EXISTS consented boolean NOT NULL DEFAULT false",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns."""
    run(db, STATEMENTS)
