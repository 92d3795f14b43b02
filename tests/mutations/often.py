"""Mutations of: nobody is called again sooner, or more often, than somebody said."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

RULES = "tests/unit/campaigns/test_dispositions.py"
CONTACTS = "tests/integration/api/test_contacts.py"
ORDER = "tests/integration/dialer/test_dial_order.py"

OFTEN = (
    Mutation(
        "retry rule of its own bound",
        "who may be called once more after a busy line is called as often as after any other outcome",
        "campaigns/retry.py",
        "retries = history.retries_per_contact if most is None else most",
        "retries = max(history.retries_per_contact, most or 0)",
        (f"{RULES}::test_a_rule_concerns_its_own_disposition_alone",),
    ),
    Mutation(
        "retry rule without its delay",
        "a person whose campaign says two hours is called again after the usual five minutes",
        "campaigns/retry_rules.py",
        "first = usual_seconds if self.delay_seconds is None else self.delay_seconds",
        "first = usual_seconds",
        (f"{RULES}::test_delays_grow_as_the_rule_says",),
    ),
    Mutation(
        "retries behind a long list",
        "nobody is called again before the last of 100,000 was called once",
        "dialer/dispatch/claims.py",
        "campaign.dial_order = 'new_first' THEN",
        "campaign.dial_order = 'retries_first' THEN",
        (f"{ORDER}::test_a_long_list_does_not_keep_its_retries_waiting",),
    ),
    Mutation(
        "callback forgotten",
        "who asked to be called at three waits behind the rest of the list, since no node had room at three",
        "dialer/record/outcomes.py",
        "callback = contact.callback AND held.disposition IS NULL,",
        "callback = false,",
        (f"{ORDER}::test_a_callback_that_never_left_stays_one_and_is_over_with_its_call",),
    ),
    Mutation(
        "campaign over before a callback",
        "the last contact is brought back while its campaign ends, and is never called",
        "campaigns/lifecycle.py",
        "for _ in range(2)",
        "for _ in range(1)",
        (f"{CONTACTS}::test_a_campaign_does_not_end_while_somebody_is_brought_back",),
    ),
)
