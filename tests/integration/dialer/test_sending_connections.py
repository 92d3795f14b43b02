"""A node with several sending connections, one of which is behind: what it was sent there is not sent by another."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from freeswitch.connection_pool import ConnectionPool
from models import db
from simulator.process import SimulatedNode
from tests.factories import World, make_campaign
from tests.integration.dialer.dialer_rig import Dialer, dialled
from tests.waiting import wait_until

CALLS = 4
LATE_SECONDS = 8.5


def test_a_call_whose_connection_has_not_answered_is_not_sent_by_another(
    world: World, database_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One listener, to which all orders go, carries out what it got 8.5 s later; the other is prompt, and has never
    seen any of it. A node that has owed an answer for 250 ms gets no orders: on a busy machine some leave later."""
    ledger = tmp_path / "ledger"
    with db.connection_context():
        db.execute_sql("UPDATE agent SET max_call_seconds = 20, ring_timeout_seconds = 15")
    with SimulatedNode(speed=20, sps=5000, ledger=ledger) as node:
        dialer = Dialer(database_url, redis_url, f"{node.url}?name=fs1&cps=801").start()
        process = dialer.process
        repeated: list[str] = []
        monkeypatch.setattr(process.reconciler, "resend", lambda call: repeated.append(call.call_id))
        monkeypatch.setattr(ConnectionPool, "next", lambda pool: pool.connections[1])
        node.fault("late-reply", percent=100, seconds=LATE_SECONDS, command="bgapi")
        make_campaign(world, CALLS, max_concurrent_calls=CALLS)
        sent: dict[str, float] = {}

        def all_sent() -> bool:
            sent.update({call.call_id: call.sent_at for call in process.live_calls if call.sent_at})
            return len(sent) == CALLS

        wait_until(all_sent, "sent")
        node.clear()
        wait_until(lambda: len(dialled(ledger)) == CALLS, "the orders of the slow connection")
        carried_out = time.monotonic() - max(sent.values())
        dialer.end()
        assert repeated == []
        assert carried_out > 6.0, "later than a call that was never seen is sent again"
        assert set(dialled(ledger).values()) == {1}
