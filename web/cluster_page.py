"""The cluster: what each node, gateway and dialer does now, and what keeps it from more. The operator's."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from flask import Response, redirect, url_for
from werkzeug.wrappers import Response as AnyResponse

from web.ask import Refused, ask
from web.blueprint import blp
from web.pages import fragment, page, shown

MOST_TENANTS: Final = 50
"""Those that dial come first; the page of each has its limits."""


@blp.get("/cluster")
@page("platform")
def cluster() -> Response:
    """The page."""
    return shown("cluster.html", _cluster())


@blp.get("/cluster/part")
@page("platform")
def cluster_part() -> Response:
    """The part of it that is read again."""
    return fragment("cluster_lines.html", _cluster())


@blp.post("/cluster/nodes/<name>/<any(drain, undrain):action>")
@page("platform", limited=False)
def drain(name: str, action: str) -> AnyResponse:
    """Keep new calls from a node, or let them go there again."""
    ask("POST", f"/nodes/{quote(name, safe='')}/{action}")
    return redirect(url_for("board.cluster"), 303)


@blp.post("/cluster/gateways/<gateway_id>/resume")
@page("platform")
def resume_gateway(gateway_id: str) -> AnyResponse:
    """End a gateway's pause before a call has tried it."""
    ask("POST", f"/gateways/{quote(gateway_id, safe='')}/resume")
    return redirect(url_for("board.cluster"), 303)


def _cluster() -> dict[str, object]:
    nodes = ask("GET", "/nodes", {"limit": 1000})["nodes"]
    gateways = ask("GET", "/gateways", {"limit": 1000})["gateways"]
    usage = ask("GET", "/usage", {"limit": MOST_TENANTS})
    return {
        "nodes": nodes,
        "gateways": gateways,
        "dialers": _dialers(),
        "usage": usage,
        "carried": {one["gateway_id"]: one for one in usage["gateways"]},
    }


def _dialers() -> list[dict[str, Any]] | None:
    """None while Redis is away, where alone it is known who lives."""
    try:
        found: list[dict[str, Any]] = ask("GET", "/dialers", {"limit": 1000})["dialers"]
    except Refused as refused:
        if refused.status != 503:
            raise
        return None
    return found
