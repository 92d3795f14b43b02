"""Contacts, their calls, and what is told of both."""

from __future__ import annotations

from peewee import (
    BigAutoField,
    BigIntegerField,
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
from states import (
    CallState,
    ContactStatus,
)
from tables.base import Table
from tables.campaigns import Campaign
from tables.tenants import Tenant


class Contact(Table):
    """One person of a list. `sends` numbers the calls placed (seq), `attempts` those that count. `free_sends` counts
    those that the switch refused, `carrier_refusals`, `gateway_faults` and `disturbed` the others that do not count,
    `breaker_returns` how often it came back since a breaker had been tripped by its last call;
    `version` numbers its transitions; `call_id` is the call in flight. `waiting`: whether it is pending, by a
    trigger; an index mentions it in place of the status, so that the steps of a call write no index. `callback`:
    somebody named its `next_attempt_at`, and it goes before others when that comes. `expires_at`: not
    called later. `priority`, from 0 to 100: the highest first of those that wait for their first call.
    `wait_reason`: why it is not called before `next_attempt_at`, where it is not for its retry. `zone_group` stands
    for the time zones in which the contact may be (`campaigns/zone_groups.py`). Of one with several numbers
    `phone_number` and `zone_group` are those of the number that is called next; `numbers` are all of them in their
    order, `zone_groups` the group of each, `struck` those that are called no more, the first by the lowest bit.
    `repeats` is 0 where no other contact of the campaign may have its number."""

    id = UUIDField(primary_key=True, default=new_id)
    campaign = ForeignKeyField(Campaign)
    position = IntegerField()
    phone_number = TextField()
    zone_group = BigIntegerField(default=0)
    numbers = ArrayField(TextField, null=True, index=False)
    zone_groups = ArrayField(BigIntegerField, null=True, index=False)
    struck = SmallIntegerField(default=0)
    repeats = IntegerField(default=0)
    status = TextField(default=ContactStatus.PENDING)
    disposition = TextField(null=True)
    attempts = SmallIntegerField(default=0)
    sends = SmallIntegerField(default=0)
    free_sends = SmallIntegerField(default=0)
    carrier_refusals = SmallIntegerField(default=0)
    gateway_faults = SmallIntegerField(default=0)
    disturbed = SmallIntegerField(default=0)
    breaker_returns = SmallIntegerField(default=0)
    version = IntegerField(default=0)
    next_attempt_at = DateTimeTZField(null=True)
    last_cause = TextField(null=True)
    call_id = UUIDField(null=True)
    waiting = BooleanField(null=True)
    callback = BooleanField(default=False)
    expires_at = DateTimeTZField(null=True)
    priority = SmallIntegerField(default=0)
    wait_reason = TextField(null=True)
    custom_fields = BinaryJSONField(default=dict, index=False)
    metadata = BinaryJSONField(default=dict, index=False)
    consent_at = DateTimeTZField(null=True)
    consent_source = TextField(null=True)
    created_at = DateTimeTZField()
    updated_at = DateTimeTZField()


class ContactToken(Table):
    """Which contact of a campaign stands for a client's token, so that what is added again is added once; kept for 7
    days."""

    campaign_id = UUIDField()
    token = TextField()
    contact_id = UUIDField()
    created_at = DateTimeTZField()

    class Meta:
        primary_key = CompositeKey("campaign_id", "token")


class Call(Table):
    """One send: committed before the originate leaves, under the id that the switch knows it by. `failover`: it
    proved that nobody was reached, and its contact is sent again by another gateway. `doubtful`: it was written, and
    whether its node has it is not known, nor may it ever be. `slot_until`: it has ended for its contact, may be up
    all the same until then, and keeps its slots. `hangup_at`: since when it has to end (`campaigns/calls_to_end.py`).
    `ring_seconds` and `max_seconds` are its agent's at the claim; null in rows of before. `second_leg_gateway_id`: by
    which its agent is reached. `retry_seconds`: so long after its end the contact was to be called again."""

    id = UUIDField(primary_key=True, default=new_id)
    tenant = ForeignKeyField(Tenant)
    campaign = ForeignKeyField(Campaign)
    contact = ForeignKeyField(Contact)
    seq = SmallIntegerField()
    attempt = SmallIntegerField(null=True)
    state = TextField(default=CallState.DISPATCHING)
    generation = IntegerField()
    phone_number = TextField()
    caller_id = TextField()
    gateway_id = UUIDField()
    node = TextField()
    core_uuid = TextField(null=True)
    doubtful = BooleanField(default=False)
    dialer_id = TextField()
    sent_by = TextField()
    created_at = DateTimeTZField()
    sent_at = DateTimeTZField(null=True)
    progress_at = DateTimeTZField(null=True)
    ring_at = DateTimeTZField(null=True)
    answered_at = DateTimeTZField(null=True)
    ended_at = DateTimeTZField(null=True)
    disposition = TextField(null=True)
    cause = TextField(null=True)
    q850 = SmallIntegerField(null=True)
    sip_status = SmallIntegerField(null=True)
    sip_phrase = TextField(null=True)
    sip_603plus_reason = TextField(null=True)
    hung_up_by = TextField(null=True)
    billsec = IntegerField(null=True)
    duration_ms = IntegerField(null=True)
    recovered = BooleanField(default=False)
    certain_billsec = IntegerField(null=True)
    pdd_ms = IntegerField(null=True)
    ring_ms = IntegerField(null=True)
    failover = BooleanField(default=False)
    slot_until = DateTimeTZField(null=True)
    hangup_at = DateTimeTZField(null=True)
    second_leg_gateway_id = UUIDField(null=True)
    ring_seconds = IntegerField(null=True)
    max_seconds = IntegerField(null=True)
    retry_seconds = IntegerField(null=True)


class RecentOutcome(Table):
    """A call of a campaign that policy packs bind, which ended so that its number may have to be left alone:
    `subject` is the number, or stands for what the campaign's `key_column` has of the contact; `purpose` is that of
    the campaign."""

    id = BigAutoField()
    tenant_id = TextField()
    subject = TextField()
    disposition = TextField()
    purpose = TextField()
    contact_id = UUIDField()
    at = DateTimeTZField()


class Transition(Table):
    """One change of a contact (or, without one, of the campaign), written in the change's own transaction and
    published to the live stream once by its owner or whoever takes over from it. `published`: that was done, or a
    row of the outbox says that it is to be, or it is no change of state and nobody is told. `by`: who asked for it,
    and `next_attempt_at` when he wants the contact to be called (`campaigns/contact_decisions.py`)."""

    id = BigAutoField()
    campaign_id = UUIDField()
    contact_id = UUIDField(null=True)
    call_id = UUIDField(null=True)
    version = IntegerField()
    status = TextField()
    disposition = TextField(null=True)
    attempt = SmallIntegerField(null=True)
    cause = TextField(null=True)
    at = DateTimeTZField()
    owner = TextField()
    published = BooleanField(default=False)
    by = TextField(null=True)
    next_attempt_at = DateTimeTZField(null=True)


class OutboxRow(Table):
    """What a dialer's commit changed in one campaign and is to be published: the ids of its transitions, of which
    `id` is the smallest. Gone once it is published."""

    owner = TextField()
    id = BigIntegerField()
    campaign_id = UUIDField()
    transition_ids = ArrayField(BigIntegerField, index=False)

    class Meta:
        table_name = "outbox"
        primary_key = CompositeKey("owner", "id")


class CdrInbox(Table):
    """A call's record as its node wrote it, until what it says is in the call's row. `variables` holds those that
    say how the call ended, and no others."""

    uuid = UUIDField()
    node = TextField()
    received_at = DateTimeTZField()
    variables = BinaryJSONField(index=False)
    applied_at = DateTimeTZField(null=True)

    class Meta:
        primary_key = CompositeKey("uuid", "node")
