"""Of several commands in one write that was cut: which left, which is half gone, which never left."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from freeswitch.joined_write import cut

frames_of = st.lists(st.binary(min_size=1, max_size=6), max_size=8)


@given(frames_of, st.data())
def test_what_was_taken_and_what_is_lacking_are_whole_commands(
    frames: list[bytes], data: st.DataObject
) -> None:
    taken = data.draw(st.integers(0, len(b"".join(frames))))
    begun, rest = cut(frames, taken)
    assert b"".join(frames)[:taken] + rest == b"".join(frames[:begun])
    assert len(rest) < len(frames[begun - 1]) if begun else rest == b""
