"""Sessions of the board: a browser that is signed in with an API key shows a random cookie, never the key.

A session is a row, and stands for no more than its key does: who takes the key away, or the tenant, takes the session
with it, everywhere within a second. Decision 0070.
"""

from __future__ import annotations

import hmac
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from api.key_digest import digest
from models import new_id, rows, rows_as

COOKIE: Final = "carillon_board"
HOST_COOKIE: Final = f"__Host-{COOKIE}"
"""Over https: browsers take it from this very host alone, so that none of the same domain can put its own there."""
CSRF_HEADER: Final = "X-CSRF-Token"
LIFETIME_SECONDS: Final = 12 * 3600
"""A working day; then the key is asked for again."""
LINK_SECONDS: Final = 600
USER_AGENT_MAX: Final = 200
MOST_SESSIONS: Final = 20
"""Of one key: whoever opens another ends the oldest."""


def cookie_name(*, secure: bool) -> str:
    """What the cookie is called on a connection; over https the other name opens nothing."""
    return HOST_COOKIE if secure else COOKIE


_LIVING = """
    board_session s JOIN api_key k ON k.id = s.api_key_id
    JOIN tenant owner ON owner.id = k.tenant_id AND owner.deleted_at IS NULL
    JOIN tenant t ON t.id = s.tenant_id AND t.deleted_at IS NULL"""
_FIND = f"""
    SELECT s.digest, s.id AS session_id, s.tenant_id, k.id AS key_id, k.name AS key_name, k.role FROM {_LIVING}
    WHERE s.digest = ANY(%s) AND s.expires_at > now() AND (s.tenant_id = k.tenant_id OR k.role = 'platform')"""
_LIST = f"""
    SELECT s.id, k.name AS key_name, k.role, s.user_agent, s.created_at, s.expires_at FROM {_LIVING}
    WHERE k.tenant_id = (SELECT tenant_id FROM api_key WHERE id = %s) AND s.expires_at > now()
        AND (%s OR k.id = %s)
    ORDER BY s.created_at, s.id LIMIT 100"""
_END = """
    DELETE FROM board_session WHERE id = %s AND api_key_id IN (
        SELECT k.id FROM api_key k WHERE k.id = %s OR %s AND k.tenant_id = (
            SELECT tenant_id FROM api_key WHERE id = %s))
    RETURNING id"""
_OPEN = """
    INSERT INTO board_session (id, digest, api_key_id, tenant_id, user_agent, expires_at)
    SELECT %s, %s, k.id, t.id, %s, now() + interval '1 second' * %s
    FROM api_key k JOIN tenant t ON t.id = coalesce(%s, k.tenant_id) AND t.deleted_at IS NULL
    WHERE k.id = %s AND (t.id = k.tenant_id OR k.role = 'platform')
    RETURNING id"""
_LINK = """
    INSERT INTO board_link (digest, api_key_id, expires_at) VALUES (%s, %s, now() + interval '1 second' * %s)"""
_FOLLOW = "DELETE FROM board_link WHERE digest = %s AND expires_at > now() RETURNING api_key_id"
_INSTEAD = "DELETE FROM board_session WHERE digest = %s"
_OLDEST = """
    DELETE FROM board_session WHERE id IN (
        SELECT id FROM board_session WHERE api_key_id = %s ORDER BY created_at DESC, id DESC OFFSET %s)"""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session that stands, and the key that it stands for; `tenant_id` is the tenant acted for."""

    digest: str
    session_id: uuid.UUID
    tenant_id: str
    key_id: uuid.UUID
    key_name: str
    role: str


@dataclass(frozen=True, slots=True)
class ListedSession:
    """A session as it is listed."""

    id: uuid.UUID
    key_name: str
    role: str
    user_agent: str
    created_at: datetime
    expires_at: datetime


def open_session(
    key_id: uuid.UUID, user_agent: str, pepper: str, tenant_id: str | None = None, instead_of: str = ""
) -> str | None:
    """A new session of this key, which acts for `tenant_id` (its own tenant, without one); its cookie, or None where
    the key or the tenant is gone, or not the key's to act for. Ends the one whose cookie is `instead_of`, and of the
    key's others all but the newest. Within a transaction."""
    token = secrets.token_urlsafe(32)
    agent = user_agent[:USER_AGENT_MAX]
    made = rows(_OPEN, new_id(), digest(token, pepper), agent, LIFETIME_SECONDS, tenant_id, key_id)
    if not made:
        return None
    if instead_of:
        rows(_INSTEAD, digest(instead_of, pepper))
    rows(_OLDEST, key_id, MOST_SESSIONS)
    return token


def find(digests: Sequence[str]) -> Mapping[str, SessionRow]:
    """The sessions that stand, by the digests of their cookies. Within a transaction."""
    return {row.digest: row for row in rows_as(SessionRow, _FIND, [*digests])}


def listed(key_id: uuid.UUID, *, everybodys: bool) -> list[ListedSession]:
    """The sessions of this key, or of every key of its tenant, oldest first. Within a transaction."""
    return rows_as(ListedSession, _LIST, key_id, everybodys, key_id)


def end(session_id: uuid.UUID, key_id: uuid.UUID, *, everybodys: bool) -> bool:
    """End a session of this key, or of any key of its tenant; False where there is none. Within a transaction."""
    return bool(rows(_END, session_id, key_id, everybodys, key_id))


def make_link(key_id: uuid.UUID, pepper: str) -> str:
    """What a link carries that signs in with this key once, within LINK_SECONDS. Within a transaction."""
    token = secrets.token_urlsafe(32)
    rows(_LINK, digest(token, pepper), key_id, LINK_SECONDS)
    return token


def follow_link(token: str, pepper: str) -> uuid.UUID | None:
    """The key of such a link, for whoever comes first; None for everybody else. Within a transaction."""
    found = rows(_FOLLOW, digest(token, pepper))
    key_id: uuid.UUID | None = found[0]["api_key_id"] if found else None
    return key_id


def csrf_token(token: str, pepper: str) -> str:
    """What only pages that were given to this session know: a page of another site cannot read it."""
    return hmac.new(pepper.encode(), b"carillon board csrf: " + token.encode(), sha256).hexdigest()


def is_csrf_token(shown: str, token: str, pepper: str) -> bool:
    """Whether that is this session's, compared in constant time."""
    return hmac.compare_digest(shown.encode(), csrf_token(token, pepper).encode())
