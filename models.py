"""Peewee models; what `database`, `database_pool`, `ids` and `states` have is had from here too.

The schema itself, with its constraints and indexes, is in `migrations/`; a test compares the two. What changes a
campaign's state is in `campaigns/`; statements that move many contacts at once (claims, outcomes) are in `dialer/`,
next to who runs them.
"""

from __future__ import annotations

from enum import StrEnum

from peewee import (
    BigAutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    CompositeKey,
    DoubleField,
    ForeignKeyField,
    IntegerField,
    Model,
    SmallIntegerField,
    TextField,
    UUIDField,
)
from playhouse.postgres_ext import ArrayField, BinaryJSONField, DateTimeTZField

from database import (
    CHECKOUT_SECONDS,
    IDLE_SECONDS,
    POOL_SIZE,
    connect,
    db,
    open_pool,
    rows,
    rows_as,
    transaction,
)
from database_pool import Pool
from ids import new_id
from states import (
    CAMPAIGN_TRANSITIONS,
    CONTACT_REQUESTS,
    CONTACT_TRANSITIONS,
    CallState,
    CampaignStatus,
    ContactStatus,
)

__all__ = [
    "CAMPAIGN_TRANSITIONS",
    "CHECKOUT_SECONDS",
    "CONTACT_REQUESTS",
    "CONTACT_TRANSITIONS",
    "IDLE_SECONDS",
    "POOL_SIZE",
    "SCHEMA_VERSION",
    "TABLES",
    "AbandonCount",
    "Agent",
    "ApiKey",
    "BoardLink",
    "BoardSession",
    "Breaker",
    "BreakerTally",
    "Call",
    "CallLimits",
    "CallState",
    "CallerIdFormat",
    "CallerIdHeader",
    "Campaign",
    "CampaignCount",
    "CampaignLogEntry",
    "CampaignPace",
    "CampaignRamp",
    "CampaignStatus",
    "CampaignZone",
    "CdrInbox",
    "Contact",
    "ContactStatus",
    "ContactToken",
    "DialOrder",
    "Dialer",
    "Erasure",
    "Gateway",
    "GatewayPrefix",
    "Halt",
    "Idempotency",
    "ImportReject",
    "Node",
    "NodeDrain",
    "NodeSource",
    "Opening",
    "OutboxRow",
    "PhoneNumber",
    "Pool",
    "RecentOutcome",
    "SessionLock",
    "Suppression",
    "SuppressionNews",
    "SuppressionPrefixLength",
    "Table",
    "Tenant",
    "Transition",
    "connect",
    "db",
    "new_id",
    "open_pool",
    "rows",
    "rows_as",
    "transaction",
]  # fmt: skip

SCHEMA_VERSION = 53
"""The last migration of this release: what its processes need the database to have."""


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


class DialOrder(StrEnum):
    """Who of a campaign is called first, but for callbacks, which go before both."""

    RETRIES_FIRST = "retries_first"
    """Whose time has come, then who was never called."""
    NEW_FIRST = "new_first"


class Table(Model):
    """Base of every model."""

    class Meta:
        database = db
        legacy_table_names = False


class Tenant(Table):
    """Who calls. Its id is a slug that also stands in its keys; the rest is what the platform granted. `weight`, from
    1 to 100, is its share of what tenants have in common. `retention_days`: for how long a campaign that has ended
    keeps its contacts and calls; null is for ever. `default_windows`, `default_holidays` and `default_time_zone` are
    the calling window of a campaign that says nothing of one, `policy_packs` and `default_purpose` what one has that
    says nothing of these. `test_numbers` are those that test calls may go to."""

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


class Gateway(Table):
    """What calls leave by towards a carrier: a dial string and caps. It carries the numbers that start with one of
    `prefixes`, or all where there are none; `failover` are the ids of those that may carry a call in its stead.
    `faults_in_row` calls were refused since `faults_since`, and none got through; whom `refused_calls` were for is
    given back what he was charged when that pauses it.
    While it is paused, `probes` calls have tried whether it works again, and `probe_at` is when the next may;
    `paused_alone` is the one destination that was refused, where it was one."""

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
    paused_at = DateTimeTZField(null=True)
    paused_reason = TextField(null=True)
    paused_alone = TextField(null=True)
    probe_at = DateTimeTZField(null=True)
    probes = IntegerField(default=0)
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
    works_at = DateTimeTZField(null=True)
    paused_at = DateTimeTZField(null=True)
    paused_reason = TextField(null=True)
    probe_at = DateTimeTZField(null=True)
    probes = IntegerField(default=0)

    class Meta:
        primary_key = CompositeKey("gateway_id", "prefix")


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


