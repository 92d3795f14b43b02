"""Real nodes behind proxies, which can cut them off from the product."""

from __future__ import annotations

import os
from pathlib import Path

from local.simulated_cluster import Node
from settings import NodeSettings, nodes_from
from tests.chaos.proxied import ProxiedStack
from tests.real.conftest import CDR_FOLDERS, URLS


class ProxiedNodes(ProxiedStack):
    """A stack that reaches each node that the environment names through a proxy: `proxies`, by the node's name.

    The records of a node without a folder in CARILLON_TEST_CDR_FOLDERS are not shipped.
    """

    def _found_nodes(self) -> list[Node]:
        nodes = nodes_from(os.environ[URLS])
        named = dict(
            zip((node.name for node in nodes), os.environ.get(CDR_FOLDERS, "").split(","), strict=False)
        )
        unshipped = self.home / "unshipped"
        return [given_node(node, Path(named.get(node.name) or unshipped / node.name)) for node in nodes]


def given_node(node: NodeSettings, spool: Path, channels: int | None = None) -> Node:
    """A real node as a stack knows its own; it keeps no ledger.

    What earlier runs left in its spool is nobody's any more, and would be shipped first: it is deleted.
    """
    spool.mkdir(parents=True, exist_ok=True)
    for record in spool.glob("*.cdr.json"):
        record.unlink(missing_ok=True)
    most = "" if channels is None else f"&channels={channels}"
    url = f"esl://:{node.password}@127.0.0.1:{node.port}?cps={node.cps}{most}&name={node.name}"
    return Node(node.name, url, spool, spool)
