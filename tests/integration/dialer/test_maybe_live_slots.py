"""No cap is exceeded by calls that were closed while nobody could ask their node, and no slot of theirs is lost."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from dialer.capacity.limiter_snapshot import snapshot
from dialer.recovery import resend_or_close
from dialer.recovery.maybe_live import MaybeLiveSlots
from dialer.recovery.node_restart import NodeRestarts
from freeswitch.cluster import Cluster
from freeswitch.errors import FreeswitchError
from freeswitch.events import ChannelEvent, ChannelEventKind
from limits import caps
from limits.keys import Keys
from limits.limiter import Limiter
from models import db, rows
from simulator.ledger import live_calls_peak, read_ledger
from simulator.process import SimulatedNode
from tests.chaos.proxy import Mode, Proxy
from tests.factories import World, counts, make_campaign
from tests.integration.dialer.dialer_rig import PREFIX, Dialer, change, dialled, is_over
from tests.integration.dialer.test_claims_and_outcomes import DIALER, claim_all, end, ended
from tests.waiting import wait_until

CAP, CONTACTS = 3, 8


class Node:
    """A link to a node, and what it says of each call: talking, ringing, over, never. `deaf`: nothing."""

    name = "fs1"
    connected = True
    core_uuid: str | None = "core-1"

    def __init__(self) -> None:
        self.says: dict[str, str] = {}
        self.deaf = False
        self.asked: list[str] = []
        self.killed: list[str] = []

    def api(self, line: str, timeout: float = 5.0) -> str:
        command, _, rest = line.partition(" ")
        self.asked.append(command)
        if self.deaf:
            raise FreeswitchError("no answer")
        if command == "uuid_dump":
            call_id = rest.split()[0]
            if self.says[call_id] not in ("talking", "ringing"):
                return "-ERR No such channel!\n"
            answered = "1795428430000000" if self.says[call_id] == "talking" else "0"
            times = {
                "Event-Date-Timestamp": "1795428442500000",
                "Caller-Channel-Created-Time": "1795428428000000",
                "Caller-Channel-Answered-Time": answered,
            }
            return orjson.dumps({"Unique-ID": call_id, "Core-UUID": "core-1"} | times).decode()
        if command == "uuid_kill":
            self.killed.append(rest.split()[0])
            self.says[self.killed[-1]] = "over"
            return "+OK\n"
        marked = any(call_id in line and says == "over" for call_id, says in self.says.items())
        return "done" if marked else "-ERR no reply\n"

    def api_apart(self, line: str, timeout: float) -> str:
        return self.api(line, timeout)


class Released:
    """What the limiter and the marks are told."""

    def __init__(self) -> None:
        self.released: list[str] = []
        self.forgotten: list[str] = []

    def release(self, over: Iterable[caps.EndedCall]) -> None:
        self.released += [call.call_id for call in over]

    def forget(self, _node: str, call_ids: Iterable[str]) -> None:
        self.forgotten += call_ids


class Bench:
    """A node that says what it is told to, and the calls that are held there."""

    def __init__(self, world: World, calls: int) -> None:
        self.node, self.told = Node(), Released()
        cluster: Any = type("OneNode", (), {"links": {"fs1": self.node}})()
        self.held = MaybeLiveSlots(
            DIALER,
            cast(Cluster, cluster),
            cast(Limiter, self.told),
            self.told,
            NodeRestarts(),
            on_free=lambda: None,
        )
        claimed = claim_all(make_campaign(world, calls))
        self.ids = [call.call_id for call in claimed]
        for call_id in self.ids:
            end(ended(call_id, "failed", disposition="outcome_unknown", cause="OVERDUE", may_live=1000.0))
            self.node.says[call_id] = "talking"
        with db.connection_context():
            rows("UPDATE call SET core_uuid = 'core-1'")

    def round(self) -> set[str]:
        """Those whose slots came free."""
        self.held.node_up("fs1")
        before = set(self.told.released)
        self.held.round()
        assert self.told.released == self.told.forgotten
        return set(self.told.released) - before


def live() -> set[str]:
    """What a limiter that is rebuilt now takes for up."""
    return {call.call_id for call in snapshot().open_calls}


def test_a_held_call_is_let_go_of_by_whatever_first_says_that_it_is_over(world: World) -> None:
    bench = Bench(world, 5)
    told, recorded, gone, lapsed, up = bench.ids
    assert live() == set(bench.ids)
    assert bench.round() == set()
    event = ChannelEvent(ChannelEventKind.HANGUP_COMPLETE, told, "core-1", 0, DIALER, None)
    bench.held.on_event("fs1", event)
    assert bench.held.wake.is_set()
    assert bench.round() == {told}
    with db.connection_context():
        rows("UPDATE call SET duration_ms = 4000 WHERE id = %s", recorded)
        rows("UPDATE call SET slot_until = now() - interval '1 s' WHERE id = %s", lapsed)
    bench.node.says[gone] = "over"
    assert bench.round() == {recorded, gone, lapsed}
    assert live() == {up}


def test_a_held_call_that_still_rings_is_killed_and_then_let_go_of(world: World) -> None:
    bench = Bench(world, 1)
    bench.node.says[bench.ids[0]] = "ringing"
    assert bench.round() == set()
    assert bench.node.killed == bench.ids
    assert bench.round() == set(bench.ids)


def test_the_calls_of_a_nodes_last_run_are_let_go_of(world: World) -> None:
    bench = Bench(world, 2)
    bench.node.says = dict.fromkeys(bench.ids, "never")
    assert bench.round() == set(), "its order may lie in a buffer of that run"
    bench.node.core_uuid = "core-2"
    assert bench.round() == set(bench.ids)


def test_a_node_that_does_not_answer_is_asked_about_one_call_at_a_time(world: World) -> None:
    bench = Bench(world, 3)
    bench.node.deaf = True
    assert bench.round() == set()
    assert bench.node.asked == ["uuid_dump"]


def test_nobody_takes_a_held_call_for_one_in_flight(world: World) -> None:
    bench = Bench(world, 1)
    with db.connection_context():
        (row,) = rows("SELECT status, disposition FROM contact")
    assert row == {"status": "failed", "disposition": "outcome_unknown"}
    with db.connection_context():
        (row,) = rows("SELECT state, slot_until > now() + interval '900 s' AS held FROM call")
    assert row == {"state": "ended", "held": True}
    assert len(bench.ids) == 1


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[SimulatedNode]]:
    """One on which a callee takes 5 s to answer and talks for 13 s, one twenty times as fast as the clock."""
    with (
        SimulatedNode(speed=0.3, ledger=tmp_path / "one") as one,
        SimulatedNode(speed=20, ledger=tmp_path / "two") as two,
    ):
        yield [one, two]


def usage(dialer: Dialer) -> int | None:
    used = dialer.process.limiter.usage("demo")
    return None if used is None else used.concurrent


def drain(dialer: Dialer, name: str) -> None:
    change(dialer, "INSERT INTO node_drain (name, by) VALUES (%s, 'test')", name)


def call_rows(condition: str) -> int:
    with db.connection_context():
        return int(rows(f"SELECT count(*) AS n FROM call WHERE {condition}")[0]["n"])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_calls_that_are_answered_behind_a_lost_link_keep_their_slots_until_they_end(
    world: World,
    nodes: list[SimulatedNode],
    database_url: str,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A call that rings for 3 s is reaped, with the shortest ring time that there is.
    monkeypatch.setattr(resend_or_close, "PDD_SECONDS", -10.0)
    monkeypatch.setattr(resend_or_close, "LATE_SECONDS", 0.0)
    campaign_id = _campaign_of_slow_callees(world)
    ledgers = [Path(node.ledger or "") for node in nodes]
    with ExitStack() as stack:
        proxy = Proxy("fs1", nodes[0].port)
        stack.callback(proxy.close)
        lost = nodes[0].url.replace(f":{nodes[0].port}", f":{proxy.port}")
        urls = f"{lost}?name=fs1&cps=50,{nodes[1].url}?name=fs2&cps=50"

        def one_more() -> Dialer:
            dialer = Dialer(database_url, redis_url, urls)
            stack.callback(lambda: None if dialer.dead else dialer.end())
            return dialer.start()

        with db.connection_context():
            rows("INSERT INTO node_drain (name, by) VALUES ('fs2', 'test')")
        victim = one_more()
        wait_until(lambda: call_rows("state = 'ringing'") == CAP, "calls that ring")
        proxy.set(Mode.SHUT)
        drain(victim, "fs1")
        change(victim, "DELETE FROM node_drain WHERE name = 'fs2'")
        wait_until(lambda: counts(campaign_id).get("failed") == CAP, "the contacts' end")
        wait_until(lambda: _answered(ledgers[0]) == CAP, "the answers that nobody hears of")
        assert usage(victim) == CAP

        # A Redis that was emptied altogether has forgotten the dialer's lease too, which ends it.
        victim.redis.delete(Keys(PREFIX).epoch)
        wait_until(lambda: usage(victim) is not None, "the rebuilt limiter")
        assert usage(victim) == CAP
        successor = one_more()
        victim.die()
        wait_until(lambda: call_rows(f"dialer_id = '{successor.id}'") == CAP, "the take-over")
        successor.process.audit.slots()
        successor.process.audit.slots()
        assert usage(successor) == CAP
        assert not dialled(ledgers[1])

        proxy.set(Mode.OPEN)
        wait_until(lambda: is_over(campaign_id), "the end of the campaign")
        wait_until(lambda: usage(successor) == 0, "the last slot")
        assert call_rows("slot_until IS NOT NULL") == 0
        assert len(dialled(ledgers[1])) == CONTACTS - CAP
        view = read_ledger(*ledgers)
        assert set(view.dialled().values()) == {1}
        assert live_calls_peak(view) == CAP


def _campaign_of_slow_callees(world: World) -> uuid.UUID:
    campaign_id = make_campaign(world, CONTACTS, max_concurrent_calls=CAP)
    with db.connection_context():
        rows("UPDATE agent SET ring_timeout_seconds = 15")
        rows("UPDATE contact SET phone_number = '+1415' || lpad(position::text, 5, '0') || '00'")
    return campaign_id


def _answered(ledger: Path) -> int:
    return sum(step.event == "answer" for step in read_ledger(ledger).steps)
