"""The blueprints of the API. A new resource is one module and one line here."""

from __future__ import annotations

from api import campaigns, halt
from api.blueprint import Blueprint

BLUEPRINTS: tuple[Blueprint, ...] = (campaigns.blp, halt.blp)
