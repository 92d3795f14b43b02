"""Mutations of: a campaign that is changed and fed while it runs."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

CHANGES = "tests/integration/api/test_campaign_changes.py"
ADDITIONS = "tests/integration/api/test_additions.py"
CONTACTS = "tests/integration/api/test_contacts.py"
FED_CAMPAIGNS = "tests/integration/dialer/test_fed_campaigns.py"

CLONES = "tests/integration/api/test_clones.py"
LOG = "tests/integration/api/test_campaign_log.py"

FED = (
    Mutation(
        "raised past the budget",
        "a running campaign gets more calls at a time than its tenant may have",
        "campaigns/changes.py",
        '    "max_concurrent_calls": _fits,\n',
        '    "max_concurrent_calls": None,\n',
        (f"{CHANGES}::test_a_raised_cap_of_a_running_campaign_must_fit_into_the_budget",),
    ),
    Mutation(
        "cloned while they wait",
        "who waits in a campaign that runs is called by its clone, too",
        "campaigns/cloning.py",
        "    statuses: Sequence[str] = OVER\n",
        "    statuses: Sequence[str] = COPIED\n",
        (f"{CLONES}::test_nobody_is_copied_who_is_called_or_waits_or_has_expired",),
        (("OVER = (ContactStatus.COMPLETED, ", "OVER = (ContactStatus.PENDING, ContactStatus.COMPLETED, "),),
    ),
    Mutation(
        "cloned after they have expired",
        "a clone calls whom nobody was to call any more",
        "campaigns/cloning.py",
        "            AND (expires_at IS NULL OR expires_at > now())\n",
        "",
        (f"{CLONES}::test_nobody_is_copied_who_is_called_or_waits_or_has_expired",),
    ),
    Mutation(
        "clone that forgets who asked",
        "who asked not to be called for a campaign is called by the one that repeats it",
        "campaigns/cloning.py",
        "    rows(_ENTRIES, made, campaign_id)\n",
        "",
        (f"{CLONES}::test_who_is_not_to_be_called_for_a_campaign_is_not_called_for_one_that_repeats_it",),
    ),
    Mutation(
        "log that can be rewritten",
        "what happened to a campaign can be made not to have happened",
        "migrations/0038_campaign_log.py",
        "BEFORE UPDATE OR DELETE ON campaign_log",
        "BEFORE TRUNCATE ON campaign_log",
        (f"{LOG}::test_nothing_of_it_is_changed_or_deleted",),
        (
            (
                "    FOR EACH ROW EXECUTE FUNCTION campaign_log_kept()",
                "    EXECUTE FUNCTION campaign_log_kept()",
            ),
        ),
    ),
    Mutation(
        "log that anybody may thin",
        "what happened to a campaign can be made not to have happened, by any transaction",
        "migrations/0049_log_bounds.py",
        "current_setting('carillon.forgetting', true) = 'on'",
        "current_setting('carillon.forgetting', true) IS NULL",
        (f"{LOG}::test_nothing_of_it_is_changed_or_deleted",),
    ),
    Mutation(
        "log without bound",
        "a campaign that is fed every second fills the disk with its log",
        "campaigns/log_bounds.py",
        "        if not rows(_OVER, campaign_id, MOST + SLACK):",
        "        if rows(_OVER, campaign_id, 0):",
        (
            (
                "tests/integration/dialer/test_housekeeping.py"
                "::test_a_log_keeps_its_newest_entries_and_what_became_of_the_campaign"
            ),
        ),
    ),
    Mutation(
        "campaign named after a person",
        "the number of somebody whose data was erased is still in a campaign's name",
        "campaigns/erasure.py",
        "for statement in _ERASE_NOTES:",
        "for statement in _ERASE_NOTES[1:]:",
        (
            (
                "tests/integration/dialer/test_erasures.py"
                "::test_all_that_is_kept_of_a_person_goes_and_the_counts_stay"
            ),
        ),
    ),
    Mutation(
        "log that remembers a person",
        "somebody whose data was erased is still in a campaign's log",
        "campaigns/erasure.py",
        "for statement in _ERASE_NOTES:",
        "for statement in _ERASE_NOTES[:3]:",
        (
            (
                "tests/integration/dialer/test_erasures.py"
                "::test_all_that_is_kept_of_a_person_goes_and_the_counts_stay"
            ),
        ),
    ),
    Mutation(
        "cancelled without a word",
        "people are taken off a list by itself, and nobody can tell when, or why",
        "dialer/openings_ahead.py",
        "            never_open.note(campaign_id, cancelled)\n",
        "",
        (
            (
                "tests/integration/dialer/test_windows.py"
                "::test_who_can_never_be_called_any_more_is_cancelled_and_told_and_the_campaign_may_end"
            ),
        ),
    ),
    Mutation(
        "suppressed without a word",
        "a do-not-call entry empties a list, and its campaign's log says nothing of it",
        "campaigns/suppressed_contacts.py",
        '), noted AS ({NOTE_CANCELLED.format(reason=SUPPRESSED, cancelled="cancelled")})',
        ")",
        (
            (
                "tests/integration/dialer/test_suppressions.py"
                "::test_the_log_of_a_campaign_says_that_people_were_taken_off_its_list"
            ),
        ),
    ),
    Mutation(
        "expired without a word",
        "people are not called since their time is over, and the campaign's log says nothing of it",
        "campaigns/expiry.py",
        '), noted AS ({NOTE_CANCELLED.format(reason=EXPIRED, cancelled="expired")})',
        ")",
        (
            (
                "tests/integration/dialer/test_fed_campaigns.py"
                "::test_who_has_expired_is_cancelled_with_his_reason_and_nobody_else"
            ),
        ),
    ),
    Mutation(
        "restored without a word",
        "a campaign whose start a restored database keeps back does not say since when",
        "migrations/0062_restored_in_log.py",
        "'not_here', 'restored')",
        "'not_here')",
        (f"{LOG}::test_a_start_that_a_restored_database_keeps_back_is_told",),
    ),
    Mutation(
        "log that does not say who",
        "nobody can tell who stopped a campaign",
        "api/routes/campaign_actions.py",
        "    def work() -> object:\n        campaign_log.acting(current_caller().key_name)\n",
        "    def work() -> object:\n",
        (f"{LOG}::test_what_clients_do_is_told_with_who_did_it",),
    ),
    Mutation(
        "changed over another's change",
        "whoever has not seen the last change of a campaign undoes it",
        "campaigns/changes.py",
        "not in expected:",
        "not in [*expected, current]:",
        (f"{CHANGES}::test_an_etag_is_that_of_the_settings_and_a_stale_one_changes_nothing",),
    ),
    Mutation(
        "ended over its new contacts",
        "a campaign ends while contacts are added to it, or brought back, and they are never called",
        "campaigns/lifecycle.py",
        " or not rows(_EXHAUSTED, campaign_id):\n",
        ":\n",
        (
            f"{FED_CAMPAIGNS}::test_a_campaign_does_not_end_over_contacts_that_are_being_added",
            f"{CONTACTS}::test_a_campaign_does_not_end_while_somebody_is_brought_back",
        ),
    ),
    Mutation(
        "added to what has ended",
        "a contact comes into a campaign that has ended, and waits in it for ever",
        "campaigns/additions.py",
        'not found or found[0]["status"] not in OPEN',
        "not found",
        (f"{ADDITIONS}::test_what_ends_while_a_list_is_read_keeps_nothing_of_it",),
    ),
    Mutation(
        "two who add at once",
        "what is sent twice at the same time is added twice, or refused by a constraint",
        "campaigns/additions.py",
        '    if not turn["taken"]:\n',
        "    if False:\n",
        (f"{ADDITIONS}::test_who_adds_the_same_at_the_same_time_waits_and_is_told_the_same_contacts",),
    ),
    Mutation(
        "token forgotten",
        "a lead that is sent again after its campaign got another number for it is called twice",
        "campaigns/addition_rows.py",
        "FROM fresh WHERE client_token IS NOT NULL",
        "FROM fresh WHERE false",
        (f"{ADDITIONS}::test_a_token_that_is_sent_again_is_the_same_contact_even_after_the_end",),
    ),
    Mutation(
        "claimed after it has expired",
        "somebody is called after the time at which he was not to be called any more",
        "dialer/dispatch/claims.py",
        "        AND {_NOT_EXPIRED}\n    ORDER BY contact.id FOR UPDATE",
        "    ORDER BY contact.id FOR UPDATE",
        (f"{FED_CAMPAIGNS}::test_nobody_is_claimed_or_sent_again_once_he_has_expired",),
    ),
    Mutation(
        "claimed call outlives its contact's time",
        "a call that waits for its turn, or for a permit, leaves after its contact has expired",
        "dialer/dispatch/claims.py",
        "least(extract(epoch FROM {contact}.expires_at - now())::float8,",
        "least(NULL::float8,",
        (f"{FED_CAMPAIGNS}::test_a_claimed_call_leaves_before_its_contact_expires_whichever_ends_first",),
    ),
    Mutation(
        "resent after it has expired",
        "a call that its node never saw is sent once more, although its contact has expired",
        "dialer/dispatch/claims.py",
        "contact.id = call.contact_id AND {_NOT_EXPIRED} AND NOT",
        "contact.id = call.contact_id AND NOT",
        (f"{FED_CAMPAIGNS}::test_nobody_is_claimed_or_sent_again_once_he_has_expired",),
    ),
)
