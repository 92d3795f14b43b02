"""The last key of role platform stays, whoever deletes others at the same time: no other could be made without it."""

from __future__ import annotations

import uuid

from api.errors import conflict
from models import rows

LAST = "The key is the last one of role platform; it cannot be deleted before another has been made."
OF_TENANT = "The tenant has the last key of role platform; it cannot be deleted before there is another."
_ANOTHER = """
    SELECT 1 FROM api_key JOIN tenant ON tenant.id = api_key.tenant_id
    WHERE api_key.role = 'platform' AND api_key.id IS DISTINCT FROM %s AND tenant.deleted_at IS NULL LIMIT 1"""


def lock_keys() -> None:
    """Keep others from deleting keys or tenants until this transaction ends: of two that delete the last two, one is
    to see what the other did."""
    rows("SELECT pg_advisory_xact_lock(hashtextextended('platform keys', 0))")


def check_one_stays(refusal: str, without: uuid.UUID | None = None) -> None:
    """Raise ApiError 409 with this `refusal` where no key of role platform is left but `without`.

    In a transaction that holds them.
    """
    if not rows(_ANOTHER, without):
        raise conflict(refusal, "last_platform_key")
