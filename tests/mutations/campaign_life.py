"""Mutations of: a campaign that is changed and fed while it runs."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

CHANGES = "tests/integration/api/test_campaign_changes.py"
FED_CAMPAIGNS = "tests/integration/dialer/test_fed_campaigns.py"

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
    Mutation(
        "ended over its new contacts",
        "a campaign ends while contacts are added to it, and they are never called",
        "campaigns/lifecycle.py",
        " or not rows(_EXHAUSTED, campaign_id):\n",
        ":\n",
        (f"{FED_CAMPAIGNS}::test_a_campaign_does_not_end_over_contacts_that_are_being_added",),
    ),
    Mutation(
        "claimed after it has expired",
        "somebody is called after the time at which he was not to be called any more",
        "dialer/dispatch/claims.py",
        "        AND {_NOT_EXPIRED}\n    ORDER BY contact.id FOR UPDATE",
        "    ORDER BY contact.id FOR UPDATE",
        (f"{FED_CAMPAIGNS}::test_nobody_is_claimed_or_sent_again_once_he_has_expired",),
    ),
    Mutation(
        "resent after it has expired",
        "a call that its node never saw is sent once more, although its contact has expired",
        "dialer/dispatch/claims.py",
        'f" AND {_NOT_EXPIRED} RETURNING',
        'f" RETURNING',
        (f"{FED_CAMPAIGNS}::test_nobody_is_claimed_or_sent_again_once_he_has_expired",),
    ),
)
