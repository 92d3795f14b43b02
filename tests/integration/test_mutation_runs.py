"""How mutations are tried: only a test that fails catches one, and what was broken is whole again for the next."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from local.postgres import EmbeddedPostgres
from local.process import carrying
from tests.mutations.__main__ import main
from tests.mutations.mutation import Mutation
from tests.mutations.run import not_passed, tried_with, workplaces
from tests.mutations.tree import ROOT
from tests.mutations.workplace import Ran, Workplace, WorkplaceClosedError
from tests.waiting import HANG_SECONDS, wait_until

TESTS = "tests/unit/campaigns/test_dispositions.py"
TEST = f"{TESTS}::test_a_rule_concerns_its_own_disposition_alone"
WRONG = Mutation(
    "wrong",
    "a rule of one disposition is another's too",
    "campaigns/retry_rules.py",
    "return 1 + (usual_retries if self.retries is None else self.retries)",
    "return 1 + max(usual_retries, self.retries or 0)",
    (TEST,),
)
RIGHT = replace(WRONG, name="right", new=f"{WRONG.old}  # and nothing else")
UNREADABLE = replace(WRONG, name="unreadable", new="return (")
GONE = replace(WRONG, name="gone", old="return nobody")
NEEDS_SERVERS = (
    "tests/integration/dialer/test_dial_order.py"
    "::test_a_callback_that_never_left_stays_one_and_is_over_with_its_call"
)
MARK = "CARILLON_TEST_MUTATIONS"


@pytest.fixture(scope="module")
def place() -> Iterator[Workplace]:
    with workplaces(1) as (one,):
        yield one


def test_a_mutation_is_caught_by_a_test_that_fails(place: Workplace) -> None:
    assert tried_with(place, WRONG, TEST).missed == ""


@pytest.mark.parametrize(
    ("mutation", "test", "said"),
    [
        (RIGHT, TEST, "ended with status 0"),
        (WRONG, f"{TESTS}::test_that_nobody_wrote", "ended with status 4"),
        (UNREADABLE, TEST, "SyntaxError"),
        (GONE, TEST, "gone: an old text of it occurs 0 times"),
        (replace(WRONG, old="retries"), TEST, "wrong: an old text of it occurs"),
    ],
)
@pytest.mark.full
def test_nothing_else_catches_one(place: Workplace, mutation: Mutation, test: str, said: str) -> None:
    assert said in tried_with(place, mutation, test).missed


@pytest.mark.full
def test_a_test_whose_servers_do_not_start_catches_none(place: Workplace) -> None:
    nowhere = replace(
        WRONG, file="local/postgres.py", old='"listen_addresses": "127', new='"listen_addresses": "0.0'
    )
    missed = tried_with(place, nowhere, NEEDS_SERVERS).missed
    assert "ended with status 1" in missed
    assert "1 error in" in missed


@pytest.mark.full
def test_what_was_compiled_of_a_mutant_is_forgotten_with_it(place: Workplace) -> None:
    """Texts of one length within one second: Python would take what it compiled of one for the other's."""

    def imported() -> str:
        code = "from campaigns.retry import MAX_REFUSALS; print(MAX_REFUSALS)"
        return subprocess.check_output(
            [sys.executable, "-c", code], cwd=place.tree.root, env=compiling, text=True
        )

    compiling = os.environ | {"PYTHONPATH": str(place.tree.root)}
    old = "MAX_REFUSALS = 3"
    for number in (4, 5, 4):
        with place.tree.broken(
            replace(WRONG, file="campaigns/retry.py", old=old, new=f"MAX_REFUSALS = {number}")
        ):
            assert imported() == f"{number}\n"
        assert imported() == "3\n"


def test_after_each_the_copy_is_as_it_was(place: Workplace) -> None:
    before = (place.tree.root / WRONG.file).stat()
    for mutation in (WRONG, RIGHT, UNREADABLE, GONE):
        tried_with(place, mutation, TEST)
    assert (place.tree.root / WRONG.file).read_bytes() == (ROOT / WRONG.file).read_bytes()
    assert (place.tree.root / WRONG.file).stat().st_mtime_ns == before.st_mtime_ns
    assert place.run([TEST]).status == 0


def test_who_waits_for_a_closed_workplace_is_told(tmp_path: Path) -> None:
    with Workplace(tmp_path, EmbeddedPostgres(tmp_path / "never started")) as place:
        place.close()
        with pytest.raises(WorkplaceClosedError):
            place.run([TEST])


def test_a_test_that_fails_without_the_mutation_catches_none() -> None:
    ran = Ran(1, f"FAILED {TEST}[one] - assert 0\nERROR {TESTS}::test_b\n1 failed, 1 error in 1.00s", 0.0)
    tests = [TEST, f"{TESTS}::test_b", f"{TESTS}::test_c"]
    assert not_passed(ran, tests) == set(tests[:2])
    assert not_passed(replace(ran, status=0), tests) == set()
    for nobody_knows in (replace(ran, status=4), replace(ran, status=None), replace(ran, said="left behind")):
        assert not_passed(nobody_knows, tests) == set(tests)


@pytest.mark.full
def test_all_of_some_are_tried_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--at-once", "2", "retry rule", "left unsent and forgotten"]) == 0
    told = capsys.readouterr().out
    assert told.count(": caught\n") == 3
    assert "\n3 of 3 mutations caught, in " in told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.full
def test_who_is_interrupted_or_killed_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    environ = os.environ | {"TMPDIR": str(tmp_path), MARK: tmp_path.name}
    command = [sys.executable, "-m", "tests.mutations", "--at-once", "1", "calls of a time"]
    with subprocess.Popen(command, env=environ, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stdout.readline().startswith("1/")
        assert carrying(MARK, tmp_path.name)
        run.send_signal(number)
        run.wait(HANG_SECONDS)
    wait_until(lambda: not carrying(MARK, tmp_path.name), what="the end of what it had started")
    if number != signal.SIGKILL:
        assert not list(tmp_path.glob("carillon-*"))
