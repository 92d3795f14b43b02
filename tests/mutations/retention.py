"""Mutations of: what is deleted is needed by nobody."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

HOUSEKEEPING = "tests/integration/dialer/test_housekeeping.py"

DELETED = (
    Mutation(
        "retention below a day's cap",
        "calls that a cap of the day still counts are deleted, and more are placed than it allows",
        "campaigns/retention.py",
        "days => greatest(t.retention_days, {DAYS_MIN})",
        "days => t.retention_days",
        (f"{HOUSEKEEPING}::test_a_cap_of_a_day_never_loses_a_call_whatever_the_row_says",),
    ),
    Mutation(
        "drafts that were not deleted go",
        "the list of a campaign that somebody is about to start is deleted",
        "campaigns/retention.py",
        '_OVER_SINCE = "coalesce(c.completed_at, c.deleted_at)"',
        '_OVER_SINCE = "coalesce(c.completed_at, c.deleted_at, c.created_at)"',
        (f"{HOUSEKEEPING}::test_what_is_not_deleted_and_not_ended_stays_however_old",),
    ),
    Mutation(
        "deleted with a call that may be up",
        "the row of a call that may still be up is deleted, and with it the slots that it holds",
        "campaigns/retention.py",
        "(ended_at IS NULL OR slot_until IS NOT NULL\n",
        "(false\n",
        (f"{HOUSEKEEPING}::test_nothing_goes_of_what_is_not_over",),
    ),
    Mutation(
        "told to nobody, and deleted",
        "a transition that was never published is deleted, and nobody hears it",
        "dialer/housekeeping.py",
        "AND told.published\n        AND",
        "\n        AND",
        (f"{HOUSEKEEPING}::test_transitions_go_once_they_are_published_and_90_days_old",),
    ),
    Mutation(
        "a few campaigns in a turn",
        "where calls are placed one by one, a campaign each, more come than are ever deleted",
        "dialer/housekeeping.py",
        "        while left(last) and may_go_on():\n",
        "        while last < 0 and left(last) and may_go_on():\n",
        (f"{HOUSEKEEPING}::test_any_number_of_campaigns_goes_in_one_turn",),
    ),
    Mutation(
        "lanes of the living folded",
        "the counts of a dialer that works are folded under its hands",
        "dialer/housekeeping.py",
        "AND (settled_at IS NULL OR settled_at > now() - interval '1 hour'))",
        "AND false)",
        (f"{HOUSEKEEPING}::test_lanes_of_dialers_that_are_gone_are_added_up_and_the_sums_stay",),
    ),
)
