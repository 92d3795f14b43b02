"""Reports: what became of calls, kept by the quarter of an hour of UTC in which they were begun, and by its day.

`report_total` has the figures and distributions of a campaign, `report_route` those by gateway, caller id and the
first four digits of the number, `report_outcome` how calls ended by the attempt that they were (0: it did not count).
Whoever ends a call, or corrects one, appends what it was and what it is now (`report_change`), by the triggers that
count calls; `report_fold` adds that up, each row once. Nothing is taken away where a call is deleted: reports are
kept. What is over already is filled in by one statement, less what the triggers have noted by then; `report_fill`
says that it was. Decision 0076.
"""

from __future__ import annotations

from collections.abc import Sequence

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
QUARTER, DAY = 15, 1440
"""How long the time of a cell is, in minutes."""
PDD_MS = (
    250, 500, 750, 1000, 1250, 1500, 1750, 2000, 2500, 3000, 3500, 4000, 5000, 6000, 8000, 10_000, 12_500, 15_000,
    20_000, 30_000,
)  # fmt: skip
RING_MS = (
    1000, 2000, 3000, 4000, 5000, 6000, 8000, 10_000, 12_500, 15_000, 17_500, 20_000, 22_500, 25_000, 27_500, 30_000,
    35_000, 40_000, 45_000, 60_000, 90_000, 120_000,
)  # fmt: skip
LENGTH_SECONDS = (
    0, 1, 2, 3, 4, 5, 6, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300, 450, 600, 900, 1200, 1800, 2700, 3600, 7200,
)  # fmt: skip
"""The bounds of the buckets, which they include. Behind the last is one more, of what is longer."""


def _bucket(value: str, bounds: Sequence[int]) -> str:
    """The number of the bucket, from 0: of how many bounds it is beyond."""
    return f"width_bucket({value} - 1, '{{{','.join(map(str, bounds))}}}'::int[])::smallint"


_ORIGIN = "timestamptz '2000-01-01T00:00:00Z'"
_CHANGE = (
    "n int", "tenant_id text", "campaign_id uuid", "quarter timestamptz", "gateway_id uuid", "caller_id text",
    "prefix text", "disposition text", "attempt smallint", "placed boolean", "picked_up boolean", "seconds int",
    "pdd smallint", "ring smallint", "length smallint",
)  # fmt: skip
CHANGE_NAMES = ", ".join(column.split()[0] for column in _CHANGE)
"""The columns of `report_change`."""
_NULLABLE = ("pdd", "ring", "length")
_FACTS = f"""
    tenant_id, campaign_id, date_bin('{QUARTER} minutes', created_at, {_ORIGIN}), gateway_id, caller_id,
    CASE WHEN starts_with(phone_number, '+') THEN left(phone_number, 5) ELSE '' END, coalesce(disposition, ''),
    coalesce(attempt, 0), sent_at IS NOT NULL, answered_at IS NOT NULL, coalesce(billsec, 0),
    CASE WHEN progress_at IS NOT NULL THEN {_bucket("pdd_ms", PDD_MS)} END,
    CASE WHEN progress_at IS NOT NULL THEN {_bucket("ring_ms", RING_MS)} END,
    CASE WHEN answered_at IS NOT NULL THEN {_bucket("billsec", LENGTH_SECONDS)} END"""


def ended_changes(table: str, n: int) -> str:
    """What reports note of the calls of a table that are over: each as `n`, 1 or -1."""
    return f"SELECT {n} AS n, {_FACTS} FROM {table} WHERE ended_at IS NOT NULL"


