"""Mutations of: nobody is called again sooner, or more often, than somebody said."""

from __future__ import annotations

from tests.mutations.mutation import SCHEDULER, Mutation

RULES = "tests/unit/campaigns/test_dispositions.py"
NUMBERS = "tests/integration/limits/test_numbers.py"
DIALLED = "tests/unit/dialer/test_dialled_campaign.py"
PERMITS = "tests/unit/dialer/test_permits.py"
NUMBER_CAPS = "tests/integration/dialer/test_number_caps.py"
ORDER = "tests/integration/dialer/test_dial_order.py"
RECORDER = "tests/unit/dialer/test_recorder.py"
DISPATCH = "tests/unit/dialer/test_dispatch.py"

OFTEN = (
    Mutation(
        "retry rule of its own bound",
        "who may be called once more after a busy line is called as often as after any other outcome",
        "campaigns/retry_rules.py",
        "return 1 + (usual_retries if self.retries is None else self.retries)",
        "return 1 + max(usual_retries, self.retries or 0)",
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
        "retries as at the claim",
        "whose campaign has no retries any more is called again, since he was in a call when it was changed",
        "dialer/record/switch_reports.py",
        "        if terms is not None:",
        "        if terms is None:",
        (
            f"{RECORDER}::test_whether_a_contact_is_called_again_is_decided_by_what_its_campaign_says_at_the_end",
        ),
    ),
    Mutation(
        "retries of a paused campaign",
        "what is changed while a campaign is paused does not hold for the calls that are still up",
        "dialer/dispatch/dispatch.py",
        "        self.board.read_terms(self.live_calls.campaigns())\n",
        "",
        (
            f"{DISPATCH}::test_while_calls_of_a_campaign_that_was_paused_are_up_its_retries_are_looked_at_with_the_plans",
        ),
    ),
    Mutation(
        "retries behind a long list",
        "nobody is called again before the last of 100,000 was called once",
        "dialer/dispatch/due.py",
        "campaign.dial_order = 'new_first' THEN",
        "campaign.dial_order = 'retries_first' THEN",
        (f"{ORDER}::test_a_long_list_does_not_keep_its_retries_waiting",),
    ),
    Mutation(
        "callback forgotten",
        "who asked to be called at three waits behind the rest of the list, since no node had room at three",
        "dialer/record/outcome_rows.py",
        "callback = contact.callback AND held.disposition IS NULL,",
        "callback = false,",
        (f"{ORDER}::test_a_callback_that_never_left_stays_one_and_is_over_with_its_call",),
    ),
    Mutation(
        "number called once too often",
        "a person whose number may be called three times a day is called a fourth time",
        "limits/numbers.lua",
        "redis.call('ZREVRANGE', log, cap[1] - 1, cap[1] - 1, 'WITHSCORES')",
        "redis.call('ZREVRANGE', log, cap[1], cap[1], 'WITHSCORES')",
        (f"{NUMBERS}::test_random_histories_are_as_a_plain_list_says",),
    ),
    Mutation(
        "gap between two calls forgotten",
        "a second campaign calls a number a second after the first one hung up",
        "limits/release.lua",
        "    if gap > 0 then\n",
        "    if gap < 0 then\n",
        (f"{NUMBERS}::test_a_gap_runs_from_the_end_of_a_call_to_the_next_from_any_campaign",),
    ),
    Mutation(
        "count of a call that never rang",
        "a carrier that refuses three calls uses up what a number may be called in a day",
        "limits/release.lua",
        "  if items[base + 4] == 0 then\n",
        "  if not reached and false then\n",
        (f"{NUMBERS}::test_what_never_rang_gives_its_count_back_and_a_permit_never_used_too",),
    ),
    Mutation(
        "numbers of an emptied Redis",
        "after a loss of Redis everybody is called as if he had never been",
        "limits/numbers.lua",
        "  if not rules.whole then\n",
        "  if false then\n",
        (f"{NUMBERS}::test_what_redis_lost_is_read_from_the_rows",),
    ),
    Mutation(
        "calls of a time without caps forgotten",
        "a dialer that has not heard of a cap calls a number, and the cap does not count that call",
        "limits/numbers.lua",
        "    if log or rest or filling then\n",
        "    if false then\n",
        (f"{NUMBERS}::test_calls_of_a_time_without_caps_are_not_forgotten",),
    ),
    Mutation(
        "calls of a time with a gap alone forgotten",
        "a debtor is called ten times while the campaign whose pack counts to seven pauses, and then once more",
        "limits/numbers.lua",
        "  if rules.longest == 0 and (logged > 0 or filling) then\n",
        "  if false then\n",
        (
            f"{NUMBERS}::test_calls_of_a_time_with_a_gap_alone_are_not_forgotten_by_a_cap",
            f"{NUMBERS}::test_a_grant_by_a_gap_alone_voids_what_is_being_read",
        ),
    ),
    Mutation(
        "what is being read cut short",
        "a cap over a week does not count what a dialer took out that knew of a cap over a day",
        "limits/numbers.lua",
        "  rules.keep = filling and LONGEST_MEMORY or",
        "  rules.keep =",
        (f"{NUMBERS}::test_a_grant_by_a_shorter_cap_takes_nothing_out_of_what_is_being_read",),
    ),
    Mutation(
        "call that ended while numbers were read",
        "a call that ends while rows are read starts no gap",
        "limits/number_history.py",
        "        self._write(rows.again(self._open))\n",
        "",
        (f"{NUMBERS}::test_a_call_that_ends_while_rows_are_read_is_looked_at_again",),
    ),
    Mutation(
        "unknown outcome that does not count for its number",
        "after a loss of Redis a call of which nobody knows how it ended is taken for none",
        "dialer/call_rows.py",
        "IN ('outcome_unknown', 'node_fault')",
        "IN ('node_fault')",
        (f"{NUMBER_CAPS}::test_what_rang_was_answered_or_is_unknown_counts",),
    ),
    Mutation(
        "picked up for nothing and not counted",
        "whoever picked up a call that the node had no port for may be called again by another campaign at once",
        "dialer/capacity/permits.py",
        "frozenset({Disposition.OUTCOME_UNKNOWN, Disposition.NODE_FAULT})",
        "frozenset({Disposition.OUTCOME_UNKNOWN})",
        (f"{PERMITS}::test_a_call_counts_for_its_number_where_it_rang_was_answered_or_nobody_knows",),
    ),
    Mutation(
        "picked up for nothing and not counted after a loss of Redis",
        "a number is called more often than its cap says where the counts are read from rows",
        "dialer/call_rows.py",
        "IN ('outcome_unknown', 'node_fault')",
        "IN ('outcome_unknown')",
        (f"{NUMBER_CAPS}::test_what_rang_was_answered_or_is_unknown_counts",),
    ),
    Mutation(
        "asked without a pause while numbers are not known",
        "until the rows are read a campaign passes over its contacts one by one, hundreds of questions a second",
        "dialer/dispatch/gateway_choice.py",
        "        if denied.of_tenant:\n            return False\n",
        "",
        (f"{DIALLED}::test_where_no_number_s_calls_are_known_the_campaign_waits_and_nobody_is_passed_over",),
    ),
    Mutation(
        "numbers held by old caps",
        "whoever was let go when caps were lifted waits again, for as long as the old ones say",
        "dialer/dispatch/postponing.py",
        "        AND coalesce(limits_now.version, '') = late.limits\n",
        "",
        (
            "tests/integration/dialer/test_number_caps.py::test_nobody_is_made_to_wait_by_caps_that_hold_no_more",
        ),
    ),
    Mutation(
        "capped numbers asked about again and again",
        "a list of which 50,000 may not be called today keeps its dialer busy, and those behind them waiting",
        "dialer/dispatch/scheduler.py",
        "                self.statements.postpone(late, NUMBER_CAP)\n",
        "                pass\n",
        (f"{SCHEDULER}::test_whose_number_may_not_be_called_for_hours_is_written_back_and_holds_nobody_up",),
    ),
)
