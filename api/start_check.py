"""What a web worker says of its servers when it starts: nobody has to wait for the first request to learn of it."""

from __future__ import annotations

import gevent
import structlog
from flask import Flask
from redis.exceptions import RedisError

import outages
from api.errors import ApiError
from api.schema_check import schema_fault
from api.services import EXTENSION, Services
from api.stored_keys import closed_keys, unknown_numbers
from api.transactions import transaction

AGAIN_SECONDS = 1.0

log = structlog.get_logger(__name__)


def begin(app: Flask) -> None:
    """Look in the background, until both servers have answered."""
    found: Services = app.extensions[EXTENSION]
    gevent.spawn(_until_answered, found)


def _until_answered(found: Services) -> None:
    database = redis = False
    while True:
        database = database or look_at_database(found.settings.secret_key or "")
        redis = redis or _look_at_redis(found)
        if database and redis:
            return
        gevent.sleep(AGAIN_SECONDS)


def look_at_database(pepper: str) -> bool:
    """Say what is wrong with the schema, and with what was kept under another `pepper`; False where the database did
    not answer."""
    try:
        with transaction(2.0):
            fault = schema_fault()
            closed = None if fault else closed_keys(pepper)
            unknown = None if fault else unknown_numbers(pepper)
    except ApiError:  # it is told as an outage
        return False
    if fault:
        log.error("schema_not_current", reason=fault)
    if closed:
        log.error("keys_closed", reason=closed)
    if unknown:
        log.error("erased_numbers_unknown", reason=unknown)
    return True


def _look_at_redis(found: Services) -> bool:
    try:
        found.redis.ping()
    except RedisError as error:
        outages.struck(outages.REDIS, error)
        return False
    outages.answered(outages.REDIS)
    return True
