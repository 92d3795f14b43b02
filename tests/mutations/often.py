"""Mutations of: nobody is called again sooner, or more often, than somebody said."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

RULES = "tests/unit/campaigns/test_dispositions.py"

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
)
