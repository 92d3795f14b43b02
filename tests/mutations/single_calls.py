"""Mutations of: what somebody asks for by itself is placed once, at once, under every cap, or not at all."""

from __future__ import annotations

from tests.mutations.mutation import CAPS, Mutation

ASKED = "tests/integration/api/test_single_calls.py"
PLACED = "tests/integration/dialer/test_single_calls.py"
PARTS = "tests/unit/dialer/test_small_parts.py"
AMONG = "tests/unit/dialer/test_single_calls.py"

SINGLE_CALLS = (
    Mutation(
        "places kept for nobody",
        "campaigns take the places that are kept for single calls",
        "limits/acquire.lua",
        "kept = math.max(0, tenant.reserved - tenant.single.used)",
        "kept = 0",
        (f"{CAPS}::test_a_campaign_leaves_what_is_kept_for_single_calls_and_no_more",),
    ),
    Mutation(
        "places kept twice",
        "a single call in progress costs campaigns a place beyond those that are kept",
        "limits/acquire.lua",
        "kept = math.max(0, tenant.reserved - tenant.single.used)",
        "kept = tenant.reserved",
        (f"{CAPS}::test_a_campaign_leaves_what_is_kept_for_single_calls_and_no_more",),
    ),
    Mutation(
        "single calls forgotten by a rebuild",
        "after a loss of Redis campaigns wait for places that single calls have already",
        "limits/rebuild.py",
        "single=call.single",
        "single=False",
        (f"{CAPS}::test_what_is_kept_for_single_calls_is_known_again_after_a_rebuild",),
    ),
    Mutation(
        "single calls behind campaigns",
        "a person at a desk waits for a call behind a list of 100,000",
        "dialer/dispatch/agenda.py",
        "self._fair.turns(by_tenant, _single_calls(asking, wishes)):",
        "self._fair.turns(by_tenant):",
        (f"{AMONG}::test_single_calls_go_before_campaigns_that_ask_for_everything",),
    ),
    Mutation(
        "single calls before other tenants",
        "who asks for as many single calls as a gateway takes has it to himself, and nobody else's people are called",
        "dialer/dispatch/fair_share.py",
        "{tenant_id: sum(of.values()) for tenant_id, of in got.items()},",
        "{tenant_id: sum(n for name, n in of.items() if name not in first) for tenant_id, of in got.items()},",
        (f"{AMONG}::test_who_asks_for_many_single_calls_has_no_more_turns_than_others",),
    ),
    Mutation(
        "plans read for each single call",
        "a tenant that asks for many calls a second has dialers do nothing but read plans",
        "dialer/tasks.py",
        "if (early := began + gap - self._now()) > 0:",
        "if (early := gap - gap) > 0:",
        (f"{PARTS}::test_what_is_asked_for_again_and_again_is_done_at_once_and_then_with_gaps",),
    ),
    Mutation(
        "single calls that wait uncounted",
        "of many that are asked for at once more are taken than a cap has room for, and expire",
        "campaigns/single_calls.py",
        "used.concurrent + waiting",
        "used.concurrent",
        (f"{ASKED}::test_those_that_wait_count_against_the_caps",),
    ),
    Mutation(
        "single calls judged at the same time",
        "of many that are asked for at once more are taken than a cap has room for, and expire",
        "campaigns/single_calls.py",
        'if not turn["taken"]:',
        "if not turn:",
        (
            f"{ASKED}::test_whoever_waits_for_another_call_of_the_tenant_keeps_no_connection",
            f"{ASKED}::test_those_that_wait_count_against_the_caps",
        ),
    ),
    Mutation(
        "single call without an end",
        "a call that nobody could place is placed whenever a dialer comes back",
        "campaigns/single_calls.py",
        "SET expires_at = now() + interval",
        "SET expires_at = now() + interval '1 day' + interval",
        (f"{ASKED}::test_a_call_is_taken_as_a_campaign_of_its_own_that_no_list_shows",),
    ),
    Mutation(
        "single call that anybody feeds",
        "one request for a call becomes a campaign of thousands, before everybody's and without a limit of its own",
        "campaigns/additions.py",
        'if found and found[0]["single_call"] and not single:',
        "if found is None:",
        (f"{ASKED}::test_nobody_makes_more_of_a_single_call",),
    ),
    Mutation(
        "single call without a bound",
        "a call that nobody could place is placed at any later time",
        "campaigns/contact_changes.py",
        'if found[0]["single_call"]:',
        "if not found:",
        (f"{ASKED}::test_nobody_makes_more_of_a_single_call",),
    ),
    Mutation(
        "test call of a campaign that is over",
        "a test call leaves after its campaign was stopped",
        "dialer/dispatch/claims.py",
        "tested.id = campaign.test_of AND tested.completed_at IS NULL",
        "tested.id = campaign.test_of",
        (f"{PLACED}::test_a_test_call_is_not_claimed_once_its_campaign_is_over",),
    ),
    Mutation(
        "claimed test call of a campaign that is over",
        "a test call that waits to leave does so after its campaign was stopped, or suppressed the number",
        "dialer/lookout.py",
        "({_SUPPRESSED} OR {_BEING_ERASED} OR NOT {claims.TRIED_GOES_ON})",
        "{_SUPPRESSED}",
        (f"{PLACED}::test_a_claimed_test_call_is_seen_that_may_not_leave_any_more",),
    ),
    Mutation(
        "claimed test call past its campaign's list",
        "a test call that waits to leave reaches somebody whom its campaign may not call any more",
        "dialer/lookout.py",
        'campaign="coalesce(campaign.test_of, call.campaign_id)",',
        'campaign="call.campaign_id",',
        (f"{PLACED}::test_a_claimed_test_call_is_seen_that_may_not_leave_any_more",),
    ),
    Mutation(
        "test calls of a stop forgotten",
        "an answered stop of a campaign lets a test call leave that waits for its permit",
        "api/routes/campaign_actions.py",
        "told = _stop_tests(done.campaign_id) and told",
        "told = bool(told)",
        (f"{ASKED}::test_what_concerns_a_campaign_concerns_its_test_calls_that_wait",),
    ),
    Mutation(
        "test call past its campaign's list",
        "a test call reaches somebody whom its campaign may not call",
        "dialer/dispatch/claims.py",
        "coalesce(campaign.test_of, campaign.id) AS list_of",
        "campaign.id AS list_of",
        (f"{PLACED}::test_a_test_call_is_not_claimed_to_whom_its_campaign_may_not_call",),
    ),
    Mutation(
        "test call judged by a stranger's word",
        "a test number is called at night, or without consent, since it is day where somebody else is, who agreed",
        "api/routes/single_calls.py",
        'lent="custom_fields" not in body,',
        "lent=False,",
        (f"{ASKED}::test_a_test_number_is_judged_by_itself",),
    ),
    Mutation(
        "test call to anybody",
        "a test call goes to a number that nobody allowed",
        "api/routes/single_calls.py",
        'if row.phone_number not in allowed["test_numbers"]:',
        "if row.phone_number in ():",
        (f"{ASKED}::test_a_campaign_is_tried_on_an_allowed_number_and_stays_as_it_is",),
    ),
)
