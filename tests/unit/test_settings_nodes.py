"""The nodes of FREESWITCH_URLS: what they default to, and what is refused in a sentence."""

from __future__ import annotations

import pytest

from settings import NodeSettings, SettingsError, nodes_from


def test_a_node_has_defaults_for_all_but_its_host() -> None:
    assert nodes_from("esl://fs1") == (NodeSettings("fs1", "fs1", 8021, "ClueCon", 10, None, 1),)


def test_every_option_is_read() -> None:
    (node,) = nodes_from("esl://:pass%2Fword@[fd00::1]:8022?name=a&cps=20&channels=500&weight=100")
    assert node == NodeSettings("a", "fd00::1", 8022, "pass/word", 20, 500, 100)
    assert node.address == "[fd00::1]:8022"


def test_a_password_is_not_in_what_is_printed() -> None:
    assert "s3cret" not in repr(nodes_from("esl://:s3cret@fs1"))


@pytest.mark.parametrize(
    ("option", "rule"),
    [
        ("weight=0", "with weight='0'; it must be 1-100."),
        ("weight=101", "with weight='101'; it must be 1-100."),
        ("weight=", "with weight=''; it must be 1-100."),
        ("cps=100001", "with cps='100001'; it must be 1-100000."),
        ("wait=1", "with the option 'wait'; known are cps, channels, weight, name."),
    ],
)
def test_a_wrong_option_is_named_without_the_password(option: str, rule: str) -> None:
    with pytest.raises(SettingsError) as caught:
        nodes_from(f"esl://:s3cret@fs1?{option}")
    assert str(caught.value) == f"FREESWITCH_URLS has 'esl://***@fs1?***' {rule}"
