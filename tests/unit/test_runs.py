"""`python -m tests`: each test is in one of its runs; with `--full` the longest begin, and the judges come last."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

from tests.__main__ import ALL, MADE_UP, MUTATIONS, ROOT, Run, full_runs, judged_files

FILES = [str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_*.py")]


def has(run: Run, file: str) -> bool:
    """Whether pytest would collect this file in this run."""
    return any(_within(file, path) for path in run.chosen) and not any(
        _within(file, path) for path in run.left_out
    )


def _within(file: str, path: str) -> bool:
    return file == path or file.startswith(f"{path}/")


@pytest.mark.parametrize(
    "runs", [ALL, [run for run in full_runs() if not run.quiet]], ids=["default", "full"]
)
def test_each_file_is_in_one_run(runs: Sequence[Run]) -> None:
    assert [file for file in FILES if sum(has(run, file) for run in runs) != 1] == []


def test_the_longest_begin_first() -> None:
    first = full_runs()[:3]
    for file in ("tests/chaos/test_short.py", MUTATIONS, *MADE_UP):
        assert any(has(run, file) for run in first), file


def test_what_judges_real_seconds_begins_when_all_others_are_over() -> None:
    runs = full_runs()
    beside = list(itertools.takewhile(lambda run: not run.quiet, runs))
    quiet = runs[len(beside) :]
    assert all(run.quiet and "--judged=only" in run.chosen for run in quiet)
    assert all("--judged=others" in run.chosen for run in beside)
    assert sorted(file for file in FILES if any(has(run, file) for run in quiet)) == judged_files()
    assert "tests/e2e/test_proof.py" in judged_files()