_PDD = {f"pdd_{n}": f"sum(n) FILTER (WHERE pdd = {n})" for n in range(len(PDD_MS) + 1)}
_TOTAL = {
    "placed": "sum(n) FILTER (WHERE placed)",
    "picked_up": "sum(n) FILTER (WHERE picked_up)",
    "answered": "sum(n) FILTER (WHERE disposition = 'answered')",
    "abandoned": "sum(n) FILTER (WHERE disposition = 'abandoned')",
    "agent_failed": "sum(n) FILTER (WHERE disposition = 'agent_failed')",
    "seconds": "sum(n * seconds)",
    **_PDD,
    **{f"ring_{n}": f"sum(n) FILTER (WHERE ring = {n})" for n in range(len(RING_MS) + 1)},
    **{f"length_{n}": f"sum(n) FILTER (WHERE length = {n})" for n in range(len(LENGTH_SECONDS) + 1)},
}
_ROUTE = {
    "placed": "sum(n) FILTER (WHERE placed)",
    "picked_up": "sum(n) FILTER (WHERE picked_up)",
    "seconds": "sum(n * seconds)",
    "zero_seconds": "sum(n) FILTER (WHERE length = 0)",
    "six_seconds": f"sum(n) FILTER (WHERE length <= {LENGTH_SECONDS.index(6)})",
    **_PDD,
}
_OUTCOME = {"calls": "sum(n)"}
TABLES = {
    "report_total": ("", _TOTAL),
    "report_route": ("gateway_id uuid, caller_id text, prefix text", _ROUTE),
    "report_outcome": ("disposition text, attempt smallint, placed boolean", _OUTCOME),
}
"""Of each table what tells its cells apart within a campaign and its time, and its figures by their expressions."""


def _keys(told_apart: str) -> str:
    return "".join(f", {column.split()[0]}" for column in told_apart.split(", ") if column)


def _columns(name: str) -> str:
    told_apart, figures = TABLES[name]
    columns = "".join(f"{column} NOT NULL, " for column in told_apart.split(", ") if column)
    sums = "".join(f"{figure} {'bigint' if figure == 'seconds' else 'int'} NOT NULL, " for figure in figures)
    return f"""
        tenant_id text NOT NULL, campaign_id uuid NOT NULL, minutes smallint NOT NULL, start_at timestamptz NOT NULL,
        {columns}{sums}PRIMARY KEY (campaign_id, minutes, start_at{_keys(told_apart)})"""


def _add(name: str) -> str:
    """Adds what the step `facts` has to the cells of its quarters, and of their days."""
    told_apart, figures = TABLES[name]
    keys, names = _keys(told_apart), ", ".join(figures)
    days = ", ".join(f"sum({figure})" for figure in figures)
    sums = ", ".join(f"coalesce({expression}, 0) AS {figure}" for figure, expression in figures.items())
    added = ", ".join(f"{figure} = kept.{figure} + EXCLUDED.{figure}" for figure in figures)
    return f"""
    INSERT INTO {name} AS kept (tenant_id, campaign_id, minutes, start_at{keys}, {names})
    WITH quarters AS MATERIALIZED (
        SELECT tenant_id, campaign_id, quarter{keys}, {sums} FROM facts GROUP BY tenant_id, campaign_id, quarter{keys}
    )
    SELECT tenant_id, campaign_id, {QUARTER}, quarter{keys}, {names} FROM quarters
    UNION ALL
    SELECT tenant_id, campaign_id, {DAY}, date_bin('1 day', quarter, {_ORIGIN}){keys}, {days} FROM quarters
    GROUP BY tenant_id, campaign_id, date_bin('1 day', quarter, {_ORIGIN}){keys}
    ON CONFLICT (campaign_id, minutes, start_at{keys}) DO UPDATE SET {added}"""


def _add_all(facts: str) -> str:
    return f"""
    WITH {facts}, total AS ({_add("report_total")}), route AS ({_add("report_route")})
    {_add("report_outcome")}"""


COUNTED = "tenant_id, campaign_id, day, disposition"
"""By what the counts of calls differ."""
_OF_CALL = """
    tenant_id, campaign_id, (created_at AT TIME ZONE 'UTC')::date AS day, coalesce(disposition, '') AS disposition"""


