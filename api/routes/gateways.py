"""Gateways: what calls leave by towards a carrier. The operator's; a tenant never writes a dial string."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import Response

from api import idempotency, notify, times
from api.auth import current_caller, requires
from api.blueprint import Blueprint
from api.errors import conflict
from api.paging import Page, PageQuery, PageValues, list_schema
from api.resources import get_or_404, insert, invalid, page_of, unique, update
from api.routes.gateway_schemas import (
    EXAMPLE,
    EXAMPLE_BODY,
    EXAMPLE_LIST,
    GatewayBody,
    GatewayPatch,
    GatewaySchema,
    GatewayValues,
)
from api.routes.reduced_rates import rates_now
from api.schemas import identifier, quoted
from api.services import services
from api.transactions import transaction
from campaigns import gateway_counts, gateway_log, older_dialers, taken_away
from campaigns.gateway_counts import LastHour
from campaigns.taken_away import Held
from coordination.topics import Topic
from limits.rate_cuts import Kind
from models import Gateway, rows

blp = Blueprint("gateways", description="What calls leave by towards a carrier")

NOT_FOUND = "Gateway not found"
LEAVING = frozenset({"dial_string", "prefixes", "failover"})
"""By what calls leave, and to whom."""
RESUMED: dict[str, object] = {
    "faults_in_row": 0,
    "faults_since": None,
    "refused_calls": [],
    "silent_calls": [],
    "silent_since": None,
    "paused_at": None,
    "paused_reason": None,
    "paused_alone": None,
    "probe_at": None,
    "probes": 0,
}

NUMBER_USING = """
    SELECT e164 FROM phone_number WHERE gateway_id = %s AND deleted_at IS NULL ORDER BY created_at, id LIMIT 1"""
TENANT_GRANTED = """
    SELECT id FROM tenant WHERE gateway_ids ? %s::text AND deleted_at IS NULL ORDER BY id LIMIT 1"""

FAILED_OVER_TO = """
    SELECT name FROM gateway WHERE failover ? %s::text AND deleted_at IS NULL ORDER BY created_at, id LIMIT 1"""
EXISTING = """
    SELECT id::text FROM gateway WHERE id = ANY(%s::uuid[]) AND deleted_at IS NULL ORDER BY id FOR NO KEY UPDATE"""
PAUSED_PREFIXES = """
    SELECT gateway_id, prefix, paused_at, paused_reason, probe_at FROM gateway_prefix
    WHERE gateway_id = ANY(%s::uuid[]) AND paused_at IS NOT NULL ORDER BY gateway_id, prefix"""
FORGET_PREFIXES = "DELETE FROM gateway_prefix WHERE gateway_id = %s"


OPERATORS_OWN = ("dial_string", "cost", "last_hour", "switched_off_by")
"""What a key that is not of role platform is not shown: a dial string may hold a password, and calls are those of all
tenants."""
KNOWN = 70
"""A dialer that knows this migration sends nothing by a gateway that is switched off."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of gateways beside their own rows: the destinations for which each is paused, and how its calls
    of the last hour ended."""

    paused: Mapping[uuid.UUID, Sequence[Mapping[str, object]]]
    last_hour: Mapping[str, LastHour]


def _known(*gateways: Gateway) -> Known:
    """Within a transaction."""
    paused: dict[uuid.UUID, list[dict[str, object]]] = {}
    ids = [gateway.id for gateway in gateways]
    for row in rows(PAUSED_PREFIXES, ids):
        paused.setdefault(row.pop("gateway_id"), []).append(row)
    return Known(paused, gateway_counts.last_hour(ids) if current_caller().may("platform") else {})


def _told(gateways: Sequence[Gateway], known: Known) -> list[dict[str, object]]:
    """As they are told to this caller, with what is left of their rates."""
    rates = rates_now(Kind.GATEWAY, {str(gateway.id): gateway.cps for gateway in gateways})
    hidden = {} if current_caller().may("platform") else dict.fromkeys(OPERATORS_OWN)
    return [
        {
            **gateway.__data__,
            "rate_now": rates[str(gateway.id)],
            "paused_prefixes": known.paused.get(gateway.id, []),
            "last_hour": known.last_hour.get(str(gateway.id), LastHour()),
            **hidden,
        }
        for gateway in gateways
    ]


@blp.route("/gateways")
@requires("operate")
@blp.arguments(PageQuery, location="query")
@blp.response(200, list_schema("gateways", GatewaySchema), example=EXAMPLE_LIST)
def list_gateways(query: PageValues) -> dict[str, object]:
    """List gateways

    Oldest first.
    """
    page = Page.of(query)
    with transaction():
        found, total = page_of(Gateway.select().where(Gateway.deleted_at.is_null()), page)
        known = _known(*found)
    return page.body("gateways", _told(found, known), total)


@blp.route("/gateways", methods=["POST"])
@requires("platform", errors={409: "A gateway named 'carrier' exists."}, once=True)
@blp.arguments(GatewayBody, example=EXAMPLE_BODY)
@blp.response(201, GatewaySchema, example=EXAMPLE)
def create_gateway(body: GatewayValues) -> Response:
    """Create a gateway"""

    def work() -> object:
        _check_others(body, None)
        with unique(f"A gateway named {quoted(body['name'])} exists."):
            gateway = insert(Gateway, **_switched(body, None))
        gateway_log.note(gateway.id, "created", current_caller().key_name)
        return GatewaySchema().dump(_told([gateway], Known({}, {}))[0])

    return idempotency.once(work, idempotency.body_hash(body)).response()


@blp.route("/gateways/<gateway_id>")
@requires("operate", errors={404: NOT_FOUND})
@blp.response(200, GatewaySchema, example=EXAMPLE)
def get_gateway(gateway_id: str) -> dict[str, object]:
    """Get a gateway"""
    with transaction():
        gateway = get_or_404(Gateway, gateway_id, "Gateway")
        known = _known(gateway)
    return _told([gateway], known)[0]


@blp.route("/gateways/<gateway_id>", methods=["PATCH"])
@requires("platform", errors={404: NOT_FOUND, 409: "A gateway named 'carrier' exists."})
@blp.arguments(GatewayPatch, required=False, example={"cps": 20})
@blp.response(200, GatewaySchema, example=EXAMPLE | {"cps": 20})
def patch_gateway(body: GatewayValues, gateway_id: str) -> dict[str, object]:
    """Change a gateway

    What is left out stays as it is. Calls that start from now on follow the change. Once another dial string, other
    prefixes or other gateways to fail over to are answered, no call leaves as before; calls in progress go on.

    Once `outbound_enabled: false` is answered no call leaves by it, to an agent neither, and no probe; calls in
    progress finish. Campaigns leave by the gateways that it fails over to; one that has none left, or whose agent is
    reached by it, waits (`blocked_reason` is `gateway_paused`) until it is switched on. A pause is neither ended nor
    tried meanwhile. It is 409 while a dialer of an older release runs.
    """
    held: Sequence[Held] = ()
    with transaction():
        _check_others(body, gateway_id)
        gateway = get_or_404(Gateway, gateway_id, "Gateway", lock=True)
        before = gateway_log.settings_of(gateway)
        with unique(f"A gateway named {quoted(body.get('name'))} exists."):
            gateway = update(gateway, _switched(body, gateway))
        gateway_log.note_changes(gateway, before, current_caller().key_name)
        if "prefixes" in body:
            # What it told apart by the former ones is not told apart any more.
            rows(FORGET_PREFIXES, gateway.id)
        known = _known(gateway)
    if LEAVING & body.keys() or body.get("outbound_enabled") is False:
        # Once it stands: whoever starts a campaign waits for no gateway, and was not seen before.
        with transaction():
            held = taken_away.from_gateway(gateway.id)
    notify.wait_until_blocked(services(), held)
    return _told([gateway], known)[0]


@blp.route("/gateways/<gateway_id>/resume", methods=["POST"])
@requires("platform", errors={404: NOT_FOUND})
@blp.response(200, GatewaySchema, example=EXAMPLE)
def resume_gateway(gateway_id: str) -> dict[str, object]:
    """Resume a gateway

    Ends its pause at once, where it is paused, and those of single destinations: without this each ends when one of
    the calls that probe it gets through.
    """
    with transaction():
        gateway = get_or_404(Gateway, gateway_id, "Gateway", lock=True)
        gateway = update(gateway, RESUMED)
        rows(FORGET_PREFIXES, gateway.id)
        gateway_log.note(gateway.id, "resumed", current_caller().key_name)
        known = _known(gateway)
    notify.dialers(services(), Topic.WAKE, {})
    return _told([gateway], known)[0]


@blp.route("/gateways/<gateway_id>", methods=["DELETE"])
@requires("platform", errors={404: NOT_FOUND, 409: "Gateway is used by the number +14155550100."}, once=True)
@blp.response(204)
def delete_gateway(gateway_id: str) -> Response:
    """Delete a gateway

    Refuses while a phone number leaves by it, a tenant may bridge to it, or another gateway fails over to it.
    """

    def work() -> None:
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
        gateway_log.note(gateway.id, "deleted", current_caller().key_name)

    return idempotency.deleted(work)


def _switched(body: GatewayValues, before: Gateway | None) -> dict[str, object]:
    """`body` as columns, with since when it is off and who said so. Raises ApiError 409 where some dialer would go on
    by it."""
    values: dict[str, object] = {**body}
    if body.get("outbound_enabled") is False:
        if older_dialers.may_run(KNOWN):
            raise conflict(
                "A dialer of an older release, which would go on by it, is still running.", "older_dialer"
            )
        if before is None or before.outbound_enabled:
            values |= {"switched_off_at": times.utcnow(), "switched_off_by": current_caller().key_name}
    elif "outbound_enabled" in body:
        values |= {"switched_off_at": None, "switched_off_by": None}
    return values


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
