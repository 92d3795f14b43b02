"""What is known of the keys in the database: how many of them this SECRET_KEY opens nothing with."""

from __future__ import annotations

from api.key_digest import fingerprint
from models import rows

MAKE_ONE = "python -m migrations new-key --role platform"

_MADE_WITH = """
    SELECT count(*) FILTER (WHERE secret <> %s) AS another, count(*) AS every
    FROM api_key WHERE secret IS NOT NULL"""


def closed_keys(pepper: str) -> str | None:
    """One sentence where keys were made with another SECRET_KEY. On the connection that this greenlet has."""
    (found,) = rows(_MADE_WITH, fingerprint(pepper))
    if not found["another"]:
        return None
    keys = f"{found['another']} of the {found['every']} API keys in the database"
    remedy = f"Set it back, or make another key: {MAKE_ONE}"
    return f"SECRET_KEY is not the one that {keys} were made with: those open nothing. {remedy}"
