"""Mutations of the reports."""

from __future__ import annotations

from tests.mutations.mutation import CALL_REPORTS, Mutation

REPORTS = (
    Mutation(
        "reports folded twice",
        "a report counts the same calls again every ten seconds",
        "migrations/0046_reports.py",
        "DELETE FROM report_change RETURNING *",
        "SELECT * FROM report_change",
        (f"{CALL_REPORTS}::test_a_call_that_is_recorded_or_corrected_is_in_the_report_at_once",),
    ),
    Mutation(
        "a corrected call in two cells",
        "a call whose record comes late is in the report as what it was and as what it is",
        "migrations/0059_outcomes_by_statement.py",
        " UNION ALL {_reports.ended_changes('old_calls', -1)}",
        "",
        (f"{CALL_REPORTS}::test_a_call_that_is_recorded_or_corrected_is_in_the_report_at_once",),
    ),
    Mutation(
        "a report without the last seconds",
        "a report lacks the calls that ended since they were folded",
        "campaigns/call_reports.py",
        "WHERE {whose} AND quarter >= %(start)s AND quarter < %(end)s",
        "WHERE {whose} AND quarter > %(end)s AND quarter < %(end)s",
        (f"{CALL_REPORTS}::test_a_call_that_is_recorded_or_corrected_is_in_the_report_at_once",),
    ),
    Mutation(
        "half a day taken whole",
        "a report that begins within a day of UTC counts all of that day",
        "campaigns/report_spans.py",
        "_before(self.start + DAY - QUARTER, DAY)",
        "_before(self.start, DAY)",
        (f"{CALL_REPORTS}::test_every_report_says_what_a_plain_scan_of_the_calls_says",),
    ),
    Mutation(
        "reports filled in twice",
        "a migration that is run again counts everything twice",
        "migrations/0046_reports.py",
        """{ended_changes("call", 1)} AND EXISTS (SELECT FROM marked)""",
        """{ended_changes("call", 1)}""",
        (f"{CALL_REPORTS}::test_what_was_over_before_is_filled_in_once",),
    ),
    Mutation(
        "clocks in whole hours",
        "an hour of Kathmandu or Lord Howe has calls of the one before",
        "campaigns/report_spans.py",
        "    ends = at + timedelta(minutes=60 - local.minute)\n",
        "    ends = at + timedelta(minutes=60)\n",
        (
            "tests/unit/campaigns/test_report_spans.py::test_each_quarter_lies_in_the_hour_and_day_that_clocks_show",
        ),
    ),
)
