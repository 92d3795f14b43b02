"""Gateways: the trunks that calls leave by. The operator's; a tenant never writes a dial string."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import marshmallow as ma
from flask import Response

from api import dial_strings, idempotency, schemas, signals
from api.auth import requires
from api.blueprint import Blueprint
from api.database import unit
from api.errors import conflict
from api.paging import Page, PageQuery, list_schema
from api.rates import rates_now
from api.resources import Patch, changed, created, living, page_of, unique
from api.schemas import shown
from api.services import services
from limits.pressure import Kind
from models import Gateway, rows

blp = Blueprint("gateways", description="The trunks that calls leave by")

NOT_FOUND = "Gateway not found"
CAP_MAX = 100_000
EXAMPLE_BODY: dict[str, Any] = {
    "name": "carrier",
    "dial_string": "sofia/gateway/carrier/{number}",
    "cps": 10,
    "channels": None,
}
EXAMPLE: dict[str, Any] = {
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


def _with_rates(gateways: Sequence[Gateway]) -> list[dict[str, Any]]:
    rates = rates_now(Kind.GATEWAY, {str(gateway.id): gateway.cps for gateway in gateways})
    return [{**gateway.__data__, "rate_now": rates[str(gateway.id)]} for gateway in gateways]


def _check_dial_string(value: str) -> None:
    if not dial_strings.is_dial_string(value):
        raise ma.ValidationError(dial_strings.RULE)


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


class GatewayPatch(Patch, GatewayBody):
    """What to change of a gateway."""


class GatewaySchema(schemas.Schema):
    """A gateway."""

    id = schemas.Id(required=True)
    name = schemas.Text(required=True)
    dial_string = schemas.Text(required=True)
    cps = schemas.Integer(required=True, allow_none=True)
    channels = schemas.Integer(required=True, allow_none=True)
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
def list_gateways(query: dict[str, Any]) -> dict[str, Any]:
    """List gateways

    Oldest first.
    """
    page = Page.of(query)
    with unit():
        found, total = page_of(Gateway.select().where(Gateway.deleted_at.is_null()), page)
    return page.body("gateways", _with_rates(found), total)


@blp.route("/gateways", methods=["POST"])
@requires("platform", errors={409: "A gateway named 'carrier' exists."}, creates=True)
@blp.arguments(GatewayBody, example=EXAMPLE_BODY)
@blp.response(201, GatewaySchema, example=EXAMPLE)
def create_gateway(body: dict[str, Any]) -> Response:
    """Create a gateway"""

    def work() -> Any:
        with unique(f"A gateway named {shown(body['name'])} exists."):
            return GatewaySchema().dump(_with_rates([created(Gateway, **body)])[0])

    return idempotency.once(work, idempotency.body_hash(body)).response()


@blp.route("/gateways/<gateway_id>")
@requires("platform", errors={404: NOT_FOUND})
@blp.response(200, GatewaySchema, example=EXAMPLE)
def get_gateway(gateway_id: str) -> dict[str, Any]:
    """Get a gateway"""
    with unit():
        gateway = living(Gateway, gateway_id, "Gateway")
    return _with_rates([gateway])[0]


@blp.route("/gateways/<gateway_id>", methods=["PATCH"])
@requires("platform", errors={404: NOT_FOUND, 409: "A gateway named 'carrier' exists."})
@blp.arguments(GatewayPatch, required=False, example={"cps": 20})
@blp.response(200, GatewaySchema, example=EXAMPLE | {"cps": 20})
def patch_gateway(body: dict[str, Any], gateway_id: str) -> dict[str, Any]:
    """Change a gateway

    What is left out stays as it is. Calls that start from now on follow the change.
    """
    with unit():
        gateway = living(Gateway, gateway_id, "Gateway", lock=True)
        with unique(f"A gateway named {shown(body.get('name'))} exists."):
            gateway = changed(gateway, body)
    signals.ring(services(), "wake", {})
    return _with_rates([gateway])[0]


@blp.route("/gateways/<gateway_id>/resume", methods=["POST"])
@requires("platform", errors={404: NOT_FOUND})
@blp.response(200, GatewaySchema, example=EXAMPLE)
def resume_gateway(gateway_id: str) -> dict[str, Any]:
    """Resume a gateway

    Ends its pause at once, where it is paused: without this it resumes when one of the calls that probe it gets
    through.
    """
    with unit():
        gateway = living(Gateway, gateway_id, "Gateway", lock=True)
        gateway = changed(gateway, RESUMED)
    signals.ring(services(), "wake", {})
    return _with_rates([gateway])[0]


@blp.route("/gateways/<gateway_id>", methods=["DELETE"])
@requires("platform", errors={404: NOT_FOUND, 409: "Gateway is used by the number +14155550100."})
@blp.response(204)
def delete_gateway(gateway_id: str) -> Response:
    """Delete a gateway

    Refuses while a phone number leaves by it, or a tenant may bridge to it.
    """
    with unit():
        gateway = living(Gateway, gateway_id, "Gateway", lock=True)
        for used in rows(NUMBER_USING, gateway.id):
            raise conflict(f"Gateway is used by the number {used['e164']}; it cannot be deleted.", "in_use")
        for used in rows(TENANT_GRANTED, str(gateway.id)):
            raise conflict(f"Gateway is granted to tenant {used['id']}; it cannot be deleted.", "in_use")
        rows("UPDATE gateway SET deleted_at = now() WHERE id = %s", gateway.id)
    return Response(status=204)
