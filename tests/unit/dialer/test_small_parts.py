"""Tasks that survive what they raise, questions that keep nobody waiting, marks, control and the book."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import MagicMock

import gevent
import pytest
import structlog
from gevent.event import Event as Signal
from peewee import OperationalError

from campaigns import call_counts, call_reports
from campaigns.opening_tables import RELEASE
from coordination.control_bus import ControlBus
from coordination.errors import ControlBusUnavailable, Fenced
from coordination.topics import Topic
from dialer.control import Control
from dialer.live_calls import LiveCalls
from dialer.recovery import reconciler as recovery_module
from dialer.recovery.hangup_markers import BATCH, HangupMarkers
from dialer.recovery.resend_or_close import Answer
from dialer.rounds import ADD_UP_SECONDS, OPENINGS_EVERY_SECONDS, Rounds
from dialer.send_gate import SendGate
from dialer.tasks import Tasks
from freeswitch.cluster import Cluster
from freeswitch.errors import FreeswitchError, NotConnected
from limits.errors import LimiterUnavailable
from tests.unit.dialer.factories import ME, make_call, make_reconciler, make_recorder
from tests.waiting import HANG_SECONDS, wait_until

# Stands for what a test never comes to.
NOBODY: Any = None


@pytest.mark.parametrize("fault", [RuntimeError("a bug"), gevent.Timeout(1.0)])
def test_a_greenlet_that_raises_is_started_again_and_one_that_returns_is_not(
    monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    monkeypatch.setattr("dialer.tasks.RESTART_SECONDS", 0.0)
    runs: list[int] = []

    def work() -> None:
        runs.append(1)
        if len(runs) < 3:
            raise fault

    greenlet = Tasks(lambda: None).spawn(work)
    greenlet.join(5)
    assert len(runs) == 3


def test_a_task_is_repeated_whatever_it_raises_and_only_a_lost_lease_is_final() -> None:
    lost: list[int] = []
    errors: list[BaseException] = [
        RuntimeError("a bug"),
        LimiterUnavailable("x", "y"),
        gevent.Timeout(1.0),
        Fenced(ME),
    ]
    tasks = Tasks(lambda: lost.append(1))

    def task() -> None:
        if errors:
            raise errors.pop(0)

    tasks.every(0.001, task)
    wait_until(lambda: lost, what="the loss of the lease")
    assert errors == []
    tasks.end(1.0)


@pytest.mark.parametrize("broken", ["add_up", "fold"])
def test_counts_that_do_not_add_up_keep_no_report_from_being_folded_nor_the_other_way_round(
    monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    done: list[str] = []

    def work(name: str) -> None:
        if name == broken:
            raise RuntimeError("a bug")
        done.append(name)

    monkeypatch.setattr(call_counts, "add_up", partial(work, "add_up"))
    monkeypatch.setattr(call_reports, "fold", partial(work, "fold"))
    parts, tasks = MagicMock(), Tasks(lambda: None)
    Rounds(parts).start()
    for call in parts.tasks.every.call_args_list:
        if call.args[0] == ADD_UP_SECONDS:
            tasks.guarded(call.args[1])
    assert done == [name for name in ("add_up", "fold") if name != broken]


@pytest.mark.parametrize("another", ["openings", f"openings:{RELEASE - 1}", f"openings:{RELEASE}"])
def test_whose_turn_it_is_to_write_openings_is_told_for_those_that_have_the_same_tables(another: str) -> None:
    """An older dialer that took each turn would keep the newer ones from writing what they call by."""
    parts = MagicMock()
    parts.turns.take.side_effect = lambda work, _seconds: work != another
    Rounds(parts).start()
    for call in parts.tasks.every.call_args_list:
        if call.args[0] == OPENINGS_EVERY_SECONDS:
            call.args[1]()
    assert parts.openings.round.called == (another != f"openings:{RELEASE}")


def test_what_has_lost_its_identity_settles_no_claim_of_it() -> None:
    """Whoever took over has its permits and its calls: to withdraw one would be to conclude of another's."""
    parts = MagicMock()
    parts.may_tell.return_value = False
    parts.permits.resolve_unknown_claims.return_value = []
    Rounds(parts).start()
    for call in parts.tasks.every.call_args_list:
        if getattr(call.args[1], "__name__", "") == "resolve_unknown_claims":
            call.args[1]()
            parts.permits.resolve_unknown_claims.assert_not_called()
            parts.may_tell.return_value = True
            call.args[1]()
    parts.permits.resolve_unknown_claims.assert_called_once_with(parts.dialer_id)


