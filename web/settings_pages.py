"""Agents, numbers, keys and limits: what there is, and a form for whoever may change it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse
from wtforms import Form

from api.auth import current_caller
from api.key_digest import ROLES
from web.agent_words import KINDS, SECONDS, action_sentence, changed, fields_of, message_sentence, said_by
from web.ask import Refused, ask
from web.blueprint import blp
from web.forms import ROLE_WORDS, AgentForm, KeyForm, LimitsForm, NumberForm, first_fault, offered
from web.pages import page, shown

Values = Mapping[str, object]


@blp.get("/agents")
@page()
def agents() -> Response:
    """What an answered call is connected to."""
    return _agents(AgentForm())


@blp.post("/agents")
@page("admin")
def make_agent() -> AnyResponse:
    """Make one."""
    form = AgentForm(request.form)
    return _saved(form, lambda: ask("POST", "/agents", body=said_by(form.data)), _agents, "board.agents")


@blp.get("/agents/<agent_id>")
@page("admin")
def agent(agent_id: str) -> Response:
    """Change one."""
    found = ask("GET", f"/agents/{quote(agent_id, safe='')}")
    filled = fields_of(found)
    return _agents(AgentForm(data=filled), found=found, filled=filled)


@blp.post("/agents/<agent_id>")
@page("admin")
def change_agent(agent_id: str) -> AnyResponse:
    """Save what was changed in the form."""
    form, path, filled = AgentForm(request.form), f"/agents/{quote(agent_id, safe='')}", _filled()

    def again(form: AgentForm, fault: str, status: int) -> Response:
        return _agents(form, fault, status, found=ask("GET", path), filled=filled)

    def save() -> None:
        if wanted := changed(form.data, filled):
            ask("PATCH", path, body=wanted)

    return _saved(form, save, again, "board.agents")


@blp.post("/agents/<agent_id>/delete")
@page("admin")
def delete_agent(agent_id: str) -> AnyResponse:
    """Delete one."""
    ask("DELETE", f"/agents/{quote(agent_id, safe='')}")
    return redirect(url_for("board.agents", done="gone"), 303)


@blp.get("/numbers")
@page()
def numbers() -> Response:
    """The numbers that people see who are called."""
    return _numbers(NumberForm())


@blp.post("/numbers")
@page("platform")
def make_number() -> AnyResponse:
    """Give the tenant one."""
    form = NumberForm(request.form)
    return _saved(form, lambda: ask("POST", "/phone-numbers", body=form.data), _numbers, "board.numbers")


@blp.post("/numbers/<number_id>/<any(enable, disable, delete):action>")
@page("platform")
def change_number(number_id: str, action: str) -> AnyResponse:
    """Switch one on or off, or take it away."""
    path = f"/phone-numbers/{quote(number_id, safe='')}"
    if action == "delete":
        ask("DELETE", path)
    else:
        ask("PATCH", path, body={"outbound_enabled": action == "enable"})
    return redirect(url_for("board.numbers", done="gone" if action == "delete" else "saved"), 303)


@blp.get("/keys")
@page("admin")
def keys() -> Response:
    """The tenant's keys."""
    return _keys(_key_form())


@blp.post("/keys")
@page("admin")
def make_key() -> AnyResponse:
    """Make one, and show it: here, and never again."""
    form = _key_form(request.form)
    if fault := first_fault(form):
        return _keys(form, fault, 400)
    try:
        made = ask("POST", "/api-keys", body=form.data)
    except Refused as error:
        return _keys(form, error.sentence, error.status)
    return _keys(_key_form(), made=made)


@blp.post("/keys/<key_id>/delete")
@page("admin")
def delete_key(key_id: str) -> AnyResponse:
    """Take one away; whoever is signed in with it is not any more."""
    ask("DELETE", f"/api-keys/{quote(key_id, safe='')}")
    return redirect(url_for("board.keys", done="gone"), 303)


@blp.get("/limits")
@page()
def limits() -> Response:
    """What the tenant may call at most."""
    return _limits(_limits_form())


@blp.post("/limits")
@page("platform")
def change_limits() -> AnyResponse:
    """Save other limits."""
    form = LimitsForm(request.form)
    return _saved(form, lambda: ask("PUT", "/call-limits", body=_limits_of(form)), _limits, "board.limits")


