"""Mutations of: what a campaign is said to do is what it does."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

FORECAST = "tests/unit/campaigns/test_forecast.py"
PREFLIGHT = "tests/integration/api/test_preflight.py"

TOLD_BEFOREHAND = (
    Mutation(
        "places that are free too soon",
        "a campaign of ten places is said to be over in half its time",
        "campaigns/forecast.py",
        "max(0.0, cap.limit * grown - self._up)",
        "max(0.0, cap.limit * grown)",
        (f"{FORECAST}::test_it_is_never_faster_than_any_cap",),
    ),
    Mutation(
        "forecast that nobody can interrupt",
        "while a forecast goes through a window that is shut its web process answers nobody",
        "campaigns/forecast.py",
        "if steps % YIELD_STEPS == 0:",
        "if steps % YIELD_STEPS == 0 and self._due and not self._order:",
        (f"{FORECAST}::test_others_have_their_turn_while_nobody_can_be_called",),
    ),
    Mutation(
        "forecast without an end",
        "a forecast over many retries that fall due while a window is shut takes minutes",
        "campaigns/forecast.py",
        "self._shortest_rest = self.step",
        "self._shortest_rest = 0.0",
        (f"{FORECAST}::test_of_very_many_moments_at_which_nobody_can_be_called_some_are_passed_over",),
    ),
    Mutation(
        "retries behind new contacts",
        "a campaign that calls retries first is said to end with its list",
        "campaigns/forecast.py",
        "(fresh, again) if self._caps.new_first else (again, fresh)",
        "(fresh, again)",
        (f"{FORECAST}::test_a_campaign_takes_what_was_told_within_a_tenth",),
    ),
    Mutation(
        "today begins anew",
        "a tenant whose calls of the day are used up is told that the campaign ends today",
        "campaigns/forecast.py",
        "(cap.left if today else cap.limit)",
        "cap.limit",
        (f"{PREFLIGHT}::test_caps_of_tenant_and_gateway_are_among_those_that_bind",),
    ),
    Mutation(
        "contacts that no window opens for",
        "who can never be called is said to be called now",
        "campaigns/preflight.py",
        "WHEN opening.opens_at IS NOT NULL THEN greatest(wanted_at, opening.opens_at + weeks)",
        "ELSE greatest(wanted_at, opening.opens_at + weeks)",
        (
            f"{PREFLIGHT}::test_a_window_that_is_shut_says_when_it_opens_and_one_that_never_does_that_it_does_not",
        ),
    ),
    Mutation(
        "openings of two weeks alone",
        "a campaign that is to start in a year is said to call nobody",
        "campaigns/preflight.py",
        "    first = max(1, math.floor((start - end) / WEEK) + 1)",
        "    first = 1",
        (f"{PREFLIGHT}::test_openings_that_are_not_written_yet_are_as_those_of_the_last_week",),
    ),
    Mutation(
        "called after the end",
        "whose window opens once the campaign is over is said to be called then",
        "campaigns/preflight.py",
        " OR due_at >= %(until)s::timestamptz THEN 'never'",
        " THEN 'never'",
        (f"{PREFLIGHT}::test_whose_turn_comes_after_the_campaigns_end_is_never_called",),
    ),
    Mutation(
        "slices that stand for themselves",
        "of a million contacts a hundred thousand are told",
        "campaigns/preflight.py",
        "scale = every / examined if 0 < examined < every and every > MOST_EXAMINED else 1.0",
        "scale = 1.0",
        (f"{PREFLIGHT}::test_of_a_long_list_slices_stand_for_all",),
    ),
)
