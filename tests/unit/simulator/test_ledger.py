"""The ledger: written whole, read back typed, and the windows proofs are made of."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.ledger import Ledger, Start, live_calls_peak, read_ledger, window_peak


def originate(t: float, uuid: str, result: str = "accepted") -> dict[str, object]:
    line: dict[str, object] = dict.fromkeys(
        ("gateway", "tenant", "campaign", "contact", "dialer", "node"), "x"
    )
    line |= {"t": t, "event": "originate", "uuid": uuid, "number": f"n{uuid}", "result": result}
    return {**line, "variables": {"carillon_a": "é"}}


def end(t: float, uuid: str) -> dict[str, object]:
    return {"t": t, "event": "end", "uuid": uuid, "cause": "NORMAL_CLEARING", "billsec": 4, "sip": 200}


def write(path: Path, *lines: dict[str, object]) -> Path:
    ledger = Ledger(path)
    for line in lines:
        ledger.write(line)
    ledger.close()
    return path


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    ring: dict[str, object] = {"t": 1.5, "event": "ring", "uuid": "a"}
    path = write(tmp_path / "a", originate(2.0, "b"), originate(1.0, "a"), ring, end(3.0, "a"))
    view = read_ledger(path)
    assert [line.uuid for line in view.originates] == ["a", "b"]
    assert view.originates[0].variables == {"carillon_a": "é"}
    assert view.dialled() == {"na": 1, "nb": 1}
    assert (view.ends()["a"].billsec, view.ends()["a"].sip) == (4, 200)
    assert view.unfinished() == {"b"}


def test_a_node_that_begins_anew_says_so_and_what_fell_due_is_dated_twice(tmp_path: Path) -> None:
    before = time.time()
    path = write(tmp_path / "a", {"t": 1.0, "event": "start", "node": "fs1"}, end(3.0, "a"))
    view = read_ledger(path)
    assert view.starts == [Start(1.0, "fs1")]
    assert view.others == []
    assert (view.steps[0].t, before <= view.steps[0].written <= time.time()) == (3.0, True)


def test_a_refused_originate_dials_nobody(tmp_path: Path) -> None:
    view = read_ledger(write(tmp_path / "a", originate(1.0, "a", "refused:DESTINATION_OUT_OF_ORDER")))
    assert len(view.originates) == 1
    assert view.dialled() == {}
    assert view.unfinished() == set()


def test_a_line_cut_short_by_a_kill_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a", originate(1.0, "a"))
    with path.open("ab") as file:
        file.write(b'{"t":2.0,"event":"end","uu')
    assert [line.uuid for line in read_ledger(path).originates] == ["a"]


def test_a_ledger_is_appended_to_over_restarts(tmp_path: Path) -> None:
    write(tmp_path / "a", originate(1.0, "a"))
    write(tmp_path / "a", originate(2.0, "b"))
    assert len(read_ledger(tmp_path / "a").originates) == 2


def test_what_was_read_is_not_read_again_and_what_comes_is_seen(tmp_path: Path) -> None:
    path = write(tmp_path / "a", originate(2.0, "b"))
    first = read_ledger(path)
    with path.open("ab") as file:
        file.write(b'{"t":3.0,"event":"end",')
    assert read_ledger(path).steps == []
    with path.open("ab") as file:
        file.write(b'"uuid":"b"}\n')
    write(path, originate(1.0, "a"))
    second = read_ledger(path)
    assert [line.uuid for line in second.originates] == ["a", "b"]
    assert [step.uuid for step in second.steps] == ["b"]
    assert second.originates[1] is first.originates[0]
    assert (len(first.originates), first.steps) == (1, [])


def test_another_ledger_under_the_same_name_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = write(tmp_path / "a", originate(1.0, "a"), end(2.0, "a"))
    read_ledger(path)
    path.unlink()
    for number in range(3):
        write(path, originate(3.0, f"of-the-second-{number}"))
        view = read_ledger(path)
        assert ([line.uuid for line in view.originates][-1], len(view.originates)) == (
            f"of-the-second-{number}",
            number + 1,
        )
        assert view.steps == []


def test_live_calls_are_counted_over_all_nodes(tmp_path: Path) -> None:
    one = write(tmp_path / "1", originate(1.0, "a"), end(4.0, "a"), originate(4.0, "c"), end(5.0, "c"))
    two = write(tmp_path / "2", originate(2.0, "b"), end(3.0, "b"))
    view = read_ledger(one, two)
    assert live_calls_peak(view) == 2
    assert live_calls_peak(view, ["a", "c"]) == 1


@pytest.mark.parametrize(
    ("times", "seconds", "peak"),
    [([], 1.0, 0), ([1.0], 1.0, 1), ([0.0, 0.5, 0.99, 1.5], 1.0, 3), ([0.0, 1.0, 2.0], 1.0, 1)],
)
def test_a_window_holds_what_falls_within_it(times: list[float], seconds: float, peak: int) -> None:
    assert window_peak(times, seconds) == peak


@given(st.lists(st.integers(0, 50), max_size=30), st.integers(1, 20))
def test_the_window_peak_is_that_of_every_window(times: list[int], seconds: int) -> None:
    slow = max((sum(start <= time < start + seconds for time in times) for start in range(51)), default=0)
    assert window_peak(times, seconds) == slow
