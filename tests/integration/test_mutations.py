"""Each invariant, broken on purpose, is noticed: all of `python -m tests.mutations` in one go."""

from __future__ import annotations

from contextlib import closing

import pytest

from tests.mutations.run import processors, try_all
from tests.mutations.table import MUTATIONS

END_SECONDS = 14_400
"""Ends a hang: all of them take half an hour of two processors, and a run without an end its own bound."""


@pytest.mark.full
@pytest.mark.timeout(END_SECONDS)
def test_every_mutation_is_caught() -> None:
    seen, missed = 0, []
    with closing(try_all(MUTATIONS, processors())) as all_tried:
        for tried in all_tried:
            seen += 1
            missed += [f"{tried.mutation.name}: {said}" for said in tried.missed]
    assert not missed, "\n\n".join(["NOT CAUGHT:", *missed])
    assert seen == len(MUTATIONS)
