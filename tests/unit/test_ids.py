"""Ids: of their version, sorted by age, and never twice."""

from __future__ import annotations

import time

import pytest

from ids import new_id, new_ids


def test_an_id_is_a_uuid_of_version_7_of_its_moment() -> None:
    before = time.time_ns() // 1_000_000
    found = [new_id(), *new_ids(1000)]
    after = time.time_ns() // 1_000_000
    assert {(one.version, one.variant) for one in found} == {(7, "specified in RFC 4122")}
    assert all(before <= one.int >> 80 <= after for one in found)
    assert len(set(found)) == 1001
    # Every bit that is not fixed is drawn.
    ones = zeros = 0
    for one in found:
        ones, zeros = ones | one.int, zeros | ~one.int
    drawn = (1 << 76) - 1 ^ 0x3 << 62
    assert (ones & drawn, zeros & drawn) == (drawn, drawn)


def test_ids_sort_by_age(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for milliseconds in (1, 2, 1_796_000_000_000, (1 << 48) - 1):
        monkeypatch.setattr(time, "time_ns", lambda at=milliseconds: at * 1_000_000)
        found.append(new_id())
    assert found == sorted(found)
