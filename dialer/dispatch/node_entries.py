"""Lists the nodes: those of FREESWITCH_URLS, and those that were added through the API.

Where both have one of the same name, the environment's counts. Looked at by the dialers every second
(`dialer.lookout`), and read by the doctor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from models import NodeSource, rows
from settings import NodeSettings

# Where a name was used again, the one that is in use now.
LISTED = """
SELECT DISTINCT ON (name) name, host, port, password, cps, channels, weight, deleted_at IS NOT NULL AS deleted
FROM node WHERE deleted_at IS NULL OR name IN (SELECT node FROM call WHERE ended_at IS NULL)
ORDER BY name, deleted_at DESC NULLS FIRST
"""
_PURGE = """
DELETE FROM node WHERE deleted_at < now() - interval '1 hour'
    AND name NOT IN (SELECT node FROM call WHERE ended_at IS NULL)
"""


@dataclass(frozen=True, slots=True)
class NodeEntry:
    """A node, and where it comes from. `deleted`: it is kept for its calls in progress, and gets no new one."""

    node: NodeSettings
    source: NodeSource
    deleted: bool = False


def of_environment(nodes: Iterable[NodeSettings]) -> dict[str, NodeEntry]:
    """The nodes of FREESWITCH_URLS by name."""
    return {node.name: NodeEntry(node, NodeSource.ENVIRONMENT) for node in nodes}


def with_table(
    environment: Mapping[str, NodeEntry], found: Iterable[Mapping[str, Any]]
) -> dict[str, NodeEntry]:
    """All nodes by name, from rows as `LISTED` shows them."""
    table = {row["name"]: _listed(row) for row in found}
    return table | dict(environment)


def read_table() -> list[dict[str, Any]]:
    """The rows of the table that matter, on the connection that this greenlet holds."""
    return rows(LISTED)


def purge() -> None:
    """Forget the deleted, and their passwords, once nobody can need them, on this greenlet's connection."""
    rows(_PURGE)


def _listed(row: Mapping[str, Any]) -> NodeEntry:
    node = NodeSettings(
        row["name"], row["host"], row["port"], row["password"], row["cps"], row["channels"], row["weight"]
    )
    return NodeEntry(node, NodeSource.API, row["deleted"])
