"""Tenants: who calls, what the operator grants each, and what its campaigns have that say nothing of it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from web.ask import Refused, ask
from web.blueprint import blp
from web.campaign_settings import whole
from web.nested_forms import (
    DAYS,
    FieldError,
    holidays_of,
    hours_of,
    spans_shown,
    window_sentence,
    windows_of,
)
from web.pages import page, shown
from web.policy_words import PURPOSES

EMPTY: Mapping[str, Any] = {
    "id": "",
    "name": "",
    "dialplan_context": None,
    "gateway_ids": [],
    "queues": [],
    "weight": 1,
    "retention_days": None,
    "default_windows": None,
    "default_holidays": None,
    "default_time_zone": None,
    "policy_packs": None,
    "default_purpose": None,
}


@blp.get("/tenants")
@page("platform")
def tenants() -> Response:
    """The list, and a form for another."""
    return _tenants()


@blp.post("/tenants")
@page("platform")
def make_tenant() -> AnyResponse:
    """Make one."""
    try:
        ask("POST", "/tenants", body={"id": request.form.get("id", "").strip()} | _said())
    except FieldError as error:
        return _tenants(str(error), 400)
    except Refused as error:
        return _tenants(error.sentence, error.status)
    return redirect(url_for("board.tenants", done="saved"), 303)


@blp.get("/tenants/<tenant_id>")
@page("platform")
def tenant(tenant_id: str) -> Response:
    """Change one."""
    return _tenant(tenant_id)


@blp.post("/tenants/<tenant_id>")
@page("platform")
def change_tenant(tenant_id: str) -> AnyResponse:
    """Save what differs."""
    path = f"/tenants/{quote(tenant_id, safe='')}"
    found = ask("GET", path)
    try:
        wanted = {name: value for name, value in _said().items() if value != found[name]}
        if wanted:
            ask("PATCH", path, body=wanted)
    except FieldError as error:
        return _tenant(tenant_id, str(error), 400)
    except Refused as error:
        return _tenant(tenant_id, error.sentence, error.status)
    return redirect(url_for("board.tenants", done="saved"), 303)


def _said() -> dict[str, object]:
    """What the form says of a tenant. Raises FieldError."""
    return _granted() | usual_hours() | usual_rules()


def usual_hours() -> dict[str, object]:
    """What the form says of the hours in which a tenant's campaigns usually call. Raises FieldError."""
    form, windows = request.form, windows_of(request.form)
    return {
        "default_windows": windows,
        "default_holidays": holidays_of(form) if windows is not None else None,
        # Rules of law need one at any hour, too.
        "default_time_zone": form.get("time_zone", "").strip() or None,
    }


def typed_hours() -> dict[str, object]:
    """The same of a form that is shown again: what was typed stays, and hours that are none are rows without any."""
    with suppress(FieldError):
        return usual_hours()
    form = request.form
    zone = form.get("time_zone", "").strip() or None
    return {"default_windows": None, "default_holidays": holidays_of(form), "default_time_zone": zone}


def usual_rules() -> dict[str, object]:
    """What the form says of what a tenant's campaigns are usually for, and whether rules of law bind them then; of
    a form without these fields nothing."""
    form = request.form
    return {name: form[name] or None for name in ("policy_packs", "default_purpose") if name in form}


def _granted() -> dict[str, object]:
    form = request.form
    kept = form.get("retention_days", "").strip()
    return {
        "name": form.get("name", "").strip(),
        "dialplan_context": form.get("dialplan_context", "").strip() or None,
        "gateway_ids": form.getlist("gateway_ids"),
        "queues": form.get("queues", "").replace(",", " ").split(),
        "weight": whole(form.get("weight", "1")),
        "retention_days": whole(kept) if kept else None,
    }


def _tenants(fault: str | None = None, status: int = 200) -> Response:
    listed = ask("GET", "/tenants", {"limit": 1000})["tenants"]
    shown_ones = [(one, window_sentence(one["default_windows"], one["default_holidays"])) for one in listed]
    return shown("tenants.html", _form(EMPTY, fault) | {"tenants": shown_ones, "found": None}, status)


def _tenant(tenant_id: str, fault: str | None = None, status: int = 200) -> Response:
    found = ask("GET", f"/tenants/{quote(tenant_id, safe='')}")
    return shown("tenants.html", _form(found, fault) | {"tenants": [], "found": found}, status)


def _form(tenant: Mapping[str, Any], fault: str | None) -> dict[str, Any]:
    """What the form shows: what was typed, where it was refused."""
    values = dict(tenant)
    if fault is not None:
        values |= _granted() | usual_rules() | ({} if tenant["id"] else {"id": request.form.get("id", "")})
        values |= typed_hours()
    return {
        "tenant": values,
        "gateways": ask("GET", "/gateways", {"limit": 1000})["gateways"],
        "hours": request.form.get("hours") or hours_of(values["default_windows"]),
        "spans": spans_shown(values["default_windows"]),
        "days": DAYS,
        "purposes": PURPOSES.items(),
        "fault": fault,
    }
