"""A tenant's defaults for its campaigns, which its own admin sets within what the operator gave."""

from __future__ import annotations

from typing import Any

from api import schemas
from api.auth import current_caller, requires
from api.blueprint import Blueprint
from api.resources import LOCK, Patch, invalid, update
from api.routes.default_fields import DefaultChanges, DefaultFields, check_window
from api.routes.window_schemas import EXAMPLE_HOLIDAYS, EXAMPLE_WINDOWS, HolidaysSchema, WindowSpanSchema
from api.services import services
from api.transactions import transaction
from campaigns.policy_choice import CHOICES
from campaigns.policy_packs import PURPOSES
from models import Tenant, rows

blp = Blueprint("defaults", description="What a tenant's campaigns have that say nothing of it")

EXAMPLE: dict[str, object] = {
    "default_windows": EXAMPLE_WINDOWS,
    "default_holidays": EXAMPLE_HOLIDAYS,
    "default_time_zone": "Europe/Berlin",
    "default_max_concurrent_calls": 10,
    "policy_packs": "on",
    "default_purpose": "sales",
}
ABOVE = "default_max_concurrent_calls is 200; it must be 100 at most, the tenant's concurrent_max."
_MOST = "SELECT concurrent_max FROM call_limits WHERE tenant_id = %s"


class DefaultsPatch(Patch, DefaultFields):
    """What to change of the defaults."""


class DefaultsSchema(schemas.Schema):
    """The defaults of a tenant."""

    default_windows = schemas.Items(schemas.Nested(WindowSpanSchema), required=True, allow_none=True)
    default_holidays = schemas.Nested(HolidaysSchema, required=True, allow_none=True)
    default_time_zone = schemas.Text(required=True, allow_none=True)
    default_max_concurrent_calls = schemas.Integer(required=True, allow_none=True)
    policy_packs = schemas.Choice(CHOICES, required=True, allow_none=True)
    default_purpose = schemas.Choice(PURPOSES, required=True, allow_none=True)


@blp.route("/defaults")
@requires("read")
@blp.response(200, DefaultsSchema, example=EXAMPLE)
def get_defaults() -> Tenant:
    """Read the defaults for campaigns

    Of the key's tenant: what a campaign has that says nothing of it when it is created.
    """
    with transaction():
        return _tenant(lock=False)


@blp.route("/defaults", methods=["PATCH"])
@requires("admin", errors={400: ABOVE})
@blp.arguments(DefaultsPatch, required=False, example={"default_max_concurrent_calls": 10})
@blp.response(200, DefaultsSchema, example=EXAMPLE)
def patch_defaults(body: DefaultChanges) -> Tenant:
    """Change the defaults for campaigns

    What is left out stays as it is, and so do the campaigns that there are. They stay within what the operator gave:
    no more calls at once than the tenant's concurrent_max.
    """
    with transaction():
        tenant = _tenant(lock=True)
        check_window(
            {
                "default_windows": body.get("default_windows", tenant.default_windows),
                "default_holidays": body.get("default_holidays", tenant.default_holidays),
                "default_time_zone": body.get("default_time_zone", tenant.default_time_zone),
            }
        )
        check_calls(tenant.id, body)
        return update(tenant, body)


def check_calls(tenant_id: str, body: DefaultChanges) -> None:
    """Raise ApiError 400 for more calls at once than a campaign of the tenant may have."""
    calls = body.get("default_max_concurrent_calls")
    if calls is None:
        return
    most, whose = services().settings.max_concurrent_calls_max, "the most that a campaign may have"
    found = rows(_MOST, tenant_id)
    granted = found[0]["concurrent_max"] if found else None
    if granted is not None and granted < most:
        most, whose = granted, "the tenant's concurrent_max"
    if calls > most:
        raise invalid("default_max_concurrent_calls", calls, f"it must be {most} at most, {whose}")


def _tenant(*, lock: bool) -> Tenant:
    query: Any = Tenant.select().where(Tenant.id == current_caller().tenant_id)
    found: Tenant = (query.for_update(LOCK) if lock else query).get()
    return found
