"""`contact_block`: in which parts of a campaign's list somebody ended so, for pages of contacts by a final status.

A part is 200 positions. A mark is made with the first of a part that ends so, by whoever ends it, and stays: what it
leads to is looked at. An index by status would make each end of a contact write all of its indexes (decision 0025);
a mark costs one row for as many ends as a part has contacts. Decision 0042.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False


def _mark(ended: str, of: str = "") -> str:
    """Marks the parts of those among `ended` whose part is not marked yet. Two may mark one at the same time: nobody
    waits for the other, and a second mark does no harm."""
    return f"""
    INSERT INTO contact_block (campaign_id, status, block)
    SELECT DISTINCT campaign_id, status, position / 200 FROM {ended} AS ended
    WHERE {of} status IN ('completed', 'failed', 'cancelled') AND NOT EXISTS (
        SELECT FROM contact_block AS marked WHERE marked.campaign_id = ended.campaign_id
            AND marked.status = ended.status AND marked.block = ended.position / 200)"""


_FUNCTION = """
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {work}; RETURN NULL; END $$"""
_FILL = f"""
DO $$
DECLARE
    one uuid;
BEGIN
    FOR one IN SELECT id FROM campaign LOOP
        {_mark("contact", "campaign_id = one AND")};
        COMMIT;
    END LOOP;
END $$
"""
STATEMENTS = (
    "CREATE TABLE IF NOT EXISTS contact_block (campaign_id uuid NOT NULL, status text NOT NULL, block int NOT NULL)",
    "CREATE INDEX IF NOT EXISTS contact_block_page ON contact_block (campaign_id, status, block)",
    _FUNCTION.format(name="contact_block_updated", work=_mark("new_contacts")),
    _FUNCTION.format(name="contact_block_inserted", work=_mark("(SELECT NEW.*)")),
    """
    CREATE OR REPLACE TRIGGER contact_block_updated AFTER UPDATE ON contact REFERENCING NEW TABLE AS new_contacts
    FOR EACH STATEMENT EXECUTE FUNCTION contact_block_updated()""",
    # Row by row, since almost all that are inserted are pending: an import pays nothing.
    """
    CREATE OR REPLACE TRIGGER contact_block_inserted AFTER INSERT ON contact FOR EACH ROW
    WHEN (NEW.status IN ('completed', 'failed', 'cancelled')) EXECUTE FUNCTION contact_block_inserted()""",
    _FILL,
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Make the table and the triggers, and mark what has ended."""
    run(db, STATEMENTS)
