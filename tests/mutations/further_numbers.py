"""Mutations of: each number of a contact is called as its only one would be, and a campaign has it once."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

ROWS = "tests/integration/dialer/test_further_numbers.py"
API = "tests/integration/api/test_further_numbers.py"
LIST = "tests/unit/campaigns/test_further_numbers.py"
DUPLICATES = "tests/integration/api/test_duplicates.py"

FURTHER = (
    Mutation(
        "claim for another number",
        "a number is called of which nobody asked whether it was erased, or called too often",
        "dialer/dispatch/claims.py",
        " AND contact.phone_number = wanted.number\n",
        "\n",
        (f"{ROWS}::test_a_claim_that_was_judged_for_another_number_gets_nothing",),
    ),
    Mutation(
        "further number unasked",
        "the second number of a contact is imported though it is on a do-not-call list",
        "campaigns/further_numbers.py",
        " OR {barred})\n",
        ")\n",
        (f"{API}::test_a_number_that_must_not_be_called_is_left_out_and_the_contact_stays",),
    ),
    Mutation(
        "further number of any country",
        "the second number of a contact is one that the tenant may not call",
        "campaigns/import_rows.py",
        "        self._rules.check(number)\n",
        "        if cells and cells[columns.phone] == raw:\n            self._rules.check(number)\n",
        (f"{LIST}::test_each_number_obeys_the_rules_and_what_breaks_one_is_left_out",),
    ),
    Mutation(
        "further number of any pack",
        "the second number of a contact is where the law forbids the call",
        "campaigns/import_rows.py",
        "        refused = [policy.refusal(number, consented=consented) for number in numbers]\n",
        "        refused = [policy.refusal(numbers[-1], consented=consented) for number in numbers]\n",
        (f"{LIST}::test_packs_bar_each_number_by_itself",),
    ),
    Mutation(
        "number of another row",
        "a person is called by two contacts of a campaign that share a further number",
        "campaigns/import_rows.py",
        "        for number in numbers:\n            self._lines[number] = line\n",
        "        self._lines[numbers[0]] = line\n",
        (f"{LIST}::test_two_contacts_with_one_number_in_any_column_are_duplicates",),
    ),
    Mutation(
        "added by another number",
        "a person is called by two contacts, of which one was added by another of his numbers",
        "campaigns/addition_rows.py",
        "ON %(several)s AND contact.campaign_id",
        "ON false AND contact.campaign_id",
        (f"{API}::test_added_contacts_obey_the_same_rules",),
    ),
    Mutation(
        "number that is no good again",
        "a number that does not exist is called as often as the others",
        "dialer/record/outcome_rows.py",
        "        struck = CASE WHEN held.no_good AND",
        "        struck = CASE WHEN false AND",
        (f"{ROWS}::test_a_number_that_is_no_good_is_called_no_more",),
    ),
    Mutation(
        "only number no good",
        "whoever has no other number waits for ever for one that does not exist",
        "dialer/record/outcome_rows.py",
        "CASE WHEN ended.no_good AND ended.wanted = 'pending' AND NOT",
        "CASE WHEN false AND NOT",
        (f"{ROWS}::test_whose_only_number_is_no_good_has_failed_whoever_says_that_he_has_another",),
    ),
    Mutation(
        "told of the next number",
        "listeners hear of a call to a number that was not called",
        "dialer/record/outcome_rows.py",
        "contact.campaign_id, contact.id, held.phone_number,\n",
        "contact.campaign_id, contact.id, contact.phone_number,\n",
        (f"{ROWS}::test_what_is_told_of_a_call_is_about_the_number_that_was_called",),
    ),
    Mutation(
        "window of the last number",
        "a person is called outside the window of where his next number is",
        "dialer/record/outcome_rows.py",
        '_NEXT_GROUP = "coalesce(held.zone_groups[held.next_place], held.zone_group)"\n',
        '_NEXT_GROUP = "held.zone_group"\n',
        (f"{ROWS}::test_a_retry_waits_for_the_window_of_the_number_that_it_goes_to",),
    ),
    Mutation(
        "round to what never opens",
        "a person waits for ever for a number of his that no window opens for",
        "dialer/record/outcome_rows.py",
        '_USABLE = opens_for("contact", "campaign.windows")\n',
        '_USABLE = "true"\n',
        (f"{ROWS}::test_nobody_goes_round_to_a_number_that_the_window_never_opens_for",),
    ),
    Mutation(
        "hash of another number",
        "a number that may be called is called no more since another was erased",
        "campaigns/suppressed_contacts.py",
        "    WHERE contact.phone_number = named.number AND contact.status",
        "    WHERE contact.status",
        (f"{ROWS}::test_a_digest_of_another_number_strikes_none",),
    ),
    Mutation(
        "called while erased",
        "whoever asked to be erased is called by another of his numbers before that is done",
        "dialer/dispatch/claims.py",
        '        AND NOT {BEING_ERASED.format(tenant="campaign_now.tenant_id")}\n',
        "",
        (f"{ROWS}::test_whoever_is_being_erased_by_one_number_is_called_by_none",),
    ),
    Mutation(
        "number of before",
        "who went on with another number while a list of many was looked at is called by none of his numbers",
        "campaigns/suppressed_contacts.py",
        " AND number = contact.phone_number",
        "",
        (f"{ROWS}::test_who_goes_on_while_others_look_keeps_the_number_that_he_went_on_with",),
    ),
    Mutation(
        "erased by the first number alone",
        "what is kept of a person stays who asked for it by his second number",
        "campaigns/erasure.py",
        "WHERE contact.numbers @> ARRAY[%(number)s] AND",
        "WHERE false AND",
        (f"{ROWS}::test_whoever_is_erased_by_any_of_his_numbers_is_erased_with_all",),
    ),
    Mutation(
        "number twice in the database",
        "two requests that came at once make two contacts of one number",
        "migrations/0054_further_numbers.py",
        "CREATE UNIQUE INDEX CONCURRENTLY",
        "CREATE INDEX CONCURRENTLY",
        (f"{DUPLICATES}::test_the_database_keeps_a_number_of_a_campaign_once_whoever_writes_it",),
    ),
    Mutation(
        "called lately and listed",
        "whom the tenant called an hour ago is called again by a campaign that leaves such people out",
        "campaigns/suppressed_rows.py",
        "        recent = dict(self._read(_LATELY, asked)) if self._lately else {}\n",
        "        recent: dict[int, str] = {}\n",
        (f"{DUPLICATES}::test_whom_the_tenant_called_lately_is_left_out",),
    ),
    Mutation(
        "called lately and added",
        "whom the tenant called an hour ago is added to a campaign that leaves such people out",
        "campaigns/addition_rows.py",
        "line = ANY(%(recent)s::int[])",
        "false",
        (f"{DUPLICATES}::test_added_contacts_are_judged_likewise",),
    ),
)
