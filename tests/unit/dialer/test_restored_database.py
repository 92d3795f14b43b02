"""A database that is not where it was is told from one that is."""

from __future__ import annotations

import pytest

from dialer.recovery.restored_database import SILENT_SECONDS, Noted, Remembered, why_restored

HERE, ELSEWHERE = "7000", "7001"
KNOWN = Remembered("word", 100)


@pytest.mark.parametrize(
    ("what", "system", "newest", "noted", "remembered"),
    [
        ("the first start", HERE, 0, None, Remembered(None, 0)),
        ("an upgrade", HERE, 100, None, Remembered(None, 0)),
        ("a restart", HERE, 100, Noted(HERE, "word", 5.0), KNOWN),
        ("a restart after a night", HERE, 100, Noted(HERE, "word", 40_000.0), KNOWN),
        ("Redis emptied a moment ago", HERE, 100, Noted(HERE, "word", 30.0), Remembered(None, 0)),
        ("a failover that lost nothing", HERE, 120, Noted(HERE, "word", 15.0), KNOWN),
        ("a role that may not know", "", 100, Noted(HERE, "word", 5.0), KNOWN),
        ("a role that may know now", HERE, 100, Noted("", "word", 5.0), KNOWN),
    ],
)
def test_what_is_where_it_was_goes_on(
    what: str, system: str, newest: int, noted: Noted | None, remembered: Remembered
) -> None:
    assert why_restored(system, newest, noted, remembered) is None, what


LONG = SILENT_SECONDS + 1


@pytest.mark.parametrize(
    ("what", "system", "newest", "noted", "remembered"),
    [
        ("a dump elsewhere", ELSEWHERE, 100, Noted(HERE, "word", 5.0), Remembered(None, 0)),
        ("a backup beside its Redis", HERE, 80, Noted(HERE, "word", 5.0), KNOWN),
        ("a failover that lost something", HERE, 99, Noted(HERE, "word", 15.0), KNOWN),
        ("a copy beside an empty Redis", HERE, 80, Noted(HERE, "word", LONG), Remembered(None, 0)),
        ("a copy beside another's Redis", HERE, 80, Noted(HERE, "word", LONG), Remembered("other", 7)),
        ("a database from before this was noted", HERE, 80, None, KNOWN),
    ],
)
def test_what_is_not_where_it_was_is_known(
    what: str, system: str, newest: int, noted: Noted | None, remembered: Remembered
) -> None:
    assert why_restored(system, newest, noted, remembered), what
