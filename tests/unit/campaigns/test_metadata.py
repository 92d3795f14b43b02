"""What a client may keep beside a campaign or a contact."""

from __future__ import annotations

import pytest

from campaigns.metadata import RULE, checked, wanted


def test_texts_under_keys_are_kept_as_they_are() -> None:
    given = {"owner": "sales", "x" * 40: "", "zoë": "a:b"} | {f"k{number}": "v" for number in range(47)}
    assert checked(given) == given


@pytest.mark.parametrize(
    "value",
    [
        [],
        "owner",
        {"": "x"},
        {"a:b": "x"},
        {"x" * 41: "x"},
        {"a": 1},
        {"a": None},
        {"a": "x" * 501},
        {"a": "\0"},
        {"a": "\ud800"},
        {f"k{number}": "v" for number in range(51)},
    ],
)
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="at most 50 texts") as refused:
        checked(value)
    assert str(refused.value) == RULE


def test_a_filter_is_a_key_and_what_is_behind_its_colon() -> None:
    assert wanted("url:https://x") == {"url": "https://x"}
    for text in ("owner", ":sales"):
        with pytest.raises(ValueError, match="key:value"):
            wanted(text)
