"""`call_count`: how many calls are over, kept by whoever ends one; `call_ended`: those that ended last.

Without them a limiter that is rebuilt, and the total of a list of calls, read every row. Triggers keep the counts,
once for each statement, so that a dialer of the last release keeps them too. They append (`call_count_change`), so
that nobody waits for anybody; a dialer adds up now and then (`campaigns/call_counts.py`). Decision 0040.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
_GROUP = "tenant_id, campaign_id, day, disposition"
_OF_CALL = """
    tenant_id, campaign_id, (created_at AT TIME ZONE 'UTC')::date AS day, coalesce(disposition, '') AS disposition"""
_COLUMNS = """
    tenant_id text NOT NULL,
    campaign_id uuid NOT NULL,
    day date NOT NULL,
    disposition text NOT NULL,
    calls int NOT NULL,
    sent int NOT NULL,
    seconds int NOT NULL"""


def _rows(table: str, sign: str) -> str:
    return f"""
        SELECT {_OF_CALL}, {sign}1 AS calls, {sign}(sent_at IS NOT NULL)::int AS sent,
            {sign}coalesce(billsec, 0) AS seconds
        FROM {table} WHERE ended_at IS NOT NULL"""


def _append(changes: str) -> str:
    """Appends what is left of so many rows, group by group."""
    return f"""
    INSERT INTO call_count_change ({_GROUP}, calls, sent, seconds)
    SELECT {_GROUP}, sum(calls), sum(sent), sum(seconds) FROM ({changes}) AS changes GROUP BY {_GROUP}
    HAVING sum(calls) <> 0 OR sum(sent) <> 0 OR sum(seconds) <> 0"""


def _trigger(event: str, function: str, tables: str) -> str:
    return f"""
    CREATE OR REPLACE TRIGGER {function} AFTER {event} ON call REFERENCING {tables}
    FOR EACH STATEMENT EXECUTE FUNCTION {function}()"""


def _function(name: str, changes: str) -> str:
    return f"""
    CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN {_append(changes)}; RETURN NULL; END $$"""


# In one statement, and so of one moment: what the rows say, less what the triggers have noted of them by then. It
# finds nothing to add where it has run before.
_FILL = _append(f"""
    {_rows("call", "")}
    UNION ALL SELECT {_GROUP}, -calls, -sent, -seconds FROM call_count
    UNION ALL SELECT {_GROUP}, -calls, -sent, -seconds FROM call_count_change""")

STATEMENTS = (
    f"""
    CREATE TABLE IF NOT EXISTS call_count ({_COLUMNS}, PRIMARY KEY (campaign_id, day, disposition))
    WITH (fillfactor = 50)""",
    "CREATE INDEX IF NOT EXISTS call_count_tenant ON call_count (tenant_id)",
    "CREATE INDEX IF NOT EXISTS call_count_day ON call_count (day)",
    # Read as a whole, and emptied every few seconds: the room of what is gone is wanted back soon.
    f"""
    CREATE TABLE IF NOT EXISTS call_count_change ({_COLUMNS})
    WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0)""",
    _function("call_count_inserted", _rows("new_calls", "")),
    _function("call_count_updated", f"{_rows('new_calls', '')} UNION ALL {_rows('old_calls', '-')}"),
    _function("call_count_deleted", _rows("old_calls", "-")),
    _trigger("INSERT", "call_count_inserted", "NEW TABLE AS new_calls"),
    _trigger("UPDATE", "call_count_updated", "NEW TABLE AS new_calls OLD TABLE AS old_calls"),
    _trigger("DELETE", "call_count_deleted", "OLD TABLE AS old_calls"),
    _FILL,
    "CREATE INDEX CONCURRENTLY IF NOT EXISTS call_ended ON call (ended_at) WHERE ended_at IS NOT NULL",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Make the tables and the triggers, count what there is, build the index."""
    run(db, STATEMENTS)
