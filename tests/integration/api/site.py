"""An application over real servers: a tenant to act as, another to be kept out, and a control bus that records."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
import redis
from flask import Flask
from flask.testing import FlaskClient
from gevent.pool import Group

import logs
import models
from api.key_digest import digest
from api.services import EXTENSION, Services
from app import create_app
from database_pool import Pool
from models import new_id, rows, transaction
from settings import Settings
from tests import pools
from tests.databases import Databases

PEPPER = "pepper-for-the-tests-only"
ROLES = ("read", "operate", "admin", "platform")
TENANT, OTHER = "demo", "other"
AT_WORK = """
    SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"""


@dataclass
class RecordingBus:
    """A control bus that remembers its messages; every dialer answers but the `silent`."""

    messages: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    silent: set[str] = field(default_factory=set)
    awaited: list[str] = field(default_factory=list)
    """The topics whose answers were waited for."""

    def notify(self, topic: str, payload: Mapping[str, Any], /) -> None:
        self.messages.append((topic, dict(payload)))

    def notify_and_wait(
        self, topic: str, payload: Mapping[str, Any], expected: Callable[[], Iterable[str]], timeout: float, /
    ) -> set[str]:
        self.notify(topic, payload)
        self.awaited.append(topic)
        return set(expected()) & self.silent

    def topics(self) -> list[str]:
        return [topic for topic, _ in self.messages]


@dataclass
class SomebodyLives:
    """Dialers that live, whoever else does not."""

    redis_is_away: bool = False

    def blocked_reason(self, _status: str, said: str | None, /) -> str | None:
        return said


def settings_for(database_url: str, redis_url: str, **environ: str) -> Settings:
    given = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SECRET_KEY": PEPPER}
    return Settings.from_environ(given | environ)


def key(role: str, tenant: str = TENANT) -> str:
    return f"sk_{tenant}_{role}-{'k' * 32}"


@dataclass
class Site:
    """The application and what its database was seeded with."""

    app: Flask
    bus: RecordingBus
    agent_id: str
    phone_number_id: str

    @property
    def services(self) -> Services:
        found: Services = self.app.extensions[EXTENSION]
        return found

    @property
    def database_url(self) -> str:
        """Of its database."""
        return str(self.services.settings.database_url)

    def use(self, **changes: Any) -> None:
        """Put other services in place."""
        self.app.extensions[EXTENSION] = replace(self.services, **changes)

    def client(self) -> FlaskClient:
        return self.app.test_client()

    def request(
        self,
        method: str,
        path: str,
        *,
        role: str = "operate",
        tenant: str = TENANT,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Any:
        given = {"Authorization": f"Bearer {key(role, tenant)}"} | dict(headers or {})
        return self.client().open(f"/api/v1{path}", method=method, headers=given, **options)

    def get(self, path: str, **options: Any) -> Any:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> Any:
        return self.request("POST", path, **options)

    def delete(self, path: str, **options: Any) -> Any:
        return self.request("DELETE", path, **options)

    def fields(self, **changes: Any) -> dict[str, Any]:
        """The single fields of a valid campaign; None leaves one out."""
        fields = {"name": "Reminders", "agent_id": self.agent_id, "phone_number_id": self.phone_number_id}
        return {name: value for name, value in (fields | changes).items() if value is not None}

    def form(self, csv: str | bytes | None = None, **changes: Any) -> dict[str, Any]:
        """A creating form; a `csv` of None leaves the file out."""
        form = {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in self.fields(**changes).items()
        }
        if csv is not None:
            data = csv.encode() if isinstance(csv, str) else csv
            return form | {"contacts": (io.BytesIO(data), "list.csv")}
        return form

    def multipart(self, csv: str, **changes: Any) -> dict[str, Any]:
        """A creating form as bytes: the test client leaves a long one's temporary file open."""
        parts = [f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
                 for name, value in self.fields(**changes).items()]  # fmt: skip
        file = f'--b\r\nContent-Disposition: form-data; name="contacts"; filename="l.csv"\r\n\r\n{csv}\r\n--b--\r\n'
        return {"data": ("".join(parts) + file).encode(), "content_type": "multipart/form-data; boundary=b"}

    def create(self, contacts: int = 3, **changes: Any) -> str:
        """A draft campaign; its id."""
        response = self.post("/campaigns", data=self.form(csv_of(contacts), **changes))
        assert response.status_code == 201, response.text
        campaign_id: str = response.json["id"]
        return campaign_id

    def in_state(self, state: str, contacts: int = 3) -> str:
        """A campaign in the given state, put there by SQL where no request leads to it."""
        if state == "scheduled":
            return self.create(contacts, scheduled_at="2099-01-01T00:00:00Z")
        campaign_id = self.create(contacts)
        if state != "draft":
            ended = state in ("completed", "failed")
            self.sql(
                "UPDATE campaign SET status = %s, started_at = now(), version = 1, generation = 1,"
                " completed_at = CASE WHEN %s THEN now() END, end_reason = CASE WHEN %s THEN 'error' END"
                " WHERE id = %s",
                state,
                ended,
                ended,
                campaign_id,
            )
        return campaign_id

    def move_contact(self, campaign_id: str, position: int, status: str) -> None:
        """Move one pending contact, with the call that it then is in, and the counts."""
        call_id = new_id() if status in ("originated", "connected") else None
        if call_id is not None:
            self.sql(
                "INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, state, generation, phone_number,"
                " caller_id, gateway_id, node, dialer_id, sent_by)"
                " SELECT %s, %s, campaign_id, id, 1, %s, 1, phone_number, '+14155550199', %s, 'fs1', 'd1', 'd1'"
                " FROM contact WHERE campaign_id = %s AND position = %s",
                call_id,
                TENANT,
                "answered" if status == "connected" else "dispatching",
                new_id(),
                campaign_id,
                position,
            )
        self.sql(
            "UPDATE contact SET status = %s, call_id = %s WHERE campaign_id = %s AND position = %s",
            status,
            call_id,
            campaign_id,
            position,
        )
        self.sql(
            f"UPDATE campaign_count SET pending = pending - 1, {status} = {status} + 1"
            " WHERE campaign_id = %s AND lane = 'import'",
            campaign_id,
        )

    def end_calls(self, status: str) -> None:
        """All calls are over, and their contacts in this state; the counts are left."""
        self.sql("UPDATE call SET state = 'ended', ended_at = now() WHERE state <> 'ended'")
        self.sql("UPDATE contact SET status = %s, call_id = NULL WHERE call_id IS NOT NULL", status)

    def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        with transaction():
            return rows(statement, *values)


