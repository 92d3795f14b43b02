"""Calls that are asked for one by one: `POST /calls/originate`, and a campaign's test call.

No web process speaks to a switch: a row is written, for whichever dialer is the first to claim it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import gevent
from flask import Response

from api import idempotency, notify, schemas, times
from api.auth import current_caller, requires
from api.errors import ApiError, conflict, not_found
from api.idempotency import Answer
from api.resources import id_or_404, invalid
from api.retrying import when_free
from api.routes.calls import blp
from api.routes.campaigns import NOT_FOUND
from api.routes.list_body import LIMITS
from api.routes.single_call_schemas import (
    EXAMPLE,
    EXAMPLE_BODY,
    OriginateBody,
    OriginateValues,
    SingleCallSchema,
    TestCallBody,
    TestValues,
)
from api.schemas import identifier
from api.services import services
from campaigns import allowed_numbers, policy_choice, single_calls, store, window_changes
from campaigns.column_names import PHONE_COLUMN, ListColumn
from campaigns.errors import ListRefused, NumberRefused
from campaigns.import_notes import ImportNotes
from campaigns.import_rows import AcceptedRow, RejectedRow
from campaigns.json_contacts import read_object
from campaigns.list_policies import ListPolicy
from campaigns.number_hash import NumberHash
from campaigns.number_rules import NumberRules
from campaigns.numbers import phone_number, region_of
from campaigns.policy_choice import PolicyChoice
from campaigns.row_templates import Template
from campaigns.single_calls import Cap, CapReachedError, SingleCallRefusedError
from campaigns.suppressed_rows import ErasedNumbers
from campaigns.window_changes import Window
from campaigns.windows import WindowRefusedError
from coordination.topics import Topic
from limits.errors import LimiterUnavailable
from limits.limiter import Limiter
from models import CampaignStatus, rows

__all__ = ["blp"]

UNSURE_TIMES, UNSURE_SECONDS = 4, 0.05
"""A call that leaves just now is counted twice for a moment: whoever is refused by that is judged again."""
CAP_CODES = {
    Cap.CONCURRENT: "concurrent_limit",
    Cap.RATE: "call_rate_limit",
    Cap.DAY_CALLS: "daily_call_limit",
    Cap.DAY_MINUTES: "daily_minute_budget",
}
_AGENT = "SELECT 1 FROM agent WHERE id = %s AND tenant_id = %s AND deleted_at IS NULL FOR SHARE"
_NUMBER = """
    SELECT id, e164, outbound_enabled FROM phone_number WHERE e164 = %s AND tenant_id = %s AND deleted_at IS NULL
    FOR SHARE"""
_TEST_NUMBERS = "SELECT test_numbers FROM tenant WHERE id = %s"


@blp.route("/calls/originate", methods=["POST"])
@requires(
    "operate",
    errors={
        400: "to_number is '555'; it is too short for a number of US.",
        404: "Phone number not found",
        409: "The number is on a do-not-call list.",
        429: Cap.CONCURRENT,
        503: "No dialer is running; the call was not taken.",
    },
    once=True,
)
@blp.arguments(OriginateBody, example=EXAMPLE_BODY)
@blp.response(201, SingleCallSchema, example=EXAMPLE)
def originate(body: OriginateValues) -> Response:
    """Place one call

    Under the tenant's caps, its default calling window, suppressions and halts, as every call, and before those of
    its campaigns. Where a cap leaves no room it is not taken: 429 with `Concurrent call limit reached`,
    `Call rate limit`, `Daily call limit reached` or `Daily minute budget exhausted`. One that was taken and could not
    leave within 30 s (its node's rate, a paused gateway, a number cap) is not placed any more: `ended`, disposition
    `expired`. A halt, or a stop of `campaign_id`, holds for it. Sent again under its Idempotency-Key it is placed
    once.
    """
    caller = current_caller()

    def work() -> object:
        agent_id = identifier(body["agent_id"])
        if agent_id is None or not rows(_AGENT, agent_id, caller.tenant_id):
            raise not_found("Agent")
        number = _own_number(body["from_number"], caller.tenant_id)
        policy, window = _defaults(caller.tenant_id)
        given = body.get("custom_fields", {})
        judges = policy.of_list(number["e164"]), allowed_numbers.of_tenant(caller.tenant_id)
        templates = store.agent_templates(agent_id)
        row, columns = _row(body["to_number"], given, number["e164"], templates, judges)
        return _take(
            single_calls.SingleCall(
                caller.tenant_id,
                caller.key_name,
                agent_id,
                number["id"],
                number["e164"],
                row,
                columns,
                window,
                policy,
            )
        )

    return _taken(work, dict(body))


@blp.route("/campaigns/<campaign_id>/test-call", methods=["POST"])
@requires(
    "operate",
    errors={
        400: "to_number is '+14155550123'; it must be one of the tenant's test numbers (PUT /test-numbers).",
        404: NOT_FOUND,
        409: "The campaign has ended; no test call of it can be placed.",
        429: Cap.CONCURRENT,
        503: "No dialer is running; the call was not taken.",
    },
    once=True,
)
@blp.arguments(TestCallBody, example={"to_number": "+14155550123"})
@blp.response(201, SingleCallSchema, example=EXAMPLE)
def test_call(body: TestValues, campaign_id: str) -> Response:
    """Try a campaign on one of your own numbers

    Its agent, caller id, calling window and suppressions, to one of `/test-numbers`, whether it runs or is still
    being prepared. Without `custom_fields` its agent is given those columns of the list's first contact that it
    needs; where the number is, and whether it may be called, they do not say. It is counted apart: the campaign's
    counts and list stay as they are. All else is as of `POST /calls/originate`; where the campaign is stopped, a test
    call that waits does not leave.
    """
    caller, found_id = current_caller(), id_or_404(campaign_id, "Campaign")

    def work() -> object:
        tested = single_calls.tested(found_id, caller.tenant_id)
        if tested is None:
            raise not_found("Campaign")
        _own_number(tested.caller_id, caller.tenant_id)
        asked = tested.policy.of_list(tested.caller_id)
        judges = asked, allowed_numbers.of_tenant(caller.tenant_id)
        row, columns = _row(
            body["to_number"],
            body.get("custom_fields", tested.first),
            tested.caller_id,
            tested.templates,
            judges,
            lent="custom_fields" not in body,
        )
        (allowed,) = rows(_TEST_NUMBERS, caller.tenant_id)
        if row.phone_number not in allowed["test_numbers"]:
            raise invalid(
                "to_number",
                body["to_number"],
                "it must be one of the tenant's test numbers (PUT /test-numbers)",
            )
        return _take(
            single_calls.SingleCall(
                caller.tenant_id,
                caller.key_name,
                tested.agent_id,
                tested.phone_number_id,
                tested.caller_id,
                row,
                columns,
                tested.window,
                tested.policy,
                name=f"Test call of {tested.name}"[:200],
                test_of=tested.campaign_id,
            )
        )

    return _taken(work, dict(body))


def _taken(work: Callable[[], object], body: Mapping[str, object]) -> Response:
    """The answer of `work`, done once for this request's Idempotency-Key; the dialers are told. Raises ApiError."""
    found = services()
    attempt = partial(idempotency.once, work, idempotency.body_hash(body), before=_refuse_where_nobody_dials)
    answer = _judged(attempt)
    if not answer.replayed:
        notify.dialers(found, Topic.WAKE, {})
    return answer.response()


def _judged(attempt: Callable[[], Answer]) -> Answer:
    for left in reversed(range(UNSURE_TIMES)):
        try:
            return when_free(attempt, single_calls.BusyError)
        except CapReachedError as error:
            if not (error.unsure and left):
                raise _too_many(error.cap) from error
        except SingleCallRefusedError as error:
            raise conflict(f"{error}", error.code) from error
        except policy_choice.PolicyRefusedError as error:
            raise conflict(str(error), "policy") from error
        gevent.sleep(UNSURE_SECONDS)
    raise AssertionError


def _too_many(cap: Cap) -> ApiError:
    now = times.utcnow()
    day_over = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    seconds = {Cap.CONCURRENT: 1, Cap.RATE: 1}.get(cap, max(1, round((day_over - now).total_seconds())))
    return ApiError(429, str(cap), code=CAP_CODES[cap], headers={"Retry-After": str(seconds)})


def _refuse_where_nobody_dials() -> None:
    """Raise ApiError 503 where the call would only expire."""
    dialers = services().dialers
    if dialers.redis_is_away:
        raise _no_redis()
    if dialers.blocked_reason(CampaignStatus.RUNNING, None) is not None:
        raise ApiError(
            503,
            "No dialer is running; the call was not taken.",
            code="no_dialer",
            headers={"Retry-After": "5"},
        )


def _no_redis() -> ApiError:
    return ApiError(
        503,
        "Redis is unavailable; the call was not taken.",
        code="redis_unavailable",
        headers={"Retry-After": "2"},
    )


def _judge(tenant_id: str) -> None:
    """Raise SingleCallRefusedError, BusyError, CapReachedError or ApiError 503; else nobody else is judged until this
    one's call is there."""
    single_calls.refuse_where_nobody_may(tenant_id)
    found = services()
    try:
        used = Limiter(found.redis, found.settings.redis_prefix, "").usage(tenant_id)
    except LimiterUnavailable as error:
        raise _no_redis() from error
    if used is None:
        # Nobody dials until the dialers have made the state whole again.
        raise _no_redis()
    now = single_calls.Used(used.concurrent, used.last_minute, used.day_calls, used.day_seconds)
    single_calls.refuse_over_caps(tenant_id, now)


def _own_number(text: str, tenant_id: str) -> Mapping[str, Any]:
    """A caller id of the tenant. Raises ApiError: 404 for any other, 409 where it may not be used."""
    try:
        found = rows(_NUMBER, phone_number(text, None), tenant_id)
    except NumberRefused as error:
        raise not_found("Phone number") from error
    if not found:
        raise not_found("Phone number")
    if not found[0]["outbound_enabled"]:
        raise conflict(
            f"from_number is {text!r}; that number is not enabled for outbound calls.", "caller_id"
        )
    return found[0]


def _row(
    to_number: str,
    given: Mapping[str, object],
    caller_id: str,
    templates: tuple[Template, ...],
    judges: tuple[ListPolicy | None, NumberRules],
    *,
    lent: bool = False,
) -> tuple[AcceptedRow, list[ListColumn]]:
    """The contact by the rules of a list, as policy packs and the tenant's limits judge it, and its columns, which
    say nothing of its number where they are `lent`. Raises ApiError 400."""
    notes = ImportNotes()
    contact = {
        PHONE_COLUMN: to_number,
        **{name: value for name, value in given.items() if name != PHONE_COLUMN},
    }
    try:
        row = read_object(
            contact,
            default_region=region_of(caller_id),
            limits=LIMITS,
            templates=templates,
            notes=notes,
            policy=judges[0],
            rules=judges[1],
            lent=lent,
        )
    except ListRefused as error:
        raise ApiError(400, f"custom_fields: {error}.", code=error.code) from error
    if isinstance(row, RejectedRow):
        raise _refused(row, to_number)
    return row, list(notes.custom)


def _refused(row: RejectedRow, to_number: str) -> ApiError:
    if row.column in (None, PHONE_COLUMN):
        return ApiError(400, f"to_number is {schemas.quoted(to_number)}; {row.reason}.", code=row.code)
    return ApiError(400, f"custom_fields: {row.column}: {row.reason}.", code=row.code)


def _defaults(tenant_id: str) -> tuple[PolicyChoice, Window]:
    """What binds a call that is no campaign's: as of one that says nothing of it. Raises ApiError 409."""
    try:
        policy = policy_choice.of_new(tenant_id, {})
        return policy, window_changes.of_new(tenant_id, {}, None, packs=policy.on)
    except (policy_choice.PolicyNotPossibleError, window_changes.WindowNotPossibleError) as error:
        raise conflict(str(error)) from error
    except WindowRefusedError as error:
        raise conflict(f"The tenant's default window cannot be kept: {error}") from error


def _take(call: single_calls.SingleCall) -> object:
    _judge(call.tenant_id)
    hashed = NumberHash(services().settings.secret_key or "")
    taken = single_calls.take(call, ErasedNumbers(call.tenant_id, hashed))
    return SingleCallSchema().dump({**_fields(taken), "campaign_id": taken.id})


def _fields(taken: single_calls.Taken) -> dict[str, object]:
    return {name: getattr(taken, name) for name in SingleCallSchema().fields if name != "campaign_id"}
