"""What the doctor finds wrong with a node, and that it says nothing of one that is as it should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast
from xml.etree import ElementTree as Xml

import pytest

from campaigns.agent_needs import Need, NeedKind, module
from dialer.doctor_findings import NEEDED_MODULES, Facts, findings
from dialer.doctor_questions import gateway_statuses, stopped_profiles
from freeswitch.cluster import NodeLink
from freeswitch.connection import WRONG_PASSWORD
from freeswitch.errors import EslError
from settings import NodeSettings

NODE = NodeSettings("fs1", "fs1.example.com", 8021, "a password of its own", 29, 900)
CDR = {"log-dir": "/var/spool/carillon/cdr"}
SOCKET = {"listen-ip": "10.0.0.4"}


def healthy() -> Facts:
    return Facts(
        core_uuid="0192f3a4-b5c6",
        version="1.10.12",
        modules=dict.fromkeys(NEEDED_MODULES, True),
        sessions_per_second=30,
        max_sessions=1000,
        gateways={"carrier": "UP"},
        skew_seconds=0.4,
        round_trip_ms=0.3,
        cdr=CDR,
        event_socket=SOCKET,
    )


def test_nothing_is_said_of_a_node_that_lacks_nothing() -> None:
    assert findings(NODE, healthy()) == []


def test_what_cannot_be_shown_is_not_held_against_a_node() -> None:
    bare = replace(healthy(), cdr=None, event_socket=None, sessions_per_second=None, max_sessions=None)
    assert findings(NODE, bare) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"error": "mod_hash is not loaded: nothing would"}, ("mod_hash is not loaded", "load mod_hash")),
        (
            {"error": WRONG_PASSWORD},
            ("does not take the password", "event_socket.conf.xml", "FREESWITCH_URLS"),
        ),
        ({"error": "rude"}, ("cannot be asked: rude", "password in FREESWITCH_URLS")),
        ({"lacks": (module("mod_flite"),)}, ("agent", "mod_flite is not loaded", "load mod_flite")),
        ({"lacks": (Need(NeedKind.FILE, "/s/a.wav"),)}, ("/s/a.wav is not there", "readable")),
        ({"lacks": (Need(NeedKind.QUEUE, "q@d"),)}, ("the queue q@d is not there", "callcenter.conf.xml")),
        ({"lacks": (Need(NeedKind.SERVER, "h:1"),)}, ("nobody listens at h:1",)),
        (
            {"modules": {"mod_sofia": False, "mod_dptools": True}},
            ("mod_sofia is not loaded", "load mod_sofia"),
        ),
        ({"sessions_per_second": 29}, ("admits 28, below cps=29", "fsctl sps 30")),
        ({"max_sessions": 899}, ("max-sessions is 899", "fsctl max_sessions 900")),
        ({"paused": True}, ("paused", "fsctl resume")),
        ({"shutting_down": True}, ("shutting down", "fsctl shutdown cancel")),
        (
            {"gateways": {"carrier": None}},
            ("gateway carrier is not known", "sofia profile external rescan"),
        ),
        ({"gateways": {"carrier": "DOWN"}}, ("gateway carrier is DOWN", "sofia status gateway carrier")),
        ({"hash_works": False}, ("hash",)),
        ({"skew_seconds": -7.0}, ("7 s behind", "NTP")),
        ({"skew_seconds": 2.6}, ("3 s ahead", "NTP")),
        ({"round_trip_ms": 21.0}, ("21 ms", "overloaded")),
        ({"cdr": {}}, ("no log-dir",)),
        ({"cdr": CDR | {"url": "http://x"}}, ("has a url", "log-dir")),
        ({"event_socket": {"listen-ip": "::"}}, ("every address", "listen-ip")),
        ({"untracked": ("external",)}, ("external", "track-calls")),
        (
            {"modules": {"mod_json_cdr": False}},
            (
                "mod_json_cdr is not loaded",
                "event_handlers/mod_json_cdr",
                "json_cdr.conf.xml into autoload_configs",
            ),
        ),
        (
            {"stopped": {"external": ("", "")}},
            ("external does not run", "STUN server", "Set external_sip_ip"),
        ),
        ({"stopped": {"external": ("stun:stun.example.com",)}}, ("external does not run", "STUN server")),
        (
            {
                "modules": {"mod_sofia": False},
                "stopped": {"external": ("stun:stun.example.com",)},
                "gateways": {"carrier": None},
            },
            (
                "mod_sofia is not loaded",
                "the profile external",
                "STUN server",
                "reloadxml, and load mod_sofia",
            ),
        ),
        (
            {"stopped": {"internal-ipv6": ()}},
            ("internal-ipv6 does not run", "sofia profile internal-ipv6 start"),
        ),
        ({"stock_users": True}, ("registers as 1000", "default_password in vars.xml")),
    ],
)
def test_each_thing_missing_is_one_line_that_says_what_to_do(
    changes: dict[str, Any], words: tuple[str, ...]
) -> None:
    (found,) = findings(NODE, replace(healthy(), **changes))
    line = found.sentence
    assert "\n" not in line
    for word in words:
        assert word in line


@pytest.mark.parametrize("address", ["10.0.0.4", "::", "127.0.0.1"])
def test_the_stock_password_is_held_against_a_node_that_others_can_reach(address: str) -> None:
    stock = replace(NODE, password="ClueCon")
    found = findings(stock, replace(healthy(), event_socket={"listen-ip": address}))
    assert any("stock password" in one.sentence for one in found) == (address != "127.0.0.1")


SOFIA = Xml.fromstring(
    """<configuration name="sofia.conf"><profiles>
    <profile name="external"><settings><param name="ext-sip-ip" value="stun:stun.example.com"/></settings></profile>
    <profile name="internal"><settings><param name="ext-rtp-ip" value="10.0.0.4"/></settings></profile>
    </profiles></configuration>"""
)
HEADER = (
    "                     Name\t   Type\t                                      Data\tState\n"
    + "=" * 99
    + "\n"
)
INTERNAL = "                 internal\tprofile\t           sip:mod_sofia@10.0.0.4:5060\tRUNNING (0)\n"


@pytest.mark.parametrize(
    ("status", "stopped"),
    [
        (HEADER + INTERNAL, {"external": ("stun:stun.example.com",)}),
        (HEADER, {"external": ("stun:stun.example.com",), "internal": ("10.0.0.4",)}),
        ("-ERR sofia Command not found!\n", {"external": ("stun:stun.example.com",)}),
    ],
)
def test_a_profile_that_is_configured_and_does_not_run_is_found(
    status: str, stopped: dict[str, tuple[str, ...]]
) -> None:
    assert stopped_profiles(SOFIA, status) == stopped


class Gateways:
    """A node that knows each gateway but the first, and has hung up before some of the answers."""

    name = "fs1"

    def __init__(self, short: int = 0) -> None:
        self.short, self.round_trips = short, 0

    def api_many(self, lines: Sequence[str]) -> list[str]:
        self.round_trips += 1
        said = ["Invalid Gateway!\n" if line.endswith(" g0") else "Ping\t0\nStatus  \tUP\n" for line in lines]
        return said[: len(lines) - self.short]


def test_a_thousand_gateways_are_asked_for_in_a_few_round_trips() -> None:
    """One by one, from some way off, they would outlast every examination, and nothing be known of the node."""
    node, names = Gateways(), [f"g{n}" for n in range(1_000)]
    found = gateway_statuses(cast(NodeLink, node), names)
    assert found == {"g0": None} | dict.fromkeys(names[1:], "UP")
    assert node.round_trips <= 20
    assert gateway_statuses(cast(NodeLink, node), []) == {}
    with pytest.raises(EslError):
        gateway_statuses(cast(NodeLink, Gateways(short=1)), names)
