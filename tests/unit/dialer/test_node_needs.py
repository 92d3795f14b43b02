"""What a node is asked for, and what its answers mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from campaigns.agent_needs import Need, NeedKind, module
from dialer.node_needs import can_tell, missing
from freeswitch.cluster import NodeConfig, NodeLink
from freeswitch.errors import FreeswitchError

QUEUES = "name|strategy\nsupport@default|longest-idle-agent\n+OK\n"
UP, DOWN = "Name    \tdesk\nStatus  \tUP\n", "Name    \tdesk\nStatus  \tDOWN\n"


class FakeLink:
    """A node that answers from a table."""

    name = "fs1"

    def __init__(self, answers: dict[str, str], host: str = "10.0.0.1", short: int = 0) -> None:
        self.config = NodeConfig("fs1", host, 8021, "x")
        self._answers = answers
        self._short = short
        self.asked: list[str] = []

    def api_many(self, lines: Sequence[str]) -> list[str]:
        self.asked += lines
        return [self._answers[line] for line in lines][: len(lines) - self._short]


def lacks(need: Need, answer: str) -> bool:
    question = {
        NeedKind.MODULE: f"module_exists {need.name}",
        NeedKind.FILE: f"file_exists {need.name}",
        NeedKind.GATEWAY: f"sofia status gateway {need.name}",
        NeedKind.QUEUE: "callcenter_config queue list",
    }[need.kind]
    return missing(cast(NodeLink, FakeLink({question: answer})), [need]) == {need}


@pytest.mark.parametrize(
    ("need", "answer", "there"),
    [
        (module("mod_flite"), "true", True),
        (module("mod_flite"), "false", False),
        (Need(NeedKind.FILE, "/a.wav"), "true", True),
        (Need(NeedKind.FILE, "/a.wav"), "false", False),
        (Need(NeedKind.GATEWAY, "desk"), UP, True),
        (Need(NeedKind.GATEWAY, "desk"), DOWN, False),
        (Need(NeedKind.GATEWAY, "desk"), "Invalid Gateway!\n", False),
        (Need(NeedKind.QUEUE, "support@default"), QUEUES, True),
        (Need(NeedKind.QUEUE, "support"), QUEUES, False),
        (Need(NeedKind.QUEUE, "support"), "-ERR callcenter_config Command not found!\n", False),
    ],
    ids=str,
)
def test_what_a_node_answers_says_whether_it_has_it(need: Need, answer: str, there: bool) -> None:
    assert lacks(need, answer) is not there


def test_a_node_that_does_not_answer_all_of_it_says_nothing() -> None:
    link: Any = FakeLink({"module_exists a": "true", "module_exists b": "false"}, short=1)
    with pytest.raises(FreeswitchError):
        missing(link, [module("a"), module("b")])


def test_a_server_is_reached_from_here_unless_its_address_means_another_machine_there() -> None:
    here, there = Need(NeedKind.SERVER, "127.0.0.1:8084"), Need(NeedKind.SERVER, "10.0.0.9:8084")
    refused: list[tuple[str, int]] = []

    def refuses(host: str, port: int) -> bool:
        refused.append((host, port))
        return False

    elsewhere: Any = FakeLink({})
    assert missing(elsewhere, [here, there], refuses) == {there}
    assert refused == [("10.0.0.9", 8084)]
    assert not can_tell("10.0.0.1", here)
    beside: Any = FakeLink({}, host="127.0.0.1")
    assert missing(beside, [here, there], refuses) == {here, there}
    assert missing(beside, [here], lambda _host, _port: True) == set()
