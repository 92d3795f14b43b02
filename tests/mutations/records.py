"""Mutations of: platform faults use up no attempt, the counts add up, and each transition is told once."""

from __future__ import annotations

from tests.mutations.mutation import CALL_COUNTS, CLAIMS, ORDERS, RECORDER, Mutation

FOLLOWING = "tests/unit/dialer/test_following.py"
DISPOSITIONS = "tests/unit/campaigns/test_dispositions.py"
LOST = "tests/integration/dialer/test_lost_ends.py"
OUTBOX = "tests/integration/dialer/test_outbox.py"

_ENDED_AGAIN = (
    "    WHERE call.ctid = due.place AND call.state <> 'ended'\n",
    "    WHERE call.ctid = due.place\n",
)

REFUSALS = "tests/integration/dialer/test_gateway_out_of_credit.py"
SUSPICION = "tests/unit/dialer/test_suspicion.py"
HELD = "tests/integration/dialer/test_outcome_breaker.py"
OUTCOMES = "tests/unit/dialer/test_outcome_breaker.py"
HOLDS = "tests/unit/dialer/test_holds.py"
PAUSES = "tests/unit/dialer/test_gateway_pauses.py"
BREAKER = "tests/unit/dialer/test_gateway_breaker.py"
SILENCE = "tests/unit/dialer/test_far_end.py"
SILENT = "tests/unit/dialer/test_silence.py"
UNANSWERED = "tests/integration/dialer/test_silent_carrier.py"
ATTEMPTS = (
    Mutation(
        "platform fault counted",
        "a refusal of the switch or of the carrier uses up one of the contact's attempts",
        "campaigns/retry.py",
        "counts=False, delay_seconds=backoff, uncounted=reason)",
        "counts=True, delay_seconds=backoff, uncounted=reason)",
        (f"{DISPOSITIONS}::test_a_platform_fault_uses_up_no_attempt_but_does_not_go_on_for_ever",),
    ),
    Mutation(
        "carrier without capacity never at fault",
        "a carrier that answers everything with 503 is dialled on, and its contacts fail one after another",
        "dialer/capacity/gateway_breaker.py",
        "ended.sip_status in CARRIER_BUSY_STATUS:\n        return True",
        "ended.sip_status in CARRIER_BUSY_STATUS:\n        return False",
        (f"{BREAKER}::test_a_gateway_that_will_not_have_us_is_at_fault",),
    ),
    Mutation(
        "charged for what paused a gateway",
        "contacts are charged for the refusals of a gateway that refused everybody",
        "dialer/capacity/gateway_breaker.py",
        "        if given_back:\n",
        "        if not given_back:\n",
        (
            f"{REFUSALS}::test_few_contacts_whom_nobody_got_past_pause_it_and_are_given_back_what_they_were_charged",
        ),
    ),
    Mutation(
        "a silent carrier never pauses",
        "a carrier that answers no INVITE is dialled on until the list is used up",
        "dialer/capacity/gateway_pauses.py",
        "    if len(whole.silent) >= SILENT_THAT_PAUSE:\n",
        "    if False:\n",
        (
            f"{PAUSES}::test_ten_calls_that_nobody_responds_to_pause_a_gateway_and_all_of_them_come_back",
            f"{UNANSWERED}::test_what_several_dialers_hear_is_counted_together",
        ),
    ),
    Mutation(
        "charged for a silent carrier",
        "contacts are charged for calls to which a carrier that was gone did not respond",
        "dialer/capacity/gateway_breaker.py",
        "        if back:\n",
        "        if not back:\n",
        (f"{UNANSWERED}::test_what_several_dialers_hear_is_counted_together",),
    ),
    Mutation(
        "who was up when a carrier fell silent charged",
        "of the calls that were up when a silent carrier's gateway was paused the contacts are lost",
        "dialer/capacity/gateway_pauses.py",
        "        return gateway, tuple(seen.calls)\n",
        "        return gateway, ()\n",
        (f"{PAUSES}::test_ten_calls_that_nobody_responds_to_pause_a_gateway_and_all_of_them_come_back",),
    ),
    Mutation(
        "silent and rung again at once",
        "a phone that rang unheard, as the carrier's responses were lost, rings again as soon as the gateway is back",
        "dialer/capacity/outcome_breaker_rows.py",
        "call.progress_at IS NOT NULL OR %(unheard)s\n",
        "call.progress_at IS NOT NULL OR %(unheard)s AND false\n",
        (f"{UNANSWERED}::test_who_comes_back_is_called_after_the_campaigns_delay",),
    ),
    Mutation(
        "phones that are off pause a gateway",
        "the end of a list, whose phones are switched off, stops every tenant's calls",
        "dialer/capacity/gateway_rows.py",
        "before.disposition = 'unreachable')",
        "before.disposition = 'unreachable' AND false)",
        (f"{UNANSWERED}::test_the_numbers_that_are_left_at_the_end_of_a_list_pause_nothing",),
    ),
    Mutation(
        "a halt is a silence",
        "calls that a halt or a stop ended before a ring pause the gateway they left by",
        "dialer/capacity/silence.py",
        "    timer = ended.cause in _TIMER_CAUSES or ended.sip_status in TIMER_STATUS\n",
        "    timer = True\n",
        (f"{SILENT}::test_a_ring_a_response_a_command_or_the_nodes_own_fault_is_no_silence",),
    ),
    Mutation(
        "an old ring for a sign of life",
        "calls that rang before a carrier was lost, and end by our timer, keep its gateway from being paused",
        "dialer/capacity/gateway_pauses.py",
        "    return Standing() if alive else Standing(",
        "    return Standing() if True else Standing(",
        (f"{PAUSES}::test_a_response_begins_the_count_anew_and_a_ring_of_long_ago_does_not",),
    ),
    Mutation(
        "one destination stops all",
        "five refusals of one destination stop every tenant's calls by that gateway",
        "dialer/capacity/gateway_pauses.py",
        "    if there.faults >= FAULTS_THAT_PAUSE and _reaches_others(after, seen.prefix, now):",
        "    if False:",
        (
            f"{PAUSES}::test_five_refusals_of_one_destination_pause_it_alone_where_others_get_through",
            f"{PAUSES}::test_what_got_through_since_the_first_refusal_says_that_others_do_however_long_ago",
        ),
    ),
    Mutation(
        "charged for what paused a destination",
        "contacts are charged for the refusals of a destination that was paused for them",
        "dialer/capacity/gateway_pauses.py",
        "        given_back = there.refused\n",
        "        given_back = ()\n",
        (f"{PAUSES}::test_five_refusals_of_one_destination_pause_it_alone_where_others_get_through",),
    ),
    Mutation(
        "paused destination dialled",
        "calls leave to a destination for which their gateway is paused",
        "dialer/holds.py",
        "for one in gateway.pauses if one.prefix == where]",
        "for one in gateway.pauses if not where]",
        (
            "tests/integration/dialer/test_gateway_prefixes.py::test_plans_name_the_destinations_for_which_a_gateway_is_paused",
        ),
    ),
    Mutation(
        "breaker never trips",
        "a carrier that answers everything with 404 is dialled on until the list is used up",
        "dialer/capacity/suspicion.py",
        "    return calls >= FEWEST_CALLS and",
        "    return calls >= FEWEST_CALLS * 1000 and",
        (f"{SUSPICION}::test_half_of_twenty_trips_it",),
    ),
    Mutation(
        "busy is suspicious",
        "a list of people who talk on the phone is held as if its numbers were dead",
        "dialer/capacity/suspicion.py",
        "    if ended.sip_status in _WITHOUT_A_RING:\n",
        "    if ended.sip_status is not None:\n",
        (f"{SUSPICION}::test_busy_and_no_answer_never_are",),
    ),
    Mutation(
        "a timer got through",
        "a probe that a carrier swallowed lifts the pause of its gateway, and the list is dialled into silence",
        "dialer/capacity/far_end.py",
        "and ended.sip_status not in TIMER_STATUS and ended.hung_up_by",
        "and ended.hung_up_by",
        (
            f"{SILENCE}::test_a_timer_before_anybody_showed_life_says_nothing",
            f"{REFUSALS}::test_a_probe_that_nobody_answers_for_leaves_the_gateway_paused_until_the_next",
        ),
    ),
    Mutation(
        "our own hang-up got through",
        "a halt that ends a probe before any response releases what is held",
        "dialer/capacity/far_end.py",
        ' and ended.hung_up_by != "us"',
        "",
        (
            f"{SILENCE}::test_a_timer_before_anybody_showed_life_says_nothing",
            f"{REFUSALS}::test_a_call_that_nobody_answers_for_does_not_begin_the_count_of_refusals_anew",
        ),
    ),
    Mutation(
        "silence is fine",
        "a breaker is released by a probe that nobody answered for",
        "dialer/capacity/suspicion.py",
        "    return Sign.FINE if responded(ended) else None\n",
        "    return Sign.FINE\n",
        (
            f"{SILENCE}::test_a_timer_before_anybody_showed_life_says_nothing",
            f"{OUTCOMES}::test_a_probe_that_gets_through_releases_and_one_that_does_not_does_not",
        ),
    ),
    Mutation(
        "everybody's numbers held",
        "a broken destination takes the caller ids of all tenants out of service",
        "dialer/capacity/suspicion.py",
        "    if _bad(others) is not None:\n        return bool(_bad(others))\n",
        "    if _bad(others) is not None:\n        return not _bad(others)\n",
        (
            f"{SUSPICION}::test_a_destination_that_is_bad_for_several_is_held_and_nobody_s_number",
            f"{SUSPICION}::test_a_number_that_fares_badly_where_others_do_well_is_held_and_no_destination",
        ),
    ),
    Mutation(
        "what another dialer holds is heeded late",
        "calls that another dialer holds go on leaving until its word arrives, as many as are due meanwhile",
        "dialer/capacity/outcome_breaker.py",
        "        if holding - self.held:\n",
        "        if holding & self.held:\n",
        (f"{OUTCOMES}::test_whose_calls_another_dialer_holds_is_heeded_as_soon_as_one_of_them_is_written",),
    ),
    Mutation(
        "calls that ring count at their end alone",
        "dead numbers are told at once: any list with some is held in its first seconds, when the others still ring",
        "dialer/capacity/outcome_breaker.py",
        "self._count(call, self.now(), anew=True, suspicious=False)",
        "self._ringing.discard(call.call_id)",
        (
            f"{OUTCOMES}::test_calls_that_ring_count_before_they_end_and_once",
            f"{OUTCOMES}::test_those_that_fail_before_anybody_can_have_talked_trip_nothing_where_most_ring",
        ),
    ),
    Mutation(
        "judged without what is being written",
        "a list is over while its contacts are to come back, since its last calls were judged without those before",
        "dialer/capacity/outcome_breaker.py",
        "        with self._writing:\n",
        "        if True:\n",
        (f"{OUTCOMES}::test_what_another_greenlet_is_writing_is_waited_for_before_it_is_judged",),
    ),
    Mutation(
        "what is held is heeded late",
        "calls that are held go on leaving until the plans are read again, as many as are due meanwhile",
        "dialer/capacity/outcome_breaker.py",
        "        if found:\n            # Also where",
        "        if False:\n            # Also where",
        (
            f"{OUTCOMES}::test_what_may_trip_is_looked_at_before_anything_else_is_dialled",
            f"{OUTCOMES}::test_what_another_dialer_has_just_held_is_heeded_before_anything_else_is_dialled",
        ),
    ),
    Mutation(
        "held calls leave",
        "what a breaker holds is dialled on",
        "dialer/dispatch/plans.py",
        "            if not hold.gateway_id\n",
        "            if not hold.kind\n",
        (f"{HOLDS}::test_one_call_probes_what_a_breaker_holds_and_counts_as_any_other",),
    ),
    Mutation(
        "released by a call that failed",
        "a probe that ended as suspiciously as the others releases what is held",
        "dialer/capacity/outcome_breaker.py",
        "                elif found is Sign.FINE:\n",
        "                elif found is not None:\n",
        (f"{OUTCOMES}::test_a_probe_that_gets_through_releases_and_one_that_does_not_does_not",),
    ),
    Mutation(
        "called again after an answer",
        "somebody who picked up is called again since his call tripped a breaker",
        "dialer/capacity/outcome_breaker_rows.py",
        "        AND contact.status IN ('failed', 'pending') AND contact.breaker_returns < %(most)s\n",
        "        AND contact.breaker_returns < %(most)s\n",
        (f"{HELD}::test_who_was_called_since_or_picked_up_does_not_come_back",),
    ),
    Mutation(
        "held for ever",
        "a destination that its gateway does not tell apart any more stays held, and its campaigns never end",
        "dialer/capacity/outcome_breaker_rows.py",
        " and destination(prefix, prefixes) == prefix\n",
        "\n",
        (f"{HELD}::test_a_breaker_that_no_call_can_be_of_any_more_is_known",),
    ),
    Mutation(
        "called again after declining",
        "a person who was rung and pressed the call away is rung again, uncounted, when a breaker is released",
        "campaigns/outcome_breakers.py",
        " OR call.progress_at IS NOT NULL AND (call.disposition = 'rejected' OR call.sip_status = 607)) IS NOT TRUE",
        ") IS NOT TRUE",
        (f"{HELD}::test_who_was_rung_and_declined_is_charged_and_does_not_come_back",),
    ),
    Mutation(
        "called again after picking up",
        "a person who picked up for nothing is called again once a breaker is released",
        "campaigns/outcome_breakers.py",
        "(call.disposition = 'node_fault'\n    OR call",
        "(call",
        (f"{HELD}::test_who_was_called_since_or_picked_up_does_not_come_back",),
    ),
    Mutation(
        "called again since",
        "somebody who was called again since his call tripped a breaker comes back once more",
        "dialer/capacity/outcome_breaker_rows.py",
        "    WHERE call.id = ANY(%(calls)s::uuid[]) AND contact.sends = call.seq\n",
        "    WHERE call.id = ANY(%(calls)s::uuid[])\n",
        (f"{HELD}::test_who_was_called_since_or_picked_up_does_not_come_back",),
    ),
    Mutation(
        "comes back for ever",
        "a dead number is called again each time that a breaker is released",
        "dialer/capacity/outcome_breaker_rows.py",
        " AND contact.breaker_returns < %(most)s\n",
        "\n",
        (f"{HELD}::test_a_contact_comes_back_twice_and_then_stays_as_it_ended",),
    ),
    Mutation(
        "comes back with an attempt less",
        "whoever tripped a breaker has used up an attempt by it",
        "dialer/capacity/outcome_breaker_rows.py",
        "attempts = attempts - held.counted::int,",
        "attempts = attempts,",
        (f"{HELD}::test_a_contact_comes_back_twice_and_then_stays_as_it_ended",),
    ),
    Mutation(
        "attempt not given back",
        "a call that does not count leaves its contact with an attempt less",
        "dialer/record/outcome_rows.py",
        "attempts = contact.attempts - CASE WHEN held.counts THEN 0 ELSE 1 END,",
        "attempts = contact.attempts,",
        (f"{CLAIMS}::test_a_call_that_does_not_count_gives_its_attempt_back",),
    ),
    Mutation(
        "withdrawn call counted",
        "a call that never left us uses up an attempt",
        "dialer/record/call_end.py",
        "return Ended(call.call_id, ContactStatus.PENDING, False,",
        "return Ended(call.call_id, ContactStatus.PENDING, True,",
        (f"{ORDERS}::test_a_call_that_never_left_costs_no_attempt",),
    ),
    Mutation(
        "unknown outcome tried again",
        "a contact whose call may have been answered is called once more",
        "campaigns/retry.py",
        "Disposition.OUTCOME_UNKNOWN: Retry.NEVER,",
        "Disposition.OUTCOME_UNKNOWN: Retry.YES,",
        (f"{DISPOSITIONS}::test_some_outcomes_are_never_tried_again",),
    ),
)

