"""Who calls, and who may ask for it: tenants with their limits and keys, the sessions of the board, and the answers
to what was asked once."""

from __future__ import annotations

from peewee import (
    BooleanField,
    CompositeKey,
    ForeignKeyField,
    IntegerField,
    SmallIntegerField,
    TextField,
    UUIDField,
)
from playhouse.postgres_ext import ArrayField, BinaryJSONField, DateTimeTZField

from ids import new_id
from tables.base import Table


class Tenant(Table):
    """Who calls. Its id is a slug that also stands in its keys; the rest is what the platform granted. `weight`, from
    1 to 100, is its share of what tenants have in common. `retention_days`: for how long a campaign that has ended
    keeps its contacts and calls; null is for ever. `default_windows`, `default_holidays` and `default_time_zone` are
    the calling window of a campaign that says nothing of one, `default_max_concurrent_calls` its calls at once,
    `policy_packs` and `default_purpose` what one has that says nothing of these. `test_numbers` are those that test
    calls may go to."""

    id = TextField(primary_key=True)
    name = TextField()
    dialplan_context = TextField(null=True)
    gateway_ids = BinaryJSONField(default=list, index=False)
    queues = BinaryJSONField(default=list, index=False)
    weight = IntegerField(default=1)
    retention_days = IntegerField(null=True)
    default_windows = BinaryJSONField(null=True, index=False)
    default_holidays = BinaryJSONField(null=True, index=False)
    default_time_zone = TextField(null=True)
    default_max_concurrent_calls = IntegerField(null=True)
    policy_packs = TextField(null=True)
    default_purpose = TextField(null=True)
    test_numbers = BinaryJSONField(default=list, index=False)
    created_at = DateTimeTZField()
    deleted_at = DateTimeTZField(null=True)


class CallLimits(Table):
    """A tenant's four caps; null is unlimited, 0 blocks. And how often it may call one number: `number_gap_seconds`
    after the last call to it ended, and so many times in any 24 hours, 7 and 30 days. `reserved_concurrency` of
    `concurrent_max` is kept for single calls. Its lists hold numbers of `allowed_countries` (null is any), and
    premium-rate ones where these are allowed."""

    tenant = ForeignKeyField(Tenant, primary_key=True)
    concurrent_max = IntegerField(null=True)
    calls_per_minute = IntegerField(null=True)
    daily_calls_max = IntegerField(null=True)
    daily_minutes_max = IntegerField(null=True)
    number_gap_seconds = IntegerField(default=0)
    number_calls_24h = IntegerField(null=True)
    number_calls_7d = IntegerField(null=True)
    number_calls_30d = IntegerField(null=True)
    reserved_concurrency = IntegerField(default=0)
    allowed_countries = ArrayField(TextField, index=False, null=True)
    premium_allowed = BooleanField(default=False)


class ApiKey(Table):
    """A key's HMAC and what it may do; the key itself is shown once and never stored. `secret` tells with which
    SECRET_KEY it was made, without saying it."""

    id = UUIDField(primary_key=True, default=new_id)
    tenant = ForeignKeyField(Tenant)
    name = TextField()
    role = TextField()
    digest = TextField()
    prefix = TextField()
    secret = TextField(null=True)
    created_at = DateTimeTZField()


class BoardSession(Table):
    """A browser that is signed in to the board: by the key `api_key_id` and as long as that is there, acting for
    `tenant_id`. `digest` is of its cookie."""

    id = UUIDField(primary_key=True, default=new_id)
    digest = TextField()
    api_key_id = UUIDField()
    tenant_id = TextField()
    user_agent = TextField()
    created_at = DateTimeTZField()
    expires_at = DateTimeTZField()


class BoardLink(Table):
    """What a link that signs in to the board once stands for, until then."""

    digest = TextField(primary_key=True)
    api_key_id = UUIDField()
    expires_at = DateTimeTZField()


class Idempotency(Table):
    """The first answer to a creating request, replayed for 24 h."""

    tenant = ForeignKeyField(Tenant)
    key = TextField()
    route = TextField()
    body_hash = TextField()
    status = SmallIntegerField()
    body = TextField()
    created_at = DateTimeTZField()

    class Meta:
        primary_key = CompositeKey("tenant", "key")