class Part:
    """What a task belongs to, which may hold a great deal."""

    shown = 0

    def __repr__(self) -> str:
        Part.shown += 1
        return "<everything>"

    def work(self, error: Exception | None = None) -> None:
        if error is not None:
            raise error


def test_a_task_has_a_name_where_it_fails_and_what_it_belongs_to_is_never_written_out() -> None:
    tasks = Tasks(lambda: None)
    part = Part()
    failing = partial(part.work, RuntimeError("a bug"))
    with structlog.testing.capture_logs() as logged:
        tasks.guarded(part.work)
        tasks.guarded(failing)
        tasks.guarded(partial(part.work, FreeswitchError("x")))
    assert [entry["task"] for entry in logged] == ["Part.work", "Part.work"]
    assert Part.shown == 0


def test_a_node_that_does_not_answer_keeps_neither_the_asker_nor_other_nodes_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stuck = Signal()
    settled: list[str] = []

    def question(link: Any, call_id: str) -> Answer:
        if link.name == "frozen":
            stuck.wait()
        settled.append(call_id)
        return Answer(None, False, "core-1")

    monkeypatch.setattr(recovery_module, "question", question)
    names = ("frozen", "fs2")
    links = {n: SimpleNamespace(name=n, connected=True, core_uuid="core-1") for n in names}
    live_calls = LiveCalls()
    recorder = make_recorder(live_calls)
    reconciler = make_reconciler(links, live_calls, recorder)
    for _ in range(50):
        reconciler.ask(make_call(node="frozen"))
    healthy = make_call(node="fs2")
    reconciler.ask(healthy)
    wait_until(lambda: settled == [healthy.call_id], "the healthy node's answer")
    wait_until(lambda: not healthy.asking, "the end of the question")
    stuck.set()
    wait_until(lambda: len(settled) == 51, "the rest")
    reconciler.stop()


class Marked:
    """A link to a node that deletes markers, as many of each batch as it is told to."""

    name = "fs1"

    def __init__(self, connected: bool = True) -> None:
        self.connected = connected
        self.batches: list[list[str]] = []
        self.answers: int | None = None

    def api_many(self, lines: Sequence[str], _timeout: float) -> list[str]:
        self.batches.append([line.rpartition("/")[2] for line in lines])
        answered = list(lines)[: self.answers]
        self.connected = self.answers is None
        if self.answers == 0:
            raise NotConnected("fs1", "down")
        return ["+OK\n"] * len(answered)


def test_marks_are_deleted_in_batches_in_the_background_and_kept_where_the_node_is_away() -> None:
    link = Marked(connected=False)
    hangup_markers = HangupMarkers(cast(Cluster, SimpleNamespace(links={"fs1": link})), NOBODY)
    hangup_markers.forget("fs1", ["a", "b"])
    hangup_markers.forget("elsewhere", ["x"])
    hangup_markers.round()
    gevent.sleep(0)
    assert link.batches == []
    assert list(hangup_markers.left) == ["fs1"], "what belongs to no node is nobody's"
    link.connected = True
    hangup_markers.round()
    hangup_markers.forget("fs1", ["c"])
    wait_until(lambda: not hangup_markers.left["fs1"], "three marks deleted")
    assert link.batches == [["a", "b", "c"]]
    names = [f"call-{number}" for number in range(2 * BATCH + 1)]
    hangup_markers.forget("fs1", names)
    wait_until(lambda: not hangup_markers.left["fs1"], "the others deleted")
    assert link.batches[1:] == [names[:BATCH], names[BATCH:-1], names[-1:]]


