"""Each invariant, broken on purpose, is noticed: `python -m tests.mutations` does it side by side, or tries a few.

That the tests pass on what is not broken is not tried here: each of them is of the same `--full` run.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.mutations.mutation import Mutation
from tests.mutations.run import tried_with, workplaces
from tests.mutations.table import MUTATIONS
from tests.mutations.workplace import Workplace

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def place() -> Iterator[Workplace]:
    with workplaces(1) as (one,):
        yield one


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_is_caught(place: Workplace, mutation: Mutation) -> None:
    for test in mutation.tests:
        trial = tried_with(place, mutation, test)
        assert not trial.missed, trial.missed
