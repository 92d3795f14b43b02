"""Mutations of: a campaign starts and ends when it is to, once, and nobody is called before or after."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

SCHEDULES = "tests/integration/dialer/test_starts_and_deadlines.py"
RESTORED = "tests/integration/dialer/test_restored_database.py"
CHANGES = "tests/integration/api/test_schedules.py"
ZONES = "tests/unit/campaigns/test_time_zones.py"

SCHEDULED = (
    Mutation(
        "schedule fires twice",
        "a campaign that somebody has paused since it was started is started once more by a dialer that saw it due",
        "campaigns/schedules.py",
        "SELECT agent_id FROM campaign WHERE id = %s AND {_TO_START} FOR NO KEY UPDATE SKIP LOCKED",
        "SELECT agent_id FROM campaign WHERE id = %s FOR NO KEY UPDATE SKIP LOCKED",
        (f"{SCHEDULES}::test_who_has_seen_it_due_starts_nothing_that_was_changed_since",),
    ),
    Mutation(
        "schedule fires early",
        "people are called before the time that somebody chose",
        "campaigns/schedules.py",
        "AND scheduled_at <= now() AND (end_at",
        "AND scheduled_at <= now() + interval '5 min' AND (end_at",
        (f"{SCHEDULES}::test_nothing_starts_early_and_the_next_moment_is_known",),
    ),
    Mutation(
        "schedule that nobody sees",
        "no dialer starts what is due: nothing wakes it",
        "dialer/lookout.py",
        "            self.starts_and_deadlines.expect(seen.next_due)\n",
        "",
        (
            "tests/unit/dialer/test_lookout.py::test_when_the_next_start_or_end_is_due_is_told_to_who_may_act_on_it",
        ),
    ),
    Mutation(
        "deadline forgotten",
        "a campaign goes on for as long as its list lasts",
        "dialer/starts_and_deadlines.py",
        "for campaign_id in schedules.ends()]",
        "for campaign_id in ()]",
        (f"{SCHEDULES}::test_at_its_deadline_the_rest_is_cancelled_whatever_state_it_is_in",),
    ),
    Mutation(
        "called after the deadline",
        "somebody is claimed between a campaign's deadline and the mark",
        "dialer/dispatch/claims.py",
        "      AND (campaign.end_at IS NULL OR campaign.end_at > now())\n",
        "",
        (f"{SCHEDULES}::test_at_its_deadline_calls_in_progress_go_on_and_nobody_else_is_called",),
    ),
    Mutation(
        "started to be over",
        "after a downtime a campaign whose deadline has come as well is started",
        "campaigns/schedules.py",
        " AND (end_at IS NULL OR end_at > now())",
        "",
        (f"{SCHEDULES}::test_what_is_to_be_over_already_is_never_started",),
    ),
    Mutation(
        "restored schedule started",
        "a campaign that was started since a backup is started once more as soon as that is restored",
        "dialer/recovery/restored_database.py",
        "else schedules.hold_restored()\n",
        "else []\n",
        (f"{RESTORED}::test_what_waited_for_its_time_in_a_backup_is_not_started_by_the_clock",),
    ),
    Mutation(
        "schedule that lets an agent go",
        "a schedule lets go an agent that is held for what people heard of it",
        "campaigns/schedules.py",
        'if found[0]["held"]:',
        "if False:",
        (f"{SCHEDULES}::test_a_schedule_lets_no_held_agent_go",),
    ),
    Mutation(
        "blocked start tried without a pause",
        "every dialer tries a start that cannot be done for ever, and does nothing else",
        "campaigns/schedules.py",
        "blocked_reason = %s, next_action_at = now() + make_interval(secs => {AGAIN_SECONDS})",
        "blocked_reason = %s, next_action_at = now()",
        (f"{SCHEDULES}::test_over_budget_it_stays_scheduled_says_so_and_is_tried_again",),
    ),
    Mutation(
        "second of two hours",
        "where clocks show a time twice, a campaign starts an hour late",
        "campaigns/time_zones.py",
        "found = local.replace(tzinfo=there, fold=0)",
        "found = local.replace(tzinfo=there, fold=1)",
        (f"{ZONES}::test_known_changes",),
    ),
    Mutation(
        "past the gap",
        "a time that clocks skip is taken for one as long after the gap",
        "campaigns/time_zones.py",
        "        if _shown(found, there) == local:\n            return found\n",
        "        return found\n",
        (f"{ZONES}::test_known_changes",),
    ),
    Mutation(
        "schedule moved behind its campaign's start",
        "whoever gives a campaign that runs another start is told that it will begin then, and it never does",
        "campaigns/schedule_changes.py",
        "if not _stays(schedule.scheduled_at, before.scheduled_at):",
        "if False:",
        (f"{CHANGES}::test_a_start_is_fixed_once_it_was_started",),
    ),
)
