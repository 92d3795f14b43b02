"""Campaigns, with their counts, logs, openings and pace."""

from __future__ import annotations

from enum import StrEnum

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
from playhouse.postgres_ext import BinaryJSONField, DateTimeTZField

from ids import new_id
from tables.agents_and_numbers import Agent, PhoneNumber
from tables.base import Table
from tables.tenants import Tenant


class DialOrder(StrEnum):
    """Who of a campaign is called first, but for callbacks, which go before both."""

    RETRIES_FIRST = "retries_first"
    """Whose time has come, then who was never called."""
    NEW_FIRST = "new_first"


class Campaign(Table):
    """A list being dialled. `generation` rises with each start, pause, resume and stop: a call claimed under
    an older one may no longer be sent. `version` numbers its transitions for the event stream. `stopping_at`: it has
    ended, and the rest of its list is being cancelled since then (`campaigns/stopping.py`). `hangup_at`: since when
    its calls have to end. `weight`, from 1 to 100, is its share beside the tenant's other campaigns; with
    `slow_start` it begins at a tenth of its rate. `purged_at`: since when its contacts and calls are gone, and
    `purging_at` while they are being deleted; `kept_outcomes` is what had become of them.
    `scheduled_at`: when a dialer starts it; `end_at`: when one ends it, whatever is left; `time_zone`: the zone in
    which these were given, and that of contacts whose own is not known. `retry_rules`: when who ended so is called
    again, by disposition (`campaigns.retry_rules`), where that is not as the two columns before it say. `keep_open`:
    it goes on where nobody is left to call; `additions`: how many lists were added to it. `external_id` and
    `metadata` are its client's; `cloned_from`: which one it repeats; `family_id`: the first of those that do.
    `windows` are the hours in which its contacts may be called, `holidays` the days on which they may not; null is
    at any time. `zones_read`: which zones they are in is known. `openings_until`: so far ahead its openings are
    written, by the tables that `openings_by` names. `policy_packs`: whether policy packs bind its calls, those for
    its `purpose`, or for every one where it names none; `key_column`: the column that names what a call is about.
    `duplicates`: whether a number may be in it more than once (`campaigns/duplicates.py`), or, with
    `duplicates_hours`, was not called lately; `import_recent`: how many rows were left out for that.
    `single_call`: it is one call that somebody asked for by itself, which no list of campaigns shows; `test_of`: the
    campaign that it tries."""

    id = UUIDField(primary_key=True, default=new_id)
    tenant = ForeignKeyField(Tenant)
    name = TextField()
    agent = ForeignKeyField(Agent)
    phone_number = ForeignKeyField(PhoneNumber)
    status = TextField()
    generation = IntegerField(default=0)
    version = IntegerField(default=0)
    max_concurrent_calls = IntegerField()
    retries_per_contact = IntegerField()
    retry_delay_seconds = IntegerField()
    retry_rules = BinaryJSONField(default=dict, index=False)
    dial_order = TextField(default=DialOrder.RETRIES_FIRST)
    scheduled_at = DateTimeTZField(null=True)
    end_at = DateTimeTZField(null=True)
    time_zone = TextField(null=True)
    windows = BinaryJSONField(null=True, index=False)
    holidays = BinaryJSONField(null=True, index=False)
    policy_packs = TextField(default="off")
    purpose = TextField(null=True)
    key_column = TextField(null=True)
    duplicates = TextField(default="list")
    duplicates_hours = IntegerField(null=True)
    zones_read = BooleanField(default=False)
    openings_until = DateTimeTZField(null=True)
    openings_by = TextField(null=True)
    started_at = DateTimeTZField(null=True)
    completed_at = DateTimeTZField(null=True)
    stopping_at = DateTimeTZField(null=True)
    hangup_at = DateTimeTZField(null=True)
    created_at = DateTimeTZField()
    created_by = TextField()
    external_id = TextField(null=True)
    metadata = BinaryJSONField(default=dict, index=False)
    breaker_exempt_at = DateTimeTZField(null=True)
    breaker_exempt_by = TextField(null=True)
    end_reason = TextField(null=True)
    blocked_reason = TextField(null=True)
    blocked_since = DateTimeTZField(null=True)
    next_action_at = DateTimeTZField(null=True)
    weight = IntegerField(default=1)
    slow_start = BooleanField(default=False)
    keep_open = BooleanField(default=False)
    import_rows = IntegerField(default=0)
    import_accepted = IntegerField(default=0)
    import_duplicates = IntegerField(default=0)
    import_invalid = IntegerField(default=0)
    import_suppressed = IntegerField(default=0)
    import_recent = IntegerField(default=0)
    purging_at = DateTimeTZField(null=True)
    purged_at = DateTimeTZField(null=True)
    kept_outcomes = BinaryJSONField(null=True, index=False)
    import_columns = BinaryJSONField(null=True)
    import_warnings = BinaryJSONField(null=True)
    import_region = TextField(null=True)
    additions = IntegerField(default=0)
    cloned_from = UUIDField(null=True)
    family_id = UUIDField(null=True)
    single_call = BooleanField(default=False)
    test_of = UUIDField(null=True)
    deleted_at = DateTimeTZField(null=True)


