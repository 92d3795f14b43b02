"""`contact.numbers`: all numbers of a contact that has several, in their order, and `zone_groups` the group of each;
null of one that has one. `phone_number` and `zone_group` are of the one that is called next. `struck`: those that are
called no more, the first by the lowest bit.

`contact.repeats` is 0 where no other contact of the campaign has its number, by a unique index that is for the
constraint of before; else its position: of a campaign that takes each row (`campaign.duplicates` is `off`), and where
there are several numbers. `campaign.duplicates_hours`: whom the tenant called within so many hours is left out of its
lists; `import_recent` are how many were. Decision 0082.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    "ALTER TABLE contact ADD COLUMN IF NOT EXISTS numbers text[]",
    "ALTER TABLE contact ADD COLUMN IF NOT EXISTS zone_groups bigint[]",
    "ALTER TABLE contact ADD COLUMN IF NOT EXISTS struck smallint NOT NULL DEFAULT 0",
    "ALTER TABLE contact ADD COLUMN IF NOT EXISTS repeats int NOT NULL DEFAULT 0",
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS duplicates text NOT NULL DEFAULT 'list'",
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS duplicates_hours int",
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS import_recent int NOT NULL DEFAULT 0",
    """
    CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS contact_number_once
    ON contact (campaign_id, phone_number, repeats)""",
    """
    CREATE INDEX CONCURRENTLY IF NOT EXISTS contact_numbers ON contact USING gin (numbers)
    WHERE numbers IS NOT NULL""",
    "ALTER TABLE contact DROP CONSTRAINT IF EXISTS contact_campaign_id_phone_number_key",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns, and build the indexes beside whoever writes."""
    run(db, STATEMENTS)
