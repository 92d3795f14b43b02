"""Puts the web process together: settings, database, Redis, the API, the stream, the board, health. No logic."""

from __future__ import annotations

from functools import partial

import gevent.local
import peewee
import redis
from flask import Flask
from flask.json.provider import DefaultJSONProvider
from gevent import monkey
from redis.backoff import NoBackoff
from redis.retry import Retry

import logs
import models
from api import cors, errors, request_log, transactions
from api.dialer_watch import DialerWatch
from api.document import make_api
from api.request_ids import RequestIds
from api.request_input import PacedBodies, Request
from api.request_limit import RequestLimiter
from api.routes import cdr, docs, health
from api.routes.campaign_fields import say_upper_bound
from api.routes.event_schemas import describe_events
from api.routes.events import events_blueprint
from api.routes.registry import BLUEPRINTS
from api.routes.stream_access import authorise, authorise_token, snapshot, taken
from api.schema_check import schema_fault_now
from api.services import EXTENSION, Services
from coordination.control_bus import ControlBus
from coordination.membership import Membership
from live.hub import Hub, Limits
from live.places import may_open, places
from live.publisher import Publisher
from live.stream import EventStream
from live.tokens import StreamTokens
from settings import Settings
from version import VERSION
from web import board

BODY_BYTES = 256 * 1024
REDIS_CONNECTIONS = 10
REDIS_SECONDS = 1.5


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application. Nothing connects before the first request.

    Raises SettingsError for a wrong or missing setting, RuntimeError where gevent has not patched the process.
    """
    _assert_patched()
    settings = (settings or Settings.from_environ()).require("database_url", "redis_url", "secret_key")
    logs.configure(settings.log_level)
    models.connect(str(settings.database_url), statement_seconds=transactions.STATEMENT_SECONDS)
    client = _redis(str(settings.redis_url))
    prefix = settings.redis_prefix
    membership = Membership(client, prefix)
    dialers = DialerWatch(membership)

    app = Flask("carillon", static_url_path="/static", static_folder=None)
    app.request_class = Request
    app.config.update(MAX_CONTENT_LENGTH=BODY_BYTES, PROPAGATE_EXCEPTIONS=False)
    app.url_map.merge_slashes = False
    app.json = OrderedJson(app)
    app.extensions[EXTENSION] = Services(
        settings=settings,
        redis=client,
        control_bus=ControlBus(client, prefix),
        membership=membership,
        publisher=Publisher(client, prefix),
        dialers=dialers,
        request_limiter=RequestLimiter(client, prefix) if settings.api_rate_limit else None,
    )
    app.wsgi_app = RequestIds(PacedBodies(app.wsgi_app))  # type: ignore[method-assign]
    if settings.request_log:
        request_log.register(app)
    cors.register(app, settings.cors_origins)
    errors.register(app, schema_fault_now)
    app.register_blueprint(health.blp)
    app.register_blueprint(docs.blp)
    app.register_blueprint(cdr.blp)
    api = make_api(app, VERSION)
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint)
    api.describe(partial(say_upper_bound, most=settings.max_concurrent_calls_max))
    room = Limits(listeners=places(may_open()))
    stream = EventStream(Hub(client, prefix, partial(snapshot, dialers), look=taken, limits=room))
    signer = StreamTokens(str(settings.secret_key))
    api.register_blueprint(events_blueprint(stream, signer, authorise, authorise_token))
    api.describe(describe_events)
    board.register(app)
    return app


class OrderedJson(DefaultJSONProvider):
    """Objects in the order in which the schemas declare their fields."""

    sort_keys = False


def _assert_patched() -> None:
    """Without the patch, or with peewee imported before it, all greenlets would share one database connection."""
    state: type = peewee._ConnectionLocal  # noqa: SLF001  peewee shows no other sign of it
    if not (monkey.is_module_patched("threading") and issubclass(state, gevent.local.local)):
        raise RuntimeError("gevent must patch the process before the application is imported (no --preload).")


def _redis(url: str) -> redis.Redis:
    """A client that fails fast and never repeats a command by itself."""
    pool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=REDIS_CONNECTIONS,
        timeout=REDIS_SECONDS,
        socket_timeout=REDIS_SECONDS,
        socket_connect_timeout=REDIS_SECONDS,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
    )
    return redis.Redis(connection_pool=pool)
