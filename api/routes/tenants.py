"""Tenants: who calls, and what the operator grants them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Required, Unpack

import marshmallow as ma
from flask import Response

from api import idempotency, notify, platform_keys, schemas
from api.auth import TENANT, current_caller, requires
from api.blueprint import Blueprint
from api.errors import conflict, not_found
from api.paging import Page, PageQuery, PageValues, list_schema
from api.resources import LOCK, UNFINISHED, Patch, campaign_words, insert, invalid, page_of, unique, update
from api.routes.default_fields import DefaultChanges, DefaultFields, check_window
from api.routes.defaults import check_calls
from api.routes.window_schemas import (
    EXAMPLE_HOLIDAYS,
    EXAMPLE_WINDOWS,
    HolidaysSchema,
    WindowSpanSchema,
)
from api.schemas import identifier, quoted
from api.services import services
from api.transactions import transaction
from campaigns import taken_away
from campaigns.policy_choice import CHOICES
from campaigns.policy_packs import PURPOSES
from campaigns.retention import DAYS_MAX, DAYS_MIN
from campaigns.taken_away import Held
from models import Tenant, rows

blp = Blueprint("tenants", description="Who calls")

NOT_FOUND = "Tenant not found"
GRANTS_MAX = 100
GRANTS = frozenset({"gateway_ids", "queues", "dialplan_context"})
EXAMPLE_BODY: dict[str, object] = {
    "id": "acme",
    "name": "Acme",
    "dialplan_context": "acme",
    "gateway_ids": ["019ab0c4-3333-7aaa-8bbb-0123456789ab"],
    "queues": ["support"],
    "weight": 1,
    "retention_days": None,
    "default_windows": EXAMPLE_WINDOWS,
    "default_holidays": EXAMPLE_HOLIDAYS,
    "default_time_zone": "Europe/Berlin",
    "default_max_concurrent_calls": None,
    "policy_packs": "on",
    "default_purpose": "sales",
}
EXAMPLE: dict[str, object] = {**EXAMPLE_BODY, "created_at": "2026-01-31T08:00:00.000Z"}
EXAMPLE_LIST = {"tenants": [EXAMPLE], "total": 1, "limit": 100, "offset": 0}

# With what it owns, so that its numbers can be given to others; campaigns and calls stay on record.
DELETE_ALL = (
    "UPDATE agent SET deleted_at = now() WHERE tenant_id = %s AND deleted_at IS NULL",
    "UPDATE phone_number SET deleted_at = now() WHERE tenant_id = %s AND deleted_at IS NULL",
    "UPDATE tenant SET deleted_at = now() WHERE id = %s",
)


def _word(
    most: int, pattern: str, rule: str, *, description: str = "", **options: Unpack[schemas.FieldOptions]
) -> schemas.Text:
    """A text of 1 to `most` characters that `pattern` describes."""

    def check(value: str) -> None:
        if not re.fullmatch(pattern, value, re.ASCII):
            raise ma.ValidationError(rule)

    options["validate"] = [check]
    options["metadata"] = {"pattern": f"^{pattern}$", "description": description}
    return schemas.Text(1, most, **options)


def _check_granted(values: list[str]) -> None:
    if len(values) > GRANTS_MAX:
        raise ma.ValidationError(f"it must have {GRANTS_MAX} entries at most")
    if len(set(values)) < len(values):
        raise ma.ValidationError("it must name each only once")


class TenantChanges(DefaultChanges, total=False):
    """A loaded TenantPatch."""

    name: str
    dialplan_context: str | None
    gateway_ids: list[str]
    queues: list[str]
    weight: int
    retention_days: int | None


class TenantValues(TenantChanges):
    """A loaded TenantBody."""

    id: Required[str]


class TenantFields(DefaultFields):
    """What the operator says of a tenant."""

    name = schemas.Text(1, 200, required=True)
    dialplan_context = _word(
        64,
        r"[0-9A-Za-z_.-]+",
        "it must be of 0-9 A-Z a-z _ . -",
        description="Where its calls may be transferred to; null is nowhere.",
        load_default=None,
        allow_none=True,
    )
    gateway_ids = schemas.Items(
        schemas.Id(),
        load_default=list,
        validate=[_check_granted],
        metadata={"description": "The gateways its calls may be bridged to."},
    )
    queues = schemas.Items(
        _word(128, r"[0-9A-Za-z_.@-]+", "it must be of 0-9 A-Z a-z _ . @ -"),
        load_default=list,
        validate=[_check_granted],
        metadata={"description": "The queues its calls may be handed to."},
    )
    weight = schemas.Weight(
        load_default=1,
        metadata={
            "description": "Its share of what tenants have in common: beside one of weight 1, one of 3 gets three "
            "calls in four while both have enough to call. What one does not use the others get."
        },
    )
    retention_days = schemas.Integer(
        DAYS_MIN,
        DAYS_MAX,
        load_default=None,
        allow_none=True,
        metadata={
            "description": "A campaign that ended so many days ago loses its contacts, calls and rejected rows, for "
            "good; its counts, its outcomes and its log stay. Null keeps them for ever. Not below "
            f"{DAYS_MIN}: a cap of a day may still count them."
        },
    )


class TenantBody(TenantFields):
    """A new tenant."""

    id = _word(
        32,
        TENANT.pattern,
        "it must be of a-z 0-9 and -, and begin with a letter or a digit",
        description="A slug; it stands in the tenant's keys and is never used again.",
        required=True,
    )


class TenantPatch(Patch, TenantFields):
    """What to change of a tenant."""


class TenantSchema(schemas.Schema):
    """A tenant."""

    id = schemas.Id(required=True)
    name = schemas.Text(required=True)
    dialplan_context = schemas.Text(required=True, allow_none=True)
    gateway_ids = schemas.Items(schemas.Id(), required=True)
    queues = schemas.Items(schemas.Text(), required=True)
    weight = schemas.Integer(required=True)
    retention_days = schemas.Integer(required=True, allow_none=True)
    default_windows = schemas.Items(schemas.Nested(WindowSpanSchema), required=True, allow_none=True)
    default_holidays = schemas.Nested(HolidaysSchema, required=True, allow_none=True)
    default_time_zone = schemas.Text(required=True, allow_none=True)
    default_max_concurrent_calls = schemas.Integer(required=True, allow_none=True)
    policy_packs = schemas.Choice(CHOICES, required=True, allow_none=True)
    default_purpose = schemas.Choice(PURPOSES, required=True, allow_none=True)
    created_at = schemas.Time(required=True)


@blp.route("/tenants")
@requires("platform")
@blp.arguments(PageQuery, location="query")
@blp.response(200, list_schema("tenants", TenantSchema), example=EXAMPLE_LIST)
def list_tenants(query: PageValues) -> dict[str, object]:
    """List tenants

    Oldest first.
    """
    page = Page.of(query)
    with transaction():
        found, total = page_of(Tenant.select().where(Tenant.deleted_at.is_null()), page)
    return page.body("tenants", found, total)


@blp.route("/tenants", methods=["POST"])
@requires("platform", errors={409: "The tenant 'acme' exists, or did: an id is not used again."}, once=True)
@blp.arguments(TenantBody, example=EXAMPLE_BODY)
@blp.response(201, TenantSchema, example=EXAMPLE)
def create_tenant(body: TenantValues) -> Response:
    """Create a tenant

    With unlimited call limits. Its first key is made with POST /api-keys and X-Tenant.
    """

    def work() -> object:
        _check_gateways(body)
        check_window(body)
        check_calls(body["id"], body)
        with unique(f"The tenant {quoted(body['id'])} exists, or did: an id is not used again."):
            tenant = insert(Tenant, **body)
        rows("INSERT INTO call_limits (tenant_id) VALUES (%s)", body["id"])
        return TenantSchema().dump(tenant)

    return idempotency.once(work, idempotency.body_hash(body)).response()


@blp.route("/tenants/<tenant_id>")
@requires("platform", errors={404: NOT_FOUND})
@blp.response(200, TenantSchema, example=EXAMPLE)
def get_tenant(tenant_id: str) -> Tenant:
    """Get a tenant"""
    with transaction():
        return _tenant_or_404(tenant_id)


@blp.route("/tenants/<tenant_id>", methods=["PATCH"])
@requires("platform", errors={404: NOT_FOUND})
@blp.arguments(TenantPatch, required=False, example={"queues": ["support", "sales"]})
@blp.response(200, TenantSchema, example=EXAMPLE | {"queues": ["support", "sales"]})
def patch_tenant(body: TenantChanges, tenant_id: str) -> Tenant:
    """Change a tenant

    What is left out stays as it is. Once this is answered, no call of a running campaign leaves whose agent needs
    what was taken away; calls in progress go on. Such a campaign waits (`blocked_reason` is `agent`) until it is
    granted again.
    """
    held: Sequence[Held] = ()
    with transaction():
        tenant = _tenant_or_404(tenant_id, lock=True)
        _check_gateways(body)
        check_window(
            {
                "default_windows": body.get("default_windows", tenant.default_windows),
                "default_holidays": body.get("default_holidays", tenant.default_holidays),
                "default_time_zone": body.get("default_time_zone", tenant.default_time_zone),
            }
        )
        check_calls(tenant.id, body)
        tenant = update(tenant, body)
        if GRANTS & body.keys():
            held = taken_away.from_tenant(tenant.id)
    notify.wait_until_blocked(services(), held)
    return tenant


@blp.route("/tenants/<tenant_id>", methods=["DELETE"])
@requires(
    "platform",
    errors={404: NOT_FOUND, 409: "Tenant has campaign 'Reminders'; it cannot be deleted."},
    once=True,
)
@blp.response(204)
def delete_tenant(tenant_id: str) -> Response:
    """Delete a tenant

    Refuses while it has an unfinished campaign, and with a key of its own. Its keys stop working; its agents and
    numbers are gone with it, and its calls stay on record.
    """

    def work() -> None:
        platform_keys.lock_keys()
        tenant = _tenant_or_404(tenant_id, lock=True)
        if rows("SELECT 1 FROM api_key WHERE id = %s AND tenant_id = %s", current_caller().key_id, tenant.id):
            raise conflict("The key in use is this tenant's; it cannot be deleted with it.", "in_use")
        for statement in DELETE_ALL:
            rows(statement, tenant.id)
        platform_keys.check_one_stays(platform_keys.OF_TENANT)
        # Asked last: whoever creates a campaign holds on to an agent until it is stored, so none is missed.
        for campaign in rows(f"{UNFINISHED} ORDER BY created_at, id LIMIT 1", tenant.id):
            raise conflict(f"Tenant has {campaign_words(campaign)}; it cannot be deleted.", "in_use")

    return idempotency.deleted(work)


def _tenant_or_404(tenant_id: str, *, lock: bool = False) -> Tenant:
    if not TENANT.fullmatch(tenant_id):
        raise not_found("Tenant")
    query: Any = Tenant.select().where(Tenant.id == tenant_id, Tenant.deleted_at.is_null())
    found: Tenant | None = (query.for_update(LOCK) if lock else query).first()
    if found is None:
        raise not_found("Tenant")
    return found


def _check_gateways(body: TenantChanges) -> None:
    """Raise ApiError 400 for a gateway that is none; hold on to the others until the transaction ends."""
    for number, text in enumerate(body.get("gateway_ids", ())):
        found = identifier(text)
        if not rows("SELECT 1 FROM gateway WHERE id = %s AND deleted_at IS NULL FOR SHARE", found):
            raise invalid(f"gateway_ids.{number}", text, "it must be the id of a gateway")
