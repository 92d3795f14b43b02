"""Mutations of: who is signed in to the board may do what his key may, for as long as that is there, and no page of
another site does it for him."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

SIGN_IN = "tests/integration/web/test_sign_in.py"

FORMS = "tests/integration/web/test_campaign_forms.py"
NOT_CALLED = "tests/integration/web/test_suppression_pages.py"
PARTS = "tests/integration/web/test_campaign_page.py"
REPORTS = "tests/integration/web/test_reports_page.py"
STEPS = "tests/integration/web/test_campaign_steps.py"
SETTINGS = "tests/integration/web/test_settings_pages.py"
WAITS = "tests/integration/api/test_window_waits.py"
DECISIONS = "tests/integration/api/test_contact_decisions.py"
PEOPLE = "tests/integration/api/test_contact_pages.py"
FEW_PARTS = (
    "test_of_a_list_in_which_next_to_nobody_is_both_a_few_parts_are_looked_at_and_the_next_page_goes_on"
)
PACING = "tests/integration/api/test_pacing.py"
LIST_PAGE = "tests/integration/web/test_campaign_list.py"

SIGNED_IN = (
    Mutation(
        "name as it is",
        "a campaign's name runs in the browser of whoever looks at it",
        "web/templates/board/campaign_lines.html",
        'campaign_id=campaign.id) }}">{{ campaign.name }}</a>',
        'campaign_id=campaign.id) }}">{{ campaign.name | safe }}</a>',
        (f"{LIST_PAGE}::test_a_hostile_name_is_shown_and_does_nothing",),
    ),
    Mutation(
        "sentence as it is",
        "a name within a sentence runs in the browser of whoever reads it",
        "web/sentences.py",
        "    return Markup(words).format(*given)\n",
        "    return Markup(words.format(*given))\n",
        (
            "tests/unit/web/test_sentences.py::test_what_somebody_wrote_is_escaped_wherever_it_is_put",
            "tests/unit/web/test_log_words.py::test_a_name_of_a_setting_that_somebody_wrote_is_escaped",
        ),
    ),
    Mutation(
        "callback told as a change",
        "listeners hear of a contact's state that did not change, as of a call that ended",
        "campaigns/contact_changes.py",
        "            was = %(to)s, %(by)s, %(at)s FROM changed",
        "            false, %(by)s, %(at)s FROM changed",
        (f"{DECISIONS}::test_a_callback_of_somebody_who_waits_is_told_to_no_listener",),
    ),
    Mutation(
        "counted to the end",
        "each look at a campaign outside its hours counts a list of a million",
        "campaigns/window_waits.py",
        '_WAITING.format(group="first.zone_group", most="%s")',
        '_WAITING.format(group="first.zone_group", most="1000 * %s")',
        (
            f"{WAITS}::test_no_further_is_counted_than_to_the_bound",
            f"{WAITS}::test_a_long_list_is_not_read_for_it",
        ),
    ),
    Mutation(
        "ended as suppressed",
        "whom the end of his campaign cancelled is said to be on a do-not-call list that he was taken off",
        "campaigns/contact_decisions.py",
        "        WHEN at >= c.completed_at THEN 'campaign_ended'\n",
        "        WHEN false THEN 'campaign_ended'\n",
        (
            f"{DECISIONS}::test_who_was_suppressed_once_and_brought_back_is_cancelled_by_the_end_of_the_campaign",
        ),
    ),
    Mutation(
        "form of anybody",
        "a page of another site that somebody looks at halts, starts or stops with his session",
        "web/pages.py",
        "    if not board_sessions.is_csrf_token(shown, token, pepper()):\n",
        "    if False:\n",
        (f"{SIGN_IN}::test_nothing_is_changed_without_the_session_s_own_token",),
    ),
    Mutation(
        "settings over another's",
        "who saves a campaign's settings takes back what somebody else has changed meanwhile",
        "web/campaign_settings.py",
        'if_match=request.form.get("etag", "*")',
        'if_match="*"',
        (f"{FORMS}::test_nothing_is_saved_over_somebody_else_s_change",),
    ),
    Mutation(
        "whole agent saved",
        "who changes how long an agent rings takes back what somebody else has it say since",
        "web/agent_words.py",
        "if name not in before or value != before[name]",
        "if True",
        (f"{SETTINGS}::test_a_form_of_an_agent_changes_nothing_but_what_was_changed_in_it",),
    ),
    Mutation(
        "country guessed",
        "a stranger abroad is suppressed, and his data erased, for who asked for it without his country's code",
        "web/suppression_pages.py",
        '    return re.sub(r"^00\\s*", "+", typed)\n',
        "    return e164(typed)\n",
        (f"{NOT_CALLED}::test_no_country_is_guessed_for_a_number_that_is_entered_or_erased",),
    ),
    Mutation(
        "a part of a page for every tenant",
        "somebody sees another tenant's last calls, a moment after somebody who may",
        "web/pages.py",
        "    whose = (current_caller().tenant_id, template, *name)\n",
        "    whose = (template, *name)\n",
        (f"{PARTS}::test_a_part_that_many_read_is_no_other_tenants",),
    ),
    Mutation(
        "one day for thirty",
        "a campaign is shown within the law's line for its best day, or over it for its worst",
        "web/reports_page.py",
        "        if formula == US:\n",
        "        if False:\n",
        (f"{REPORTS}::test_the_rate_of_thirty_days_is_over_thirty_days_whichever_are_chosen",),
    ),
    Mutation(
        "another table to download",
        "who downloads the abandon rate hands in other figures than the page shows",
        "web/reports_page.py",
        '_csv("abandon-rate", asked)',
        '_csv("abandon-rate", query)',
        (f"{REPORTS}::test_the_rate_of_thirty_days_is_over_thirty_days_whichever_are_chosen",),
    ),
    Mutation(
        "refused form is new",
        "a form that was refused and is corrected takes back what somebody else has changed meanwhile",
        "web/campaign_settings.py",
        'found.etag if given is None or status == 412 else given.get("etag", "*")',
        "found.etag",
        (f"{FORMS}::test_a_form_that_was_refused_still_changes_nothing_over_somebody_else_s_change",),
    ),
    Mutation(
        "hidden ticks",
        "who was not chosen is rung again: the ways of ending that the page hides are sent, and acted on",
        "web/call_again_page.py",
        'if form.get("when") == HERE and form.get("who") != ENDED_SO:',
        "if False:",
        (f"{FORMS}::test_calling_again_says_what_is_missing_or_cannot_be",),
    ),
    Mutation(
        "called again twice",
        "a form that is sent twice makes two campaigns, and everybody is called twice",
        "web/call_again_page.py",
        'once=form.get("once", "")',
        'once=""',
        (f"{FORMS}::test_who_was_busy_is_called_again_at_a_time",),
    ),
    Mutation(
        "added twice",
        "a form that is sent twice has somebody called twice",
        "web/contact_pages.py",
        'once=form.get("once", "")',
        'once=""',
        (f"{FORMS}::test_somebody_is_added_by_a_form_and_told_why_not",),
    ),
    Mutation(
        "tried twice",
        "a form that is sent twice calls a test number twice",
        "web/trial_pages.py",
        'once=request.form.get("once", "")',
        'once=""',
        (f"{STEPS}::test_a_test_number_is_called_and_told_of",),
    ),
    Mutation(
        "cell as it is",
        "a cell of a list runs in the browser of whoever looks at it before the import",
        "web/templates/board/doctor.html",
        '{{ row.cells.get(column.column, "") }}',
        '{{ row.cells.get(column.column, "") | safe }}',
        ("tests/integration/web/test_list_doctor.py::test_a_hostile_list_does_nothing",),
    ),
    Mutation(
        "cookie alone",
        "the API takes a cookie for a key whatever page sent the request",
        "api/auth.py",
        "    if request.method not in SAFE_METHODS and not board_sessions.is_csrf_token(shown, token, _pepper()):\n",
        "    if False:\n",
        (f"{SIGN_IN}::test_nothing_is_changed_without_the_session_s_own_token",),
    ),
    Mutation(
        "session outlives its time",
        "whoever finds a browser tomorrow is signed in",
        "api/board_sessions.py",
        "    WHERE s.digest = ANY(%s) AND s.expires_at > now() AND (",
        "    WHERE s.digest = ANY(%s) AND (",
        (f"{SIGN_IN}::test_a_session_ends_with_its_key_with_its_tenant_and_with_its_time",),
    ),
    Mutation(
        "link from afar",
        "whoever reads a log signs in from elsewhere",
        "web/sign_in.py",
        "    if not near or name not in LOOPBACK_NAMES or",
        "    if",
        (f"{SIGN_IN}::test_a_link_signs_in_once_within_its_time_and_on_this_machine_alone",),
    ),
    Mutation(
        "link that stays",
        "a link signs in whoever has it, as often as he likes",
        "api/board_sessions.py",
        '_FOLLOW = "DELETE FROM board_link WHERE digest = %s AND expires_at > now() RETURNING api_key_id"',
        '_FOLLOW = "SELECT api_key_id FROM board_link WHERE digest = %s AND expires_at > now()"',
        (f"{SIGN_IN}::test_a_link_signs_in_once_within_its_time_and_on_this_machine_alone",),
    ),
    Mutation(
        "any tenant",
        "a tenant's session acts for another tenant",
        "api/board_sessions.py",
        "    WHERE k.id = %s AND (t.id = k.tenant_id OR k.role = 'platform')",
        "    WHERE k.id = %s",
        (f"{SIGN_IN}::test_no_session_is_opened_for_a_tenant_that_is_not_the_key_s",),
    ),
    Mutation(
        "stream outlives its session",
        "a browser that was signed out goes on reading who is called",
        "api/routes/stream_access.py",
        "        OR shown.session_id IS NOT NULL AND NOT EXISTS (",
        "        OR false AND NOT EXISTS (",
        (f"{SIGN_IN}::test_a_stream_is_opened_by_a_session_and_no_token_is_made_that_would_outlive_it",),
    ),
    Mutation(
        "page by disposition without an end",
        "who looks for a pair that nobody is has a whole list read",
        "campaigns/contact_pages.py",
        "        most = max(MOST_PARTS, self.limit + self.offset)\n",
        "        most = LAST_POSITION\n",
        (f"{PEOPLE}::{FEW_PARTS}",),
    ),
    Mutation(
        "next page one contact too far",
        "of a list that is looked at part by part somebody is passed over",
        "campaigns/contact_pages.py",
        '(">= block", "ASC") if self.newest else ("< (block + 1)", "DESC")',
        '(">= block", "ASC") if self.newest else ("<= (block + 1)", "DESC")',
        (f"{PARTS}::test_where_not_everybody_was_looked_at_the_page_says_so_and_goes_on",),
    ),
    Mutation(
        "rate of a paused gateway",
        "the plot has a line that nothing can reach while a gateway is paused",
        "campaigns/pace_rates.py",
        "[route for route in leaving if not route.paused]",
        "leaving",
        (f"{PACING}::test_the_rates_that_its_calls_are_held_to_are_told_beside_it",),
    ),
)
