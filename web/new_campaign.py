"""A new campaign: a list, a number to call from, an agent. Its form goes to the API itself, as a stream."""

from __future__ import annotations

from flask import Response

from api.blueprint import PREFIX
from web.agent_words import action_sentence
from web.ask import ask
from web.blueprint import blp
from web.nested_forms import DAYS, rules_shown, spans_shown
from web.pages import page, shown
from web.policy_words import PURPOSES, scope, told, usual


@blp.get("/campaigns/new")
@page("operate")
def new_campaign() -> Response:
    """The form."""
    agents = ask("GET", "/agents", {"limit": 1000})["agents"]
    numbers = ask("GET", "/phone-numbers", {"limit": 1000})["phone_numbers"]
    defaults = ask("GET", "/defaults")
    known, usually = ask("GET", "/policy-packs"), usual(defaults)
    values = {
        "agents": [(agent, action_sentence(agent["action"])) for agent in agents],
        "numbers": [number for number in numbers if number["outbound_enabled"]],
        "limits": ask("GET", "/call-limits"),
        "defaults": defaults,
        "usual": usually,
        # It is bound without a word, and nobody says where people are whose number does not.
        "needs_zone": usually.bound and defaults["default_time_zone"] is None,
        "packs": [(pack, told(pack["rules"])) for pack in known["packs"]],
        "advice": known["advice"],
        "scope": scope,
        "spans": spans_shown(None),
        "days": DAYS,
        "rules": rules_shown({}),
        "purposes": PURPOSES.items(),
        "target": f"{PREFIX}/campaigns",
    }
    return shown("new_campaign.html", values)