def test_marks_that_a_node_did_not_answer_for_are_deleted_when_it_is_back() -> None:
    link = Marked()
    hangup_markers = HangupMarkers(cast(Cluster, SimpleNamespace(links={"fs1": link})), NOBODY)
    link.answers = 2
    hangup_markers.forget("fs1", ["a", "b", "c", "d", "e"])
    for left in (["c", "d", "e"], ["e"], ["e"]):
        wait_until(lambda: not hangup_markers.working_on("fs1"), "the link down")
        assert list(hangup_markers.left["fs1"]) == left
        link.answers, link.connected = (0 if left == ["e"] else 2), True
        hangup_markers.round()
    wait_until(lambda: not hangup_markers.working_on("fs1"), "the link down")
    link.answers, link.connected = None, True
    hangup_markers.round()
    wait_until(lambda: not hangup_markers.left["fs1"], "all deleted")


def test_a_ring_that_cannot_be_answered_is_logged_and_not_raised() -> None:
    def ack(*_: str) -> None:
        raise ControlBusUnavailable("answering", "away")

    control_bus = cast(ControlBus, SimpleNamespace(ack=ack))
    control = Control(ME, control_bus, SendGate(), NOBODY, lambda: None, lambda _: None, lambda _: True)
    control.answer("token")


def test_an_answer_comes_once_the_nodes_have_what_was_on_its_way() -> None:
    told: list[str] = []

    def wait_for_nodes(seconds: float) -> bool:
        told.append("nodes" if seconds > 0 else "none")
        return False

    control_bus = cast(ControlBus, SimpleNamespace(ack=lambda token, _dialer: told.append(token)))
    Control(ME, control_bus, SendGate(), NOBODY, lambda: None, lambda _: None, wait_for_nodes).answer("token")
    assert told == ["nodes", "token"]


def test_a_message_that_lifts_a_halt_opens_nothing_by_itself() -> None:
    """It may come after that of a halt which was answered since: what is halted is read at once, and that counts."""
    gate, refreshed = SendGate(), Signal()
    control = Control(
        ME, cast(ControlBus, NOBODY), gate, NOBODY, refreshed.set, lambda _: None, lambda _: True
    )
    gate.halt("t")
    control.on_message(Topic.UNHALT, {"scope": "t"})
    assert control.lifted.is_set()
    assert not gate.allows("t", "c", 1)


def test_the_end_does_not_depend_on_who_takes_a_kill_for_a_lost_server() -> None:
    """A greenlet that is killed within a transaction sees the failure of its rollback instead."""
    stubborn: list[int] = []

    def task() -> None:
        stubborn.append(1)
        try:
            Signal().wait()
        except BaseException:
            raise OperationalError("another command is already in progress") from None

    def deaf() -> None:
        while True:
            try:
                Signal().wait(timeout=0.5)
            except BaseException:
                stubborn.append(2)
            else:
                return

    tasks = Tasks(lambda: None)
    both = tasks.every(60.0, task), tasks.spawn(deaf)
    wait_until(lambda: stubborn, "the task")
    gevent.sleep(0)
    tasks.end(0.1)
    assert stubborn == [1, 2]
    wait_until(lambda: all(greenlet.dead for greenlet in both), "the end of both")


def test_what_is_asked_for_again_and_again_is_done_at_once_and_then_with_gaps() -> None:
    """A wish for each of a tenant's calls has all plans read a few times a second, and not for each of them."""
    clock = 0.0
    began: list[float] = []
    asked, enough = Signal(), Signal()

    def sleep(seconds: float) -> None:
        nonlocal clock
        asked.set()  # which is meant for the same time
        clock += seconds

    def task() -> None:
        nonlocal clock
        began.append(clock)
        clock += 0.05
        if len(began) < 4:
            asked.set()
        else:
            enough.set()

    tasks = Tasks(lambda: None, lambda: clock, sleep)
    tasks.every(60.0, task, asked, 0.2)
    assert enough.wait(HANG_SECONDS)
    clock = 100.0
    enough.clear()
    asked.set()
    assert enough.wait(HANG_SECONDS)
    tasks.end(1.0)
    assert began == pytest.approx([0.0, 0.2, 0.4, 0.6, 100.0])
