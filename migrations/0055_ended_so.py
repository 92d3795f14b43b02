"""Whose call ended how, found by index: `call_ended_so` has the calls of a campaign by disposition, in the order in
which they were begun; `contact_block` marks the parts of a list by how a contact's last call ended as by its status
(in the same column: no word is both).

The functions of the triggers of migration 0021 are replaced: one statement marks both. Decision 0083.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False


def _mark(ended: str, of: str = "") -> str:
    """Marks the parts of those among `ended` whose part is not marked yet. Who is in a call was marked before it, and
    is again after it."""
    return f"""
    INSERT INTO contact_block (campaign_id, status, block)
    SELECT DISTINCT campaign_id, word, position / 200 FROM {ended} AS ended CROSS JOIN LATERAL (
        VALUES (CASE WHEN status <> 'pending' THEN status END), (disposition)) AS words (word)
    WHERE {of} status NOT IN ('originated', 'connected') AND word IS NOT NULL AND NOT EXISTS (
        SELECT FROM contact_block AS marked WHERE marked.campaign_id = ended.campaign_id
            AND marked.status = word AND marked.block = ended.position / 200)"""


_FUNCTION = """
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {work}; RETURN NULL; END $$"""
_FILL = f"""
DO $$
DECLARE
    one uuid;
BEGIN
    FOR one IN SELECT id FROM campaign WHERE purged_at IS NULL LOOP
        {_mark("contact", "campaign_id = one AND")};
        COMMIT;
    END LOOP;
END $$
"""
STATEMENTS = (
    _FUNCTION.format(name="contact_block_updated", work=_mark("new_contacts")),
    _FUNCTION.format(name="contact_block_inserted", work=_mark("(SELECT NEW.*)")),
    _FILL,
    """CREATE INDEX CONCURRENTLY IF NOT EXISTS call_ended_so ON call (campaign_id, disposition, created_at, id)
    WHERE disposition IS NOT NULL""",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Have both marked, mark what has ended, build the index."""
    run(db, STATEMENTS)
