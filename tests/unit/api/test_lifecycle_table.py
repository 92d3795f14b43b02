"""The lifecycle table is the contract's, word for word, and asks for no edge that the states lack."""

from __future__ import annotations

import pytest

from campaigns.lifecycle_table import LIFECYCLE, Action, Verdict
from models import CAMPAIGN_TRANSITIONS, CampaignStatus

CONTRACT = """
| draft | running | 409 | 409 | completed | 204 |
| scheduled | running | 409 | 409 | completed | 204 |
| running | 409 | paused | 409 | completed | 409 |
| paused | running | 409 | running | completed | 204 |
| completed | 409 | 409 | 409 | 200 | 204 |
| failed | 409 | 409 | 409 | 200 | 204 |
"""
WORDS = {"409": Verdict.REFUSED, "200": Verdict.UNCHANGED, "204": Verdict.DELETED}


@pytest.mark.parametrize("line", CONTRACT.split("\n")[1:-1])
def test_the_table_is_the_contracts(line: str) -> None:
    state, *answers = [cell.strip() for cell in line.strip("| ").split("|")]
    wanted = [WORDS.get(word) or CampaignStatus(word) for word in answers]
    assert list(LIFECYCLE[CampaignStatus(state)].items()) == list(zip(Action, wanted, strict=True))


def test_every_state_has_every_action() -> None:
    assert set(LIFECYCLE) == set(CampaignStatus)
    assert all(set(row) == set(Action) for row in LIFECYCLE.values())


def test_no_action_asks_for_an_edge_that_the_state_machine_lacks() -> None:
    for state, row in LIFECYCLE.items():
        for answer in row.values():
            assert isinstance(answer, Verdict) or answer in CAMPAIGN_TRANSITIONS[state]
