"""Gateways: the trunks that calls leave by. The operator's; a tenant never writes a dial string."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypedDict

import marshmallow as ma
from flask import Response

from api import idempotency, notify, schemas
from api.auth import requires
from api.blueprint import Blueprint
from api.errors import conflict
from api.paging import Page, PageQuery, PageValues, list_schema
from api.resources import Patch, get_or_404, insert, invalid, page_of, unique, update
from api.routes import dial_strings
from api.routes.reduced_rates import rates_now
from api.schemas import identifier, quoted
from api.services import services
from api.transactions import transaction
from coordination.topics import Topic
from limits.rate_cuts import Kind
from models import CallerIdFormat, CallerIdHeader, Gateway, rows

blp = Blueprint("gateways", description="The trunks that calls leave by")

NOT_FOUND = "Gateway not found"
CAP_MAX = 100_000
COST_MAX = 1_000_000
PREFIXES_MAX = 1_000
FAILOVER_MAX = 9
SECOND_ID = "019ab0c4-3334-7aaa-8bbb-0123456789ab"
EXAMPLE_BODY: dict[str, object] = {
    "name": "carrier",
    "dial_string": "sofia/gateway/carrier/{number}",
    "cps": 10,
    "channels": None,
    "prefixes": ["+1", "+44"],
    "cost": 0.0085,
    "failover": [SECOND_ID],
    "caller_id_header": "pai",
    "caller_id_format": "e164",
}
EXAMPLE: dict[str, object] = {
    "id": "019ab0c4-3333-7aaa-8bbb-0123456789ab",
    **EXAMPLE_BODY,
    "rate_now": 10,
    "paused_at": None,
    "paused_reason": None,
    "created_at": "2026-01-31T08:00:00.000Z",
}
EXAMPLE_LIST = {"gateways": [EXAMPLE], "total": 1, "limit": 100, "offset": 0}

RESUMED = {"faults_in_row": 0, "paused_at": None, "paused_reason": None, "probe_at": None, "probes": 0}

NUMBER_USING = """
    SELECT e164 FROM phone_number WHERE gateway_id = %s AND deleted_at IS NULL ORDER BY created_at, id LIMIT 1"""
TENANT_GRANTED = """
    SELECT id FROM tenant WHERE gateway_ids ? %s::text AND deleted_at IS NULL ORDER BY id LIMIT 1"""

FAILED_OVER_TO = """
    SELECT name FROM gateway WHERE failover ? %s::text AND deleted_at IS NULL ORDER BY created_at, id LIMIT 1"""
EXISTING = """
    SELECT id::text FROM gateway WHERE id = ANY(%s::uuid[]) AND deleted_at IS NULL ORDER BY id FOR NO KEY UPDATE"""

_PREFIX = re.compile(r"\+[1-9][0-9]{0,14}")


def _with_rates(gateways: Sequence[Gateway]) -> list[dict[str, object]]:
    rates = rates_now(Kind.GATEWAY, {str(gateway.id): gateway.cps for gateway in gateways})
    return [{**gateway.__data__, "rate_now": rates[str(gateway.id)]} for gateway in gateways]


def _check_dial_string(value: str) -> None:
    if not dial_strings.is_dial_string(value):
        raise ma.ValidationError(dial_strings.RULE)


def _check_prefix(value: str) -> None:
    if not _PREFIX.fullmatch(value):
        raise ma.ValidationError("it must be a plus and 1 to 15 digits, such as +44")


def _check_prefixes(values: Sequence[str]) -> None:
    _check_list(values, PREFIXES_MAX)


def _check_failover(values: Sequence[str]) -> None:
    _check_list(values, FAILOVER_MAX)


def _check_list(values: Sequence[str], most: int) -> None:
    if len(values) > most:
        raise ma.ValidationError(f"it must have at most {most} entries")
    if len(set(values)) < len(values):
        raise ma.ValidationError("it must name each once")


class GatewayValues(TypedDict, total=False):
    """A loaded GatewayBody, whole, or what a GatewayPatch gives of it."""

    name: str
    dial_string: str
    cps: int | None
    channels: int | None
    prefixes: list[str]
    cost: float | None
    failover: list[str]
    caller_id_header: str
    caller_id_format: str


class GatewayBody(schemas.Schema):
    """A new gateway."""

    name = schemas.Text(1, 200, required=True, metadata={"description": "Unique."})
    dial_string = schemas.Text(
        1,
        dial_strings.MAX_CHARACTERS,
        required=True,
        validate=[_check_dial_string],
        metadata={
            "description": "One leg: {number} stands for the called number, {digits} for it without its plus."
        },
    )
    cps = schemas.Integer(
        1,
        CAP_MAX,
        load_default=None,
        allow_none=True,
        metadata={"description": "Calls started per second; null is unlimited."},
    )
    channels = schemas.Integer(
        1,
        CAP_MAX,
        load_default=None,
        allow_none=True,
        metadata={"description": "Calls at once; null is unlimited."},
    )
    prefixes = schemas.Items(
        schemas.Text(1, 16, validate=[_check_prefix]),
        load_default=list,
        validate=[_check_prefixes],
        metadata={
            "description": "What the numbers that it carries start with, in E.164; none of them: it carries all. Of"
            " the gateways that may take a call, the one with the longest match goes first."
        },
    )
    cost = schemas.Number(
        0,
        COST_MAX,
        load_default=None,
        allow_none=True,
        metadata={
            "description": "What a minute costs, in whatever currency the others' costs are in. Among gateways that"
            " match equally long, all of them with a cost, the cheapest goes first; where one has none, the order"
            " of failover holds."
        },
    )
    failover = schemas.Items(
        schemas.Id(),
        load_default=list,
        validate=[_check_failover],
        metadata={
            "description": "Other gateways, in the order in which they are tried: where this one does not carry the"
            " number, is paused or has no channel free, and after a call by it that proves that nobody was reached."
            " What those name in turn is not followed."
        },
    )
    caller_id_header = schemas.Choice(
        CallerIdHeader,
        load_default=CallerIdHeader.FROM,
        metadata={
            "description": "Where the caller's number stands beside From: nowhere, in P-Asserted-Identity (pai) or in"
            " Remote-Party-ID (rpid). Whether From has it or the account is the node's setting, caller-id-in-from."
        },
    )
    caller_id_format = schemas.Choice(
        CallerIdFormat,
        load_default=CallerIdFormat.E164,
        metadata={"description": "The caller's number with its plus (e164) or without (digits)."},
    )


class GatewayPatch(Patch, GatewayBody):
    """What to change of a gateway."""


class GatewaySchema(schemas.Schema):
    """A gateway."""

    id = schemas.Id(required=True)
    name = schemas.Text(required=True)
    dial_string = schemas.Text(required=True)
    cps = schemas.Integer(required=True, allow_none=True)
    channels = schemas.Integer(required=True, allow_none=True)
    prefixes = schemas.Items(schemas.Text(), required=True)
    cost = schemas.Number(0, COST_MAX, required=True, allow_none=True)
    failover = schemas.Items(schemas.Id(), required=True)
    caller_id_header = schemas.Choice(CallerIdHeader, required=True)
    caller_id_format = schemas.Choice(CallerIdFormat, required=True)
    rate_now = schemas.Integer(
        required=True,
        allow_none=True,
        metadata={
            "description": "What is left of cps: halved when the carrier has no capacity, then raised again."
        },
    )
    paused_at = schemas.Time(
        required=True,
        allow_none=True,
        metadata={
            "description": "Set after five faults in a row (401 to 403, 407, 428 to 438, down, unknown to its node)."
        },
    )
    paused_reason = schemas.Text(
        required=True, allow_none=True, metadata={"description": "What the last of the faults said."}
    )
    created_at = schemas.Time(required=True)


@blp.route("/gateways")
@requires("platform")
@blp.arguments(PageQuery, location="query")
@blp.response(200, list_schema("gateways", GatewaySchema), example=EXAMPLE_LIST)
def list_gateways(query: PageValues) -> dict[str, object]:
    """List gateways

    Oldest first.
    """
    page = Page.of(query)
    with transaction():
        found, total = page_of(Gateway.select().where(Gateway.deleted_at.is_null()), page)
    return page.body("gateways", _with_rates(found), total)


@blp.route("/gateways", methods=["POST"])
@requires("platform", errors={409: "A gateway named 'carrier' exists."}, creates=True)
@blp.arguments(GatewayBody, example=EXAMPLE_BODY)
@blp.response(201, GatewaySchema, example=EXAMPLE)
def create_gateway(body: GatewayValues) -> Response:
    """Create a gateway"""

    def work() -> object:
        _check_others(body, None)
        with unique(f"A gateway named {quoted(body['name'])} exists."):
            return GatewaySchema().dump(_with_rates([insert(Gateway, **body)])[0])

    return idempotency.once(work, idempotency.body_hash(body)).response()


@blp.route("/gateways/<gateway_id>")
@requires("platform", errors={404: NOT_FOUND})
@blp.response(200, GatewaySchema, example=EXAMPLE)
def get_gateway(gateway_id: str) -> dict[str, object]:
    """Get a gateway"""
    with transaction():
        gateway = get_or_404(Gateway, gateway_id, "Gateway")
    return _with_rates([gateway])[0]


@blp.route("/gateways/<gateway_id>", methods=["PATCH"])
@requires("platform", errors={404: NOT_FOUND, 409: "A gateway named 'carrier' exists."})
@blp.arguments(GatewayPatch, required=False, example={"cps": 20})
@blp.response(200, GatewaySchema, example=EXAMPLE | {"cps": 20})
def patch_gateway(body: GatewayValues, gateway_id: str) -> dict[str, object]:
    """Change a gateway

    What is left out stays as it is. Calls that start from now on follow the change.
    """
    with transaction():
        _check_others(body, gateway_id)
        gateway = get_or_404(Gateway, gateway_id, "Gateway", lock=True)
        with unique(f"A gateway named {quoted(body.get('name'))} exists."):
            gateway = update(gateway, body)
    notify.dialers(services(), Topic.WAKE, {})
    return _with_rates([gateway])[0]


@blp.route("/gateways/<gateway_id>/resume", methods=["POST"])
@requires("platform", errors={404: NOT_FOUND})
@blp.response(200, GatewaySchema, example=EXAMPLE)
def resume_gateway(gateway_id: str) -> dict[str, object]:
    """Resume a gateway

    Ends its pause at once, where it is paused: without this it resumes when one of the calls that probe it gets
    through.
    """
    with transaction():
        gateway = get_or_404(Gateway, gateway_id, "Gateway", lock=True)
        gateway = update(gateway, RESUMED)
    notify.dialers(services(), Topic.WAKE, {})
    return _with_rates([gateway])[0]


@blp.route("/gateways/<gateway_id>", methods=["DELETE"])
@requires("platform", errors={404: NOT_FOUND, 409: "Gateway is used by the number +14155550100."})
@blp.response(204)
def delete_gateway(gateway_id: str) -> Response:
    """Delete a gateway

    Refuses while a phone number leaves by it, a tenant may bridge to it, or another gateway fails over to it.
    """
    with transaction():
        gateway = get_or_404(Gateway, gateway_id, "Gateway", lock=True)
        for used in rows(NUMBER_USING, gateway.id):
            raise conflict(f"Gateway is used by the number {used['e164']}; it cannot be deleted.", "in_use")
        for used in rows(TENANT_GRANTED, str(gateway.id)):
            raise conflict(f"Gateway is granted to tenant {used['id']}; it cannot be deleted.", "in_use")
        for used in rows(FAILED_OVER_TO, str(gateway.id)):
            raise conflict(
                f"Gateway {quoted(used['name'])} fails over to it; it cannot be deleted.", "in_use"
            )
        rows("UPDATE gateway SET deleted_at = now() WHERE id = %s", gateway.id)
    return Response(status=204)


def _check_others(body: GatewayValues, own: str | None) -> None:
    """Raise ApiError 400 for a failover that is no other gateway; hold on to them until the transaction ends.

    All are locked in one order, this one with them, so that two that name each other do not wait for each other.
    """
    named = body.get("failover", ())
    ids = [found for text in (*named, own or "") if (found := identifier(text)) is not None]
    existing = {row["id"] for row in rows(EXISTING, ids)} if named else set()
    for number, text in enumerate(named):
        if text not in existing or text == own:
            raise invalid(f"failover.{number}", text, "it must be the id of another gateway")
