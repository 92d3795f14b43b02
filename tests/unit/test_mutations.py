"""The list of mutations stays true: what it changes is there, the tests it names are there, and the docs tell it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.mutations.mutation import Mutation
from tests.mutations.table import BEGIN, END, MUTATIONS, shown

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_what_a_mutation_changes_is_there_once(mutation: Mutation) -> None:
    text = (ROOT / mutation.file).read_text(encoding="utf-8")
    for old, new in mutation.edits:
        assert text.count(old) == 1, "say the mutation in the words of the code as it is now"
        assert new != old


@pytest.mark.parametrize("test", sorted({test for mutation in MUTATIONS for test in mutation.tests}))
def test_the_tests_that_catch_it_are_there(test: str) -> None:
    path, _, name = test.partition("::")
    assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("test", sorted({test for mutation in MUTATIONS for test in mutation.tests}))
def test_what_catches_a_mutation_runs_with_every_script_test(test: str) -> None:
    path, _, name = test.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    (found,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
    module = (n for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "pytestmark")
    marks = [*found.decorator_list, *(assignment.value for assignment in module)]
    said = [ast.unparse(mark) for mark in marks if "parametrize" not in ast.unparse(mark)]
    assert not any("mark.full" in text or "mark.real" in text for text in said)


def test_a_mutant_is_wrong_in_what_it_does_and_not_in_its_names(tmp_path: Path) -> None:
    """One that names what is not there breaks every test that comes by: that it is caught proves nothing."""
    for number, mutation in enumerate(MUTATIONS):
        if mutation.file.endswith(".py"):
            text = (ROOT / mutation.file).read_text(encoding="utf-8")
            for old, new in mutation.edits:
                text = text.replace(old, new)
            (tmp_path / f"mutant_{number}.py").write_text(text, encoding="utf-8")
    rules = ["--isolated", "--select", "F821,F823,E9", "--output-format", "concise"]
    command = [sys.executable, "-m", "ruff", "check", *rules, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert run.returncode == 0, run.stdout


def test_every_mutation_has_a_name_of_its_own_and_a_test() -> None:
    assert set(Counter(mutation.name for mutation in MUTATIONS).values()) == {1}
    assert all(mutation.tests for mutation in MUTATIONS)


def test_the_documentation_has_the_table() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    told = text.partition(BEGIN)[2].partition(END)[0].strip()
    assert told == shown(), "put what `python -m tests.mutations --table` prints between the two marks"
