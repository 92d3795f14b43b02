"""What may be changed of a campaign until it has ended: its settings, and when it starts and ends by itself.

A form carries the ETag of what it showed: whoever saves it changes nothing over somebody else's change.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from web.ask import Answer, Refused, answer, ask
from web.blueprint import blp
from web.nested_forms import (
    DAYS,
    FieldError,
    holidays_of,
    hours_of,
    retry_rules_of,
    rules_shown,
    rules_typed,
    spans_shown,
    windows_of,
)
from web.pages import page, shown
from web.policy_words import PURPOSES
from web.showing import moment, rfc3339

NUMBERS: Final = ("max_concurrent_calls", "weight", "retries_per_contact", "retry_delay_seconds")
SWITCHES: Final = ("slow_start", "keep_open")
CHANGED_MEANWHILE: Final = (
    "Somebody else has changed this campaign since you opened this page. Below is what you entered: look at its log,"
    " and save again if it still holds."
)
UTC_FORM: Final = "%Y-%m-%dT%H:%M"


@blp.get("/campaigns/<campaign_id>/settings")
@page("operate")
def settings(campaign_id: str) -> Response:
    """The form."""
    return _settings(_campaign(campaign_id))


@blp.post("/campaigns/<campaign_id>/settings")
@page("operate")
def change_settings(campaign_id: str) -> AnyResponse:
    """Save what differs."""
    found = _campaign(campaign_id)
    try:
        wanted = _wanted(found.data)
    except FieldError as error:
        return _settings(found, str(error), 400, request.form)
    return _saved(found, wanted, _settings)


@blp.get("/campaigns/<campaign_id>/schedule")
@page("operate")
def schedule(campaign_id: str) -> Response:
    """When it starts and ends."""
    return _schedule(_campaign(campaign_id))


@blp.post("/campaigns/<campaign_id>/schedule")
@page("operate")
def change_schedule(campaign_id: str) -> AnyResponse:
    """Save when it starts and ends; an empty field takes the time away."""
    found, wanted = _campaign(campaign_id), {}
    for name in ("scheduled_at", "end_at"):
        if name in request.form and not _same_minute(request.form[name], found.data[name]):
            wanted[name] = instant(request.form[name])
    return _saved(found, wanted, _schedule)


def instant(text: str) -> str | None:
    """A time of a form, which without an offset is one of UTC, as the API takes it; None where none is given."""
    text = text.strip()
    if not text:
        return None
    try:
        at = moment(text)
        return rfc3339(at if at.tzinfo is not None else at.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        # For the API to refuse.
        return text


def _same_minute(text: str, at: str | None) -> bool:
    """Whether a field that asks for minutes says the time that there is."""
    wanted = instant(text)
    if wanted is None or at is None:
        return wanted is at
    try:
        return _minute(moment(wanted)) == _minute(moment(at))
    except (ValueError, OverflowError):
        return False


def _minute(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(second=0, microsecond=0)


def _campaign(campaign_id: str) -> Answer:
    return answer("GET", f"/campaigns/{quote(campaign_id, safe='')}")


def _wanted(found: Mapping[str, Any]) -> dict[str, object]:
    """What the form says otherwise than it is. Raises FieldError."""
    form = request.form
    said: dict[str, object] = {
        "name": form.get("name", "").strip(),
        "time_zone": form.get("time_zone", "").strip() or None,
        "dial_order": form.get("dial_order", found["dial_order"]),
        "windows": windows_of(form),
        "holidays": holidays_of(form),
        "purpose": form.get("purpose", found["purpose"] or "") or None,
        "policy_packs": form.get("policy_packs", found["policy_packs"]),
        "retry_rules": retry_rules_of(form),
    }
    said |= {name: whole(form.get(name, "")) for name in NUMBERS}
    said |= {name: name in form for name in SWITCHES}
    return {name: value for name, value in said.items() if value != _comparable(name, found[name])}


def whole(text: str) -> object:
    """A number, or what stands there instead, for the API to refuse."""
    text = text.strip()
    return int(text) if text.isascii() and text.lstrip("-").isdigit() and len(text) < 10 else text


def _comparable(name: str, value: Any) -> object:
    """What is there in the shape in which the form says it."""
    if name == "retry_rules":
        return {disposition: dict(rule) for disposition, rule in value.items() if rule}
    return value


def _saved(found: Answer, wanted: Mapping[str, object], again: Any) -> AnyResponse:
    campaign_id = found.data["id"]
    try:
        if wanted:
            ask("PATCH", f"/campaigns/{campaign_id}", body=wanted, if_match=request.form.get("etag", "*"))
    except Refused as error:
        fault = CHANGED_MEANWHILE if error.status == 412 else error.sentence
        response: Response = again(found, fault, error.status, request.form)
        return response
    return redirect(url_for("board.campaign", campaign_id=campaign_id, done="saved"), 303)


def _etag(found: Answer, status: int, given: Any) -> str:
    """Of what the form that is shown is about: of what was opened, unless its page says that this has changed."""
    etag: str = found.etag if given is None or status == 412 else given.get("etag", "*")
    return etag


def _settings(found: Answer, fault: str | None = None, status: int = 200, given: Any = None) -> Response:
    campaign = dict(found.data)
    if given is not None:
        # What was typed stays where it can stand in its field.
        campaign |= {name: given.get(name, "") for name in ("name", "time_zone", *NUMBERS)}
        campaign |= {name: name in given for name in SWITCHES}
        campaign |= {"dial_order": given.get("dial_order", ""), "holidays": holidays_of(given)}
        campaign |= {name: given.get(name, campaign[name]) for name in ("purpose", "policy_packs")}
        # Hours that are none are rows without any.
        campaign["windows"] = None
        with suppress(FieldError):
            campaign["windows"] = windows_of(given)
    rules = rules_shown(found.data["retry_rules"]) if given is None else rules_typed(given)
    values = {
        "campaign": campaign,
        "title": found.data["name"],
        "etag": _etag(found, status, given),
        "fault": fault,
        "hours": given["hours"] if given and "hours" in given else hours_of(campaign["windows"]),
        "spans": spans_shown(campaign["windows"]),
        "days": DAYS,
        "purposes": PURPOSES.items(),
        "rules": rules,
        "ruled": any(any(rule.values()) for _, _, rule in rules),
    }
    return shown("settings.html", values, status)


def _schedule(found: Answer, fault: str | None = None, status: int = 200, given: Any = None) -> Response:
    campaign = found.data
    times = {}
    for name in ("scheduled_at", "end_at"):
        at = instant(given[name]) if given is not None and name in given else campaign[name]
        try:
            times[name] = moment(at).astimezone(UTC).strftime(UTC_FORM) if at else ""
        except (ValueError, OverflowError):
            times[name] = ""
    values = {"campaign": campaign, "etag": _etag(found, status, given), "fault": fault, "times": times}
    return shown("schedule.html", values, status)
