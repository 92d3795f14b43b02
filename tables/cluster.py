"""Dialers and nodes, and what they share."""

from __future__ import annotations

from enum import StrEnum

from peewee import (
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
