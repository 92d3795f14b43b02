"""The campaigns of a tenant: where each stands, and why it is not dialling."""

from __future__ import annotations

from flask import Response

from web.ask import ask
from web.blueprint import blp
from web.pages import page, shown


@blp.get("/")
@page()
def campaigns() -> Response:
    """The list."""
    found = ask("GET", "/campaigns", {"limit": 1000})
    return shown("campaigns.html", campaigns=found["campaigns"])
