"""How long the runner asks again for a lock that somebody else holds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest
from peewee import OperationalError

from migrations import runner as module
from migrations.runner import RETRY_SECONDS


class LockedError(OperationalError):
    """What a statement ends with that waited for a lock in vain."""

    orig = psycopg.errors.LockNotAvailable()


class Scripts:
    """Two scripts: the first takes `index` seconds after it was refused once, the second is refused `times` times."""

    def __init__(self, clock: list[float], index: float, times: int) -> None:
        self._clock, self._index, self._times = clock, index, times
        self._done: list[str] = []
        self._refused = False

    def applied(self) -> list[str]:
        return list(self._done)

    def up(self) -> None:
        if not self._refused:
            self._refused = True
            raise LockedError
        if not self._done:
            self._clock[0] += self._index
            self._done.append("index")
        if self._times:
            self._times -= 1
            raise LockedError
        self._done.append("column")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
    return now


POOL = cast(Any, SimpleNamespace(execute_sql=lambda *_: None))


def test_a_script_has_its_whole_time_whatever_the_one_before_took(clock: list[float]) -> None:
    scripts = Scripts(clock, index=10 * RETRY_SECONDS, times=5)
    module.apply(POOL, cast(Any, scripts))
    assert scripts.applied() == ["index", "column"]


def test_a_lock_that_is_never_free_is_given_up_in_the_end(clock: list[float]) -> None:
    with pytest.raises(LockedError):
        module.apply(POOL, cast(Any, Scripts(clock, index=0.0, times=10**6)))
    assert RETRY_SECONDS <= clock[0] <= RETRY_SECONDS + 60
