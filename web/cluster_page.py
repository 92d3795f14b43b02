"""The cluster: what each node, gateway and dialer does now, and what keeps it from more. The operator's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from flask import Response, redirect, url_for
from werkzeug.wrappers import Response as AnyResponse

from web.ask import ask
from web.blueprint import blp
from web.pages import fragment, page, shown


@dataclass(slots=True)
class DialerLine:
    """What a living dialer does over all nodes, as it says."""

    id: str
    calls: int = 0
    calls_per_second: float = 0.0
    connected: int = 0
    errors: list[str] = field(default_factory=list)


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


def dialers_of(nodes: Sequence[Mapping[str, Any]]) -> list[DialerLine]:
    """The living dialers, from what each says of the nodes."""
    found: dict[str, DialerLine] = {}
    for node in nodes:
        for link in node["connections"]:
            line = found.setdefault(link["dialer_id"], DialerLine(link["dialer_id"]))
            line.calls += link["calls"]
            line.calls_per_second = round(line.calls_per_second + link["calls_per_second"], 1)
            line.connected += bool(link["connected"])
            if link["last_error"]:
                line.errors.append(f"{node['name']}: {link['last_error']}")
    return sorted(found.values(), key=lambda line: line.id)


def _cluster() -> dict[str, object]:
    nodes = ask("GET", "/nodes", {"limit": 1000})["nodes"]
    gateways = ask("GET", "/gateways", {"limit": 1000})["gateways"]
    return {"nodes": nodes, "gateways": gateways, "dialers": dialers_of(nodes)}
