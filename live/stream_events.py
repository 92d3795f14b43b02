"""The events of a campaign's stream, and what listeners get of each: the one place where a payload is built.

Used by the API for what it changes itself and by the dialers, for their own commits and for rows that others left:
whoever publishes a transition publishes the same bytes. No I/O. There are three of each call, thousands a second:
named tuples, which take a quarter of a frozen dataclass' time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

CAMPAIGN = "campaign"
"""The subject of a campaign's own transitions."""


class StreamEvent(NamedTuple):
    """One change of a contact or of the campaign itself, on its way to the stream.

    `subject` is the contact's id, or "campaign"; `version` counts the subject's transitions: 1, 2, 3, … without a
    hole. `payload` is what listeners get.
    """

    campaign_id: str
    subject: str
    version: int
    payload: Mapping[str, object]


_CONTACT_FIELDS = (
    "campaign_id",
    "contact_id",
    "phone_number",
    "status",
    "disposition",
    "attempt",
    "call_id",
    "cause",
    "version",
    "at",
)


def contact_event(  # noqa: PLR0917  each is a column of the row that it is made of
    campaign_id: str,
    contact_id: str,
    phone_number: str,
    status: str,
    disposition: str | None,
    attempt: int | None,
    call_id: str | None,
    cause: str | None,
    version: int,
    at: str,
) -> StreamEvent:
    """One change of a contact, as its committed row says. Ids and times as the text that listeners get."""
    payload = {
        "campaign_id": campaign_id,
        "contact_id": contact_id,
        "phone_number": phone_number,
        "status": status,
        "disposition": disposition,
        "attempt": attempt,
        "call_id": call_id,
        "cause": cause,
        "at": at,
    }
    return StreamEvent(campaign_id, contact_id, version, payload)


def event_of_row(row: Mapping[str, Any]) -> StreamEvent:
    """The event of a row of the table of transitions, which has the arguments of `contact_event` by their names.

    Without a `contact_id` it is the campaign's own; its `cause` is then why it ended.
    """
    if row["contact_id"] is not None:
        return contact_event(*(row[name] for name in _CONTACT_FIELDS))
    payload = {
        "campaign_id": row["campaign_id"],
        "status": row["status"],
        "end_reason": row["cause"],
        "at": row["at"],
    }
    return StreamEvent(row["campaign_id"], CAMPAIGN, row["version"], payload)
