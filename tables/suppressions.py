"""Who is not to be called: do-not-call entries, persons whose data is to be erased, and halts."""

from __future__ import annotations

from peewee import (
    BlobField,
    BooleanField,
    ForeignKeyField,
    IntegerField,
    TextField,
    UUIDField,
)
from playhouse.postgres_ext import DateTimeTZField

from ids import new_id
from tables.base import Table
from tables.tenants import Tenant


class Suppression(Table):
    """A number that is not to be called (or the digits that such numbers begin with, or the keyed hash of a number
    that was erased) until `expires_at`; null is for ever. `scope` is a tenant's id, or `*` for all; `campaign_id` is
    the id of zeros for all campaigns. `secret` tells with which SECRET_KEY a hash was made, without saying it."""

    id = UUIDField(primary_key=True, default=new_id)
    scope = TextField()
    campaign_id = UUIDField()
    number = TextField(null=True)
    prefix = TextField(null=True)
    digest = BlobField(null=True)
    secret = TextField(null=True)
    source = TextField()
    reason = TextField(null=True)
    created_by = TextField()
    created_at = DateTimeTZField()
    expires_at = DateTimeTZField(null=True)


class SuppressionPrefixLength(Table):
    """A length that some prefix has, or had; by a trigger."""

    length = IntegerField(primary_key=True)


class SuppressionNews(Table):
    """An entry of which contacts may still be pending."""

    suppression_id = UUIDField(primary_key=True)


class Erasure(Table):
    """A person whose data a tenant has to erase. `number` goes with the rest of it, once no call is up any more."""

    id = UUIDField(primary_key=True, default=new_id)
    tenant = ForeignKeyField(Tenant)
    number = TextField(null=True)
    created_by = TextField()
    created_at = DateTimeTZField()
    done_at = DateTimeTZField(null=True)


class Halt(Table):
    """No call starts for this scope (a tenant's id, or `*` for all) while its row is here. A tenant's may have two
    marks: its own (`own`, with `at` and `by`) and the platform's."""

    scope = TextField(primary_key=True)
    at = DateTimeTZField()
    by = TextField()
    own = BooleanField(default=True)
    platform_at = DateTimeTZField(null=True)
    platform_by = TextField(null=True)