COUNTS = (
    Mutation(
        "event applied twice",
        "an end that is reported again, or late, overwrites the first",
        "dialer/record/outcome_rows.py",
        *_ENDED_AGAIN,
        (f"{CLAIMS}::test_late_and_repeated_events_change_nothing",),
    ),
    Mutation(
        "late answer moves back",
        "an answer that comes after the end reopens the call",
        "dialer/record/outcome_rows.py",
        "WHERE call.ctid = before.ctid AND call.state IN ('dispatching', 'ringing')\n",
        "WHERE call.ctid = before.ctid\n",
        (f"{CLAIMS}::test_late_and_repeated_events_change_nothing",),
    ),
    Mutation(
        "old call moves the new one",
        "an event of an earlier call moves the contact's present one",
        "dialer/record/outcome_rows.py",
        "JOIN contact ON contact.id = ended.contact_id AND contact.call_id = ended.call_id\n",
        "JOIN contact ON contact.id = ended.contact_id\n",
        (f"{CLAIMS}::test_an_old_call_of_a_contact_does_not_move_its_new_one",),
        more=(_ENDED_AGAIN,),
    ),
    Mutation(
        "somebody else's decision",
        "a dialer that lost a call to a successor still decides what became of it",
        "dialer/record/outcome_rows.py",
        "(NOT seen.owner_only OR before.dialer_id = %(owner)s\n",
        "(NOT seen.owner_only OR true\n",
        (f"{CLAIMS}::test_a_decision_about_somebody_elses_call_is_void_but_a_fact_is_not",),
    ),
    Mutation(
        "claim not counted",
        "the counts miss the contacts that were claimed",
        "dialer/dispatch/claims.py",
        "SELECT campaign_id, %(lane)s, -count(*), count(*) FROM taken",
        "SELECT campaign_id, %(lane)s, 0, count(*) FROM taken",
        (f"{CLAIMS}::test_a_claim_commits_call_rows_before_anything_is_sent",),
    ),
    Mutation(
        "a carrier whose codec no node has",
        "a whole list picks up for nothing, as all of them ring",
        "dialer/capacity/suspicion.py",
        "    if ended.disposition == Disposition.NODE_FAULT and ended.cause == NO_CODEC:\n",
        "    if False:\n",
        ("tests/unit/dialer/test_suspicion.py::test_whoever_picks_up_without_a_codec_tells_of_the_carrier",),
    ),
    Mutation(
        "end without the campaign's lock",
        "a stop that runs beside an end leaves a contact pending for ever",
        "dialer/record/outcome_rows.py",
        'moving += [(LOCK_CAMPAIGNS, {"calls": plain_array(ending)}), (ENDED,',
        "moving += [(ENDED,",
        (f"{ORDERS}::test_an_end_waits_for_the_stop_that_runs_beside_it",),
    ),
    Mutation(
        "pending after a stop",
        "a contact goes back to pending although its campaign has ended",
        "dialer/record/outcome_rows.py",
        "campaign.status IN ('running', 'paused') AS open",
        "true AS open",
        (f"{CLAIMS}::test_after_a_stop_nobody_goes_back_to_pending",),
    ),
    Mutation(
        "campaign completed with calls up",
        "a campaign counts as exhausted while somebody is being called",
        "campaigns/lifecycle.py",
        "        AND NOT EXISTS (SELECT FROM call WHERE campaign_id = c.id AND ended_at IS NULL)\n",
        "",
        (
            "tests/integration/api/test_lifecycle.py::test_a_campaign_is_exhausted_once_and_only_with_nobody_left",
        ),
    ),
    Mutation(
        "a total without the calls that are up",
        "a list of calls says fewer than it has",
        "campaigns/call_counts.py",
        "    if state != CallState.ENDED and disposition is None:\n",
        "    if state not in (None, CallState.ENDED) and disposition is None:\n",
        (f"{CALL_COUNTS}::test_what_is_kept_is_what_the_rows_say",),
    ),
    Mutation(
        "an end leaves no mark",
        "a page of the contacts that failed lacks some of them",
        "migrations/0055_ended_so.py",
        'work=_mark("new_contacts")',
        'work=_mark("(SELECT * FROM new_contacts WHERE false)")',
        (
            "tests/integration/api/test_contact_blocks.py::test_a_part_is_marked_by_the_first_that_ends_so",
            "tests/integration/api/test_contact_pages.py::test_pages_by_status_are_the_list_without_the_others",
        ),
    ),
    Mutation(
        "a list is taken for one that nobody was taken out of",
        "a page of a clone's contacts passes somebody over",
        "campaigns/contact_pages.py",
        'gapless = f"CASE WHEN {_WITHOUT_GAPS} THEN %s ELSE 0 END"',
        'gapless = "%s"',
        ("tests/integration/api/test_clones.py::test_pages_leave_out_nobody_where_somebody_was_taken_out",),
    ),
)

