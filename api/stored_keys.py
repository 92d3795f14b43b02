"""What was made with another SECRET_KEY: API keys that open nothing, erased numbers that nobody knows."""

from __future__ import annotations

from api.key_digest import fingerprint
from campaigns.number_hash import NumberHash
from models import rows

MAKE_ONE = "python -m migrations new-key --role platform"

_MADE_WITH = """
    SELECT count(*) FILTER (WHERE secret <> %s) AS another, count(*) AS every
    FROM api_key WHERE secret IS NOT NULL"""
_ERASED_WITH = """
    SELECT count(*) FILTER (WHERE secret <> %s) AS another, count(*) AS every
    FROM suppression WHERE digest IS NOT NULL AND secret IS NOT NULL"""


def closed_keys(pepper: str) -> str | None:
    """One sentence where keys were made with another SECRET_KEY. On the connection that this greenlet has."""
    (found,) = rows(_MADE_WITH, fingerprint(pepper))
    if not found["another"]:
        return None
    keys = f"{found['another']} of the {found['every']} API keys in the database"
    remedy = f"Set it back, or make another key: {MAKE_ONE}"
    return f"SECRET_KEY is not the one that {keys} were made with: those open nothing. {remedy}"


def unknown_numbers(pepper: str) -> str | None:
    """One sentence where numbers were erased under another SECRET_KEY: they may be called again. On the connection
    that this greenlet has."""
    (found,) = rows(_ERASED_WITH, NumberHash(pepper).mark)
    if not found["another"]:
        return None
    numbers = f"{found['another']} of the {found['every']} numbers on do-not-call lists that were erased"
    return (
        f"SECRET_KEY is not the one that {numbers} are known by: whoever lists them again has them called. "
        f"Set it back, or have them erased again"
    )
