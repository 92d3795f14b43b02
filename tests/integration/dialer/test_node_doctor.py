"""What the doctor finds wrong with nodes is kept, and since when: by one dialer for all; no node holds another up."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal

from campaigns.agent_needs import Need, NeedKind
from dialer import node_doctor
from dialer.doctor_findings import Facts
from dialer.doctor_questions import Required
from dialer.node_doctor import EVERY_SECONDS, SETTLE_SECONDS, NodeDoctor
from freeswitch.cluster import LinkChange
from models import db, rows
from settings import NodeSettings
from simulator.process import SimulatedNode
from tests.factories import World
from tests.integration.dialer.dialer_rig import Dialer
from tests.waiting import HANG_SECONDS, wait_until

FINE = Facts(core_uuid="run-1", sessions_per_second=30, max_sessions=1000)
NODES = {name: NodeSettings(name, f"{name}.example.com", 8021, "secret", 29, 900) for name in ("fs1", "fs2")}
REQUIRED = Required(("carrier",), (Need(NeedKind.FILE, "/s/a.wav"), Need(NeedKind.SERVER, "10.0.0.9:8084")))


@dataclass
class Doctor:
    """A dialer's part of it with a clock of its own, over nodes that say what a test has them say."""

    dialer_id: str
    facts: dict[str, Facts]
    nodes: dict[str, NodeSettings] = field(default_factory=lambda: dict(NODES))
    cores: dict[str, str | None] = field(default_factory=dict)
    hanging: dict[str, Signal] = field(default_factory=dict)
    clock: float = 1000.0
    asked: list[str] = field(default_factory=list)
    wanted: list[Required] = field(default_factory=list)
    work: list[gevent.Greenlet[[], object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.part = NodeDoctor(
            self.dialer_id,
            lambda: self.nodes,
            lambda name: self.cores.get(name, "run-1"),
            lambda: REQUIRED,
            lambda examine: self.work.append(gevent.spawn(examine)),
            self._ask,
            HANG_SECONDS,
            now=lambda: self.clock,
        )
        self.part.round()

    def _ask(self, node: NodeSettings, wanted: Required) -> Facts:
        self.asked.append(node.name)
        self.wanted.append(wanted)
        if node.name in self.hanging:
            self.hanging[node.name].wait()
        return self.facts[node.name]

    def look(self, after: float = 0.0) -> list[str]:
        """Which nodes it examines so many seconds later."""
        self.clock += after
        before, hung = len(self.asked), {*self.part.under_way}
        self.part.round()
        # One that is begun in this look is asked before it hangs.
        wait_until(
            lambda: self.part.under_way <= self.hanging.keys() & {*hung, *self.asked[before:]},
            "all that do not hang",
        )
        return sorted(self.asked[before:])

    def came_up(self, name: str) -> None:
        self.part.on_link(LinkChange(name, True, self.cores.get(name)))


def sql(statement: str, *values: Any) -> list[dict[str, Any]]:
    with db.connection_context():
        return rows(statement, *values)


def found(node: str = "fs1") -> dict[str, str]:
    return {
        " ".join(filter(None, (row["code"], row["subject"]))): row["sentence"]
        for row in sql("SELECT code, subject, sentence FROM node_finding WHERE node = %s", node)
    }


def age(seconds: float) -> None:
    """All that was kept is so much older."""
    sql("UPDATE node_examination SET begun_at = begun_at - make_interval(secs => %s)", seconds)
    sql("UPDATE node_finding SET since = since - interval '1 hour', seen_at = seen_at - interval '1 hour'")


def of_nodes(fs1: Facts) -> dict[str, Facts]:
    return {"fs1": fs1, "fs2": FINE}


def test_a_finding_appears_stays_with_its_beginning_and_goes(world: World) -> None:
    doctor = Doctor("d1", of_nodes(replace(FINE, gateways={"carrier": None}, skew_seconds=7.0)))
    assert doctor.look() == []
    assert doctor.look(SETTLE_SECONDS) == ["fs1", "fs2"]
    assert sorted(found()) == ["clock", "gateway_unknown carrier"]
    assert found()["clock"].startswith("its clock is 7 s ahead")
    assert found("fs2") == {}
    (examined,) = sql("SELECT dialer_id, core_uuid, ended_at FROM node_examination WHERE node = 'fs2'")
    assert (examined["dialer_id"], examined["core_uuid"], bool(examined["ended_at"])) == ("d1", "run-1", True)
    # Whether somebody's server answers is no question to a node.
    assert {need.kind for need in doctor.wanted[0].needs} == {NeedKind.FILE}

    age(EVERY_SECONDS)
    doctor.facts["fs1"] = replace(FINE, skew_seconds=9.0)
    assert doctor.look(EVERY_SECONDS) == ["fs1", "fs2"]
    assert [*found()] == ["clock"]
    (kept,) = sql("SELECT sentence, extract(epoch FROM seen_at - since) AS lasts FROM node_finding")
    assert kept["sentence"].startswith("its clock is 9 s ahead")
    assert kept["lasts"] >= 3600

    age(EVERY_SECONDS)
    doctor.facts["fs1"] = FINE
    doctor.look(EVERY_SECONDS)
    assert found() == {}


def test_one_of_two_dialers_examines_a_node_and_who_was_late_writes_nothing(world: World) -> None:
    one, other = (Doctor(name, of_nodes(replace(FINE, paused=True))) for name in ("d1", "d2"))
    assert one.look(SETTLE_SECONDS) == ["fs1", "fs2"]
    assert other.look(SETTLE_SECONDS) == []
    age(EVERY_SECONDS)
    one.hanging["fs1"] = Signal()
    one.facts["fs1"] = replace(FINE, shutting_down=True)
    assert one.look(EVERY_SECONDS) == ["fs1", "fs2"]
    # It hangs; by the time that it goes on another has taken the node.
    age(EVERY_SECONDS)
    assert other.look(EVERY_SECONDS) == ["fs1", "fs2"]
    assert [*found()] == ["paused"]
    one.hanging.pop("fs1").set()
    gevent.joinall(one.work)
    assert [*found()] == ["paused"]
    assert sql("SELECT DISTINCT dialer_id FROM node_examination") == [{"dialer_id": "d2"}]


def test_what_comes_up_as_another_run_is_examined_soon_and_what_is_the_same_is_not(world: World) -> None:
    doctor = Doctor("d1", of_nodes(FINE))
    doctor.look(SETTLE_SECONDS)
    age(SETTLE_SECONDS)
    doctor.came_up("fs1")
    assert doctor.look(SETTLE_SECONDS) == []
    doctor.cores["fs1"] = "run-2"
    doctor.facts["fs1"] = replace(FINE, core_uuid="run-2", gateways={"carrier": "DOWN"})
    doctor.came_up("fs1")
    assert doctor.look(SETTLE_SECONDS - 1) == []
    assert doctor.look(1) == ["fs1"]
    assert [*found()] == ["gateway_down carrier"]


def test_of_a_node_that_cannot_be_asked_what_was_found_is_kept(world: World) -> None:
    doctor = Doctor("d1", of_nodes(replace(FINE, paused=True)))
    doctor.look(SETTLE_SECONDS)
    age(EVERY_SECONDS)
    doctor.facts["fs1"], doctor.cores["fs1"] = Facts(error="connection refused"), None
    doctor.look(EVERY_SECONDS)
    assert sorted(found()) == ["cannot_be_asked", "paused"]
    # Nor is it asked at every look: nobody is connected to it.
    age(SETTLE_SECONDS)
    assert Doctor("d2", doctor.facts, cores=doctor.cores).look(SETTLE_SECONDS) == []
    doctor.facts["fs1"], doctor.cores["fs1"] = replace(FINE, paused=True), "run-1"
    doctor.came_up("fs1")
    assert doctor.look(SETTLE_SECONDS) == ["fs1"]
    assert [*found()] == ["paused"]


def test_a_node_that_hangs_holds_up_no_other(world: World) -> None:
    doctor = Doctor("d1", of_nodes(FINE), hanging={"fs1": Signal()})
    doctor.facts["fs2"] = replace(FINE, paused=True)
    assert doctor.look(SETTLE_SECONDS) == ["fs1", "fs2"]
    assert ([*found("fs1")], [*found("fs2")]) == ([], ["paused"])
    # It is not begun anew beside the one that goes on.
    age(EVERY_SECONDS)
    assert doctor.look(EVERY_SECONDS) == ["fs2"]
    doctor.hanging["fs1"].set()
    gevent.joinall(doctor.work)


def test_an_examination_is_over_after_its_time(world: World) -> None:
    doctor = Doctor("d1", of_nodes(FINE), hanging={"fs1": Signal()})
    doctor.part.exam_seconds = 0.0
    doctor.look(SETTLE_SECONDS)
    gevent.joinall(doctor.work)
    assert "fs1.example.com:8021 cannot be asked: it took longer than 0 s." in found()["cannot_be_asked"]


def test_of_a_node_that_was_removed_meanwhile_nothing_is_kept(world: World) -> None:
    doctor = Doctor("d1", of_nodes(replace(FINE, paused=True)), hanging={"fs1": Signal()})
    doctor.look(SETTLE_SECONDS)
    sql("DELETE FROM node_examination WHERE node = 'fs1'")
    doctor.hanging.pop("fs1").set()
    gevent.joinall(doctor.work)
    assert (found(), sql("SELECT node FROM node_examination")) == ({}, [{"node": "fs2"}])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_dialer_examines_its_node(
    world: World, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_doctor, "SETTLE_SECONDS", 0.0)
    with SimulatedNode(sps=20) as node:
        dialer = Dialer(database_url, redis_url, f"{node.url}?name=fs1&cps=20").start()
        try:
            (row,) = wait_until(
                lambda: sql("SELECT node, code, sentence FROM node_finding"), "a finding", seconds=60
            )
        finally:
            dialer.end()
    assert (row["node"], row["code"]) == ("fs1", "sessions_per_second")
    assert row["sentence"].startswith("sessions-per-second is 20 and admits 19, below cps=20.")
