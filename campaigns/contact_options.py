"""What a row of an added list says of its contact beside the number and the columns of its call. Pure."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import datetime

from campaigns.cell_times import moment_of
from campaigns.columns import CellRefused
from campaigns.errors import quoted

CLIENT_TOKEN, EXPIRES_AT, PRIORITY = "client_token", "expires_at", "priority"
NAMES = (CLIENT_TOKEN, EXPIRES_AT, PRIORITY)
MOST_PRIORITY = 100
LONGEST_TOKEN = 255


@dataclass(frozen=True, slots=True)
class ContactOptions:
    """`client_token` names the contact for its client, `expires_at` (with an offset) is when it is called no more,
    and of those that wait for their first call the highest `priority`, 0 to 100, is called first."""

    client_token: str | None = None
    expires_at: datetime | None = None
    priority: int = 0


PLAIN = ContactOptions()


def take(fields: MutableMapping[str, str]) -> ContactOptions | CellRefused:
    """Take these columns out of a row's; an empty one says nothing. Or why the row is not accepted."""
    given = {name: fields.pop(name, "").strip() for name in NAMES}
    if not any(given.values()):
        return PLAIN
    token = given[CLIENT_TOKEN]
    if len(token) > LONGEST_TOKEN or not token.isprintable():
        return _refused(CLIENT_TOKEN, token, f"it must be at most {LONGEST_TOKEN} printable characters")
    priority = given[PRIORITY] or "0"
    if not (
        priority.isascii() and priority.isdigit() and len(priority) <= 3 and int(priority) <= MOST_PRIORITY
    ):
        return _refused(PRIORITY, priority, f"it must be a whole number from 0 to {MOST_PRIORITY}")
    expires_at = moment_of(given[EXPIRES_AT]) if given[EXPIRES_AT] else None
    if given[EXPIRES_AT] and expires_at is None:
        return _refused(
            EXPIRES_AT, given[EXPIRES_AT], "it must be a time with an offset, like 2026-01-31T09:00:00Z"
        )
    return ContactOptions(token or None, expires_at, int(priority))


def _refused(name: str, value: str, rule: str) -> CellRefused:
    return CellRefused(f"bad_{name}", f"{name} is {quoted(value)}; {rule}", name)
