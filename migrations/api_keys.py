"""The first tenant, its first key, and further keys: what the release process and `new-key` do about them.

No key is written to what a platform keeps of a release process (its log): it is given, or made by a person who asks.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from peewee import fn

from api.key_digest import ROLES, digest, display_prefix, fingerprint, new_key
from api.stored_keys import MAKE_ONE, closed_keys
from models import ApiKey, CallLimits, Tenant, connect, db, rows, transaction

FIRST_TENANT = "demo"
NAME_CHARACTERS = 200
"""Of a key's name, as the API has it."""

_PLATFORM = """
    SELECT k.prefix, k.digest FROM api_key k JOIN tenant t ON t.id = k.tenant_id
    WHERE k.role = 'platform' AND t.deleted_at IS NULL ORDER BY k.created_at, k.id"""
_TENANTS = "SELECT id FROM tenant WHERE deleted_at IS NULL ORDER BY id <> %s, created_at, id"


class NoKeyMadeError(Exception):
    """A key cannot be made; the message is one sentence that says why."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A key to be made. Without a tenant it is the first one's."""

    role: str
    tenant: str | None = None
    name: str = "made by the operator"


def prepare(database_url: str, pepper: str, given: str | None) -> list[str]:
    """Make the first tenant where there is none, and the key `given` where there is none of role platform.

    Returns what a person should know of it, a sentence each; none tells a secret.
    """
    pool = connect(database_url, pool_size=1)
    try:
        with transaction():
            _lock()
            if not Tenant.select().exists():
                Tenant.create(id=FIRST_TENANT, name="Demo", created_at=fn.now())
                CallLimits.create(tenant=FIRST_TENANT)
            # Made by a process that does not note it; the secret changed since is the rarer case.
            rows("UPDATE api_key SET secret = %s WHERE secret IS NULL", fingerprint(pepper))
            closed = closed_keys(pepper)
            return [*_first_key(pepper, given), *([closed] if closed else [])]
    finally:
        pool.close_all()


def make(
    database_url: str, pepper: str, wanted: Wanted, show: Callable[[str], object], *, if_none: bool = False
) -> bool:
    """Make a key and `show` it before it is committed, so that none is ever valid that nobody has seen.

    `if_none`: only where there is none of role platform; False where there was. Raises NoKeyMadeError.
    """
    if wanted.role not in ROLES:
        raise NoKeyMadeError(f"--role is {wanted.role!r}; it must be one of {', '.join(ROLES)}.")
    if not 1 <= len(wanted.name) <= NAME_CHARACTERS or not wanted.name.isprintable():
        raise NoKeyMadeError(f"--name must be 1-{NAME_CHARACTERS} characters that can be printed.")
    pool = connect(database_url, pool_size=1)
    try:
        with transaction():
            _lock()
            if if_none and rows(_PLATFORM):
                return False
            tenant = _tenant(wanted.tenant)
            key = new_key(tenant)
            _insert(tenant, wanted.name, wanted.role, key, pepper)
            show(key)
            return True
    finally:
        pool.close_all()


def write(path: Path, key: str) -> None:
    """Put a key where only this user can read it. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(key + "\n")
        file.flush()
        os.fsync(file.fileno())


def _lock() -> None:
    """One process at a time looks whether there is a tenant or a key, and makes it."""
    db.execute_sql("LOCK TABLE tenant IN SHARE ROW EXCLUSIVE MODE")


def _first_key(pepper: str, given: str | None) -> list[str]:
    there = rows(_PLATFORM)
    if given is None:
        how = f"There is no key of role platform yet. Make one, which is shown once: {MAKE_ONE}"
        return [] if there else [how]
    if not there:
        _insert(_tenant(None), "bootstrap", "platform", given, pepper)
        return ["CARILLON_BOOTSTRAP_KEY is now a key of role platform."]
    if any(row["digest"] == digest(given, pepper) for row in there):
        return ["CARILLON_BOOTSTRAP_KEY is a key of role platform already."]
    why = (
        f"there is a key of role platform ({there[0]['prefix']}…), and it is only heeded where there is none"
    )
    return [f"CARILLON_BOOTSTRAP_KEY opens nothing: {why}. Make another: {MAKE_ONE}"]


def _tenant(asked: str | None) -> str:
    tenants = [str(row["id"]) for row in rows(_TENANTS, FIRST_TENANT)]
    if not tenants:
        raise NoKeyMadeError("There is no tenant to make a key for; run python -m migrations first.")
    if asked is not None and asked not in tenants:
        shown = ", ".join(tenants[:10]) + (", …" if len(tenants) > 10 else "")
        raise NoKeyMadeError(f"--tenant is {asked!r}; the tenants are {shown}.")
    return asked or tenants[0]


def _insert(tenant: str, name: str, role: str, key: str, pepper: str) -> None:
    ApiKey.create(
        tenant=tenant,
        name=name,
        role=role,
        digest=digest(key, pepper),
        prefix=display_prefix(key),
        secret=fingerprint(pepper),
        created_at=fn.now(),
    )
