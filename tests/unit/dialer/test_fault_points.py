"""Where a test has a dialer die between two lines, and that nothing else ever does."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from dialer.fault_points import FaultPoint, arm, hit
from settings import Settings, SettingsError


@pytest.fixture
def orders(tmp_path: Path) -> Iterator[Path]:
    arm(tmp_path)
    yield tmp_path
    arm(None)


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    return sent


def test_an_unarmed_process_passes_every_point(
    tmp_path: Path, signals: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    arm(None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / FaultPoint.CLAIMED).write_text("KILL")
    hit(FaultPoint.CLAIMED)
    assert signals == []


@pytest.mark.parametrize(("order", "number"), [("KILL", signal.SIGKILL), ("STOP", signal.SIGSTOP)])
def test_an_order_strikes_the_first_that_passes_its_point_and_nobody_after(
    orders: Path, signals: list[tuple[int, int]], order: str, number: signal.Signals
) -> None:
    (orders / FaultPoint.CHECKED).write_text(order)
    hit(FaultPoint.CLAIMED)
    assert signals == []
    hit(FaultPoint.CHECKED)
    hit(FaultPoint.CHECKED)
    assert signals == [(os.getpid(), number)]
    assert [path.name for path in orders.iterdir()] == [f"checked.{os.getpid()}"]


def test_points_are_refused_where_a_node_is_not_on_this_machine(tmp_path: Path) -> None:
    environ = {"CARILLON_CHAOS_POINTS": str(tmp_path), "FREESWITCH_URLS": "esl://:p@127.0.0.1:8021?name=fs1"}
    assert Settings.from_environ(environ).chaos_points == tmp_path
    environ["FREESWITCH_URLS"] += ",esl://:p@fs2.example.net"
    with pytest.raises(SettingsError, match="fs2"):
        Settings.from_environ(environ)


def test_points_are_refused_without_their_folder(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="must be a folder"):
        Settings.from_environ({"CARILLON_CHAOS_POINTS": str(tmp_path / "nowhere")})
