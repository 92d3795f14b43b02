"""A command as it travels to Redis: the bytes of redis-py, in one piece."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis
from redis.connection import PythonRespSerializer
from redis.exceptions import DataError

from coordination.command_packer import CommandPacker

WORDS = st.lists(
    st.text(st.characters(codec="utf-8"))
    | st.binary()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.just("x" * 7000)
)


@given(st.sampled_from(["GET", "CONFIG GET", b"SCRIPT LOAD"]), WORDS)
def test_a_command_is_what_redis_py_writes(name: str | bytes, words: list[str | bytes | float]) -> None:
    theirs: Any = PythonRespSerializer(6000, Redis(decode_responses=True).get_encoder().encode)
    assert CommandPacker().pack(name, *words) == [b"".join(theirs.pack(name, *words))]


@pytest.mark.parametrize("word", [None, True, ["x"], bytearray(b"x")])
def test_what_is_no_word_is_refused(word: object) -> None:
    with pytest.raises(DataError, match=type(word).__name__):
        CommandPacker().pack("SET", "name", word)  # type: ignore[arg-type]
