"""No more listeners are admitted than there are files for, so that whoever uses the API finds some left."""

from __future__ import annotations

import resource

import pytest

from live.places import FILES, MOST_LISTENERS, OTHER_FILES, may_open, open_more, places


@pytest.mark.parametrize(
    ("files", "listeners"),
    [(1_024, 1_024 - OTHER_FILES), (FILES, MOST_LISTENERS), (1_000_000, MOST_LISTENERS), (100, 1)],
)
def test_there_is_a_place_for_each_file_that_nothing_else_needs(files: int, listeners: int) -> None:
    assert places(files) == listeners


def test_a_process_may_open_what_it_asks_for_or_what_it_is_let(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = (1_024, 4_096)
    monkeypatch.setattr(resource, "getrlimit", lambda _what: limits)
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _what, wanted: asked.append(wanted))
    assert may_open() == 1_024
    open_more()
    limits = (1_024, resource.RLIM_INFINITY)
    open_more()
    limits = (FILES, resource.RLIM_INFINITY)
    open_more()
    limits = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    open_more()
    assert asked == [(4_096, 4_096), (FILES, resource.RLIM_INFINITY)]
    assert may_open() == FILES
