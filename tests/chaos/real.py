"""The stage on real nodes: SIPp is who is called and who counts, the proxies and everything else are the same.

CARILLON_TEST_FREESWITCH_URLS names the nodes, CARILLON_TEST_CDR_FOLDERS where they spool their call records,
CARILLON_TEST_NODE_RESTART what starts one again, all as tests/real/conftest.py and machine.py say; they run here.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.simulated_cluster import Node
from local.supervisor import Output
from settings import NodeSettings, nodes_from
from simulator.ledger import LedgerView
from tests.chaos.sipp_log import called
from tests.chaos.stage import NODE_CHANNELS, SPEED, Stage
from tests.real.carrier import Carrier
from tests.real.conftest import CDR_FOLDERS, SIP_PORT, URLS
from tests.real.machine import RESTART, pid_of, sip_port, started, wait_gone
from tests.real.proxied import given_node


class RealStage(Stage):
    """As Stage, on the nodes that the environment names. Raises SystemExit where it does not name everything."""

    def __init__(self, home: Path, *, seed: int, clocks: dict[str, float], output: Output) -> None:
        for name in (URLS, CDR_FOLDERS, RESTART):
            if not os.environ.get(name):
                raise SystemExit(f"--real needs {name}; tests/chaos/real.py says what it is")
        if Carrier.program() is None:
            raise SystemExit("--real needs SIPp: no sipp on PATH")
        super().__init__(home, seed=seed, clocks=clocks, output=output, FREESWITCH_URLS=os.environ[URLS])
        self._given = {node.name: node for node in nodes_from(os.environ[URLS])}
        if len({node.cps for node in self._given.values()}) > 1:
            raise SystemExit(f"--real holds all nodes to one cps; {URLS} gives them different ones")
        self._spools = [Path(folder) for folder in os.environ[CDR_FOLDERS].split(",")]
        self._real_pids = {name: pid_of(node) for name, node in self._given.items()}
        self._ports = {sip_port(node): node.name for node in self._given.values()}
        if len(self._ports) < len(self._given):
            raise SystemExit("--real tells nodes apart by the ports of their profiles: two have the same")
        self._starting: list[threading.Thread] = []
        self._called = home.with_name("called")
        self._called.mkdir()
        self.carrier = Carrier(self._called, int(os.environ.get(SIP_PORT, "5190")))

    @property
    def node_cps(self) -> int:
        """What each node is asked for in a second at the most."""
        return next(iter(self._given.values())).cps

    @property
    def second_legs(self) -> bool:
        """SIPp answers whoever calls, and does not tell an agent's leg from a person's."""
        return False

    @property
    def plays_urls(self) -> bool:
        """There is no such host, and a node needs a module more to play from one."""
        return False

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name, those of the real nodes among them."""
        return super().pids | self._real_pids

    def kill(self, pid: int) -> bool:
        """SIGKILL; a node is started again at once, as its supervisor would."""
        struck = super().kill(pid)
        for name, known in list(self._real_pids.items()):
            if known == pid:
                del self._real_pids[name]
                starting = threading.Thread(
                    target=self._start_again, args=(self._given[name], pid), daemon=True
                )
                starting.start()
                self._starting.append(starting)
        return struck

    @property
    def longer(self) -> int:
        """How many times as long as on a simulated node a call lasts."""
        return round(SPEED)

    @property
    def node_channels(self) -> int:
        """How many calls each node is asked to have up at the most."""
        return NODE_CHANNELS * self.longer

    def dial_string(self, _gateway: str) -> str:
        """The nodes have one gateway, whoever calls by it: SIPp tells ours apart by their callers."""
        return "sofia/gateway/carrier/{number}"

    def view(self, calls: list[dict[str, Any]], callers: Mapping[str, tuple[str, str]]) -> LedgerView:
        """What SIPp has seen of these calls."""
        return called(self.carrier.messages(), calls, callers, self._ports)

    def start(self) -> None:
        """The called party first."""
        self.carrier.__enter__()
        super().start()

    def stop(self) -> None:
        """End everything of ours; the nodes stay, all of them up."""
        super().stop()
        for starting in self._starting:
            starting.join()
        self.carrier.__exit__(None, None, None)

    def _found_nodes(self) -> list[Node]:
        return [
            given_node(node, spool, self.node_channels)
            for node, spool in zip(self._given.values(), self._spools, strict=True)
        ]

    def _start_again(self, node: NodeSettings, dead: int) -> None:
        wait_gone(node, dead)
        started(node)
        self._real_pids[node.name] = pid_of(node)
