"""The first tenant and its key, on an empty database only."""

from __future__ import annotations

import os
from pathlib import Path

from peewee import fn

from api.key_digest import digest, display_prefix, new_key
from models import ApiKey, CallLimits, Tenant, connect, transaction

FIRST_TENANT = "demo"


def ensure_first_key(database_url: str, pepper: str, home: Path, given: str | None) -> Path | None:
    """Make tenant `demo` and a key of role platform where no tenant exists yet.

    The key is `given`; without one it is made and written to `home/demo.key`, mode 600, before it is
    committed, so that no key is ever valid that nobody has seen. Returns the file written, or None.
    """
    pool = connect(database_url, pool_size=1)
    written: Path | None = None
    with transaction():
        pool.execute_sql("LOCK TABLE tenant IN SHARE ROW EXCLUSIVE MODE")
        if not Tenant.select().exists():
            key = given or new_key(FIRST_TENANT)
            if not given:
                written = _write(home, key)
            Tenant.create(id=FIRST_TENANT, name="Demo", created_at=fn.now())
            CallLimits.create(tenant=FIRST_TENANT)
            ApiKey.create(
                tenant=FIRST_TENANT,
                name="bootstrap",
                role="platform",
                digest=digest(key, pepper),
                prefix=display_prefix(key),
                created_at=fn.now(),
            )
    pool.close_all()
    return written


def _write(home: Path, key: str) -> Path:
    home.mkdir(parents=True, exist_ok=True)
    path = home / "demo.key"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(key + "\n")
        file.flush()
        os.fsync(file.fileno())
    return path
