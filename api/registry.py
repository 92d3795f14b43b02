"""The blueprints of the API. A new resource is one module and one line here."""

from __future__ import annotations

from api import agents, calls, campaigns, gateways, halt, phone_numbers
from api.blueprint import Blueprint

BLUEPRINTS: tuple[Blueprint, ...] = (
    campaigns.blp,
    calls.blp,
    agents.blp,
    phone_numbers.blp,
    gateways.blp,
    halt.blp,
)
