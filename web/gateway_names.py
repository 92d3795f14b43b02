"""What gateways are called, for pages that tell which of them a call left by."""

from __future__ import annotations

from api.auth import current_caller
from web.ask import ask


def gateway_names() -> dict[str, str]:
    """By their ids. None for who may only read: he is told a gateway by its id."""
    if not current_caller().may("operate"):
        return {}
    return {
        gateway["id"]: gateway["name"] for gateway in ask("GET", "/gateways", {"limit": 1000})["gateways"]
    }
