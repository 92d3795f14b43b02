"""`campaign_log` tells of a scheduled campaign that a restored database keeps from its start (`held`, `restored`);
how many rows an import left out, since they were called lately, is no setting.

The function of migration 0038 is replaced. Decisions 0069 and 0074.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

HOLDS = "('agent', 'breaker', 'caller_id', 'gateway_paused', 'halted', 'budget', 'not_here', 'restored')"
"""What holds a whole campaign until somebody or something lets it go, by its `blocked_reason`."""
NOT_TOLD = """ARRAY['status', 'generation', 'version', 'started_at', 'completed_at', 'stopping_at', 'hangup_at',
    'end_reason', 'blocked_reason', 'blocked_since', 'next_action_at', 'import_rows', 'import_accepted',
    'import_duplicates', 'import_invalid', 'import_suppressed', 'import_recent', 'import_columns', 'import_warnings',
    'import_region', 'purging_at', 'purged_at', 'kept_outcomes', 'breaker_exempt_at', 'breaker_exempt_by',
    'additions', 'deleted_at', 'zones_read', 'openings_until', 'openings_by']"""
"""Columns that are no settings: every other one is told of with what it was before."""
STATEMENTS = (
    f"""
    CREATE OR REPLACE FUNCTION campaign_logged() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        who text := nullif(current_setting('carillon.by', true), '');
        what text;
        why text;
        changes jsonb := '{{}}';
    BEGIN
        IF TG_OP = 'INSERT' THEN
            INSERT INTO campaign_log (campaign_id, by, action) VALUES (NEW.id, NEW.created_by, 'created');
            RETURN NULL;
        END IF;
        SELECT coalesce(jsonb_object_agg(before.key, jsonb_build_array(before.value, after.value)), '{{}}')
        INTO changes FROM jsonb_each(to_jsonb(OLD) - {NOT_TOLD}) AS before
            JOIN jsonb_each(to_jsonb(NEW) - {NOT_TOLD}) AS after USING (key)
        WHERE before.value IS DISTINCT FROM after.value;
        IF NEW.status <> OLD.status THEN
            what := CASE WHEN NEW.status = 'draft' THEN 'unscheduled'
                WHEN NEW.status = 'running' AND OLD.status = 'paused' THEN 'resumed'
                WHEN NEW.status = 'running' THEN 'started'
                WHEN NEW.status = 'completed' AND NEW.end_reason = 'stopped' THEN 'stopped'
                ELSE NEW.status END;
            why := CASE WHEN NEW.status = 'running' AND OLD.status = 'scheduled' AND who IS NULL THEN 'schedule'
                WHEN NEW.status = 'paused' THEN nullif(NEW.blocked_reason, 'paused')
                WHEN NEW.status IN ('completed', 'failed') THEN nullif(NEW.end_reason, 'stopped') END;
        ELSIF NEW.deleted_at IS NOT NULL AND OLD.deleted_at IS NULL THEN
            what := 'deleted';
        ELSIF NEW.purged_at IS NOT NULL AND OLD.purged_at IS NULL THEN
            what := 'purged';
            why := 'retention_days';
        ELSIF NEW.breaker_exempt_at IS NOT NULL AND OLD.breaker_exempt_at IS NULL THEN
            what := 'exempted';
            who := NEW.breaker_exempt_by;
        ELSIF NEW.hangup_at IS NOT NULL AND OLD.hangup_at IS NULL THEN
            what := 'hung_up';
        ELSIF changes <> '{{}}' THEN
            what := 'changed';
        ELSIF NEW.generation <> OLD.generation THEN
            what := 'taken_away';
        ELSIF NEW.blocked_reason IN {HOLDS} AND NEW.blocked_reason IS DISTINCT FROM OLD.blocked_reason THEN
            what := 'held';
            why := NEW.blocked_reason;
        ELSIF OLD.blocked_reason IN {HOLDS} AND NEW.blocked_reason IS DISTINCT FROM OLD.blocked_reason THEN
            what := 'let_go';
            why := OLD.blocked_reason;
        END IF;
        IF what IS NOT NULL THEN
            INSERT INTO campaign_log (campaign_id, by, action, reason, details) VALUES (NEW.id, who, what, why,
                CASE WHEN changes = '{{}}' THEN '{{}}' ELSE jsonb_build_object('changes', changes) END);
        END IF;
        RETURN NULL;
    END $$""",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Replace the function."""
    run(db, STATEMENTS)
