"""The doctor's whole way: settings, database, nodes, and what it prints."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from campaigns.agent_needs import module
from dialer.doctor import main
from dialer.doctor_findings import findings
from dialer.doctor_questions import Required, ask, required_by_database
from local.process import free_port
from models import connect, db, rows
from settings import NodeSettings, Settings
from simulator.process import SimulatedNode
from tests.real.machine import ask as tell
from tests.waiting import HANG_SECONDS

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def node() -> Iterator[SimulatedNode]:
    with SimulatedNode(sps=30, max_sessions=1000, gateways=("carrier", "trunk_ping")) as running:
        yield running


def settings_of(node: SimulatedNode, options: str = "cps=29", database_url: str = "") -> Settings:
    return Settings.from_environ(
        {"FREESWITCH_URLS": f"{node.url}?name=fs1&{options}", "DATABASE_URL": database_url}
    )


def said(settings: Settings) -> tuple[int, list[str]]:
    lines: list[str] = []
    return main(settings, lines.append), lines


def test_a_node_that_lacks_nothing_is_one_line(node: SimulatedNode) -> None:
    status, lines = said(settings_of(node))
    assert status == 0
    assert lines[0].startswith("DATABASE_URL is not set")
    assert lines[1].startswith("fs1: FreeSWITCH 1.11.3-dev")
    assert "30 sessions per second, 1000 sessions" in lines[1]
    assert lines[2:] == ["Nothing is missing."]


def test_a_node_below_what_it_is_asked_for_is_told_with_a_line_for_each(node: SimulatedNode) -> None:
    status, lines = said(settings_of(node, "cps=30&channels=1001"))
    assert status == 1
    assert "admits 29, below cps=30" in lines[2]
    assert "max-sessions is 1000, below channels=1001" in lines[3]
    assert lines[4:] == ["2 to mend."]


def test_the_gateways_in_the_database_are_looked_for_at_the_node(
    node: SimulatedNode, database_url: str
) -> None:
    pool = connect(database_url)
    with db.connection_context():
        rows("INSERT INTO tenant (id, name) VALUES ('t', 't')")
        gateways = (
            "sofia/gateway/carrier/{number}",
            "sofia/gateway/external::trunk_ping/{digits}",
            "user/{digits}",
        )
        for place, gateway in enumerate((*gateways, "sofia/gateway/absent/{number}")):
            rows(
                "INSERT INTO gateway (id, name, dial_string) VALUES (gen_random_uuid(), %s, %s)",
                f"g{place}",
                gateway,
            )
        rows(
            """INSERT INTO agent (id, tenant_id, name, action)
            VALUES (gen_random_uuid(), 't', 'a', '{"type": "conference"}')"""
        )
    try:
        with db.connection_context():
            wanted = required_by_database("/sounds")
        assert wanted == Required(("absent", "carrier", "trunk_ping"), (module("mod_conference"),))
        (target,) = settings_of(node).nodes
        began = time.monotonic()
        facts = ask(target, wanted)
        took = time.monotonic() - began
        assert facts.error is None
        assert facts.gateways == {"absent": None, "carrier": "UP", "trunk_ping": "DOWN"}
        assert facts.lacks == ()
        tell(target, "unload mod_conference")
        lacks = ask(target, wanted).lacks
        tell(target, "load mod_conference")
        assert lacks == wanted.needs
        assert facts.hash_works
        assert abs(facts.skew_seconds) < 1 + took, (
            "a node tells whole seconds, and when it was asked is not known"
        )
        said = findings(target, facts)
        assert [one.sentence.split(".")[0] for one in said] == [
            "the gateway absent is not known",
            "the gateway trunk_ping is DOWN",
        ]
    finally:
        pool.close_all()


def test_a_node_that_no_link_comes_up_to_is_told_what_to_load(node: SimulatedNode) -> None:
    settings = settings_of(node)
    (target,) = settings.nodes
    tell(target, "unload mod_hash")
    try:
        status, lines = said(settings)
    finally:
        tell(target, "load mod_hash")
    assert status == 1
    wanted = "fs1: mod_hash is not loaded. Load it in modules.conf.xml; until then: load mod_hash."
    assert lines[1:] == [wanted, "1 to mend."]


def test_nodes_of_the_database_are_examined_too(node: SimulatedNode, database_url: str) -> None:
    pool = connect(database_url)
    try:
        with db.connection_context():
            for name, port, deleted in (("fs0", node.port, None), ("fs9", 1, "now")):
                rows(
                    "INSERT INTO node (id, name, host, port, password, cps, weight, deleted_at)"
                    " VALUES (gen_random_uuid(), %s, '127.0.0.1', %s, 'ClueCon', 30, 1, %s)",
                    name,
                    port,
                    deleted,
                )
        status, lines = said(settings_of(node, database_url=database_url))
        assert status == 1
        assert lines[0].startswith("fs0: FreeSWITCH")
        assert lines[1].startswith("fs0: sessions-per-second is 30 and admits 29, below cps=30.")
        assert lines[2].startswith("fs1: FreeSWITCH")
        assert lines[3:] == ["1 to mend."]
    finally:
        db.obj.close_all()
        pool.close_all()


def test_without_the_database_the_nodes_of_the_environment_are_examined(node: SimulatedNode) -> None:
    away = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
    status, lines = said(settings_of(node, database_url=away))
    assert status == 1
    assert lines[0].startswith("database: ")
    assert lines[1].startswith("fs1: FreeSWITCH")


def test_where_no_node_is_known_it_says_so() -> None:
    status, lines = said(Settings.from_environ({}))
    assert (status, lines[1].split(":")[0]) == (1, "No node is known")


def test_a_wrong_password_and_a_silent_port_are_findings(node: SimulatedNode) -> None:
    refused = NodeSettings("fs2", node.host, node.port, "wrong", 10, None)
    silent = NodeSettings("fs3", node.host, free_port(), "ClueCon", 10, None)
    for target in (refused, silent):
        (found,) = findings(target, ask(target, Required()))
        said = "does not take the password" if target is refused else "cannot be asked"
        assert f"{target.host}:{target.port} {said}" in found.sentence


def test_the_command_ends_with_what_it_found(node: SimulatedNode) -> None:
    for options, status in (("cps=29", 0), ("cps=30", 1), ("cps=nought", 2)):
        ended = subprocess.run(
            [sys.executable, "-m", "dialer", "doctor"],
            cwd=ROOT,
            env={"FREESWITCH_URLS": f"{node.url}?name=fs1&{options}", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=HANG_SECONDS,
        )
        assert ended.returncode == status, ended
        assert "Traceback" not in ended.stderr
