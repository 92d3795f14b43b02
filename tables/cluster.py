"""Dialers and nodes, and what they share."""

from __future__ import annotations

from enum import StrEnum

from peewee import (
    CompositeKey,
    ForeignKeyField,
    IntegerField,
    TextField,
    UUIDField,
)
from playhouse.postgres_ext import DateTimeTZField

from ids import new_id
from tables.base import Table


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


class FindingCode(StrEnum):
    """What is wrong with a node, as the doctor found it (`dialer/doctor_findings.py`)."""

    CANNOT_BE_ASKED = "cannot_be_asked"
    WRONG_PASSWORD = "wrong_password"
    MODULE_MISSING = "module_missing"
    AGENT_NEEDS = "agent_needs"
    SESSIONS_PER_SECOND = "sessions_per_second"
    MAX_SESSIONS = "max_sessions"
    PAUSED = "paused"
    SHUTTING_DOWN = "shutting_down"
    PROFILE_STOPPED = "profile_stopped"
    STOCK_USERS = "stock_users"
    GATEWAY_UNKNOWN = "gateway_unknown"
    GATEWAY_DOWN = "gateway_down"
    STOCK_PASSWORD = "stock_password"
    OPEN_TO_ALL = "open_to_all"
    RECORDS_BY_URL = "records_by_url"
    RECORDS_NOT_KEPT = "records_not_kept"
    CALLS_NOT_TRACKED = "calls_not_tracked"
    MARKS_LOST = "marks_lost"
    CLOCK = "clock"
    SLOW = "slow"


class NodeExamination(Table):
    """When a node was last looked at for what is wrong with it, and by which dialer. `core_uuid`: the run of
    FreeSWITCH that was found; null while it goes on, and where the node could not be asked."""

    node = TextField(primary_key=True)
    dialer_id = TextField()
    begun_at = DateTimeTZField()
    ended_at = DateTimeTZField(null=True)
    core_uuid = TextField(null=True)


class NodeFinding(Table):
    """Something that is wrong with a node: `subject` says with what of it, where there may be several."""

    node = ForeignKeyField(NodeExamination, column_name="node", on_delete="CASCADE")
    code = TextField()
    subject = TextField()
    sentence = TextField()
    since = DateTimeTZField()
    seen_at = DateTimeTZField()

    class Meta:
        primary_key = CompositeKey("node", "code", "subject")
