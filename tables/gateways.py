"""Gateways, by which calls leave, and what holds calls back by one: faults, pauses, the outcome breaker."""

from __future__ import annotations

from enum import StrEnum

from peewee import (
    BigAutoField,
    BooleanField,
    CompositeKey,
    DoubleField,
    IntegerField,
    TextField,
    UUIDField,
)
from playhouse.postgres_ext import BinaryJSONField, DateTimeTZField

from ids import new_id
from tables.base import Table


class CallerIdHeader(StrEnum):
    """Where a gateway's carrier looks for who calls, beside the From header."""

    FROM = "from"
    """Nowhere else."""
    PAI = "pai"
    """P-Asserted-Identity (RFC 3325)."""
    RPID = "rpid"
    """Remote-Party-ID."""


class CallerIdFormat(StrEnum):
    """How a carrier wants the caller's number written."""

    E164 = "e164"
    """With its plus."""
    DIGITS = "digits"
    """Without it."""


class Gateway(Table):
    """What calls leave by towards a carrier: a dial string and caps. It carries the numbers that start with one of
    `prefixes`, or all where there are none; `failover` are the ids of those that may carry a call in its stead.
    `faults_in_row` calls were refused since `faults_since`, and none got through; whom `refused_calls` were for is
    given back what he was charged when that pauses it. To `silent_calls`, of as many numbers, nobody responded since
    `silent_since`.
    While it is paused, `probes` calls have tried whether it works again, and `probe_at` is when the next may;
    `paused_alone` is the one destination that was refused, where it was one. Unless it is `outbound_enabled` nothing
    leaves by it: the operator's key `switched_off_by` said so."""

    id = UUIDField(primary_key=True, default=new_id)
    name = TextField()
    dial_string = TextField()
    cps = IntegerField(null=True)
    channels = IntegerField(null=True)
    prefixes = BinaryJSONField(default=list, index=False)
    cost = DoubleField(null=True)
    failover = BinaryJSONField(default=list, index=False)
    caller_id_header = TextField(default=CallerIdHeader.FROM)
    caller_id_format = TextField(default=CallerIdFormat.E164)
    faults_in_row = IntegerField(default=0)
    faults_since = DateTimeTZField(null=True)
    refused_calls = BinaryJSONField(default=list, index=False)
    silent_calls = BinaryJSONField(default=list, index=False)
    silent_since = DateTimeTZField(null=True)
    paused_at = DateTimeTZField(null=True)
    paused_reason = TextField(null=True)
    paused_alone = TextField(null=True)
    probe_at = DateTimeTZField(null=True)
    probes = IntegerField(default=0)
    outbound_enabled = BooleanField(default=True)
    switched_off_at = DateTimeTZField(null=True)
    switched_off_by = TextField(null=True)
    created_at = DateTimeTZField()
    deleted_at = DateTimeTZField(null=True)


class GatewayPrefix(Table):
    """How a gateway's calls to one destination end (`campaigns.routing.destination`): its columns are as those of the
    gateway, and `works_at` is when a call there last got through, to some seconds."""

    gateway_id = UUIDField()
    prefix = TextField()
    faults_in_row = IntegerField(default=0)
    faults_since = DateTimeTZField(null=True)
    refused_calls = BinaryJSONField(default=list, index=False)
    silent_calls = BinaryJSONField(default=list, index=False)
    silent_since = DateTimeTZField(null=True)
    works_at = DateTimeTZField(null=True)
    paused_at = DateTimeTZField(null=True)
    paused_reason = TextField(null=True)
    probe_at = DateTimeTZField(null=True)
    probes = IntegerField(default=0)

    class Meta:
        primary_key = CompositeKey("gateway_id", "prefix")


class GatewayCount(Table):
    """How calls by a gateway ended in five minutes, as one dialer counted them (`campaigns/gateway_counts.py`)."""

    since = DateTimeTZField()
    gateway_id = UUIDField()
    lane = TextField()
    sip_status = IntegerField()
    cause = TextField()
    calls = IntegerField()

    class Meta:
        primary_key = CompositeKey("since", "gateway_id", "lane", "sip_status", "cause")


class GatewayLogEntry(Table):
    """What somebody did with a gateway, never changed (`campaigns/gateway_log.py`). `by` is the name of a key."""

    id = BigAutoField()
    gateway_id = UUIDField()
    at = DateTimeTZField()
    by = TextField()
    action = TextField()
    changes = BinaryJSONField(default=dict, index=False)

    class Meta:
        table_name = "gateway_log"


class Breaker(Table):
    """Calls that are held since most of their like end suspiciously, until a probe gets through: by a gateway to one
    destination, or of one caller id; what does not matter is empty. `probe_at` is when the next may try it,
    `top_causes` how those ended that tripped it."""

    id = UUIDField(primary_key=True, default=new_id)
    gateway_id = TextField()
    prefix = TextField()
    caller_id = TextField()
    held_at = DateTimeTZField()
    top_causes = BinaryJSONField(default=list, index=False)
    probe_at = DateTimeTZField()
    released_at = DateTimeTZField(null=True)


class BreakerTally(Table):
    """How calls of a campaign by one way ended, as one dialer counted them within a second. `breaker_id`: they are
    held since, and whose `suspicious_calls` they were comes back when that is released."""

    id = BigAutoField()
    at = DateTimeTZField()
    campaign_id = UUIDField()
    gateway_id = TextField()
    prefix = TextField()
    caller_id = TextField()
    calls = IntegerField()
    suspicious_calls = BinaryJSONField(index=False)
    breaker_id = UUIDField(null=True)
