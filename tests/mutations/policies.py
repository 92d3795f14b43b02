"""Mutations of: nobody is called whom the law of his place keeps from being called, where packs bind the campaign."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

DIALS = "tests/integration/dialer/test_policy_packs.py"
RATES = "tests/integration/dialer/test_abandon_rates.py"
API = "tests/integration/api/test_policy_packs.py"
PURE = "tests/unit/campaigns/test_policy_packs.py"

LAWFUL = (
    Mutation(
        "hours of the pack forgotten",
        "a pack's hours narrow no campaign",
        "campaigns/group_hours.py",
        "self.windows.within(self.demands.hours)",
        "self.windows",
        (f"{API}::test_a_campaign_is_called_only_while_its_window_and_the_packs_are_open",),
    ),
    Mutation(
        "hours of either rule",
        "where two rules have hours, those of one are enough",
        "campaigns/windows.py",
        "        for other in self.others:",
        "        for other in self.others[:1]:",
        (f"{PURE}::test_no_pack_ever_loosens_what_a_campaign_has",),
    ),
    Mutation(
        "packs that loosen a cap",
        "a pack that allows more calls than the tenant lifts the tenant's cap",
        "campaigns/policies.py",
        "    return min((one for one in limits if one is not None), default=None)",
        "    return max((one for one in limits if one is not None), default=None)",
        (f"{PURE}::test_the_tenants_own_caps_hold_where_they_are_less",),
    ),
    Mutation(
        "consent taken for granted",
        "a row without consent is a contact where the law wants one",
        "campaigns/import_rows.py",
        "left_out, consented=consent[0] is not None)",
        "left_out, consented=True)",
        (f"{API}::test_who_has_not_agreed_is_no_contact_where_the_law_wants_it",),
    ),
    Mutation(
        "barred and called",
        "whom a newer pack bars keeps his openings",
        "campaigns/group_hours.py",
        "        if self.barred_by is not None:",
        "        if False:",
        (f"{API}::test_whom_a_newer_pack_bars_is_called_no_more",),
    ),
    Mutation(
        "old packs for ever",
        "a newer version of a pack holds for new campaigns alone",
        "campaigns/openings.py",
        "AND (NOT coalesce({_AS_NEW}, false)\n        OR openings_until",
        "AND (openings_until",
        (f"{API}::test_openings_of_older_tables_are_due_and_those_of_newer_are_not",),
    ),
    Mutation(
        "no purpose, no law",
        "in a tenant that turned packs on a campaign without a purpose is bound by nothing",
        "campaigns/policy_packs.py",
        "(purpose is None or purpose in rule.purposes)",
        "purpose in rule.purposes",
        (f"{PURE}::test_whose_purpose_nobody_names_is_bound_by_the_rules_of_all",),
    ),
    Mutation(
        "toll-free and lawless",
        "a number that does not tell its country is bound by none",
        "campaigns/places.py",
        "        return ANYWHERE if abroad is None else (abroad,)",
        "        return () if abroad is None else (abroad,)",
        (f"{PURE}::test_a_place_is_that_of_the_number",),
    ),
    Mutation(
        "bound by nobody's choice",
        "a campaign with a purpose is not bound, though nobody said so",
        "campaigns/policy_choice.py",
        "    on = purpose is not None if packs is None else packs == ON",
        "    on = packs == ON",
        (f"{API}::test_nothing_binds_without_a_purpose_unless_the_tenant_turned_packs_on",),
    ),
    Mutation(
        "called in its rest",
        "a number is called again before the days after a conversation are over",
        "dialer/dispatch/claims.py",
        "AND (wanted.rests IS NULL OR NOT EXISTS (SELECT {",
        "AND (true OR NOT EXISTS (SELECT {",
        (f"{DIALS}::test_a_number_rests_for_seven_days_after_a_conversation_about_a_debt",),
    ),
    Mutation(
        "rest of one number alone",
        "who shares a debt is called by his other number",
        "dialer/dispatch/postponing.py",
        "AND earlier.subject IN (contact.phone_number, contact_key(contact.custom_fields, {key_column}))",
        "AND earlier.subject = contact.phone_number",
        (f"{DIALS}::test_whoever_has_the_same_in_the_key_column_is_left_alone_too",),
    ),
    Mutation(
        "rest read for ever",
        "whose number rests is read and claimed in vain at each look",
        "dialer/dispatch/batch.py",
        "            self.statements.postpone_resting(resting)\n",
        "            pass\n",
        (
            "tests/unit/dialer/test_scheduler.py::test_whose_number_is_left_alone_is_written_back_and_holds_nobody_up",
        ),
    ),
    Mutation(
        "caps of the pack forgotten",
        "a pack's cap on a number is not asked of the limiter",
        "limits/numbers.lua",
        "ipairs({rules.caps, own or {}})",
        "ipairs({rules.caps})",
        (
            "tests/integration/limits/test_numbers.py::test_a_call_may_have_windows_of_its_own_beside_its_tenants",
        ),
    ),
    Mutation(
        "remembered by the bound alone",
        "calls of a tenant's other campaigns are not known where a pack counts them",
        "dialer/dispatch/plan_rows.py",
        "        if furthest.get(plan.tenant_id)\n",
        "        if plan.policy is not None\n",
        (f"{DIALS}::test_a_plan_has_the_strictest_caps_of_each_number_and_remembers_as_far_back",),
    ),
    Mutation(
        "remembered while one runs alone",
        "nobody of a tenant is called while its history is read, at each start of a campaign that packs bind",
        "dialer/dispatch/plan_rows.py",
        "number_memory.kept(asked_for)",
        "asked_for",
        (f"{DIALS}::test_what_is_remembered_stays_for_30_days_when_no_campaign_asks_for_it_any_more",),
    ),
    Mutation(
        "left waiting for a pack that binds no more",
        "who may be called again waits for up to 30 days more for a rule that no longer binds its campaign",
        "api/routes/campaign_changes.py",
        "        let_go(services(), [found_id])\n",
        "        pass\n",
        (f"{API}::test_who_waits_for_a_pack_that_binds_no_more_is_judged_anew",),
    ),
    Mutation(
        "nowhere for want of a note",
        "whom a process of an older release added is called at night and without having agreed",
        "campaigns/openings.py",
        """        return list(groups)
    return [group if group["places"]""",
        """        return list(groups)
    return [group if True""",
        (
            f"{API}::test_laws_bind_contacts_whose_places_nobody_noted",
            f"{API}::test_who_has_not_agreed_as_far_as_anybody_noted_is_not_called_where_the_law_wants_it",
        ),
    ),
    Mutation(
        "abandons without end",
        "a campaign that abandons more calls than the law allows goes on",
        "campaigns/abandon_rates.py",
        "return self.calls >= FEWEST and 100 * self.abandoned > most * self.calls",
        "return False",
        (f"{RATES}::test_a_campaign_over_the_limit_is_paused_and_says_why",),
    ),
    Mutation(
        "abandoned while it is paused",
        "calls that were claimed by a campaign that was paused for its rate leave",
        "dialer/abandon_guard.py",
        "        self.tell(Topic.HOLD,",
        "        (lambda *_: None)(Topic.HOLD,",
        (f"{RATES}::test_a_campaign_over_the_limit_is_paused_and_says_why",),
    ),
    Mutation(
        "resumed over the limit",
        "who was paused for abandoning too many goes on as soon as somebody says so",
        "campaigns/lifecycle.py",
        "    _check_abandoned(campaign_id)\n",
        "",
        (f"{RATES}::test_it_cannot_be_resumed_before_the_rate_is_within_the_limit",),
    ),
    Mutation(
        "one that hides the others",
        "where one campaign cannot be judged, those behind it go on abandoning",
        "dialer/abandon_guard.py",
        "                # A fault in one must not hide the others.\n",
        "                raise\n",
        (f"{RATES}::test_one_that_cannot_be_judged_hides_no_other",),
    ),
    Mutation(
        "the kindest limit",
        "a campaign with contacts in two countries may abandon as many as the more lenient allows",
        "campaigns/abandon_rates.py",
        "demand.percent < found[key][0]",
        "demand.percent > found[key][0]",
        (f"{RATES}::test_the_strictest_limit_of_all_places_holds_over_its_own_time",),
    ),
    Mutation(
        "silence is no abandoned call",
        "a call whose agent could not run counts as one in which somebody was spoken to",
        "migrations/0051_outcomes_kept.py",
        "LEFT_ALONE = \"('abandoned', 'agent_failed')\"",
        "LEFT_ALONE = \"('abandoned')\"",
        (f"{DIALS}::test_how_a_call_ended_is_counted_once",),
    ),
    Mutation(
        "started in spite of the law",
        "an agent that rings too short is started",
        "campaigns/policy_choice.py",
        "    if shortest is not None and ring_seconds is not None and asked.ring_seconds > ring_seconds:",
        "    if False:",
        (f"{API}::test_who_may_not_show_the_number_or_rings_too_short_is_not_started",),
    ),
)
