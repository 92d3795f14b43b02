"""Every table of the first release.

The rules that keep people from being called twice are constraints here, so that no code path can forget them:
one call for each (contact, seq), one for each counted (contact, attempt), one contact for each number of a list.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

STATEMENTS = """
CREATE TABLE tenant (
    id text PRIMARY KEY CHECK (id ~ '^[a-z0-9][a-z0-9-]{0,31}$'),
    name text NOT NULL,
    dialplan_context text,
    gateway_ids jsonb NOT NULL DEFAULT '[]',
    queues jsonb NOT NULL DEFAULT '[]',
    created_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz
);

CREATE TABLE call_limits (
    tenant_id text PRIMARY KEY REFERENCES tenant,
    concurrent_max int CHECK (concurrent_max >= 0),
    calls_per_minute int CHECK (calls_per_minute >= 0),
    daily_calls_max int CHECK (daily_calls_max >= 0),
    daily_minutes_max int CHECK (daily_minutes_max >= 0)
);

CREATE TABLE api_key (
    id uuid PRIMARY KEY,
    tenant_id text NOT NULL REFERENCES tenant,
    name text NOT NULL,
    role text NOT NULL CHECK (role IN ('read', 'operate', 'admin', 'platform')),
    digest text NOT NULL UNIQUE,
    prefix text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX api_key_tenant ON api_key (tenant_id, created_at, id);

CREATE TABLE gateway (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    dial_string text NOT NULL,
    cps int CHECK (cps >= 1),
    channels int CHECK (channels >= 1),
    created_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz
);
CREATE UNIQUE INDEX gateway_name ON gateway (name) WHERE deleted_at IS NULL;

CREATE TABLE agent (
    id uuid PRIMARY KEY,
    tenant_id text NOT NULL REFERENCES tenant,
    name text NOT NULL,
    action jsonb NOT NULL,
    ring_timeout_seconds int NOT NULL DEFAULT 30 CHECK (ring_timeout_seconds BETWEEN 15 AND 120),
    max_call_seconds int NOT NULL DEFAULT 1800 CHECK (max_call_seconds BETWEEN 1 AND 14400),
    variables jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz
);
CREATE INDEX agent_tenant ON agent (tenant_id, created_at, id);

CREATE TABLE phone_number (
    id uuid PRIMARY KEY,
    tenant_id text NOT NULL REFERENCES tenant,
    e164 text NOT NULL,
    outbound_enabled boolean NOT NULL DEFAULT true,
    gateway_id uuid NOT NULL REFERENCES gateway,
    agent_id uuid REFERENCES agent,
    created_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz
);
CREATE UNIQUE INDEX phone_number_e164 ON phone_number (e164) WHERE deleted_at IS NULL;
CREATE INDEX phone_number_tenant ON phone_number (tenant_id, created_at, id);

CREATE TABLE campaign (
    id uuid PRIMARY KEY,
    tenant_id text NOT NULL REFERENCES tenant,
    name text NOT NULL,
    agent_id uuid NOT NULL REFERENCES agent,
    phone_number_id uuid NOT NULL REFERENCES phone_number,
    status text NOT NULL CHECK (status IN ('draft', 'scheduled', 'running', 'paused', 'completed', 'failed')),
    generation int NOT NULL DEFAULT 0,
    version int NOT NULL DEFAULT 0,
    max_concurrent_calls int NOT NULL CHECK (max_concurrent_calls >= 1),
    retries_per_contact int NOT NULL CHECK (retries_per_contact BETWEEN 0 AND 5),
    retry_delay_seconds int NOT NULL CHECK (retry_delay_seconds >= 60),
    scheduled_at timestamptz,
    started_at timestamptz,
    completed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    end_reason text CHECK (end_reason IN ('stopped', 'exhausted', 'deadline', 'error')),
    blocked_reason text,
    next_action_at timestamptz,
    import_rows int NOT NULL DEFAULT 0,
    import_accepted int NOT NULL DEFAULT 0,
    import_duplicates int NOT NULL DEFAULT 0,
    import_invalid int NOT NULL DEFAULT 0,
    import_suppressed int NOT NULL DEFAULT 0,
    deleted_at timestamptz,
    CHECK ((status IN ('completed', 'failed')) = (completed_at IS NOT NULL)),
    CHECK ((status IN ('completed', 'failed')) = (end_reason IS NOT NULL))
);
CREATE INDEX campaign_tenant ON campaign (tenant_id, created_at, id);
CREATE INDEX campaign_running ON campaign (tenant_id) WHERE status = 'running';

CREATE TABLE contact (
    id uuid PRIMARY KEY,
    campaign_id uuid NOT NULL REFERENCES campaign,
    position int NOT NULL,
    phone_number text NOT NULL,
    status text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'originated', 'connected', 'completed', 'failed', 'cancelled')),
    disposition text,
    attempts smallint NOT NULL DEFAULT 0,
    sends smallint NOT NULL DEFAULT 0,
    free_sends smallint NOT NULL DEFAULT 0,
    version int NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    last_cause text,
    call_id uuid,
    custom_fields jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (campaign_id, position),
    UNIQUE (campaign_id, phone_number),
    CHECK ((status IN ('originated', 'connected')) = (call_id IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX contact_due ON contact (campaign_id, next_attempt_at NULLS FIRST, position) WHERE status = 'pending';
CREATE INDEX contact_in_flight ON contact (campaign_id) WHERE status IN ('originated', 'connected');

CREATE TABLE call (
    id uuid PRIMARY KEY,
    tenant_id text NOT NULL REFERENCES tenant,
    campaign_id uuid NOT NULL REFERENCES campaign,
    contact_id uuid NOT NULL REFERENCES contact,
    seq smallint NOT NULL,
    attempt smallint,
    state text NOT NULL DEFAULT 'dispatching' CHECK (state IN ('dispatching', 'ringing', 'answered', 'ended')),
    generation int NOT NULL,
    phone_number text NOT NULL,
    caller_id text NOT NULL,
    gateway_id uuid NOT NULL,
    node text NOT NULL,
    core_uuid text,
    dialer_id text NOT NULL,
    sent_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz,
    progress_at timestamptz,
    answered_at timestamptz,
    ended_at timestamptz,
    disposition text,
    cause text,
    q850 smallint,
    sip_status smallint,
    sip_phrase text,
    sip_603plus_reason text,
    hung_up_by text,
    billsec int,
    duration_ms int,
    pdd_ms int,
    ring_ms int,
    UNIQUE (contact_id, seq),
    CHECK ((state = 'ended') = (ended_at IS NOT NULL))
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX call_attempt ON call (contact_id, attempt) WHERE attempt IS NOT NULL;
CREATE UNIQUE INDEX call_one_open ON call (contact_id) WHERE state <> 'ended';
CREATE INDEX call_open ON call (dialer_id) WHERE state <> 'ended';
CREATE INDEX call_tenant ON call (tenant_id, created_at, id);
CREATE INDEX call_campaign ON call (campaign_id, created_at, id);

CREATE TABLE campaign_count (
    campaign_id uuid NOT NULL REFERENCES campaign,
    lane text NOT NULL,
    pending int NOT NULL DEFAULT 0,
    originated int NOT NULL DEFAULT 0,
    connected int NOT NULL DEFAULT 0,
    completed int NOT NULL DEFAULT 0,
    failed int NOT NULL DEFAULT 0,
    cancelled int NOT NULL DEFAULT 0,
    PRIMARY KEY (campaign_id, lane)
) WITH (fillfactor = 50);

CREATE TABLE transition (
    id bigserial PRIMARY KEY,
    campaign_id uuid NOT NULL,
    contact_id uuid,
    call_id uuid,
    version int NOT NULL,
    status text NOT NULL,
    disposition text,
    attempt smallint,
    cause text,
    at timestamptz NOT NULL DEFAULT now(),
    owner text NOT NULL,
    published boolean NOT NULL DEFAULT false
) WITH (fillfactor = 90);
CREATE INDEX transition_unpublished ON transition (owner, id) WHERE NOT published;

CREATE TABLE import_reject (
    campaign_id uuid NOT NULL REFERENCES campaign,
    line int NOT NULL,
    raw text NOT NULL,
    code text NOT NULL,
    reason text NOT NULL
);
CREATE INDEX import_reject_campaign ON import_reject (campaign_id, line);

CREATE TABLE idempotency (
    tenant_id text NOT NULL REFERENCES tenant,
    key text NOT NULL,
    route text NOT NULL,
    body_hash text NOT NULL,
    status smallint NOT NULL,
    body text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX idempotency_age ON idempotency (created_at);

CREATE TABLE dialer (
    id text PRIMARY KEY,
    started_at timestamptz NOT NULL DEFAULT now(),
    postmaster_started_at timestamptz NOT NULL DEFAULT pg_postmaster_start_time(),
    settled_at timestamptz
);

CREATE TABLE halt (
    scope text PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    by text NOT NULL
);
"""


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Create the tables."""
    run(db, (statement for statement in STATEMENTS.split(";\n") if statement.strip()))
