"""Each invariant, broken on purpose, is noticed. Minutes long: `python -m tests.mutations WORD` tries a few."""

from __future__ import annotations

import pytest

from tests.mutations.mutation import Mutation
from tests.mutations.run import check
from tests.mutations.table import MUTATIONS

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_is_caught(mutation: Mutation) -> None:
    check(mutation)