def lose_redis(site: Site) -> Callable[[], None]:
    """From now on Redis cannot be reached, until what this returns is called."""
    pool = site.services.redis.connection_pool
    before = pool.connection_kwargs["port"]

    def at(port: int) -> None:
        pool.connection_kwargs["port"] = port
        pool.disconnect()
        pool.reset()  # whoever was connected knows where it was

    at(1)
    return lambda: at(before)


def csv_of(contacts: int) -> str:
    numbers = (f"+1415{5550000 + number:07d},Person {number}\n" for number in range(contacts))
    return "phone_number,first_name\n" + "".join(numbers)


@contextmanager
def site_over(settings: Settings) -> Iterator[Site]:
    """An application over migrated, empty servers."""
    app = create_app(settings)
    try:
        yield _seeded(app)
    finally:
        _end_work(app)
        app.extensions[EXTENSION].redis.close()
        pools.close(models.db.obj)


def _seeded(app: Flask) -> Site:
    bus = RecordingBus()
    app.extensions[EXTENSION] = replace(
        app.extensions[EXTENSION], control_bus=bus, dialers=SomebodyLives(), background=Group()
    )
    agent_id, phone_number_id = new_id(), new_id()
    with transaction():
        seed(agent_id, phone_number_id)
    return Site(app, bus, str(agent_id), str(phone_number_id))


def _end_work(app: Flask) -> None:
    background = app.extensions[EXTENSION].background
    background.join(timeout=2)
    background.kill()


