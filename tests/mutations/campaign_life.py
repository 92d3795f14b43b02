"""Mutations of: a campaign that is changed and fed while it runs."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

CHANGES = "tests/integration/api/test_campaign_changes.py"

FED = (
    Mutation(
        "raised past the budget",
        "a running campaign gets more calls at a time than its tenant may have",
        "campaigns/changes.py",
        '    "max_concurrent_calls": _fits,\n',
        '    "max_concurrent_calls": None,\n',
        (f"{CHANGES}::test_a_raised_cap_of_a_running_campaign_must_fit_into_the_budget",),
    ),
    Mutation(
        "changed over another's change",
        "whoever has not seen the last change of a campaign undoes it",
        "campaigns/changes.py",
        "not in expected:",
        "not in [*expected, current]:",
        (f"{CHANGES}::test_an_etag_is_that_of_the_settings_and_a_stale_one_changes_nothing",),
    ),
)
