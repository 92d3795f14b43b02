"""Mutations of: a stop, a pause and a halt hold for everybody, and end what they have to end."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

LEFTOVERS = "tests/integration/dialer/test_leftover_stops.py"
LIFECYCLE = "tests/integration/api/test_lifecycle.py"

STOPS = (
    Mutation(
        "slice under the campaign's lock",
        "whoever records an outcome of a stopped campaign waits for each slice of its list",
        "campaigns/stopping.py",
        'WHERE id = %s AND stopping_at IS NOT NULL"',
        'WHERE id = %s AND stopping_at IS NOT NULL FOR NO KEY UPDATE"',
        (f"{LEFTOVERS}::test_a_slice_holds_up_no_outcome_of_its_campaign",),
    ),
    Mutation(
        "end before the last slice",
        "a stopped campaign's end is told while part of its list still waits, which then nobody cancels",
        "campaigns/stopping.py",
        "\n            AND NOT EXISTS (SELECT FROM contact WHERE campaign_id = campaign.id AND waiting AND"
        " status = 'pending')",
        "",
        (f"{LEFTOVERS}::test_one_at_a_time_cancels_and_who_is_being_claimed_is_left_for_later",),
    ),
    Mutation(
        "slice that waits for a claim",
        "a stop waits for whoever is at one of its contacts",
        "campaigns/stopping.py",
        "FOR UPDATE SKIP LOCKED",
        "FOR UPDATE",
        (f"{LEFTOVERS}::test_one_at_a_time_cancels_and_who_is_being_claimed_is_left_for_later",),
    ),
    Mutation(
        "two cancel at a time",
        "two processes cancel the rest of one list beside each other",
        "campaigns/stopping.py",
        'if not lock["mine"] or not',
        "if not",
        (f"{LEFTOVERS}::test_one_at_a_time_cancels_and_who_is_being_claimed_is_left_for_later",),
    ),
    Mutation(
        "a stop that nobody goes on with",
        "the rest of a list waits for ever where the process that began to cancel it died",
        "dialer/process.py",
        "        self.tasks.every(STOPS_EVERY_SECONDS, self.leftover_stops.round)\n",
        "",
        (
            "tests/integration/dialer/test_stops_of_dialers.py::test_a_dialer_finishes_what_a_web_process_left",
        ),
    ),
    Mutation(
        "who still waits shown as pending",
        "a stopped campaign shows contacts as pending that are never called",
        "campaigns/queries.py",
        "CASE WHEN {_WAITS_NO_MORE} THEN 'cancelled' ELSE status END",
        "status",
        (f"{LIFECYCLE}::test_of_a_long_list_the_rest_is_cancelled_after_the_answer_and_shown_so_at_once",),
    ),
    Mutation(
        "counts of who still waits",
        "a stopped campaign counts contacts as pending that are never called",
        "campaigns/queries.py",
        "CASE WHEN c.stopping_at IS NULL THEN coalesce(sum(pending), 0) ELSE 0 END::int",
        "coalesce(sum(pending), 0)::int",
        (f"{LIFECYCLE}::test_of_a_long_list_the_rest_is_cancelled_after_the_answer_and_shown_so_at_once",),
    ),
    Mutation(
        "stream that ends at the mark",
        "who begins to listen while a list is being cancelled is told the end first",
        "api/routes/stream_access.py",
        "CASE WHEN stopping_at IS NULL THEN status ELSE 'stopping' END",
        "status",
        (f"{LIFECYCLE}::test_of_a_long_list_the_rest_is_cancelled_after_the_answer_and_shown_so_at_once",),
    ),
    Mutation(
        "deleted while being stopped",
        "a campaign is deleted while its list is being cancelled",
        "campaigns/lifecycle.py",
        "        raise StoppingError\n",
        "        pass\n",
        (f"{LIFECYCLE}::test_of_a_long_list_the_rest_is_cancelled_after_the_answer_and_shown_so_at_once",),
    ),
    Mutation(
        "end told before others' news",
        "a web process tells a stop's end before a dialer has told what came before it",
        "api/notify.py",
        'if not row["early"]]',
        "]",
        (f"{LIFECYCLE}::test_an_end_is_told_after_what_a_dialer_has_yet_to_tell",),
    ),
)