class CampaignCount(Table):
    """How many contacts of a campaign are in each state, as deltas in lanes that processes do not fight over."""

    campaign = ForeignKeyField(Campaign)
    lane = TextField()
    pending = IntegerField(default=0)
    originated = IntegerField(default=0)
    connected = IntegerField(default=0)
    completed = IntegerField(default=0)
    failed = IntegerField(default=0)
    cancelled = IntegerField(default=0)

    class Meta:
        primary_key = CompositeKey("campaign", "lane")


class CampaignLogEntry(Table):
    """One thing that happened to a campaign, written by a trigger on it and never changed. `by` is the name of a key;
    null for what the service did."""

    id = BigAutoField()
    campaign_id = UUIDField()
    at = DateTimeTZField()
    by = TextField(null=True)
    action = TextField()
    reason = TextField(null=True)
    details = BinaryJSONField(default=dict, index=False)

    class Meta:
        table_name = "campaign_log"


class CampaignZone(Table):
    """The time zones that a group of a campaign's contacts may be in; none of those who are in the campaign's own.
    Where policy packs bind it also the places (`campaigns/places.py`), and whether these contacts have agreed."""

    campaign_id = UUIDField()
    zone_group = BigIntegerField()
    zones = BinaryJSONField(index=False)
    places = BinaryJSONField(default=list, index=False)
    consented = BooleanField(default=False)

    class Meta:
        primary_key = CompositeKey("campaign_id", "zone_group")


class Opening(Table):
    """A time, without its last moment, in which the contacts of a group may be called. `campaigns/openings.py` writes
    these ahead; where there is none, nobody is called."""

    campaign_id = UUIDField()
    zone_group = BigIntegerField()
    opens_at = DateTimeTZField()
    closes_at = DateTimeTZField()

    class Meta:
        primary_key = CompositeKey("campaign_id", "zone_group", "opens_at")


class AbandonCount(Table):
    """How many calls of a campaign that policy packs bind ended within ten minutes from `since`: `attempts` were
    placed, somebody answered `live`, `abandoned` of these heard no agent. `lane`: by whom it was counted."""

    campaign_id = UUIDField()
    since = DateTimeTZField()
    lane = IntegerField()
    attempts = IntegerField()
    live = IntegerField()
    abandoned = IntegerField()

    class Meta:
        primary_key = CompositeKey("campaign_id", "since", "lane")


class CampaignRamp(Table):
    """How far the slow start of a campaign has come, in the run that `generation` names: `level` doublings; `since`
    is when that was reached, or when it was last not healthy."""

    campaign_id = UUIDField(primary_key=True)
    generation = IntegerField()
    level = SmallIntegerField(default=0)
    since = DateTimeTZField()


class CampaignPace(Table):
    """How fast one dialer dialled a campaign in one second, and what held it back; kept for a day."""

    campaign_id = UUIDField()
    second = DateTimeTZField()
    dialer_id = TextField()
    offered = IntegerField()
    admitted = IntegerField()
    live_calls = IntegerField()
    cap = TextField(null=True)

    class Meta:
        primary_key = CompositeKey("campaign_id", "second", "dialer_id")


class ImportReject(Table):
    """A row of a list that was not accepted, and why. `addition`: of which list that was added; 0 is the first."""

    campaign = ForeignKeyField(Campaign)
    line = IntegerField()
    raw_text = TextField(column_name="raw")
    code = TextField()
    reason = TextField()
    column_name = TextField(null=True)
    addition = IntegerField(default=0)

    class Meta:
        primary_key = False
