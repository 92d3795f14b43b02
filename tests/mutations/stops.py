"""Mutations of: a stop, a pause and a halt hold for everybody, and end what they have to end."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

ADMISSION = "tests/integration/api/test_stream_admission.py"
LEFTOVERS = "tests/integration/dialer/test_leftover_stops.py"
LOOKOUT = "tests/integration/dialer/test_lookout.py"
HALT = "tests/integration/api/test_halt.py"
ONCE = "tests/integration/api/test_idempotency.py"
LIMIT = "tests/integration/api/test_request_limit.py"
FEED = "tests/unit/live/test_campaign_feed.py"
LIFECYCLE = "tests/integration/api/test_lifecycle.py"
HUNG_UP = "tests/integration/dialer/test_calls_to_end.py"
TELLING = "tests/unit/dialer/test_calls_to_end.py"
OUTCOMES = "tests/integration/dialer/test_hangup_outcomes.py"

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
        "dialer/lookout.py",
        "            (seen.stops, self.stops),\n",
        "",
        (
            "tests/integration/dialer/test_stops_of_dialers.py::test_a_dialer_finishes_what_a_web_process_left",
        ),
    ),
    Mutation(
        "who still waits shown as pending",
        "a stopped campaign shows contacts as pending that are never called",
        "campaigns/contact_queries.py",
        "'status', {TOLD_STATUS}",
        "'status', status",
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
        "stream that ends before what is not published",
        "who connects between a campaign's end and its publication hears the end first, and misses what comes behind",
        "api/routes/stream_access.py",
        " AND NOT EXISTS (SELECT FROM outbox WHERE campaign_id = campaign.id)",
        "",
        (f"{ADMISSION}::test_a_stream_of_what_has_ended_does_not_end_before_its_last_events_are_published",),
    ),
    Mutation(
        "stream that ends at the mark",
        "who begins to listen while a list is being cancelled is told the end first",
        "api/routes/stream_access.py",
        "CASE WHEN stopping_at IS NULL AND NOT EXISTS",
        "CASE WHEN NOT EXISTS",
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
    Mutation(
        "end believed before it is told",
        "of a long list, listeners hear the end while contacts are still being cancelled",
        "live/campaign_feed.py",
        "        if self._ended_unpublished_since is not None:\n            # What",
        "        if self._ended_unpublished_since == 0.0:\n            # What",
        (f"{FEED}::test_an_end_is_awaited_for_as_long_as_what_comes_before_it_is_published",),
    ),
)

HANGUPS = (
    Mutation(
        "halts heard of by a message alone",
        "a dialer that missed the message of a halt goes on dialling",
        "dialer/rounds.py",
        "        parts.tasks.every(ROUND_SECONDS, parts.control.sync_halts, parts.control.lifted)\n",
        "",
        (f"{LOOKOUT}::test_a_halt_is_heeded_while_the_look_at_everything_else_waits",),
    ),
    Mutation(
        "halts looked for behind everything else",
        "a halt whose message is lost is not heeded while a lock or a slow statement holds up another part's look",
        "dialer/rounds.py",
        "        parts.tasks.every(ROUND_SECONDS, parts.control.sync_halts, parts.control.lifted)\n",
        "",
        (f"{LOOKOUT}::test_a_halt_is_heeded_while_the_look_at_everything_else_waits",),
        (
            (
                "parts.tasks.every(ROUND_SECONDS, parts.lookout.round, parts.refreshes.wanted, REFRESH_GAP_SECONDS)",
                "parts.tasks.every(ROUND_SECONDS, lambda: (parts.lookout.round(), parts.control.sync_halts()))",
            ),
        ),
    ),
    Mutation(
        "hung up by a message alone",
        "calls that have to end are not looked for, and those whose node is away or whose message is lost go on",
        "dialer/lookout.py",
        "            (seen.calls_to_end or self.calls_to_end.waits(), self.calls_to_end.wake),\n",
        "",
        ("tests/unit/dialer/test_lookout.py::test_who_has_something_to_do_is_woken_each_time",),
    ),
    Mutation(
        "marks gone with the halt",
        "what was up when it was halted goes on once the halt is lifted",
        "campaigns/calls_to_end.py",
        "    WHERE hangup_at IS NOT NULL AND {_MAY_BE_UP} AND %s IN ('{EVERYBODY}', dialer_id)",
        "    WHERE hangup_at IS NOT NULL AND {_MAY_BE_UP} AND %s IN ('{EVERYBODY}', dialer_id)"
        " AND EXISTS (SELECT FROM halt)",
        (f"{HUNG_UP}::test_a_call_that_is_claimed_beside_a_halt_is_marked_by_its_dialer",),
    ),
    Mutation(
        "claimed beside a halt",
        "a call whose claim is committed beside the halt's look goes on",
        "dialer/calls_to_end.py",
        "                    calls_to_end.mark_dialer(self.dialer_id)\n",
        "                    pass\n",
        (f"{HUNG_UP}::test_a_dialer_marks_what_was_claimed_beside_a_halt",),
    ),
    Mutation(
        "only the owner hangs up",
        "the calls of a dialer that is dead or stands still go on until it is taken over",
        "dialer/calls_to_end.py",
        "whose = EVERYBODY if self._is_everybodys_turn() else self.dialer_id",
        "whose = self.dialer_id",
        (
            f"{HUNG_UP}::test_calls_whose_owner_cannot_end_them_are_ended_by_another",
            f"{TELLING}::test_one_in_turn_looks_after_everybodys",
        ),
    ),
    Mutation(
        "a node waited for",
        "a node that does not answer keeps the calls of the others alive",
        "dialer/calls_to_end.py",
        "            self._at_work[node] = gevent.spawn(self._end, link, calls)\n",
        "            self._at_work[node] = gevent.spawn(self._end, link, calls)\n"
        "            self._at_work[node].join()\n",
        (f"{TELLING}::test_no_node_waits_for_one_that_is_stuck_and_that_one_is_told_once_at_a_time",),
    ),
    Mutation(
        "sent though it has to end",
        "a call that was on its way when its tenant was halted leaves once the halt is lifted",
        "dialer/dispatch/sender.py",
        "return not call.must_end and self.may_claim",
        "return self.may_claim",
        ("tests/unit/dialer/test_sender.py::test_a_call_that_is_held_does_not_leave",),
    ),
    Mutation(
        "an answer that names no node",
        "a halt is answered as if every call had ended",
        "api/routes/halt.py",
        '"still_up": still_up(EVERYBODY if everybody and platforms else caller.tenant_id)',
        '"still_up": []',
        (f"{HUNG_UP}::test_calls_behind_a_link_that_is_cut_are_told_and_end_when_it_is_back",),
    ),
    Mutation(
        "a halt costs an attempt",
        "whom a halt hung up before an answer has used an attempt",
        "dialer/record/outcome_rows.py",
        "due.was_answered OR due.counts AND NOT due.hung_up AS counts",
        "due.was_answered OR due.counts AS counts",
        (f"{OUTCOMES}::test_only_what_we_hung_up_goes_back",),
        more=(
            (
                "WHEN due.was_answered OR due.counts AND NOT due.hung_up THEN call.attempt",
                "WHEN due.was_answered OR due.counts THEN call.attempt",
            ),
        ),
    ),
    Mutation(
        "called again at once after a halt",
        "whom a halt hung up is called again as soon as it is lifted",
        "dialer/record/outcome_rows.py",
        "CASE WHEN ended.hung_up THEN campaign.retry_delay_seconds ELSE ended.own_delay END AS delay",
        "ended.own_delay AS delay",
        (f"{OUTCOMES}::test_only_what_we_hung_up_goes_back",),
    ),
    Mutation(
        "any end uncounted under a halt",
        "a call that the callee ended beside a halt is not counted",
        "dialer/record/outcome_rows.py",
        "                AND seen.cause = 'MANAGER_REQUEST' AND seen.hung_up_by IS DISTINCT FROM 'remote' AS hung_up",
        "                AS hung_up",
        (f"{OUTCOMES}::test_only_what_we_hung_up_goes_back",),
    ),
    Mutation(
        "answered call taken back",
        "somebody who talked when it was halted is called again",
        "dialer/record/outcome_rows.py",
        "before.hangup_at IS NOT NULL AND seen.status <> 'completed'",
        "before.hangup_at IS NOT NULL",
        (f"{OUTCOMES}::test_an_answered_call_that_is_hung_up_ends_as_answered",),
    ),
    Mutation(
        "message that lifts a halt believed",
        "a message that lifts a halt, and comes late, lets calls leave through one that was answered since",
        "dialer/control.py",
        "            self.lifted.set()\n",
        "            self.send_gate.sync([], time.monotonic())\n",
        ("tests/unit/dialer/test_small_parts.py::test_a_message_that_lifts_a_halt_opens_nothing_by_itself",),
    ),
    Mutation(
        "the platform's halt lifted by a tenant",
        "a tenant's key lifts the halt that the platform has set for it",
        "api/routes/halt.py",
        "DELETE FROM halt WHERE scope = %s AND NOT own AND platform_at IS NULL",
        "DELETE FROM halt WHERE scope = %s AND NOT own",
        (f"{HALT}::test_a_tenants_keys_lift_what_the_tenant_set_and_nothing_of_the_platforms",),
    ),
    Mutation(
        "the tenant's halt lifted by the platform",
        "the platform lifts its own halt, and a tenant dials that had halted itself",
        "api/routes/halt.py",
        "rows(_LIFT_BY_PLATFORM if platforms else _LIFT, scope)",
        "rows(_LIFT_BY_PLATFORM, scope), rows(_LIFT, scope)",
        (f"{HALT}::test_the_platform_lifts_its_own_and_the_tenants_only_by_name",),
    ),
    Mutation(
        "dialers told to go on while a mark stands",
        "dialers dial on under the halt that still stands, until they look into the database",
        "api/routes/halt.py",
        "    if not stands:\n        notify.dialers",
        "    if True:\n        notify.dialers",
        (f"{HALT}::test_a_tenants_keys_lift_what_the_tenant_set_and_nothing_of_the_platforms",),
    ),
    Mutation(
        "a repeated pause believed",
        "a pause that no dialer was told of is answered as done when it is asked again",
        "api/routes/campaign_actions.py",
        "        if error.code == ALREADY_PAUSED:\n",
        "        if False:\n",
        (f"{ONCE}::test_a_pause_that_nobody_was_told_is_asked_again_until_it_holds",),
    ),
    Mutation(
        "a halt counts as a request",
        "a tenant that has used up its rate cannot halt, stop or pause",
        "api/auth.py",
        "limiter = services().request_limiter if limited else None",
        "limiter = services().request_limiter",
        (f"{LIMIT}::test_what_stops_calls_is_never_refused_and_does_not_count",),
    ),
)