def count_changes(table: str, sign: str) -> str:
    """What the counts of calls note of those of a table that are over, with their sign."""
    return f"""
        SELECT {_OF_CALL}, {sign}1 AS calls, {sign}(sent_at IS NOT NULL)::int AS sent,
            {sign}coalesce(billsec, 0) AS seconds
        FROM {table} WHERE ended_at IS NOT NULL"""


def _function(name: str, changes: str, counts: str) -> str:
    """What a statement on calls did, for reports and for their counts; of one that ended none there is nothing to
    count."""
    return f"""
    CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO report_change ({CHANGE_NAMES}) {changes};
        IF FOUND THEN
            INSERT INTO call_count_change ({COUNTED}, calls, sent, seconds)
            SELECT {COUNTED}, sum(calls), sum(sent), sum(seconds) FROM ({counts}) AS changes GROUP BY {COUNTED}
            HAVING sum(calls) <> 0 OR sum(sent) <> 0 OR sum(seconds) <> 0;
        END IF;
        RETURN NULL;
    END $$"""


# Made anew, they wait until every transaction that ran the functions of before is over: what these ended is seen by
# the statement that fills in what is over.
def _trigger(event: str, function: str, tables: str) -> str:
    return f"""
    CREATE OR REPLACE TRIGGER {function} AFTER {event} ON call REFERENCING {tables}
    FOR EACH STATEMENT EXECUTE FUNCTION {function}()"""


_FOLD = _add_all("facts AS (DELETE FROM report_change RETURNING *)")
_FILL = _add_all(f"""
    marked AS (INSERT INTO report_fill VALUES (true) ON CONFLICT DO NOTHING RETURNING 1),
    facts ({CHANGE_NAMES}) AS MATERIALIZED (
        {ended_changes("call", 1)} AND EXISTS (SELECT FROM marked)
        UNION ALL
        SELECT -n, {CHANGE_NAMES.removeprefix("n, ")} FROM report_change WHERE EXISTS (SELECT FROM marked)
    )""")

STATEMENTS = (
    f"CREATE TABLE IF NOT EXISTS report_total ({_columns('report_total')}) WITH (fillfactor = 70)",
    f"CREATE TABLE IF NOT EXISTS report_route ({_columns('report_route')}) WITH (fillfactor = 70)",
    f"CREATE TABLE IF NOT EXISTS report_outcome ({_columns('report_outcome')}) WITH (fillfactor = 70)",
    "CREATE INDEX IF NOT EXISTS report_total_tenant ON report_total (tenant_id, minutes, start_at)",
    "CREATE INDEX IF NOT EXISTS report_route_tenant ON report_route (tenant_id, minutes, start_at)",
    "CREATE INDEX IF NOT EXISTS report_outcome_tenant ON report_outcome (tenant_id, minutes, start_at)",
    # Read as a whole, and emptied every few seconds: the room of what is gone is wanted back soon.
    f"""
    CREATE TABLE IF NOT EXISTS report_change (
        {", ".join(column + ("" if column.split()[0] in _NULLABLE else " NOT NULL") for column in _CHANGE)}
    ) WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0)""",
    "CREATE TABLE IF NOT EXISTS report_fill (done boolean PRIMARY KEY)",
    f"CREATE OR REPLACE FUNCTION report_fold() RETURNS void LANGUAGE plpgsql AS $$ BEGIN {_FOLD}; END $$",
    _function("call_count_inserted", ended_changes("new_calls", 1), count_changes("new_calls", "")),
    _function(
        "call_count_updated",
        f"{ended_changes('new_calls', 1)} UNION ALL {ended_changes('old_calls', -1)}",
        f"{count_changes('new_calls', '')} UNION ALL {count_changes('old_calls', '-')}",
    ),
    _trigger("INSERT", "call_count_inserted", "NEW TABLE AS new_calls"),
    _trigger("UPDATE", "call_count_updated", "NEW TABLE AS new_calls OLD TABLE AS old_calls"),
    _FILL,
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Make the tables, have the triggers note changes, and fill in what is over."""
    run(db, STATEMENTS)