STREAM = (
    Mutation(
        "publish before commit",
        "listeners hear of a change that is then rolled back",
        "dialer/record/cdr_inbox.py",
        """            db.execute_sql(APPLIED, ([row["call_id"] for row in locked],))
""",
        """            self.publish(corrected.told if corrected else ())
            db.execute_sql(APPLIED, ([row["call_id"] for row in locked],))
""",
        (f"{ORDERS}::test_nothing_is_told_of_a_correction_that_was_not_committed",),
    ),
    Mutation(
        "over before it is judged",
        "a campaign is completed between the end of its last call and the breaker that brings its contacts back",
        "dialer/dispatch/dispatch.py",
        " or self.unjudged(campaign_id)",
        "",
        ("tests/unit/dialer/test_dispatch.py::test_a_campaign_is_not_over_while_its_contacts_may_come_back",),
    ),
    Mutation(
        "what is being judged is judged",
        "a campaign is completed while the breaker that brings its contacts back is at it",
        "dialer/record/following.py",
        "self._waiting if self._judged is None else (*self._waiting, self._judged)",
        "self._waiting",
        (
            f"{FOLLOWING}::test_a_campaign_whose_calls_are_over_is_owed_a_judgement_until_the_judges_have_spoken",
        ),
    ),
    Mutation(
        "claim told before it is made",
        "listeners hear of a call whose claim then fails",
        "dialer/record/recorder.py",
        """        try:
            written = self._write(changes)
        except""",
        """        try:
            nothing = Written([], frozenset(c.call.call_id for c in changes))
            for follower in self.followers:
                follower.after_commit(Commit(nothing, [], {}))
            written = self._write(changes)
        except""",
        (f"{RECORDER}::test_nothing_follows_from_a_group_before_it_is_committed",),
    ),
    Mutation(
        "marked before it is published",
        "a transition that Redis did not take is never told",
        "dialer/record/outbox.py",
        """        outcomes = self.publisher.publish([transition for _, transition in group])
""",
        """        self._mark(self._owner, [], list(self._unpublished))
        outcomes = self.publisher.publish([transition for _, transition in group])
""",
        (f"{ORDERS}::test_what_redis_did_not_take_is_told_later",),
    ),
    Mutation(
        "gone with its first part",
        "what a row of the outbox names beyond one group is never told where the process dies or Redis goes away",
        "dialer/record/outbox.py",
        "whole = [row for row in rows if self._unpublished[row] <= 0]",
        "whole = list(rows)",
        (f"{OUTBOX}::test_a_row_of_the_outbox_stays_until_the_last_of_what_it_names_is_told",),
    ),
    Mutation(
        "noted where an older dialer does not look",
        "what a dialer leaves is told by nobody while one of the last release takes over from it",
        "migrations/contraction.py",
        "if not found or db.execute_sql(_OLDER, (KNOWN,)).fetchone():",
        "if not found:",
        (f"{OUTBOX}::test_beside_an_older_dialer_transitions_are_flagged_and_noted_once_it_is_gone",),
    ),
    Mutation(
        "settled with what it noted",
        "what a dialer noted in the outbox before it died is told by nobody",
        "dialer/recovery/takeover.py",
        "    AND NOT EXISTS (SELECT 1 FROM outbox WHERE owner = %(id)s)\n",
        "",
        (f"{OUTBOX}::test_a_dialer_is_not_settled_before_what_it_noted_is_told",),
    ),
    Mutation(
        "told twice",
        "a transition that was published but not marked is told again",
        "live/publish.lua",
        "  if version < due then\n",
        "  if false then\n",
        (f"{OUTBOX}::test_what_died_between_publish_and_mark_is_not_told_twice",),
    ),
    Mutation(
        "told out of order",
        "a later change of a contact is told before the earlier one",
        "live/publish.lua",
        "  elseif version == due or force then\n",
        "  elseif version >= due or force then\n",
        (f"{OUTBOX}::test_a_later_change_waits_for_the_earlier_one_of_somebody_else",),
    ),
    Mutation(
        "told early and forgotten",
        "a call that ends while it is taken over from a dead dialer is heard of by nobody",
        "dialer/record/early_reports.py",
        "            self._kept.append(report)\n",
        "            pass\n",
        (
            f"{RECORDER}::test_what_is_told_of_a_call_before_it_has_come_from_a_dead_dialer_is_taken_up_when_it_has",
        ),
    ),
    Mutation(
        "nobody expects calls",
        "a takeover asks for events, and nobody keeps them until their calls are here",
        "dialer/recovery/takeover.py",
        "        recorder.expect_calls()\n",
        "",
        (
            (
                "tests/unit/dialer/test_takeover_filters.py"
                "::test_what_is_told_while_a_dead_dialer_s_calls_come_is_kept_until_they_are_here"
            ),
        ),
    ),
    Mutation(
        "spoken while Redis was away",
        "what a call spoke, which its record tells, is not counted for the day where Redis is away",
        "dialer/record/cdr_inbox.py",
        "                self.bill(corrected.seconds)\n",
        "                with suppress(Exception):\n                    self.bill(corrected.seconds)\n",
        (
            "tests/integration/dialer/test_cdr_inbox.py::test_what_was_spoken_is_not_lost_to_the_day_where_redis_is_away",
        ),
        (
            (
                "from dataclasses import dataclass\n",
                "from contextlib import suppress\nfrom dataclasses import dataclass\n",
            ),
        ),
    ),
    Mutation(
        "spoken twice",
        "what a call spoke is counted once more for each try to commit that",
        "limits/late_seconds.lua",
        "if redis.call('SADD', added, item[1]) == 1 then",
        "if redis.call('SADD', added, item[1]) then",
        (
            "tests/integration/limits/test_late_seconds.py::test_each_call_s_are_added_once_however_often_that_is_asked",
        ),
    ),
    Mutation(
        "a locked row is waited for",
        "what cannot be written while somebody keeps its rows locked is given up, or keeps all others waiting",
        "dialer/record/recorder.py",
        "            if is_locked(error):\n                if others",
        "            if not is_locked(error):\n                if others",
        (f"{RECORDER}::test_whose_rows_somebody_keeps_locked_waits_alone_and_for_as_long_as_that_lasts",),
    ),
    Mutation(
        "what hangs goes on",
        "a process of which a part hangs keeps its calls, of which it writes nothing, from everybody else",
        "dialer/hung_greenlets.py",
        "if before.looks > self.looks:",
        "if before.looks > self.looks and not self.looks:",
        ("tests/unit/dialer/test_hung_greenlets.py::test_who_does_not_move_is_told_with_where_it_is",),
    ),
    Mutation(
        "a write that is ended loses its changes",
        "what a fault ends between the queue and the row is written by nobody, and asked about by nobody",
        "dialer/record/recorder.py",
        "changes = self._folded\n",
        "changes: dict[str, Change] = {}\n",
        (f"{RECORDER}::test_whatever_ends_a_write_its_changes_are_written_with_the_next",),
    ),
    Mutation(
        "an end that was lost",
        "a call whose end was heard and is nobody's to write stays open for ever",
        "dialer/recovery/audit.py",
        "        for call_id in found & self._unwritten:",
        "        for call_id in found & self._unwritten & set():",
        (f"{LOST}::test_an_end_that_was_lost_before_it_was_written_is_found_at_the_switch",),
    ),
)
