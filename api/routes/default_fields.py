"""What a new campaign of a tenant has that says nothing of it: as the operator and the tenant's admin may set it."""

from __future__ import annotations

from typing import TypedDict

from api import schemas
from api.errors import ApiError
from api.routes.window_schemas import HolidaysValue, WindowsValue, holidays_field, is_zone, windows_field
from campaigns import window_changes
from campaigns.policy_choice import CHOICES
from campaigns.policy_packs import PURPOSES
from campaigns.window_changes import Window
from campaigns.windows import WindowRefusedError


class DefaultChanges(TypedDict, total=False):
    """Loaded DefaultFields; what was left out stays."""

    default_windows: WindowsValue
    default_holidays: HolidaysValue
    default_time_zone: str | None
    default_max_concurrent_calls: int | None
    policy_packs: str | None
    default_purpose: str | None


class DefaultFields(schemas.Schema):
    """The usual hours, caps and rules of law of a tenant's campaigns."""

    default_windows = windows_field(
        "The calling window of a campaign that says nothing of windows, as it is when that is created. Needs a "
        "default_time_zone."
    )
    default_holidays = holidays_field("Days on which that window does not open.")
    default_time_zone = schemas.Text(
        1,
        64,
        load_default=None,
        allow_none=True,
        validate=[is_zone],
        metadata={
            "description": "The time_zone of a campaign that gets the default window and has none: the zone of "
            "contacts whose own is not known.",
            "example": "Europe/Berlin",
        },
    )
    default_max_concurrent_calls = schemas.Integer(
        1,
        load_default=None,
        allow_none=True,
        metadata={
            "description": "The max_concurrent_calls of a campaign that says nothing of them; null is the platform's "
            "own. Not above the tenant's concurrent_max."
        },
    )
    policy_packs = schemas.Choice(
        CHOICES,
        load_default=None,
        allow_none=True,
        metadata={
            "description": "Whether policy packs bind a new campaign that says nothing of them. null: where it has a "
            "purpose. On, one without a purpose is bound by the rules of every purpose."
        },
    )
    default_purpose = schemas.Choice(
        PURPOSES,
        load_default=None,
        allow_none=True,
        metadata={"description": "What the calls of a new campaign are for that says nothing of it."},
    )


def check_window(defaults: DefaultChanges) -> None:
    """Raise ApiError 400 for a default window that cannot be."""
    window = Window(
        defaults.get("default_windows"), defaults.get("default_holidays"), defaults.get("default_time_zone")
    )
    try:
        window_changes.check(window)
    except WindowRefusedError as error:
        raise ApiError(400, f"default_{error}") from error
