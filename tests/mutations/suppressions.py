"""Mutations of: nobody is called whose number is suppressed, and nobody stays pending for it."""

from __future__ import annotations

from tests.mutations.mutation import SENDER, Mutation

SUPPRESSIONS = "tests/integration/dialer/test_suppressions.py"
API = "tests/integration/api/test_suppressions.py"
LOOKOUT = "tests/unit/dialer/test_lookout.py"
GATE = "tests/unit/dialer/test_send_gate.py"

ADDITIONS = "tests/integration/api/test_additions.py"
CLONES = "tests/integration/api/test_clones.py"
PRIVACY = "tests/integration/api/test_privacy.py"
ERASURES = "tests/integration/dialer/test_erasures.py"

FORGOTTEN = (
    Mutation(
        "erased while a list is stored",
        "a number that is said to be erased is stored by an import that had begun before",
        "dialer/erasures.py",
        "        if waits or erasure.in_use(found):\n",
        "        if erasure.in_use(found):\n",
        (f"{ERASURES}::test_who_stores_a_list_meanwhile_is_waited_for",),
    ),
    Mutation(
        "answer that quotes a person",
        "the name of somebody whose data was erased is still in an answer that is kept for a request sent again",
        "campaigns/erasure.py",
        """OR body ~ '"warnings": *[[] *"'""",
        """OR body ~ '"no warnings": *[[] *"'""",
        (f"{ERASURES}::test_a_stored_answer_that_quotes_from_a_list_of_the_person_goes_too",),
    ),
    Mutation(
        "erased while a call is up",
        "an outcome is told and kept of somebody whose data is said to be erased",
        "campaigns/erasure.py",
        "        used: bool = db.execute_sql(_IN_USE, asked).fetchone()[0]\n",
        "        used = asked is None\n",
        (f"{ERASURES}::test_a_call_that_is_up_runs_to_its_end_first",),
    ),
    Mutation(
        "rows before events",
        "events that can be replayed keep a number that nobody looks for any more",
        "dialer/erasures.py",
        "        self.erase_events(found.campaigns, found.contacts)\n",
        "        erasure.erase(one, found)\n        self.erase_events(found.campaigns, found.contacts)\n",
        (f"{ERASURES}::test_where_redis_is_away_nothing_is_lost_of_where_to_look",),
    ),
    Mutation(
        "erased contact called",
        "what stands in the place of an erased number is handed to a switch",
        "campaigns/suppression_match.py",
        "(left({number}, 1) <> '+'\n        OR EXISTS",
        "(EXISTS",
        (f"{ERASURES}::test_an_erased_contact_is_never_called",),
    ),
    Mutation(
        "erased contact brought back",
        "somebody who was erased waits for a call that never comes, and keeps his campaign from its end",
        "campaigns/contact_changes.py",
        """    " AND left(phone_number, 1) = '+'"\n""",
        "",
        ("tests/integration/api/test_contacts.py::test_nobody_brings_back_who_was_erased",),
    ),
    Mutation(
        "another tenant's data erased",
        "one tenant erases what another keeps",
        "campaigns/erasure.py",
        "WHERE campaign.tenant_id = %(tenant)s\nUNION",
        "WHERE true\nUNION",
        (f"{ERASURES}::test_another_tenants_data_stays",),
    ),
    Mutation(
        "test calls keep what they were lent",
        "the fields of somebody whose data was erased stay in a test call",
        "campaigns/erasure.py",
        '"lent": _lent(found),',
        '"lent": [],',
        (f"{ERASURES}::test_what_test_calls_were_lent_goes_once_they_are_over",),
    ),
    Mutation(
        "number of a late record kept",
        "a call record that comes after an erasure brings the number back",
        "api/routes/cdr.py",
        '"true" if name == CALLED else value',
        "value",
        ("tests/integration/api/test_cdr.py::test_the_number_that_was_called_is_not_kept",),
    ),
    Mutation(
        "prefix keeps an erased number",
        "the do-not-call list shows the whole number of somebody whose data was erased",
        "campaigns/erasure.py",
        "(number = %(number)s OR prefix = %(whole)s)",
        "number = %(number)s",
        (f"{PRIVACY}::test_a_prefix_that_is_the_whole_number_goes_where_it_is_nobody_elses",),
    ),
    Mutation(
        "erasure of a house's number",
        "whoever asked that nobody of a house is called is forgotten when one of its numbers is erased",
        "campaigns/erasure.py",
        "None if may_go_on(number) else number",
        "number",
        (f"{PRIVACY}::test_a_prefix_that_is_the_whole_number_goes_where_it_is_nobody_elses",),
    ),
    Mutation(
        "stored answers keep the number",
        "a number that was erased can be had by repeating a request",
        "dialer/erasures.py",
        "erasure.erase_answers(one, found)",
        "erasure.find(one)",
        (f"{ERASURES}::test_all_that_is_kept_of_a_person_goes_and_the_counts_stay",),
    ),
)
SUPPRESSED = (
    Mutation(
        "suppressed contact added",
        "somebody who asked not to be called is told to be added, and waits in a campaign",
        "campaigns/addition_rows.py",
        "(phone_number = ANY(%(erased)s::text[]) OR {_SUPPRESSED})",
        "(phone_number = ANY(%(erased)s::text[]))",
        (f"{ADDITIONS}::test_who_is_suppressed_is_rejected_and_of_who_was_erased_nothing_is_kept",),
    ),
    Mutation(
        "erased contact added",
        "the number of somebody whose data was erased is stored anew",
        "campaigns/additions.py",
        '"erased": list(erased_numbers.among(read)),',
        '"erased": [],',
        (f"{ADDITIONS}::test_who_is_suppressed_is_rejected_and_of_who_was_erased_nothing_is_kept",),
    ),
    Mutation(
        "suppressed contact cloned",
        "somebody who asked not to be called is copied to wait in another campaign",
        "campaigns/cloning.py",
        "            AND (numbers IS NOT NULL OR NOT {_SUPPRESSED})\n",
        "",
        (f"{CLONES}::test_who_is_suppressed_is_not_called_again",),
    ),
    Mutation(
        "claim of a suppressed number",
        "somebody who asked not to be called is called from every list that he is on",
        "dialer/dispatch/claims.py",
        "        AND NOT {SUPPRESSED}\n",
        "",
        (f"{SUPPRESSIONS}::test_a_claim_calls_nobody_who_is_suppressed",),
    ),
    Mutation(
        "expired entry binds",
        "people are never called again whom somebody suppressed for a month",
        "campaigns/suppression_match.py",
        "(entry.expires_at IS NULL OR entry.expires_at > now())",
        "(entry.expires_at IS NULL OR entry.expires_at > '-infinity')",
        (f"{SUPPRESSIONS}::test_a_claim_calls_nobody_who_is_suppressed",),
    ),
    Mutation(
        "another tenant's entry binds",
        "one tenant decides whom the others call",
        "campaigns/suppression_match.py",
        "(entry.scope = '{EVERYBODY}' OR entry.scope = {{tenant}})",
        "{{tenant}} IS NOT NULL",
        (f"{SUPPRESSIONS}::test_a_claim_calls_nobody_who_is_suppressed",),
    ),
    Mutation(
        "erased number called",
        "somebody whose data was erased is called from the next list that he is on",
        "dialer/dispatch/claims.py",
        "None if number_hash is None else number_hash(item.phone_number) for item in wanted",
        "None for item in wanted",
        (f"{SUPPRESSIONS}::test_a_claim_calls_nobody_who_is_suppressed",),
    ),
    Mutation(
        "repeat to a suppressed number",
        "a call that the switch never saw is sent once more to somebody who was suppressed since",
        "dialer/dispatch/claims.py",
        " AND NOT {_SUPPRESSED_SINCE}",
        "",
        (
            f"{SUPPRESSIONS}::test_a_call_that_the_switch_never_saw_is_not_sent_again_to_who_is_suppressed_since",
        ),
    ),
    Mutation(
        "suppression ignored at the guard",
        "a call that was claimed before its number was suppressed leaves after that was answered",
        "dialer/dispatch/sender.py",
        "call.suppressed or self._suppressed(call) or ",
        "",
        (f"{SENDER}::test_a_call_that_is_held_does_not_leave",),
    ),
    Mutation(
        "suppression that was not heard",
        "a call that waits for its turn leaves for seconds after its number was suppressed, where a message was lost",
        "dialer/lookout.py",
        "        self.suppressions.forbid(seen.suppressed)\n",
        "",
        (f"{LOOKOUT}::test_calls_whose_number_is_suppressed_may_not_leave_whatever_was_heard",),
    ),
    Mutation(
        "suppression of what is claimed later",
        "a number that was suppressed and let go is not called for ten minutes, and claimed all the time",
        "dialer/send_gate.py",
        "            if at < asked_at:\n                return False\n",
        "",
        (f"{GATE}::test_a_suppression_is_for_what_was_claimed_before_it",),
    ),
    Mutation(
        "news forgotten while a call is up",
        "somebody who was in a call when he was suppressed is pending for a retry that never comes",
        "campaigns/suppressed_contacts.py",
        " and not busy.concerns(row)",
        "",
        (f"{SUPPRESSIONS}::test_who_is_in_a_call_is_cancelled_once_that_is_over",),
    ),
    Mutation(
        "another tenant's calls keep news",
        "an entry of a few digits is looked at for ever, with all contacts that begin with them",
        "campaigns/suppressed_contacts.py",
        'entry["scope"] in (EVERYBODY, tenant_id) and ',
        "",
        (f"{SUPPRESSIONS}::test_calls_of_others_keep_no_entry_of_a_tenant_news",),
    ),
    Mutation(
        "news forgotten while a contact is locked",
        "a campaign waits for ever for a contact that nobody may call",
        "campaigns/suppressed_contacts.py",
        'row["id"] not in left and ',
        "",
        (f"{SUPPRESSIONS}::test_who_is_locked_is_looked_at_again",),
    ),
    Mutation(
        "what is left of an erased number deleted by anybody",
        "somebody whose data was erased is called again, since a key that may operate deleted the last word on it",
        "campaigns/suppressions.py",
        " AND (digest IS NULL OR %s)",
        " AND (%s OR true)",
        (f"{API}::test_what_is_left_of_an_erased_number_is_deleted_by_an_admin_alone",),
    ),
)