@blp.post("/limits/test-numbers")
@page("admin")
def change_test_numbers() -> AnyResponse:
    """Save where test calls may go, all of it: a number on each line."""
    typed = request.form.get("test_numbers", "")
    numbers = [number.strip() for number in re.split(r"[\r\n,;]+", typed) if number.strip()]
    try:
        ask("PUT", "/test-numbers", body={"test_numbers": numbers})
    except Refused as error:
        return _limits(_limits_form(), error.sentence, error.status, typed=typed)
    return redirect(url_for("board.limits", done="saved"), 303)


def _saved(
    form: Form, save: Callable[[], object], again: Callable[[Any, str, int], Response], after: str
) -> AnyResponse:
    """Save what a form says and lead on, or show it again with what is wrong."""
    fault, status = first_fault(form), 400
    if fault is None:
        try:
            save()
            return redirect(url_for(after, done="saved"), 303)
        except Refused as error:
            fault, status = error.sentence, error.status
    return again(form, fault, status)


def _filled() -> Mapping[str, Any]:
    """The fields with which the form of an agent was filled, as it says itself; none where it does not."""
    try:
        found = json.loads(request.form.get("filled", ""))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: value if name in SECONDS else str(value) for name, value in found.items()}


def _agents(
    form: AgentForm,
    fault: str | None = None,
    status: int = 200,
    found: Mapping[str, Any] | None = None,
    filled: Mapping[str, Any] | None = None,
) -> Response:
    listed = ask("GET", "/agents", {"limit": 1000})["agents"]
    gateways = ask("GET", "/gateways", {"limit": 1000})["gateways"] if current_caller().may("admin") else []
    form.gateway_id.choices = offered([("", "–"), *((one["id"], one["name"]) for one in gateways)])
    kinds = [(word, words) for word, words, _ in KINDS]
    if found is not None and form.kind.data not in dict(kinds):
        kinds.append((form.kind.data, "What it does already"))
    form.kind.choices = offered(kinds)
    values = {
        "agents": [
            (agent, action_sentence(agent["action"]), message_sentence(agent["safe_harbour"]))
            for agent in listed
        ],
        "form": form,
        "fault": fault,
        "found": found,
        "filled": json.dumps(filled),
    }
    return shown("agents.html", values, status)


def _numbers(form: NumberForm, fault: str | None = None, status: int = 200) -> Response:
    gateways: dict[str, str] = {}
    if current_caller().may("operate"):
        gateways = {one["id"]: one["name"] for one in ask("GET", "/gateways", {"limit": 1000})["gateways"]}
    form.gateway_id.choices = offered(gateways.items())
    listed = ask("GET", "/phone-numbers", {"limit": 1000})["phone_numbers"]
    return shown(
        "numbers.html", {"numbers": listed, "gateways": gateways, "form": form, "fault": fault}, status
    )


def _key_form(given: Any = None) -> KeyForm:
    form, caller = KeyForm(given), current_caller()
    form.role.choices = offered((role, ROLE_WORDS[role]) for role in ROLES if caller.may(role))
    return form


def _keys(
    form: KeyForm, fault: str | None = None, status: int = 200, made: Mapping[str, Any] | None = None
) -> Response:
    listed = ask("GET", "/api-keys", {"limit": 1000})["api_keys"]
    return shown("keys.html", {"keys": listed, "form": form, "fault": fault, "made": made}, status)


def _limits_form() -> LimitsForm:
    found = ask("GET", "/call-limits")
    return LimitsForm(data=found | {"allowed_countries": " ".join(found["allowed_countries"] or ())})


def _limits(
    form: LimitsForm, fault: str | None = None, status: int = 200, typed: str | None = None
) -> Response:
    """The page; `typed` are test numbers that were refused, and the fault is about these."""
    numbers = ask("GET", "/test-numbers")["test_numbers"]
    values = {
        "limits": ask("GET", "/call-limits"),
        "form": form,
        "fault": fault,
        "test_numbers": numbers,
        "typed": typed,
    }
    return shown("limits.html", values, status)


def _limits_of(form: LimitsForm) -> Values:
    """Some are numbers always: an empty field leaves them as they are, and so does a page of before there was one of
    countries."""
    numbers = ("number_gap_seconds", "reserved_concurrency")
    said = {name: value for name, value in form.data.items() if value is not None or name not in numbers}
    if form.allowed_countries.data is None:
        del said["allowed_countries"], said["premium_allowed"]
        return said
    countries = form.allowed_countries.data.replace(",", " ").upper().split()
    return said | {"allowed_countries": countries or None}
