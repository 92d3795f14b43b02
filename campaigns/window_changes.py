"""Gives a campaign its calling window, or another while it runs: what cannot be is refused, the rest holds at once.

In the caller's transaction. A window that changes raises the campaign's generation: no call that was claimed by the
one before leaves once the dialers have been told (`api.notify.wait_until_blocked`).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from campaigns import older_dialers, openings
from campaigns.errors import CampaignsError
from campaigns.policy_choice import ALL_DAY, ON
from campaigns.taken_away import Held
from campaigns.windows import WindowRefusedError, Windows
from models import Campaign, rows

KNOWN = 44
"""The migration of which a dialer has to know for it to heed a window."""

_DEFAULT = """
    SELECT default_windows AS windows, default_holidays AS holidays, default_time_zone AS time_zone
    FROM tenant WHERE id = %s"""
_BEFORE = """
    SELECT windows, holidays, time_zone, zones_read, policy_packs FROM campaign WHERE id = %s FOR NO KEY UPDATE"""
_RAISE = """
    UPDATE campaign SET generation = generation + 1 WHERE id = %s AND status = 'running'
    RETURNING id::text AS campaign_id, generation"""


class WindowNotPossibleError(CampaignsError):
    """A window that would not be kept."""


class WindowChanges(TypedDict, total=False):
    """What is asked for; what is left out stays. `windows` null: at any time."""

    windows: Sequence[Mapping[str, Any]] | None
    holidays: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Window:
    """A calling window as it was asked for, and the zone of contacts whose own is not known."""

    windows: Sequence[Mapping[str, Any]] | None = None
    holidays: Mapping[str, Any] | None = None
    time_zone: str | None = None


NO_WINDOW = Window()


def check(window: Window) -> None:
    """Raise WindowRefusedError where the parts of a window do not go together."""
    if window.windows is None:
        if window.holidays is not None:
            raise WindowRefusedError("holidays", "given", "it needs windows, which do not open on them")
        return
    Windows.from_json(window.windows, window.holidays)
    if window.time_zone is None:
        raise WindowRefusedError(
            "time_zone", "null", "windows need it: it is the zone of numbers that do not tell their own"
        )


def of_new(tenant_id: str, asked: WindowChanges, time_zone: str | None, *, packs: bool = False) -> Window:
    """The window of a new campaign that is in `time_zone`: what is asked for, or the tenant's default where nothing
    is said of windows. Where policy `packs` bind it there is always one, which they narrow. Raises
    WindowRefusedError, WindowNotPossibleError."""
    window = Window(asked.get("windows"), asked.get("holidays"), time_zone)
    (default,) = rows(_DEFAULT, tenant_id)
    if "windows" not in asked and default["windows"] is not None:
        window = Window(default["windows"], asked.get("holidays", default["holidays"]), time_zone)
    if window.time_zone is None and (packs or (window.windows is not None and "windows" not in asked)):
        window = replace(window, time_zone=default["time_zone"])
    if packs:
        window = _narrowed(window)
    check(window)
    if window.windows is not None:
        _refuse_beside_older_dialers()
    return window


def change(campaign_id: uuid.UUID, asked: WindowChanges) -> list[Held]:
    """Change the window of a campaign that has not ended, or follow a time zone that the caller has changed: the
    campaign whose claimed calls are to be held back. Raises WindowRefusedError, WindowNotPossibleError."""
    (found,) = rows(_BEFORE, campaign_id)
    before = Window(found["windows"], found["holidays"], found["time_zone"])
    windows = asked.get("windows", before.windows)
    # With the window goes what only it had.
    kept = before.holidays if windows is not None else None
    after = Window(windows, asked.get("holidays", kept), before.time_zone)
    if found["policy_packs"] == ON:
        after = _narrowed(after)
    check(after)
    if before.windows is None and after.windows is None:
        return []
    if after.windows is not None:
        if not found["zones_read"]:
            raise WindowNotPossibleError(
                "The campaign's list was imported by an older release, which did not read its time zones; "
                "create it anew with windows."
            )
        _refuse_beside_older_dialers()
    Campaign.update(windows=after.windows, holidays=after.holidays).where(
        Campaign.id == campaign_id
    ).execute()
    openings.write(campaign_id)
    # Whom nobody could ever call is cancelled then, and retries that are outside now move to an opening: of a long
    # list in slices, and not while the campaign is locked.
    openings.look_soon(campaign_id)
    return [Held(**row) for row in rows(_RAISE, campaign_id)]


def _narrowed(window: Window) -> Window:
    """A window that policy packs can narrow. Raises WindowRefusedError."""
    if window.time_zone is None:
        raise WindowRefusedError(
            "time_zone", "null", "policy packs need it: it is the zone of numbers that do not tell their own"
        )
    return window if window.windows is not None else replace(window, windows=ALL_DAY)


def _refuse_beside_older_dialers() -> None:
    if older_dialers.may_run(KNOWN):
        raise WindowNotPossibleError("A dialer of an older release, which heeds no window, is still running.")
