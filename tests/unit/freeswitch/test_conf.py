"""The configuration that an operator copies: well-formed, without a secret, and what the doctor asks a node for."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from campaigns.agent_needs import MODULES
from dialer.doctor_findings import NEEDED_MODULES, Facts, findings
from settings import DEFAULT_NODE_CPS, NodeSettings

ROOT = Path(__file__).parents[3]
CONF = ROOT / "freeswitch" / "conf"
FILES = sorted(CONF.glob("*.xml"))


def params(name: str) -> dict[str, str]:
    return {p.attrib["name"]: p.attrib["value"] for p in Xml.parse(CONF / name).iter("param")}


def modules() -> set[str]:
    return {load.attrib["module"] for load in Xml.parse(CONF / "modules.conf.xml").iter("load")}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_is_read_by_xml_and_told_of_in_the_documentation(path: Path) -> None:
    Xml.parse(path)
    assert f"`{path.name}`" in (ROOT / "docs" / "freeswitch.md").read_text(encoding="utf-8")


def test_a_node_that_is_configured_like_this_lacks_nothing() -> None:
    switch, socket, profile = (
        params("switch.conf.xml"),
        params("event_socket.conf.xml"),
        params("external.xml"),
    )
    facts = Facts(
        modules={name: name in modules() for name in NEEDED_MODULES},
        sessions_per_second=int(switch["sessions-per-second"]),
        max_sessions=int(switch["max-sessions"]),
        cdr=params("json_cdr.conf.xml"),
        event_socket=socket,
        untracked=() if profile["track-calls"] == "true" else ("external",),
    )
    node = NodeSettings("fs1", "127.0.0.1", int(socket["listen-port"]), "secret", DEFAULT_NODE_CPS, 900)
    assert findings(node, facts) == []


def test_modules_that_only_some_agents_need_are_there_or_named_in_a_comment() -> None:
    text = (CONF / "modules.conf.xml").read_text(encoding="utf-8")
    for name in (need.name for need in MODULES):
        assert f'<load module="{name}"/>' in text


def test_the_socket_is_closed_to_strangers_as_it_stands() -> None:
    given = params("event_socket.conf.xml")
    lists = {found.attrib["name"]: found for found in Xml.parse(CONF / "acl.conf.xml").iter("list")}
    assert given["listen-ip"] == "127.0.0.1"
    assert given["password"] not in ("ClueCon", "")
    assert lists[given["apply-inbound-acl"]].attrib["default"] == "deny"
    assert lists[params("external.xml")["apply-inbound-acl"]].attrib["default"] == "deny"
