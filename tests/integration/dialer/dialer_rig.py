"""Dialers that run inside a test, against real servers and a simulated node, and that can die there."""

from __future__ import annotations

import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event as Signal
from redis import Redis

from coordination.control_bus import SILENCE_SECONDS, ControlBus
from coordination.redis_client import client
from coordination.topics import Topic
from dialer.clock_gap import ClockGap
from dialer.own_identities import OwnIdentities
from dialer.process import Process
from limits.keys import Keys
from models import db, rows
from settings import Settings
from simulator.ledger import read_ledger
from simulator.process import SimulatedNode
from tests.waiting import wait_until

PREFIX = "carillon:"
LEASE_SECONDS = 15.0


class Dialer:
    """One process' worth of a dialer. `die` ends it between any two lines, and nothing of it runs afterwards."""

    def __init__(self, database_url: str, redis_url: str, nodes: str, **environ: str) -> None:
        settings = Settings.from_environ(
            {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "FREESWITCH_URLS": nodes, **environ}
        )
        self.redis: Redis = client(redis_url)
        self._control_bus = client(redis_url, wait_seconds=SILENCE_SECONDS)
        self.awake_at = 0.0
        """The clock by which it notices that it stood still."""

        def make() -> Process:
            process = Process(settings, self.redis, self._control_bus)
            # The dialers of a test share one process, which may wait for a processor for as long as a lease lasts;
            # when one of them dies, `die` ends its lease.
            process.membership.lease_seconds = LEASE_SECONDS
            process.clock_gap = ClockGap(process.on_gap, lambda: self.awake_at)
            return process

        self._identities = OwnIdentities(make)
        self.id = self.process.dialer_id
        self.reached = Signal()
        self.ended = False
        self.dead = False
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def start(self) -> Dialer:
        self._greenlet = gevent.spawn(self._run)
        wait_until(self.process.cluster.connected, "a link to a node")
        return self

    @property
    def process(self) -> Process:
        """The one under whose identity it dials now."""
        return self._identities.process

    def _run(self) -> None:
        self._identities.run()
        self.ended = True

    def stays(self, *_: Any, **__: Any) -> Any:
        """Whoever gets here stays for ever; `reached` says so. To be put in the place of any function."""
        self.reached.set()
        Signal().wait()

    def die(self) -> None:
        """As by SIGKILL: no greenlet runs on, the connections are gone, and the lease has lapsed."""
        process = self.process
        self.dead = True
        kill = [*self._identities.finishing, *process.reconciler.greenlets()]
        if self._greenlet is not None:
            kill.append(self._greenlet)
        process.switch_listeners.links = ()
        gevent.killall(kill, block=False)
        process.tasks.end(5.0)
        gevent.joinall(kill, timeout=5.0)
        process.subscriber.stop(5.0)
        process.cluster.stop()
        process.identity.drop_lock()
        self.redis.delete(Keys(PREFIX).lease(self.id))
        self.close()

    def end(self) -> bool:
        """As by SIGTERM: whether it has ended."""
        self._identities.end()
        assert self._greenlet is not None
        self._greenlet.join(25)
        self.close()
        return self.ended

    def close(self) -> None:
        self.redis.close()
        self._control_bus.close()


def contacts_of(campaign_id: uuid.UUID) -> Counter[str]:
    with db.connection_context():
        found = rows(
            "SELECT status, count(*) AS n FROM contact WHERE campaign_id = %s GROUP BY status", campaign_id
        )
    return Counter({row["status"]: row["n"] for row in found})


def is_over(campaign_id: uuid.UUID) -> bool:
    with db.connection_context():
        (row,) = rows("SELECT status FROM campaign WHERE id = %s", campaign_id)
    return bool(row["status"] == "completed")


def change(dialer: Dialer, statement: str, *values: Any) -> None:
    """Change a row as the API does: commit, then notify."""
    with db.connection_context():
        rows(statement, *values)
    ControlBus(dialer.redis, PREFIX).notify(Topic.WAKE, {})


def calls_of(node: SimulatedNode) -> int:
    """How many calls this node has been asked for."""
    return sum(read_ledger(node.ledger or "").dialled().values())


def dialled(ledger: Path) -> Counter[str]:
    """How often the node was asked to dial each number."""
    return read_ledger(ledger).dialled()
