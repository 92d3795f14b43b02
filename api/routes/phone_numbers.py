"""Phone numbers: a tenant's caller ids and the gateways their calls leave by. Only the operator hands them out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from flask import Response

from api import idempotency, notify, schemas
from api.auth import current_caller, requires
from api.blueprint import Blueprint
from api.paging import Page, PageQuery, PageValues, list_schema
from api.resources import Patch, get_or_404, insert, invalid, page_of, refuse_in_use, unique, update
from api.schemas import identifier
from api.services import services
from api.transactions import transaction
from campaigns import taken_away
from campaigns.errors import NumberRefused
from campaigns.numbers import phone_number
from campaigns.taken_away import Held
from models import PhoneNumber, rows

blp = Blueprint("phone-numbers", description="Caller ids, and the gateways their calls leave by")

WHAT = "Phone number"
NOT_FOUND = "Phone number not found"
EXAMPLE_BODY: dict[str, object] = {
    "e164": "+14155550100",
    "outbound_enabled": True,
    "gateway_id": "019ab0c4-3333-7aaa-8bbb-0123456789ab",
    "agent_id": None,
}
EXAMPLE: dict[str, object] = {
    "id": "019ab0c4-2222-7aaa-8bbb-0123456789ab",
    **EXAMPLE_BODY,
    "created_at": "2026-01-31T08:00:00.000Z",
}
EXAMPLE_LIST = {"phone_numbers": [EXAMPLE], "total": 1, "limit": 100, "offset": 0}
TAKEN = "The number +14155550100 exists."


class PhoneNumberValues(TypedDict, total=False):
    """A loaded PhoneNumberBody, whole, or what a PhoneNumberPatch gives of it."""

    e164: str
    outbound_enabled: bool
    gateway_id: str
    agent_id: str | None


class PhoneNumberBody(schemas.Schema):
    """A new phone number."""

    e164 = schemas.Text(
        1, 20, required=True, metadata={"pattern": r"^\+[1-9][0-9]+$", "description": "E.164, unique."}
    )
    outbound_enabled = schemas.Boolean(
        load_default=True, metadata={"description": "Whether campaigns may call from it."}
    )
    gateway_id = schemas.Id(required=True, metadata={"description": "The gateway its calls leave by."})
    agent_id = schemas.Id(
        load_default=None, allow_none=True, metadata={"description": "An agent of the tenant."}
    )


class PhoneNumberPatch(Patch, PhoneNumberBody):
    """What to change of a phone number."""


class PhoneNumberSchema(schemas.Schema):
    """A phone number."""

    id = schemas.Id(required=True)
    e164 = schemas.Text(required=True)
    outbound_enabled = schemas.Boolean(required=True)
    gateway_id = schemas.Id(required=True)
    agent_id = schemas.Id(required=True, allow_none=True)
    created_at = schemas.Time(required=True)


@blp.route("/phone-numbers")
@requires("read")
@blp.arguments(PageQuery, location="query")
@blp.response(200, list_schema("phone_numbers", PhoneNumberSchema), example=EXAMPLE_LIST)
def list_phone_numbers(query: PageValues) -> dict[str, object]:
    """List phone numbers

    Oldest first.
    """
    page = Page.of(query)
    own = PhoneNumber.tenant == current_caller().tenant_id
    with transaction():
        found, total = page_of(PhoneNumber.select().where(own, PhoneNumber.deleted_at.is_null()), page)
    return page.body("phone_numbers", found, total)


@blp.route("/phone-numbers", methods=["POST"])
@requires("platform", errors={409: TAKEN}, once=True)
@blp.arguments(PhoneNumberBody, example=EXAMPLE_BODY)
@blp.response(201, PhoneNumberSchema, example=EXAMPLE)
def create_phone_number(body: PhoneNumberValues) -> Response:
    """Give a tenant a phone number

    The tenant is the one named by X-Tenant.
    """

    def work() -> object:
        values = _checked(body)
        with unique(f"The number {body['e164']} exists."):
            return PhoneNumberSchema().dump(insert(PhoneNumber, tenant=current_caller().tenant_id, **values))

    return idempotency.once(work, idempotency.body_hash(body)).response()


@blp.route("/phone-numbers/<phone_number_id>")
@requires("read", errors={404: NOT_FOUND})
@blp.response(200, PhoneNumberSchema, example=EXAMPLE)
def get_phone_number(phone_number_id: str) -> PhoneNumber:
    """Get a phone number"""
    with transaction():
        return get_or_404(PhoneNumber, phone_number_id, WHAT, tenant_id=current_caller().tenant_id)


@blp.route("/phone-numbers/<phone_number_id>", methods=["PATCH"])
@requires("platform", errors={404: NOT_FOUND, 409: TAKEN})
@blp.arguments(PhoneNumberPatch, required=False, example={"outbound_enabled": False})
@blp.response(200, PhoneNumberSchema, example=EXAMPLE | {"outbound_enabled": False})
def patch_phone_number(body: PhoneNumberValues, phone_number_id: str) -> PhoneNumber:
    """Change a phone number

    What is left out stays as it is. Calls that start from now on follow the change. Once `outbound_enabled: false` or
    another gateway is answered, no call of a running campaign leaves as before; calls in progress go on. A campaign
    whose caller id is switched off waits (`blocked_reason` is `caller_id`) until it is switched on again.
    """
    held: Sequence[Held] = ()
    with transaction():
        get_or_404(PhoneNumber, phone_number_id, WHAT, tenant_id=current_caller().tenant_id)
        # The agent before the number, as whoever deletes an agent takes them.
        values = _checked(body)
        number = get_or_404(
            PhoneNumber, phone_number_id, WHAT, tenant_id=current_caller().tenant_id, lock=True
        )
        with unique(f"The number {body.get('e164')} exists."):
            number = update(number, values)
        if "gateway_id" in body or not number.outbound_enabled:
            held = taken_away.from_number(number.id)
    notify.wait_until_blocked(services(), held)
    return number


@blp.route("/phone-numbers/<phone_number_id>", methods=["DELETE"])
@requires(
    "platform",
    errors={404: NOT_FOUND, 409: "Phone number is used by campaign 'Reminders'; it cannot be deleted."},
    once=True,
)
@blp.response(204)
def delete_phone_number(phone_number_id: str) -> Response:
    """Take a phone number away

    Refuses while an unfinished campaign uses it.
    """

    def work() -> None:
        number = get_or_404(
            PhoneNumber, phone_number_id, WHAT, tenant_id=current_caller().tenant_id, lock=True
        )
        refuse_in_use(number, WHAT)
        rows("UPDATE phone_number SET deleted_at = now() WHERE id = %s", number.id)

    return idempotency.deleted(work)


def _checked(body: PhoneNumberValues) -> dict[str, object]:
    """`body` as columns; what it refers to exists, and is held until the transaction ends."""
    values: dict[str, object] = {**body}
    if "e164" in body:
        _check_e164(body["e164"])
    if "gateway_id" in body:
        del values["gateway_id"]
        values["gateway"] = identifier(body["gateway_id"])
        if not rows(
            "SELECT 1 FROM gateway WHERE id = %s AND deleted_at IS NULL FOR SHARE", values["gateway"]
        ):
            raise invalid("gateway_id", body["gateway_id"], "it must be the id of a gateway")
    if "agent_id" in body:
        agent_id = body["agent_id"]
        del values["agent_id"]
        values["agent"] = None if agent_id is None else identifier(agent_id)
        if agent_id is not None and not rows(
            "SELECT 1 FROM agent WHERE id = %s AND tenant_id = %s AND deleted_at IS NULL FOR SHARE",
            values["agent"],
            current_caller().tenant_id,
        ):
            raise invalid("agent_id", agent_id, "it must be the id of an agent of the tenant")
    return values


def _check_e164(text: str) -> None:
    try:
        number = phone_number(text, None)
    except NumberRefused as error:
        raise invalid("e164", text, f"it must be a phone number in E.164, and {error.reason}") from error
    if number != text:
        raise invalid("e164", text, f"it must be in E.164, which is {number}")
