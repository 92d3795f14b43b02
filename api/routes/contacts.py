"""Contacts of a campaign, one by one or all that ended so: callbacks, taken out, back in, called again."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TypedDict

from flask import Response

from api import notify, schemas, times
from api.auth import current_caller, requires
from api.errors import ApiError, conflict, not_found
from api.json_rows import json_answer, stored_json
from api.resources import id_or_404
from api.routes.campaigns import NOT_FOUND
from api.routes.contact_lists import blp
from api.routes.contact_schemas import EXAMPLE_CONTACT, ContactSchema
from api.services import services
from api.transactions import transaction
from campaigns import campaign_log, contact_changes, contact_queries
from campaigns.campaign_state import WEB
from campaigns.contact_changes import ContactChanges
from campaigns.dispositions import Disposition
from campaigns.lifecycle_errors import CampaignNotFoundError, SingleCallError
from coordination.topics import Topic

__all__ = ["blp"]

EXAMPLE_CALLBACK = EXAMPLE_CONTACT | {
    "status": "pending",
    "next_attempt_at": "2026-02-01T14:00:00.000Z",
}
IN_A_CALL = "Contact is in a call; it can be changed when that is over."
BROUGHT_BACK = "{} of them had been brought back by then."


class RetryRequest(TypedDict):
    """A loaded RetryRequestSchema."""

    dispositions: list[str]


class ContactPatch(schemas.Schema):
    """What to change of a contact; what is left out stays as it is."""

    next_attempt_at = schemas.Time(
        allow_none=True,
        metadata={
            "description": "Call it again then, before everybody else who is due: a callback. Also of a contact that "
            "is completed, failed or cancelled. null: at its place in the list.",
            "example": "2026-02-01T14:00:00Z",
        },
    )
    status = schemas.Choice(
        ("pending", "cancelled"),
        metadata={
            "description": "`cancelled` takes a waiting contact out; `pending` brings one that is cancelled or "
            "failed back in, for one call more at least."
        },
    )


class RetryRequestSchema(schemas.Schema):
    """Who is to be called again."""

    dispositions = schemas.Items(
        schemas.Choice(Disposition),
        required=True,
        metadata={"description": "How their last calls ended.", "minItems": 1},
    )


class RetriedSchema(schemas.Schema):
    """Who is called again."""

    contacts = schemas.Integer(required=True, metadata={"description": "How many came back."})


@blp.route("/campaigns/<campaign_id>/contacts/<contact_id>")
@requires("read", errors={404: "Contact not found"})
@blp.response(200, ContactSchema, example=EXAMPLE_CONTACT)
def get_contact(campaign_id: str, contact_id: str) -> Response:
    """Get a contact"""
    with transaction(writes=False):
        found = contact_queries.contact_of(
            id_or_404(campaign_id, "Campaign"),
            current_caller().tenant_id,
            id_or_404(contact_id, "Contact"),
        )
    if found is None:
        raise not_found("Contact")
    return json_answer(stored_json(found))


@blp.route("/campaigns/<campaign_id>/contacts/<contact_id>", methods=["PATCH"])
@requires("operate", errors={404: "Contact not found", 409: IN_A_CALL})
@blp.arguments(ContactPatch, required=False, example={"next_attempt_at": "2026-02-01T14:00:00Z"})
@blp.response(200, ContactSchema, example=EXAMPLE_CALLBACK)
def patch_contact(body: ContactChanges, campaign_id: str, contact_id: str) -> Response:
    """Change a contact

    Have it called at a time, take it out of its campaign or bring it back in, while the campaign has not ended. One
    that is in a call is 409.
    """
    key, contact_key = id_or_404(campaign_id, "Campaign"), id_or_404(contact_id, "Contact")
    caller = current_caller()
    with transaction():
        try:
            changed = contact_changes.change(
                key, caller.tenant_id, contact_key, body, times.utcnow(), by=caller.key_name
            )
        except CampaignNotFoundError as error:
            raise not_found("Campaign") from error
        except contact_changes.ContactNotFoundError as error:
            raise not_found("Contact") from error
        except contact_changes.TimeRefusedError as error:
            raise ApiError(400, str(error)) from error
        except (SingleCallError, contact_changes.ContactRefusedError) as error:
            raise conflict(str(error)) from error
        if changed:
            details = {"contact_id": str(contact_key), "changes": changed}
            campaign_log.note(key, "contact_changed", caller.key_name, details)
        told = contact_queries.contact(key, contact_key)
    _tell(campaign_id)
    return json_answer(stored_json(told))


@blp.route("/campaigns/<campaign_id>/retry", methods=["POST"])
@requires("operate", errors={404: NOT_FOUND, 409: "Campaign is completed; its contacts cannot be changed."})
@blp.arguments(RetryRequestSchema, example={"dispositions": ["busy", "no_answer"]})
@blp.response(200, RetriedSchema, example={"contacts": 388})
def retry_contacts(body: RetryRequest, campaign_id: str) -> dict[str, int]:
    """Call again who failed

    All contacts of a campaign that has not ended, whose last call ended so and who were not to be called any more:
    they wait for one call more at least. Asked again, it concerns those who failed once more. Of a long list they
    come back so a few thousand at a time: where the campaign ends meanwhile the 409 says how many had by then.
    """
    key, caller = id_or_404(campaign_id, "Campaign"), current_caller()
    if not body["dispositions"]:
        raise ApiError(400, "dispositions is []; it must name one at least.")
    contacts = 0
    after: int | None = 0
    try:
        while after is not None:
            with transaction():
                some, after = contact_changes.call_again(
                    key, caller.tenant_id, body["dispositions"], after, by=caller.key_name
                )
            contacts += some
    except CampaignNotFoundError as error:
        raise not_found("Campaign") from error
    except (SingleCallError, contact_changes.ContactRefusedError) as error:
        if not contacts:
            raise conflict(str(error)) from error
        _note_again(key, contacts, body["dispositions"])
        _tell(campaign_id)
        raise conflict(f"{error} {BROUGHT_BACK.format(contacts)}") from error
    if contacts:
        _note_again(key, contacts, body["dispositions"])
    _tell(campaign_id)
    return {"contacts": contacts}


def _note_again(campaign_id: uuid.UUID, contacts: int, dispositions: Sequence[str]) -> None:
    details = {"contacts": contacts, "dispositions": dispositions}
    with transaction():
        campaign_log.note(campaign_id, "called_again", current_caller().key_name, details)


def _tell(campaign_id: str) -> None:
    """Have the dialers look, and listeners hear."""
    key = id_or_404(campaign_id, "Campaign")
    with transaction():
        contact_changes.tell_dialers(key)
    notify.dialers(services(), Topic.WAKE, {"campaign_id": campaign_id})
    notify.publish_later(services(), key, WEB)
