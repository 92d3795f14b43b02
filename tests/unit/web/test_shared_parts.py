"""Parts of pages: made once for all who come within a second, and anew after it or after a failure."""

from __future__ import annotations

import gevent
import pytest

from web.shared_parts import MOST_PARTS, YOUNG_SECONDS, SharedParts


class Clock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def test_it_is_made_once_for_all_who_come_while_it_is_young() -> None:
    clock, made = Clock(), list[int]()
    parts = SharedParts(clock)

    def make() -> str:
        made.append(len(made))
        gevent.sleep(0)
        return f"part {len(made)}"

    got = [gevent.spawn(parts.get, ("demo", "c"), make) for _ in range(50)]
    gevent.joinall(got, raise_error=True)
    assert ({one.value for one in got}, len(made)) == ({"part 1"}, 1)
    clock.at += YOUNG_SECONDS - 0.01
    assert parts.get(("demo", "c"), make) == "part 1"
    clock.at += 0.01
    assert parts.get(("demo", "c"), make) == "part 2"
    # Another tenant's is another's, whatever it is of.
    assert parts.get(("other", "c"), make) == "part 3"


def test_it_is_as_old_as_its_question() -> None:
    clock = Clock()
    parts = SharedParts(clock)

    def slow() -> str:
        clock.at += 5
        return "late"

    assert parts.get(("a",), slow) == "late"
    assert parts.get(("a",), lambda: "new") == "new"


def test_who_wants_none_that_is_older_than_his_question_gets_none() -> None:
    clock = Clock()
    parts = SharedParts(clock)
    assert parts.get(("a",), lambda: "before") == "before"
    clock.at += 0.01
    asked = parts.now()
    assert parts.get(("a",), lambda: "after", after=asked) == "after"
    # It is everybody's then, also of another who wants one since that moment.
    assert parts.get(("a",), lambda: "again", after=asked) == "after"
    assert parts.get(("a",), lambda: "again") == "after"


def test_who_waited_for_one_that_failed_makes_it_himself() -> None:
    parts, tried = SharedParts(Clock()), list[str]()

    def fails() -> str:
        tried.append("fails")
        gevent.sleep(0)
        raise ValueError("away")

    first = gevent.spawn(parts.get, ("a",), fails)
    gevent.sleep(0)
    second = gevent.spawn(parts.get, ("a",), lambda: "made")
    gevent.joinall([first, second])
    assert (tried, second.value) == (["fails"], "made")
    with pytest.raises(ValueError, match="away"):
        first.get()


def test_no_more_are_kept_than_a_few_hundred() -> None:
    clock = Clock()
    parts = SharedParts(clock)
    for number in range(3 * MOST_PARTS):
        clock.at += 0.001
        assert parts.get((str(number),), lambda: "x") == "x"
        assert len(parts) <= MOST_PARTS + 1


def test_what_cannot_be_made_is_not_kept_for_ever() -> None:
    parts = SharedParts(Clock())

    def fails() -> str:
        raise ValueError("away")

    for number in range(3 * MOST_PARTS):
        with pytest.raises(ValueError, match="away"):
            parts.get((str(number),), fails)
        assert len(parts) <= MOST_PARTS + 1
