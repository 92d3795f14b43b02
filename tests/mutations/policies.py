"""Mutations of: nobody is called whom the law of his place keeps from being called, where packs bind the campaign."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

API = "tests/integration/api/test_policy_packs.py"
PURE = "tests/unit/campaigns/test_policy_packs.py"

LAWFUL = (
    Mutation(
        "hours of the pack forgotten",
        "a pack's hours narrow no campaign",
        "campaigns/openings.py",
        "windows if asked is None else windows.within(asked.hours)",
        "windows",
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
        "consented=consent[0] is not None)\n        if refused",
        "consented=True)\n        if refused",
        (f"{API}::test_who_has_not_agreed_is_no_contact_where_the_law_wants_it",),
    ),
    Mutation(
        "barred and called",
        "whom a newer pack bars keeps his openings",
        "campaigns/openings.py",
        "    if _barred_by(asked, campaign, group) is not None:",
        "    if False:",
        (f"{API}::test_whom_a_newer_pack_bars_is_called_no_more",),
    ),
    Mutation(
        "old packs for ever",
        "a newer version of a pack holds for new campaigns alone",
        "campaigns/openings.py",
        '    return ", ".join([*versions, packs_version()])',
        '    return ", ".join(versions)',
        (f"{API}::test_another_version_of_a_pack_makes_openings_due",),
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
        "started in spite of the law",
        "an agent that rings too short is started",
        "campaigns/policy_choice.py",
        '        if shortest is not None and asked.ring_seconds > campaign["ring_seconds"]:',
        "        if False:",
        (f"{API}::test_who_may_not_show_the_number_or_rings_too_short_is_not_started",),
    ),
)
