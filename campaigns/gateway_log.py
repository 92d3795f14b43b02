"""What operators did with a gateway, when and by which key, and what each setting was before. In the caller's
transaction: what is not committed did not happen."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from models import Gateway, rows, rows_as

ACTIONS: Final[Mapping[str, str]] = {
    "created": "It was made.",
    "changed": "`changes` have each setting with what it was before and what it is now.",
    "resumed": "Its pauses were ended before a call had tried it.",
    "deleted": "It was deleted.",
}
"""What each action means to who reads the log."""
SETTINGS: Final = (
    "name",
    "outbound_enabled",
    "cps",
    "channels",
    "prefixes",
    "cost",
    "failover",
    "caller_id_header",
    "caller_id_format",
)
SECRET: Final = "dial_string"
"""May hold a password: that it changed is told, and not what it was or is."""

_NOTE = "INSERT INTO gateway_log (gateway_id, by, action, changes) VALUES (%s, %s, %s, %s)"
_PAGE = """
SELECT id::text, at, by, action, changes FROM gateway_log WHERE gateway_id = %s ORDER BY gateway_log.id DESC
LIMIT %s OFFSET %s"""
_TOTAL = "SELECT count(*) AS n FROM gateway_log WHERE gateway_id = %s"


@dataclass(frozen=True, slots=True)
class GatewayLogEntry:
    """One thing that was done; `by` is the name of a key."""

    id: str
    at: datetime
    by: str
    action: str
    changes: Mapping[str, Any]


def settings_of(gateway: Gateway) -> dict[str, object]:
    """What may be changed of it, as it is now."""
    return {name: gateway.__data__[name] for name in (*SETTINGS, SECRET)}


def note(gateway_id: uuid.UUID, action: str, by: str) -> None:
    """Somebody did this with it."""
    _note(gateway_id, action, by, {})


def note_changes(gateway: Gateway, before: Mapping[str, object], by: str) -> None:
    """It was as `before`; where it is as it was, nothing happened."""
    now = settings_of(gateway)
    changes = {name: [before[name], now[name]] for name in SETTINGS if before[name] != now[name]}
    if before[SECRET] != now[SECRET]:
        changes[SECRET] = [None, None]
    if changes:
        _note(gateway.id, "changed", by, changes)


def page(gateway_id: uuid.UUID, limit: int, offset: int) -> tuple[list[GatewayLogEntry], int]:
    """A page of what was done with it, the newest first, and how much there is in all."""
    found = rows_as(GatewayLogEntry, _PAGE, gateway_id, limit, offset)
    (total,) = rows(_TOTAL, gateway_id)
    return found, total["n"]


def _note(gateway_id: uuid.UUID, action: str, by: str, changes: Mapping[str, object]) -> None:
    rows(_NOTE, gateway_id, by, action, orjson.dumps(changes).decode())
