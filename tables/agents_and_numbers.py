"""Agents, to which answered calls are connected, and phone numbers, which calls show as their caller id."""

from __future__ import annotations

from peewee import (
    BooleanField,
    ForeignKeyField,
    IntegerField,
    TextField,
    UUIDField,
)
from playhouse.postgres_ext import BinaryJSONField, DateTimeTZField

from ids import new_id
from tables.base import Table
from tables.gateways import Gateway
from tables.tenants import Tenant


class Agent(Table):
    """What an answered call is connected to. `held_at`: so many of its calls in a row could not be given to it that
    no more leave until it is let go; `probe_at` is when the nodes are asked for what it needs."""

    id = UUIDField(primary_key=True, default=new_id)
    tenant = ForeignKeyField(Tenant)
    name = TextField()
    action = BinaryJSONField(index=False)
    safe_harbour = BinaryJSONField(null=True, index=False)
    ring_timeout_seconds = IntegerField(default=30)
    max_call_seconds = IntegerField(default=1800)
    variables = BinaryJSONField(null=True, index=False)
    failures_in_row = IntegerField(default=0)
    held_at = DateTimeTZField(null=True)
    held_reason = TextField(null=True)
    probe_at = DateTimeTZField(null=True)
    created_at = DateTimeTZField()
    deleted_at = DateTimeTZField(null=True)


class PhoneNumber(Table):
    """A caller id, and the gateway its calls leave by."""

    id = UUIDField(primary_key=True, default=new_id)
    tenant = ForeignKeyField(Tenant)
    e164 = TextField()
    outbound_enabled = BooleanField(default=True)
    gateway = ForeignKeyField(Gateway)
    agent = ForeignKeyField(Agent, null=True)
    created_at = DateTimeTZField()
    deleted_at = DateTimeTZField(null=True)
