"""A stack whose dialers reach their nodes through proxies, which can cut them off."""

from __future__ import annotations

from typing import Any

from local.simulated_cluster import Node
from local.stack import Stack
from tests.chaos.proxy import Proxy


class ProxiedStack(Stack):
    """A stack with a proxy in front of each node: `proxies`, by the node's name. It takes what Stack takes."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.proxies: dict[str, Proxy] = {}

    def _start_servers(self) -> None:
        super()._start_servers()
        self.nodes = self._found_nodes()
        urls = []
        for node in self.nodes:
            port = int(node.url.partition("?")[0].rpartition(":")[2])
            proxy = self.proxies[node.name] = Proxy(node.name, port)
            urls.append(node.url.replace(f":{port}?", f":{proxy.port}?"))
        self.environ["FREESWITCH_URLS"] = ",".join(urls)

    def _found_nodes(self) -> list[Node]:
        """The nodes that get a proxy."""
        return self.nodes

    def stop(self) -> None:
        """End everything, the proxies last."""
        super().stop()
        for proxy in self.proxies.values():
            proxy.close()
