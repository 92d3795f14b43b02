"""`Idempotency-Key`: a request that creates, deletes or moves a campaign gets the first answer when it is sent again.

The key's row is written in the transaction that does the work, under an advisory lock on (tenant, key). A
duplicate that comes while the first is still at work polls for the lock without holding a connection.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from hashlib import sha256

import gevent
import orjson
from flask import Response, request

from api.auth import current_caller
from api.errors import ApiError, conflict
from api.retrying import POLL_SECONDS, WAIT_SECONDS
from api.schemas import quoted
from api.transactions import WORK_SECONDS, transaction
from models import rows, rows_as

HEADER = "Idempotency-Key"
KEY = re.compile(r"[\x21-\x7e]{1,255}")

LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0)) AS locked"
FIND = """
    SELECT route, body_hash, status, body FROM idempotency
    WHERE tenant_id = %s AND key = %s AND created_at > now() - interval '24 hours'"""
REMOVE_OLD = """
    DELETE FROM idempotency WHERE (tenant_id, key) IN (
        SELECT tenant_id, key FROM idempotency WHERE created_at <= now() - interval '24 hours'
        ORDER BY created_at LIMIT 100 FOR UPDATE SKIP LOCKED)"""
SAVE = """
    INSERT INTO idempotency (tenant_id, key, route, body_hash, status, body) VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT (tenant_id, key) DO UPDATE SET route = excluded.route, body_hash = excluded.body_hash,
        status = excluded.status, body = excluded.body, created_at = now()"""


@dataclass(frozen=True, slots=True)
class SavedAnswer:
    """The first answer under a key, and the request that it was to."""

    route: str
    body_hash: str
    status: int
    body: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered with; `replayed` when the work was done by an earlier one."""

    status: int
    body: bytes
    replayed: bool = False

    def response(self) -> Response:
        """As HTTP."""
        kind = "application/json" if self.body else None
        response = Response(self.body, self.status, content_type=kind)
        if self.replayed:
            response.headers["Idempotent-Replayed"] = "true"
        return response


def once(
    work: Callable[[], object],
    body_hash: str,
    *,
    status: int = 201,
    seconds: float = WORK_SECONDS,
    gate: Callable[[], AbstractContextManager[object]] = nullcontext,
    before: Callable[[], object] | None = None,
) -> Answer:
    """Do `work` in one transaction, at most once for this request's Idempotency-Key (always, without one).

    `work` returns the JSON-ready body; with a `status` of 204 there is none. `seconds` bounds it; each try passes
    through `gate` before it takes a connection, and `before` refuses what is no replay. Raises ApiError: 400 for a
    malformed key, 409 for the same key with another request or a first one still at work after 15 s; and whatever
    `work` raises, in which case nothing is kept and the request may be sent again.
    """
    key = request.headers.get(HEADER)
    if key is None:
        if before is not None:
            before()
        with gate(), transaction(seconds):
            return Answer(status, _dumped(work(), status))
    if not KEY.fullmatch(key):
        raise ApiError(400, f"{HEADER} is {quoted(key)}; it must be 1 to 255 printable ASCII characters.")
    deadline = time.monotonic() + WAIT_SECONDS
    if before is not None:
        with transaction(writes=False):
            found = _saved(key, body_hash)
        if found is not None:
            return found
        before()
    while True:
        with gate():
            answer = _attempt(work, key, body_hash, status, seconds)
        if answer is not None:
            return answer
        if time.monotonic() >= deadline:
            raise conflict(f"The first request with {HEADER} {quoted(key)} is still at work.", "in_progress")
        gevent.sleep(POLL_SECONDS)


def body_hash(body: object) -> str:
    """The hash of a JSON body: of what it says, not of its spelling."""
    try:
        text = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        # A number of more than 64 bits or half a surrogate pair, which may stand where any object may.
        text = json.dumps(body, sort_keys=True).encode()
    return sha256(text).hexdigest()


def deleted(work: Callable[[], object]) -> Response:
    """The 204 of `work`, done once for this request's Idempotency-Key in a transaction of its own."""
    return once(work, body_hash(None), status=204).response()


def _attempt(
    work: Callable[[], object], key: str, body_hash: str, status: int, seconds: float
) -> Answer | None:
    tenant_id = current_caller().tenant_id
    with transaction(seconds):
        (lock,) = rows(LOCK, f"{tenant_id}\n{key}")
        if not lock["locked"]:
            return None
        found = _saved(key, body_hash)
        if found is not None:
            return found
        body = _dumped(work(), status)
        rows(REMOVE_OLD)
        rows(SAVE, tenant_id, key, _route(), body_hash, status, body.decode())
        return Answer(status, body)


def _saved(key: str, body_hash: str) -> Answer | None:
    """The first answer under this key, within a transaction. Raises ApiError 409 where another request had that."""
    for saved in rows_as(SavedAnswer, FIND, current_caller().tenant_id, key):
        if (saved.route, saved.body_hash) != (_route(), body_hash):
            raise conflict(f"{HEADER} {quoted(key)} was used for another request.", "idempotency_mismatch")
        return Answer(saved.status, saved.body.encode(), replayed=True)
    return None


def _route() -> str:
    return f"{request.method} {request.path}"


def _dumped(body: object, status: int) -> bytes:
    return b"" if status == 204 else orjson.dumps(body)
