"""`breaker`: what is held since most of its calls end suspiciously; `breaker_tally`: how the calls of the last two
minutes ended, as each dialer counted them, and those of what is held until it is released.

`contact.breaker_returns`: how often a contact came back since the call that was counted tripped a breaker.
`campaign.breaker_exempt_at` and `_by`: who let its calls go on whatever is held. Decision 0049.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS breaker_exempt_at timestamptz",
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS breaker_exempt_by text",
    "ALTER TABLE contact ADD COLUMN IF NOT EXISTS breaker_returns smallint NOT NULL DEFAULT 0",
    """
    CREATE TABLE IF NOT EXISTS breaker (
        id uuid PRIMARY KEY,
        gateway_id text NOT NULL,
        prefix text NOT NULL,
        caller_id text NOT NULL,
        held_at timestamptz NOT NULL DEFAULT now(),
        top_causes jsonb NOT NULL DEFAULT '[]',
        probe_at timestamptz NOT NULL,
        released_at timestamptz
    )""",
    """
    CREATE UNIQUE INDEX IF NOT EXISTS breaker_held ON breaker (gateway_id, prefix, caller_id)
    WHERE released_at IS NULL""",
    """
    CREATE TABLE IF NOT EXISTS breaker_tally (
        id bigserial PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT now(),
        campaign_id uuid NOT NULL,
        gateway_id text NOT NULL,
        prefix text NOT NULL,
        caller_id text NOT NULL,
        calls int NOT NULL,
        suspicious_calls jsonb NOT NULL,
        breaker_id uuid
    )""",
    "CREATE INDEX IF NOT EXISTS breaker_tally_open ON breaker_tally (at) WHERE breaker_id IS NULL",
    "CREATE INDEX IF NOT EXISTS breaker_tally_held ON breaker_tally (breaker_id) WHERE breaker_id IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS breaker_tally_campaign ON breaker_tally (campaign_id) WHERE breaker_id IS NOT NULL",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns and make the tables."""
    run(db, STATEMENTS)
