"""Repeating a campaign for some of its contacts."""

from __future__ import annotations

from functools import partial
from typing import NotRequired, TypedDict

from flask import Response

from api import idempotency, schemas
from api.auth import current_caller, requires
from api.blueprint import Blueprint
from api.errors import conflict, not_found
from api.resources import id_or_404, invalid
from api.routes.campaign_fields import NAME_MAX
from api.routes.campaign_schemas import EXAMPLE_CAMPAIGN, CampaignSchema
from api.routes.campaigns import NOT_FOUND, campaign_json
from api.routes.list_body import import_slot
from api.services import services
from campaigns import cloning
from campaigns.cloning import COPIED, OVER, Wanted
from campaigns.dispositions import MEANINGS
from campaigns.lifecycle_errors import CampaignNotFoundError, SingleCallError
from campaigns.number_hash import NumberHash
from campaigns.store import UnknownReferenceError
from models import rows

CLONE_SECONDS = 60
_BOUND = f"SET LOCAL statement_timeout = '{CLONE_SECONDS}s'"

blp = Blueprint("clones", description="Calling again")


class CloneOptions(TypedDict):
    """A loaded CloneQuery."""

    status: NotRequired[str]
    disposition: NotRequired[str]
    name: NotRequired[str]


class CloneQuery(schemas.Schema):
    """Whom to call again, and how the new campaign is called."""

    status = schemas.Text(
        1,
        200,
        metadata={
            "description": f"Contacts in one of these states, of {', '.join(COPIED)}, separated by commas. Left out: "
            f"{', '.join(OVER)}; pending ones would be called by both.",
            "example": "failed",
        },
    )
    disposition = schemas.Text(
        1,
        500,
        metadata={
            "description": "Only those whose last call ended so; several are separated by commas.",
            "example": "busy,no_answer",
        },
    )
    name = schemas.Text(
        1, NAME_MAX, metadata={"description": "Left out: as the campaign, with a number behind."}
    )


@blp.route("/campaigns/<campaign_id>/clone", methods=["POST"])
@requires(
    "operate",
    errors={
        404: NOT_FOUND,
        409: "No contact of the campaign is as asked for; there is nobody to call again.",
    },
    once=True,
)
@blp.arguments(CloneQuery, location="query")
@blp.response(
    201,
    CampaignSchema,
    example=EXAMPLE_CAMPAIGN
    | {"name": "Appointment reminders (2)", "status": "draft", "cloned_from": EXAMPLE_CAMPAIGN["id"]},
)
def clone_campaign(query: CloneOptions, campaign_id: str) -> Response:
    """Call contacts of a campaign again

    Makes a draft with the campaign's settings, but for its times, its external_id and an exemption from the
    breaker, and with those of its contacts that are as asked for: `?status=failed&disposition=busy,no_answer`.
    Who is being called, whose expires_at has come, and who is on a do-not-call list, is left out. `cloned_from`
    of the new one, and `family` of both, show what belongs together. 409 while the rest of a stopped campaign's
    list is being cancelled.
    """
    found_id, caller = id_or_404(campaign_id, "Campaign"), current_caller()
    wanted = Wanted(
        _words("status", query.get("status"), [str(status) for status in COPIED]) or OVER,
        _words("disposition", query.get("disposition"), list(MEANINGS)),
    )

    def work() -> object:
        # What was given up must not go on at the server, where a whole list is written in one statement.
        rows(_BOUND)
        try:
            made = cloning.clone(
                found_id,
                caller.tenant_id,
                wanted,
                caller.key_name,
                query.get("name"),
                number_hash=NumberHash(services().settings.secret_key or ""),
            )
        except CampaignNotFoundError as error:
            raise not_found("Campaign") from error
        except (SingleCallError, cloning.NotCloneableError, UnknownReferenceError) as error:
            raise conflict(str(error)) from error
        return campaign_json(made)

    # A list is copied: as who imports one, it waits for its turn, and holds no connection meanwhile.
    gate = partial(import_slot, caller.tenant_id)
    seconds = float(CLONE_SECONDS)
    return idempotency.once(work, idempotency.body_hash(query), seconds=seconds, gate=gate).response()


def _words(field: str, given: str | None, known: list[str]) -> list[str]:
    """The words of a list in a query. Raises ApiError 400 for one that is not known."""
    words = [] if given is None else [word.strip() for word in given.split(",")]
    for word in words:
        if word not in known:
            raise invalid(field, word, f"it must be of {', '.join(known)}")
    return words
