"""How much of what is shared a campaign and a tenant get (`weight`), how it begins (`slow_start`, `campaign_ramp`),
why it is not dialled since when (`blocked_since`), and how fast it was dialled in each second (`campaign_pace`).

`campaign_pace` and `campaign_ramp` refer to nothing: a key that is looked up would hold on to the campaign's row each
second.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    "ALTER TABLE tenant ADD COLUMN IF NOT EXISTS weight int NOT NULL DEFAULT 1",
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS weight int NOT NULL DEFAULT 1",
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS slow_start boolean NOT NULL DEFAULT false",
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS blocked_since timestamptz",
    "ALTER TABLE tenant DROP CONSTRAINT IF EXISTS tenant_weight",
    "ALTER TABLE tenant ADD CONSTRAINT tenant_weight CHECK (weight BETWEEN 1 AND 100) NOT VALID",
    "ALTER TABLE tenant VALIDATE CONSTRAINT tenant_weight",
    "ALTER TABLE campaign DROP CONSTRAINT IF EXISTS campaign_weight",
    "ALTER TABLE campaign ADD CONSTRAINT campaign_weight CHECK (weight BETWEEN 1 AND 100) NOT VALID",
    "ALTER TABLE campaign VALIDATE CONSTRAINT campaign_weight",
    """
    CREATE TABLE IF NOT EXISTS campaign_ramp (
        campaign_id uuid PRIMARY KEY,
        generation int NOT NULL,
        level smallint NOT NULL DEFAULT 0,
        since timestamptz NOT NULL DEFAULT now()
    )""",
    """
    CREATE TABLE IF NOT EXISTS campaign_pace (
        campaign_id uuid NOT NULL,
        second timestamptz NOT NULL,
        dialer_id text NOT NULL,
        offered int NOT NULL,
        admitted int NOT NULL,
        live_calls int NOT NULL,
        cap text,
        PRIMARY KEY (campaign_id, second, dialer_id)
    )""",
    "CREATE INDEX IF NOT EXISTS campaign_pace_second ON campaign_pace (second)",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns and make the tables."""
    run(db, STATEMENTS)