class Contact(Table):
    """One person of a list. `sends` numbers the calls placed (seq), `attempts` those that count. `free_sends` counts
    those that the switch refused, `carrier_refusals`, `gateway_faults` and `disturbed` the others that do not count,
    `breaker_returns` how often it came back since a breaker had been tripped by its last call;
    `version` numbers its transitions; `call_id` is the call in flight. `waiting`: whether it is pending, by a
    trigger; an index mentions it in place of the status, so that the steps of a call write no index. `callback`:
    somebody named its `next_attempt_at`, and it goes before others when that comes. `expires_at`: not
    called later. `priority`, from 0 to 100: the highest first of those that wait for their first call.
    `wait_reason`: why it is not called before `next_attempt_at`, where it is not for its retry. `zone_group` stands
    for the time zones in which the contact may be (`campaigns/zone_groups.py`)."""

    id = UUIDField(primary_key=True, default=new_id)
    campaign = ForeignKeyField(Campaign)
    position = IntegerField()
    phone_number = TextField()
    zone_group = BigIntegerField(default=0)
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
    all the same until then, and keeps its slots. `hangup_at`: since when it has to end (`campaigns/hangups.py`).
    `ring_seconds` and `max_seconds` are its agent's at the claim; null in rows of before. `second_leg_gateway_id`: by
    which its agent is reached."""

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


class Transition(Table):
    """One change of a contact (or, without one, of the campaign), written in the change's own transaction and
    published to the live stream once by its owner or whoever takes over from it. `published`: that was done, or a
    row of the outbox says that it is to be."""

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


class Dialer(Table):
    """Every dialer process that ever registered; one that died is settled by its successor once nothing of it is
    open. `knows`: the last migration that its release knows; null in rows of before."""

    id = TextField(primary_key=True)
    started_at = DateTimeTZField()
    postmaster_started_at = DateTimeTZField()
    settled_at = DateTimeTZField(null=True)
    heir = TextField(null=True)
    knows = IntegerField(null=True)


class SessionLock(Table):
    """A dialer that has held its session lock since PostgreSQL last lost all locks. Unlogged: a crash empties it."""

    dialer_id = TextField(primary_key=True)
    postmaster_started_at = DateTimeTZField()
    taken_at = DateTimeTZField()


class Halt(Table):
    """No call starts for this scope (a tenant's id, or `*` for all) while its row is here. A tenant's may have two
    marks: its own (`own`, with `at` and `by`) and the platform's."""

    scope = TextField(primary_key=True)
    at = DateTimeTZField()
    by = TextField()
    own = BooleanField(default=True)
    platform_at = DateTimeTZField(null=True)
    platform_by = TextField(null=True)


class NodeSource(StrEnum):
    """Where a node comes from: FREESWITCH_URLS, or the table below."""

    ENVIRONMENT = "environment"
    API = "api"


class Node(Table):
    """A FreeSWITCH node that was added through the API. Its name and its address are unique among the living."""

    id = UUIDField(primary_key=True, default=new_id)
    name = TextField()
    host = TextField()
    port = IntegerField()
    password = TextField()
    cps = IntegerField()
    channels = IntegerField(null=True)
    weight = IntegerField()
    created_at = DateTimeTZField()
    deleted_at = DateTimeTZField(null=True)


class NodeDrain(Table):
    """No new call goes to the node of this name while its row is here."""

    name = TextField(primary_key=True)
    at = DateTimeTZField()
    by = TextField()


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


TABLES: tuple[type[Table], ...] = (
    Tenant, CallLimits, ApiKey, Gateway, Agent, PhoneNumber, Campaign, Contact, Call, CampaignCount, Transition,
    OutboxRow, ImportReject, Idempotency, Dialer, SessionLock, Halt, Node, NodeDrain, CdrInbox, CampaignRamp,
    CampaignPace, GatewayPrefix, Breaker, BreakerTally, ContactToken, CampaignLogEntry, BoardSession,
    BoardLink, Suppression, SuppressionPrefixLength, SuppressionNews, Erasure, CampaignZone, Opening,
    RecentOutcome, AbandonCount,
)  # fmt: skip
