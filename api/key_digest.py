"""API keys: how one is made, and the keyed digest that is stored."""

from __future__ import annotations

import hmac
import re
import secrets
from hashlib import sha256

# What is no secret of a key. The random part may hold underscores of its own.
_PUBLIC = re.compile(r"sk_[a-z0-9-]{1,32}_")
ROLES = ("read", "operate", "admin", "platform")


def new_key(tenant_id: str) -> str:
    """A key for `tenant_id`, `sk_<tenant>_<43 random characters>`; shown once."""
    return f"sk_{tenant_id}_{secrets.token_urlsafe(32)}"


def digest(key: str, pepper: str) -> str:
    """The HMAC-SHA256 of a key under the server's pepper (SECRET_KEY), as hex: all that is stored of it."""
    return hmac.new(pepper.encode(), key.encode(), sha256).hexdigest()


def fingerprint(pepper: str) -> str:
    """By which a SECRET_KEY is known again: 16 hex digits that do not tell it."""
    return hmac.new(pepper.encode(), b"carillon: which SECRET_KEY is this?", sha256).hexdigest()[:16]


def display_prefix(key: str) -> str:
    """As much of a key as may be shown again, to tell it from others: four characters of its secret."""
    public = _PUBLIC.match(key)
    return key[: (public.end() if public else 0) + 4]
