"""The events of a campaign's stream, and what listeners get of each: the one place where a payload is built.

Used by the API for what it changes itself and by the dialers, for their own commits and for rows that others left:
whoever publishes a transition publishes the same bytes. No I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

CAMPAIGN = "campaign"
"""The subject of a campaign's own transitions."""


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One change of a contact or of the campaign itself, on its way to the stream.

    `subject` is the contact's id, or "campaign"; `version` counts the subject's transitions: 1, 2, 3, … without a
    hole. `payload` is what listeners get.
    """

    campaign_id: str
    subject: str
    version: int
    payload: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ContactTransition:
    """One change of a contact, as its committed row says. Ids and times as the text that listeners get."""

    campaign_id: str
    contact_id: str
    phone_number: str
    status: str
    disposition: str | None
    attempt: int | None
    call_id: str | None
    cause: str | None
    version: int
    at: str

    def event(self) -> StreamEvent:
        """As listeners get it."""
        payload = {
            "campaign_id": self.campaign_id,
            "contact_id": self.contact_id,
            "phone_number": self.phone_number,
            "status": self.status,
            "disposition": self.disposition,
            "attempt": self.attempt,
            "call_id": self.call_id,
            "cause": self.cause,
            "at": self.at,
        }
        return StreamEvent(self.campaign_id, self.contact_id, self.version, payload)


_CONTACT_FIELDS = tuple(field.name for field in fields(ContactTransition))


def event_of_row(row: Mapping[str, Any]) -> StreamEvent:
    """The event of a row of the table of transitions, which has the fields of ContactTransition by their names.

    Without a `contact_id` it is the campaign's own; its `cause` is then why it ended.
    """
    if row["contact_id"] is not None:
        return ContactTransition(**{name: row[name] for name in _CONTACT_FIELDS}).event()
    payload = {
        "campaign_id": row["campaign_id"],
        "status": row["status"],
        "end_reason": row["cause"],
        "at": row["at"],
    }
    return StreamEvent(row["campaign_id"], CAMPAIGN, row["version"], payload)
