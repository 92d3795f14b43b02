"""The actions of a campaign's lifecycle, and its deletion. Each is done once for an Idempotency-Key.

Most answers are promises that hold for every process (a paused campaign starts no call), and a first answer may never
have been one: the state was changed, and nobody could be told (503). So a repeat, under the key or without one, makes
sure of the promise again before it is answered.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

import orjson
from flask import Response

from api import agent_check, calls_to_end, idempotency, notify
from api.auth import current_caller, requires
from api.errors import ApiError, conflict, not_found
from api.idempotency import Answer
from api.resources import id_or_404
from api.routes.campaign_query_schemas import StopOptions, StopQuery
from api.routes.campaign_schemas import EXAMPLE_CAMPAIGN, CampaignSchema, StoppedSchema
from api.routes.campaigns import NOT_FOUND, blp, campaign_json
from api.services import services
from api.stopping import cancel_rest
from api.transactions import transaction
from campaigns import campaign_log, lifecycle, single_calls
from campaigns.calls_to_end import mark_campaign
from campaigns.campaign_state import WEB, ActionResult
from campaigns.errors import CampaignsError
from campaigns.lifecycle_errors import BudgetExceededError, CampaignNotFoundError, NotAllowedError
from campaigns.lifecycle_table import Action
from coordination.topics import Topic
from models import CampaignStatus, rows

__all__ = ["blp"]

ALREADY_PAUSED: Final = "already_paused"
ALREADY_RUNNING: Final = "already_running"
"""Codes of a 409: what is asked for is so already."""

_ALREADY = {
    (CampaignStatus.PAUSED, Action.PAUSE): ALREADY_PAUSED,
    (CampaignStatus.RUNNING, Action.START): ALREADY_RUNNING,
    (CampaignStatus.RUNNING, Action.RESUME): ALREADY_RUNNING,
}
_GENERATION = "SELECT generation FROM campaign WHERE id = %s AND status = %s"

T = TypeVar("T")
Lifecycle = Callable[[uuid.UUID, str], ActionResult]


@dataclass(frozen=True, slots=True)
class Done:
    """What a request came to: its answer, and what the action led to, which a replay does not know."""

    campaign_id: uuid.UUID
    answer: Answer
    result: ActionResult | None


@blp.route("/campaigns/<campaign_id>", methods=["DELETE"])
@requires("operate", errors={404: NOT_FOUND, 409: "Campaign is running; it cannot be deleted."}, once=True)
@blp.response(204)
def delete_campaign(campaign_id: str) -> Response:
    """Delete a campaign

    Refuses while the campaign is running, calls of it are in flight, or the rest of its list is being cancelled. Its
    calls stay counted.
    """
    caller, found_id = current_caller(), id_or_404(campaign_id, "Campaign")

    def delete() -> None:
        campaign_log.acting(caller.key_name)
        lifecycle.delete(found_id, caller.tenant_id)

    return idempotency.deleted(partial(_as_http_error, delete))


@blp.route("/campaigns/<campaign_id>/start", methods=["POST"])
@requires("operate", errors={404: NOT_FOUND, 409: "Campaign is running; it cannot be started."}, once=True)
@blp.response(200, CampaignSchema, example=EXAMPLE_CAMPAIGN)
def start_campaign(campaign_id: str) -> Response:
    """Start a campaign

    From draft, scheduled or paused to running, where the tenant's concurrency budget has room. A schedule is cleared.
    Refused where no node has what the campaign's agent needs: the answer names what is missing where. One that runs
    already is 409 with the code already_running.
    """
    return _set_running(campaign_id, lifecycle.start)


@blp.route("/campaigns/<campaign_id>/resume", methods=["POST"])
@requires("operate", errors={404: NOT_FOUND, 409: "Campaign is draft; it cannot be resumed."}, once=True)
@blp.response(200, CampaignSchema, example=EXAMPLE_CAMPAIGN)
def resume_campaign(campaign_id: str) -> Response:
    """Resume a paused campaign

    Also lets the agent of a running one go that is held (`blocked_reason` agent). Refused as a start is where no node
    has what the agent needs. One that runs already is 409 with the code already_running.
    """
    return _set_running(campaign_id, lifecycle.resume)


@blp.route("/campaigns/<campaign_id>/pause", methods=["POST"])
@requires(
    "operate",
    errors={404: NOT_FOUND, 409: "Campaign is draft; it cannot be paused."},
    once=True,
    limited=False,
)
@blp.response(
    200, CampaignSchema, example=EXAMPLE_CAMPAIGN | {"status": "paused", "blocked_reason": "paused"}
)
def pause_campaign(campaign_id: str) -> Response:
    """Pause a running campaign

    Once answered, no further call of it starts. Calls in flight finish naturally. While Redis is away the answer is
    503 at once: the campaign is paused, and calls of it may start for another 5 s. Asked again under its
    Idempotency-Key it is 200, without one 409 with the code already_paused, and either only once no further call
    starts.
    """
    try:
        done = _act(campaign_id, lifecycle.pause)
    except ApiError as error:
        if error.code == ALREADY_PAUSED:
            _tell_paused(id_or_404(campaign_id, "Campaign"), None)
        raise
    notify.publish_later(services(), done.campaign_id, WEB)
    _tell_paused(done.campaign_id, done.result)
    return done.answer.response()


@blp.route("/campaigns/<campaign_id>/stop", methods=["POST"])
@requires("operate", errors={404: NOT_FOUND}, once=True, limited=False)
@blp.arguments(StopQuery, location="query")
@blp.response(
    200,
    StoppedSchema,
    example=EXAMPLE_CAMPAIGN
    | {"status": "completed", "end_reason": "stopped", "still_up": calls_to_end.EXAMPLE},
)
def stop_campaign(query: StopOptions, campaign_id: str) -> Response:
    """Stop a campaign permanently

    Contacts that are pending or wait for a retry are shown as cancelled from now on; of a long list they become so a
    part at a time, and the stream's `end` comes after the last. Calls in flight end naturally, or within 5 s with
    `hangup=true`; then the contacts of those that were not answered are cancelled, and `still_up` names the nodes
    that could not be reached: their calls end when they can. A campaign that has ended already is left as it is, but
    for its calls. While Redis is away the answer is 503 at once: the campaign is stopped, and calls of it may start
    for another 5 s.
    """
    hangup = query["hangup"]
    done = _act(campaign_id, partial(lifecycle.stop, hangup=hangup), query)
    told = not hangup or _hang_up(done.campaign_id)
    told = _hold(done.campaign_id, CampaignStatus.COMPLETED, done.result) and told
    told = _stop_tests(done.campaign_id) and told
    if hangup:
        # No call of it can leave any more: those that did meanwhile, beside the mark, have to end too.
        calls_to_end.mark(partial(mark_campaign, done.campaign_id))
    cancel_rest(services(), done.campaign_id)
    if not told:
        in_progress = notify.END_LATER if hangup else notify.FINISH
        raise notify.nobody_told(services(), "The campaign is stopped", in_progress)
    if not hangup:
        return done.answer.response()
    still_up = calls_to_end.wait_until_over(current_caller().tenant_id, done.campaign_id)
    body = orjson.loads(done.answer.body) | {"still_up": still_up}
    return Answer(200, orjson.dumps(body), done.answer.replayed).response()


def _set_running(text: str, action: Lifecycle) -> Response:
    """Start or resume, where any node can run the agent."""
    check = partial(agent_check.refuse_what_no_node_can_run, id_or_404(text, "Campaign"))
    done = _act(text, action, before=check)
    if done.result is not None:
        payload = {"campaign_id": str(done.campaign_id), "generation": done.result.generation}
        notify.dialers(services(), Topic.WAKE, payload)
        notify.publish_later(services(), done.campaign_id, WEB)
    return done.answer.response()


def _act(
    text: str, action: Lifecycle, said: object = None, before: Callable[[], object] | None = None
) -> Done:
    """Do `action` in one transaction, once for an Idempotency-Key; `said` is what is asked beside the path."""
    campaign_id = id_or_404(text, "Campaign")
    led_to: list[ActionResult] = []

    def work() -> object:
        campaign_log.acting(current_caller().key_name)
        led_to[:] = [_as_http_error(partial(action, campaign_id, current_caller().tenant_id))]
        return campaign_json(campaign_id)

    answer = idempotency.once(work, idempotency.body_hash(said), status=200, before=before)
    return Done(campaign_id, answer, None if answer.replayed else led_to[0])


def _as_http_error(work: Callable[[], T]) -> T:
    try:
        return work()
    except CampaignNotFoundError as error:
        raise not_found("Campaign") from error
    except BudgetExceededError as error:
        raise conflict(str(error), "budget_exceeded") from error
    except NotAllowedError as error:
        raise conflict(str(error), _ALREADY.get((error.status, error.action), "conflict")) from error
    except CampaignsError as error:
        raise conflict(str(error)) from error


def _tell_paused(campaign_id: uuid.UUID, result: ActionResult | None) -> None:
    """Return once no dialer can start a call of a paused campaign. Raises ApiError 503 where they cannot be told."""
    if not _hold(campaign_id, CampaignStatus.PAUSED, result):
        raise notify.nobody_told(services(), "The campaign is paused", notify.FINISH)


def _hold(campaign_id: uuid.UUID, status: CampaignStatus, result: ActionResult | None) -> bool:
    """Whether no dialer can start a call of the campaign any more; False where Redis is away.

    Where `result` changed nothing, or is not known, an earlier request may have told nobody: what is to hold is read
    again, and that is nothing where the campaign has moved on.
    """
    generation = result.generation if result is not None and result.changed else None
    if generation is None:
        with transaction(writes=False):
            found = rows(_GENERATION, campaign_id, status)
        if not found:
            return True
        generation = found[0]["generation"]
    payload = {"campaign_id": str(campaign_id), "generation": generation}
    return notify.block_until_acknowledged(services(), Topic.HOLD, payload)


def _stop_tests(campaign_id: uuid.UUID) -> bool:
    """Stop the test calls of a campaign that is over, once it is: none is claimed any more. False where the dialers
    cannot be told of those that wait to leave."""
    tenant_id, told = current_caller().tenant_id, True
    with transaction(writes=False):
        tests = single_calls.open_tests(campaign_id)
    for test in tests:
        with transaction():
            campaign_log.acting(current_caller().key_name)
            result = lifecycle.stop(test, tenant_id)
        told = _hold(test, CampaignStatus.COMPLETED, result) and told
        cancel_rest(services(), test)
    return told


def _hang_up(campaign_id: uuid.UUID) -> bool:
    """Have the calls of a campaign ended; False where the dialers cannot be told."""
    calls_to_end.mark(partial(mark_campaign, campaign_id))
    return notify.dialers(services(), Topic.HANGUP, {"campaign_id": str(campaign_id)})
