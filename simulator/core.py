"""What a node's parts share: its channels, timers, events and limits, and the tables of its modules."""

from __future__ import annotations

from collections.abc import Callable

from simulator.channels import Channels
from simulator.events import Hub
from simulator.faults import Faults
from simulator.journal import Journal
from simulator.ledger import LedgerSink
from simulator.routing import Router
from simulator.scheduler import Clock, Scheduler
from simulator.session_limits import SessionLimits

RunApi = Callable[[str, str, float], str]


class Core:
    """One node without its behaviour. `run_api` runs an api command by name and argument at a simulated moment."""

    def __init__(
        self,
        name: str,
        *,
        hub: Hub,
        clock: Clock,
        scheduler: Scheduler,
        ledger: LedgerSink,
        session_limits: SessionLimits,
        router: Router,
    ) -> None:
        self.name = name
        self.hub = hub
        self.clock = clock
        self.scheduler = scheduler
        self.journal = Journal(ledger, name)
        self.session_limits = session_limits
        self.router = router
        self.faults: Faults = router.faults
        self.channels = Channels()
        self.hash_table: dict[str, str] = {}
        self.unloaded: set[str] = set()
        self.run_api: RunApi = lambda _name, _argument, _at: ""