@dataclass
class Kept:
    """An application, and how it was before anything was asked of it."""

    app: Flask
    database: str
    cleaner: psycopg.Connection[Any]
    pool: Pool
    extensions: dict[str, Any]
    places: tuple[dict[str, Any], dict[str, Any]]
    """Where its two clients find their servers."""

    @classmethod
    def made(cls, databases: Databases, redis_url: str, environ: Mapping[str, str]) -> Kept:
        """A new one with these settings, over a database of its own."""
        database = databases.new()
        url = databases.server.url_of(database)
        app = create_app(settings_for(url, redis_url, **environ))
        found = cls(
            app,
            database,
            psycopg.connect(url, autocommit=True),
            models.db.obj,
            dict(app.extensions),
            ({}, {}),
        )
        found.places = found.found_places()
        return found

    @property
    def redis(self) -> redis.Redis:
        """The client that it was made with."""
        services: Services = self.extensions[EXTENSION]
        return services.redis

    def found_places(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Where its clients look for their servers now."""
        pool = {"database": self.pool.database} | self.pool.connect_params
        return dict(self.redis.connection_pool.connection_kwargs), pool

    def is_whole(self, databases: Databases) -> bool:
        """Whether another test finds it as the last one did: nothing in use, nothing bent, no row of ours."""
        if self.found_places() != self.places or models.db.obj is not self.pool:
            return False
        try:
            return self.cleaner.execute(AT_WORK).fetchone() is None and databases.empty(self.cleaner)
        except psycopg.Error:
            return False

    def end(self, databases: Databases) -> None:
        self.cleaner.close()
        self.redis.close()
        pools.close(self.pool)
        databases.give_back(self.database)


@dataclass
class SharedSites:
    """One application for as many tests as leave it whole, since making one takes longer than most of them.

    Each test finds empty servers, the same seed, and services and caches as they were made. Those of other settings
    are kept beside each other.
    """

    databases: Databases
    redis_url: str
    _kept: dict[frozenset[tuple[str, str]], Kept] = field(default_factory=dict)

    @contextmanager
    def site(self, **environ: str) -> Iterator[Site]:
        """For one test; its Redis is empty already."""
        name = frozenset(environ.items())
        kept = self._kept.pop(name, None) or Kept.made(self.databases, self.redis_url, environ)
        models.db.initialize(kept.pool)
        logs.configure(kept.extensions[EXTENSION].settings.log_level)
        kept.app.extensions.clear()
        kept.app.extensions.update(kept.extensions)
        try:
            yield _seeded(kept.app)
            _end_work(kept.app)
            pools.collect()
            if kept.is_whole(self.databases):
                self._kept[name] = kept
        finally:
            if name not in self._kept:
                kept.end(self.databases)

    def end(self) -> None:
        """Nobody asks for one any more."""
        for kept in self._kept.values():
            kept.end(self.databases)


def seed(agent_id: uuid.UUID, phone_number_id: uuid.UUID) -> None:
    """Two tenants with keys of each role; the first has an agent and a number."""
    for tenant in (TENANT, OTHER):
        rows("INSERT INTO tenant (id, name) VALUES (%s, %s)", tenant, tenant)
        rows("INSERT INTO call_limits (tenant_id) VALUES (%s)", tenant)
        for role in ROLES:
            rows(
                "INSERT INTO api_key (id, tenant_id, name, role, digest, prefix) VALUES (%s, %s, %s, %s, %s, 'sk')",
                new_id(),
                tenant,
                f"{role} key",
                role,
                digest(key(role, tenant), PEPPER),
            )
    gateway_id = new_id()
    rows("INSERT INTO gateway (id, name, dial_string) VALUES (%s, 'trunk', 'x')", gateway_id)
    rows(
        "INSERT INTO agent (id, tenant_id, name, action) VALUES (%s, %s, 'desk', '{\"type\": \"park\"}')",
        agent_id,
        TENANT,
    )
    rows(
        "INSERT INTO phone_number (id, tenant_id, e164, gateway_id) VALUES (%s, %s, '+14155550100', %s)",
        phone_number_id,
        TENANT,
        gateway_id,
    )
