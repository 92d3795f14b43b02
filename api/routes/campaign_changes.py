"""Changing a campaign while it is prepared, runs or is paused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Response, request

from api import notify, times
from api.auth import current_caller, requires
from api.blueprint import Blueprint
from api.errors import ApiError, conflict, not_found
from api.number_waits import let_go
from api.resources import id_or_404
from api.routes.campaign_body import check_concurrency
from api.routes.campaign_fields import CampaignChanges, CampaignPatch
from api.routes.campaign_schemas import EXAMPLE_CAMPAIGN, CampaignSchema
from api.routes.campaigns import ETAG_HEADER, NOT_FOUND, campaign_answer, campaign_or_404
from api.schemas import quoted
from api.services import services
from api.transactions import transaction
from campaigns import campaign_log, changes, policy_choice, schedule_changes, window_changes
from campaigns.campaign_state import WEB
from campaigns.lifecycle_errors import BudgetExceededError, CampaignNotFoundError, SingleCallError
from campaigns.windows import WindowRefusedError
from coordination.topics import Topic

blp = Blueprint("changes", description="What may be changed of a campaign until it has ended")

IF_MATCH = "If-Match"
_PARAMETER = {
    "in": "header",
    "name": IF_MATCH,
    "description": "The ETag of a GET: nothing is changed (412) where somebody has changed the campaign since.",
    "schema": {"type": "string"},
}


@blp.route("/campaigns/<campaign_id>", methods=["PATCH"])
@requires(
    "operate",
    errors={
        404: NOT_FOUND,
        409: "Campaign is completed; it cannot be changed.",
        412: "The campaign was changed meanwhile; get it again and repeat what is still wanted.",
    },
)
@blp.arguments(CampaignPatch, required=False, example={"max_concurrent_calls": 20})
@blp.response(
    200, CampaignSchema, example=EXAMPLE_CAMPAIGN | {"max_concurrent_calls": 20}, headers=ETAG_HEADER
)
@blp.doc(parameters=[_PARAMETER])
def patch_campaign(body: CampaignChanges, campaign_id: str) -> Response:
    """Change a campaign

    In any state but completed and failed; what is left out stays as it is, and of what is refused nothing is changed.
    It holds at every dialer within a second, from the next call on; calls in progress go on. More
    max_concurrent_calls of a running campaign must fit into the tenant's concurrent_max, as at its start (409, code
    budget_exceeded). A slow start that is set while the campaign runs begins then, and one that is taken away is over
    at once. One that is not kept open any more (keep_open) ends where nobody is left. When it ends may be changed
    until it has ended, when it starts until it is started: a draft that gets a scheduled_at is scheduled, and with
    null it is a draft again. In one that runs or is paused the scheduled_at that it has, or null, is taken; another
    is 409, since somebody resumes a campaign, and never the clock. Once a changed window, purpose or policy_packs is
    answered no call leaves outside the hours that then hold; a slow start begins anew. Contacts that wait for a cap
    on their number, or are left alone after a call, are judged anew when purpose or policy_packs is given.
    """
    found_id = id_or_404(campaign_id, "Campaign")
    if "max_concurrent_calls" in body:
        check_concurrency(body["max_concurrent_calls"], services())
    expected = _expected()
    with transaction():
        with _refusals():
            campaign_log.acting(current_caller().key_name)
            held = changes.change(found_id, current_caller().tenant_id, body, times.utcnow(), expected)
        changed = campaign_or_404(found_id)
    try:
        if held:
            # Calls that were claimed by the window of before go back.
            notify.wait_until_blocked(services(), held)
    finally:
        notify.dialers(services(), Topic.WAKE, {"campaign_id": str(found_id)})
        if body.keys() & set(changes.POLICY):
            let_go(services(), [found_id])
        if body.keys() & {"scheduled_at", "keep_open"}:
            notify.publish_later(services(), found_id, WEB)
    return campaign_answer(changed)


@contextmanager
def _refusals() -> Iterator[None]:
    """What may be wrong with a change, as HTTP."""
    try:
        yield
    except CampaignNotFoundError as error:
        raise not_found("Campaign") from error
    except changes.StaleError as error:
        raise ApiError(412, str(error), headers={"ETag": f'"{error.current}"'}) from error
    except BudgetExceededError as error:
        raise conflict(str(error), "budget_exceeded") from error
    except (
        SingleCallError,
        changes.CampaignEndedError,
        schedule_changes.StartFixedError,
        window_changes.WindowNotPossibleError,
        policy_choice.PolicyNotPossibleError,
    ) as error:
        raise conflict(str(error)) from error
    except (
        schedule_changes.ScheduleRefusedError,
        WindowRefusedError,
        policy_choice.KeyColumnError,
    ) as error:
        raise ApiError(400, str(error)) from error


def _expected() -> set[str] | None:
    """The versions of which the campaign must be one; None where any will do. Raises ApiError 400."""
    given = request.headers.get(IF_MATCH)
    if given is None or given.strip() == "*":
        return None
    # A proxy that compresses what it passes on makes an ETag a weak one (W/"…"), of the same campaign.
    tags = request.if_match.as_set(include_weak=True)
    if not tags or not all(tags):
        raise ApiError(400, f'{IF_MATCH} is {quoted(given)}; it must be an ETag, such as "0f3a", or *.')
    return {str(tag) for tag in tags}
