"""Mutations of: nobody is called outside the calling window of the place where he is."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

ROWS = "tests/integration/dialer/test_windows.py"
API = "tests/integration/api/test_windows.py"
PURE = "tests/unit/campaigns/test_windows.py"
DEPARTURES = "tests/unit/dialer/test_departures.py"

WINDOWED = (
    Mutation(
        "claimed outside the window",
        "who was read a moment before his window closed is called after it",
        "dialer/dispatch/claims.py",
        '        AND (NOT campaign_now.windowed OR {is_open("contact.campaign_id", "contact.zone_group")})\n',
        "",
        (f"{ROWS}::test_nobody_is_read_or_claimed_outside_his_own_window",),
    ),
    Mutation(
        "claimed call outlives its window",
        "a call that waits for its turn, or for a permit, leaves after its contact's window has closed",
        "dialer/dispatch/sender.py",
        " or self._now() >= call.leaves_before",
        "",
        (
            f"{DEPARTURES}::test_no_call_leaves_at_a_turn_that_comes_after_its_window_has_closed",
            f"{DEPARTURES}::test_what_waits_for_a_permit_goes_back_when_its_window_closes",
        ),
    ),
    Mutation(
        "window as long as the claim",
        "what the claim's answer took is added to the window",
        "dialer/dispatch/batch.py",
        "call.closes(item.closes_in, claimed_at)",
        "call.closes(item.closes_in, self.now())",
        (f"{DEPARTURES}::test_no_call_leaves_at_a_turn_that_comes_after_its_window_has_closed",),
    ),
    Mutation(
        "repeated outside the window",
        "a call that a dead dialer left is sent once more at night",
        "dialer/dispatch/claims.py",
        '\n    AND (campaign.windows IS NULL OR {is_open("contact.campaign_id", "contact.zone_group")})\n',
        "\n",
        (f"{ROWS}::test_a_call_is_sent_once_more_only_within_the_window",),
    ),
    Mutation(
        "window to its last second and beyond",
        "a window is still open at the moment at which it closes",
        "campaigns/windows.py",
        "min(until, midnight + closes)",
        "min(until, midnight + closes + 1)",
        (f"{PURE}::test_a_window_is_open_when_clocks_show_a_time_of_it",),
    ),
    Mutation(
        "window that sleeps through a change of clocks",
        "on the day on which clocks are changed a window opens and closes an hour off",
        "campaigns/windows.py",
        "        if then != offset:",
        "        if then > offset + 999_999:",
        (f"{PURE}::test_clocks_that_are_changed",),
    ),
    Mutation(
        "window of any candidate zone",
        "who may be in several zones is called when it is day in one of them",
        "campaigns/windows.py",
        "found = common(found, self.openings(zone, start, end))",
        "found = self.openings(zone, start, end)",
        (f"{PURE}::test_of_several_zones_it_is_open_when_it_is_in_all",),
    ),
    Mutation(
        "holiday of the server's day",
        "a holiday is kept by the date of UTC, not by that of the contact's place",
        "campaigns/windows.py",
        "                if day in closed:",
        "                if (day * DAY - offset) // DAY in closed:",
        (f"{PURE}::test_no_window_opens_on_a_holiday_of_the_contact_s_own_day",),
    ),
    Mutation(
        "zone of the column ignored",
        "a list that says where its people are is not believed",
        "campaigns/copy_rows.py",
        "zones_of_number(row.phone_number) if row.time_zone is None else (row.time_zone,)",
        "zones_of_number(row.phone_number)",
        (f"{API}::test_a_window_is_kept_and_open_in_the_zone_of_each_contact",),
    ),
    Mutation(
        "zone cell that is none",
        "who has a zone that does not exist is called by his number's instead of being refused",
        "campaigns/import_rows.py",
        "            if zone is None:\n",
        "            if zone is None and not cell:\n",
        (f"{API}::test_a_zone_cell_that_is_none_is_refused_with_its_row_column_and_value",),
    ),
    Mutation(
        "changed window that nobody is told of",
        "calls that were claimed by the window of before leave after the new one was answered",
        "api/routes/campaign_changes.py",
        "        notify.hold(services(), held)\n",
        "        held = ()\n",
        (f"{API}::test_a_changed_window_holds_for_what_is_claimed_already",),
    ),
    Mutation(
        "window beside an older dialer",
        "a window is accepted while a dialer runs that calls whenever it likes",
        "campaigns/window_changes.py",
        "    if rows(_OLDER, KNOWN):",
        "    if rows(_OLDER, KNOWN) and False:",
        (f"{API}::test_no_window_is_taken_where_it_would_not_be_heeded",),
    ),
    Mutation(
        "retries at the stroke of the opening",
        "all retries of the night are due in the same second of the morning",
        "dialer/window_sql.py",
        "opens_at + random() * least(",
        "opens_at + 0 * least(",
        (f"{ROWS}::test_a_retry_that_falls_outside_moves_to_the_next_opening_spread_over_half_an_hour",),
    ),
    Mutation(
        "openings that end",
        "nobody writes a campaign's openings on, and after two weeks it is not dialled any more",
        "campaigns/openings.py",
        "openings_until < now() + make_interval(secs => {AGAIN_SECONDS}) OR ",
        "",
        (f"{ROWS}::test_openings_are_written_ahead_of_the_time_and_taken_away_with_the_campaign",),
    ),
    Mutation(
        "cancelled although it opens after all",
        "contacts are cancelled by a window that was taken back meanwhile",
        "campaigns/never_open.py",
        "AND opening.zone_group = contact.zone_group AND closes_at > now())",
        "AND opening.zone_group = contact.zone_group AND closes_at < now())",
        (f"{ROWS}::test_who_can_never_be_called_any_more_is_cancelled_and_told_and_the_campaign_may_end",),
    ),
    Mutation(
        "cancelled by one look alone",
        "contacts that can never be called wait for a week since the dialer died that was cancelling them",
        "campaigns/openings.py",
        "        if never and rows(_WAITS, campaign_id, never):",
        "        if False:",
        (f"{ROWS}::test_who_can_never_be_called_any_more_is_cancelled_and_told_and_the_campaign_may_end",),
    ),
    Mutation(
        "openings that fail first for ever",
        "a campaign whose openings cannot be worked out is tried before all others, which run out of theirs",
        "dialer/openings_ahead.py",
        "            self._put_off[campaign_id] = self.now() + PUT_OFF_SECONDS\n",
        "",
        (f"{ROWS}::test_openings_that_cannot_be_worked_out_keep_no_others_from_being_written",),
    ),
)
