"""`campaign.windows` and `holidays`: when its contacts may be called, as it was asked for; null is at any time.

`contact.zone_group` stands for the time zones in which a contact may be (`campaign_zone`), `opening` has the moments
at which the window is open in them. `zones_read`: the group of each contact is known; false of lists that an older
release imported. `openings_until` and `openings_by`: how far ahead the openings are known, and by which tables of
zones and holidays. A tenant's `default_windows`, `default_holidays` and `default_time_zone` are what a campaign gets
that says nothing of a window.

By `contact_zone` the contacts of a group are found without reading those of others. It has the list's order by the
ids, which rise with it: in that of `contact_waiting` the planner would look through all groups for one. Decision
0061.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS windows jsonb",
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS holidays jsonb",
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS zones_read boolean NOT NULL DEFAULT false",
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS openings_until timestamptz",
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS openings_by text",
    "ALTER TABLE tenant ADD COLUMN IF NOT EXISTS default_windows jsonb",
    "ALTER TABLE tenant ADD COLUMN IF NOT EXISTS default_holidays jsonb",
    "ALTER TABLE tenant ADD COLUMN IF NOT EXISTS default_time_zone text",
    "ALTER TABLE contact ADD COLUMN IF NOT EXISTS zone_group bigint NOT NULL DEFAULT 0",
    """
    CREATE TABLE IF NOT EXISTS campaign_zone (
        campaign_id uuid NOT NULL,
        zone_group bigint NOT NULL,
        zones jsonb NOT NULL,
        PRIMARY KEY (campaign_id, zone_group)
    )""",
    """
    CREATE TABLE IF NOT EXISTS opening (
        campaign_id uuid NOT NULL,
        zone_group bigint NOT NULL,
        opens_at timestamptz NOT NULL,
        closes_at timestamptz NOT NULL,
        PRIMARY KEY (campaign_id, zone_group, opens_at),
        CHECK (opens_at < closes_at)
    )""",
    """
    CREATE INDEX CONCURRENTLY IF NOT EXISTS contact_zone
    ON contact (campaign_id, zone_group, next_attempt_at NULLS FIRST, id) WHERE waiting""",
    """
    CREATE INDEX CONCURRENTLY IF NOT EXISTS campaign_openings ON campaign (openings_until)
    WHERE openings_until IS NOT NULL""",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns, make the tables, and make the indexes beside whoever writes."""
    run(db, STATEMENTS)
