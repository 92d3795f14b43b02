"""Mutations of who is dialled next: what one campaign, node or server does to the others."""

from __future__ import annotations

from tests.mutations.mutation import (
    BATCH,
    CLAIMS,
    FOLLOWING,
    NODE_ORDERS,
    RECORDER,
    SCHEDULER,
    SEND_QUEUE,
    Mutation,
)

SHARES = "tests/unit/dialer/test_fair_share.py"
REASONS = "tests/unit/dialer/test_blocked_reasons.py"

WATCH = "tests/integration/api/test_dialer_watch.py"
LIFECYCLE = "tests/integration/api/test_lifecycle.py"

HEALTH = "tests/unit/dialer/test_node_health.py"
SCHEDULES = "tests/unit/dialer/test_scheduler.py"
UNEXPLAINED = (
    Mutation(
        "refusing node shown as well",
        "a node that is connected and refuses every call has no error",
        "dialer/dispatch/node_health.py",
        "        if self.refuses(node):\n            found",
        "        if not connected:\n            found",
        (f"{HEALTH}::test_a_node_that_refuses_every_call_says_why_since_the_first",),
    ),
    Mutation(
        "minute without an end",
        "a campaign whose tenant has used up its minute does not say when it goes on",
        "dialer/dispatch/denial_times.py",
        'if denial.reason == "tenant_minute":',
        'if denial.reason == "":',
        (f"{SCHEDULES}::test_a_cap_is_told_with_the_time_at_which_it_is_over_where_that_is_known",),
    ),
)
STARVED = (
    Mutation(
        "a share is charged for what others got",
        "campaigns and tenants that ask all the time come ever farther apart",
        "dialer/dispatch/fair_share.py",
        "self.floor = max(self.floor, self._mean(asked))",
        "self.floor = max(self.floor, *(self.clocks[name] for name in calls))",
        (f"{SHARES}::test_where_all_ask_nobody_is_a_call_ahead_of_its_weight_or_behind_it",),
    ),
    Mutation(
        "a claim on the past",
        "who had nothing to call for an hour is the only one that is dialled when it has",
        "dialer/dispatch/fair_share.py",
        "        self.floor = max(self.floor, self._mean(asked))\n",
        "",
        (f"{SHARES}::test_who_got_nothing_for_a_while_catches_up_with_one_call_at_most",),
    ),
    Mutation(
        "first come, first served",
        "a tenant of two hundred campaigns that wait for a full cap gets it to itself",
        "dialer/dispatch/agenda.py",
        "yield from (campaign_id for _, campaign_id in self._fair.turns(by_tenant, single))",
        "yield from (name for names in by_tenant.values() for name in names)",
        (f"{SCHEDULER}::test_under_a_full_cap_each_tenant_gets_its_share_and_each_of_its_campaigns",),
    ),
    Mutation(
        "all ask for one slot",
        "a cap that a thousand campaigns wait for is asked for all of them at each look",
        "dialer/dispatch/cap_waits.py",
        "first = list(islice(order(cap.waiters), cap.group))",
        "first = list(order(cap.waiters))",
        (f"{SCHEDULER}::test_a_thousand_campaigns_that_wait_for_one_cap_cost_a_few_requests_a_look",),
    ),
    Mutation(
        "two at a time for good",
        "a process that once found the limiter without its state never asks for more than two calls again",
        "dialer/dispatch/agenda.py",
        "granted.update([REDIS, NODES,",
        "granted.update([NODES,",
        (f"{SCHEDULER}::test_after_a_limiter_without_state_batches_grow_again",),
    ),
    Mutation(
        "poison row not halved",
        "a contact whose claim the database refuses keeps those of every other campaign from being claimed",
        "dialer/dispatch/batch.py",
        "            if len(admitted) > 1:\n",
        "            if False:\n",
        (f"{BATCH}::test_a_row_that_the_database_refuses_holds_up_no_other_of_twenty_campaigns",),
    ),
    Mutation(
        "a campaign that nobody understands is looked at with the others",
        "a plan that raises what nobody foresaw puts off every campaign",
        "dialer/dispatch/wishes.py",
        """                log.exception("campaign_not_understood", campaign_id=campaign.campaign_id)
""",
        """                raise
""",
        (f"{SCHEDULER}::test_a_campaign_whose_plan_nobody_understands_holds_up_no_other",),
    ),
    Mutation(
        "claimed while the recorder is behind",
        "a process that cannot write what happens to its calls places more of them",
        "dialer/dispatch/scheduler.py",
        "room = 0 if self.around.behind() else",
        "room =",
        (f"{SCHEDULER}::test_what_could_not_leave_is_not_claimed",),
    ),
    Mutation(
        "calls under way not counted",
        "hundreds of calls are claimed before the first of them shows that what they report is not written in time",
        "dialer/dispatch/claim_window.py",
        "free = most - waiting",
        "free = most",
        ("tests/unit/dialer/test_claim_window.py::test_who_begins_may_have_a_few_under_way",),
    ),
    Mutation(
        "commit followed before those before it",
        "the slots of a call are freed, and its campaign completed, in another order than was committed",
        "dialer/record/following.py",
        "found = [self._waiting.popleft()]",
        "found = [self._waiting.pop()]",
        (f"{FOLLOWING}::test_commits_are_followed_together_as_far_as_they_are_few",),
    ),
    Mutation(
        "flood not noticed",
        "reports wait for as long as they like and calls are placed all the same",
        "dialer/record/recorder.py",
        "return self.waited() > self.patience()",
        "return False",
        (f"{RECORDER}::test_a_recorder_whose_oldest_report_waits_for_long_is_behind_until_that_is_written",),
    ),
    Mutation(
        "slow start held by one slow commit",
        "a commit of a tenth of a second in every ten keeps a slow start at a tenth of its rate for ever",
        "dialer/dispatch/dispatch.py",
        "if self.recorder.waited() > LATE_SECONDS:",
        "if self.recorder.waited() > 0.1:",
        (
            "tests/unit/dialer/test_dispatch.py::test_what_holds_claims_back_is_no_healthy_moment_of_a_slow_start",
        ),
    ),
    Mutation(
        "claim in a transaction of three round trips",
        "far from the database every turn is over before its call can leave",
        "dialer/dispatch/claims.py",
        "    with pool.connection_context():\n        claimed",
        "    with pool.connection_context(), pool.atomic():\n        claimed",
        (f"{CLAIMS}::test_a_claim_is_one_exchange_with_the_server",),
    ),
    Mutation(
        "a pause for each claim",
        "the turns that pass while a slow claim is waited for are asked for by nobody",
        "dialer/dispatch/agenda.py",
        "asked_at + pause(denial)",
        "self.now() + pause(denial)",
        (f"{SCHEDULER}::test_the_wait_for_a_rate_counts_from_the_question_however_long_the_claim_takes",),
    ),
    Mutation(
        "stalled node not noticed",
        "calls are sent to a node that has not answered an order for a quarter of a second",
        "dialer/dispatch/node_orders.py",
        "return now - self._late_since.setdefault(node, now) >= OWN_LAG_SECONDS",
        "return False",
        (f"{NODE_ORDERS}::test_a_node_that_leaves_an_order_unanswered_is_stalled_until_it_answers",),
    ),
    Mutation(
        "held behind a stuck node",
        "calls behind a write that takes seconds keep their contacts and their slots for as long",
        "dialer/dispatch/send_queue.py",
        "            while queue.heap and now >= queue.heap[0][0] + STALLED_SECONDS:\n",
        "            while False:\n",
        (f"{SEND_QUEUE}::test_what_waits_behind_a_node_that_takes_nothing_goes_back",),
    ),
    Mutation(
        "all that lapsed asks at once",
        "after a takeover of thousands every permit lapses before its answer is there",
        "dialer/dispatch/scheduler.py",
        "heapq.nsmallest(MOST, ripe, key=lambda item: item.ask_at)",
        "list(ripe)",
        (f"{SEND_QUEUE}::test_many_repeats_are_asked_for_in_groups_and_none_is_passed_over",),
    ),
    Mutation(
        "forgotten after a fault",
        "campaigns that were looked at when something failed are never looked at again",
        "dialer/dispatch/scheduler.py",
        """            log.exception("dispatch_failed", campaigns=[one.campaign_id for one in looked][:10])
            self._put_off(looked, None)
""",
        """            log.exception("dispatch_failed", campaigns=[one.campaign_id for one in looked][:10])
""",
        (
            "tests/unit/dialer/test_nobody_forgotten.py::test_every_campaign_is_looked_at_again_whatever_happened",
        ),
    ),
    Mutation(
        "held at the claim and not at the turn",
        "a call leaves by a gateway that was paused, or for a campaign that ended, since it was claimed",
        "dialer/dispatch/send_queue.py",
        "(self._held(call) or self.node_orders.stalled(call.node))",
        "self.node_orders.stalled(call.node)",
        (f"{SEND_QUEUE}::test_what_may_not_leave_any_more_does_not_leave_at_its_turn",),
    ),
    Mutation(
        "before its turn",
        "a call leaves at once, and two of them within less than a rate allows",
        "dialer/dispatch/send_queue.py",
        "            left = queue.heap[0][0] - self.now()\n",
        "            left = 0.0\n",
        (f"{SEND_QUEUE}::test_a_call_leaves_at_its_turn_and_not_before",),
    ),
    Mutation(
        "blocked while it dials",
        "a campaign goes on saying why it was not dialled once",
        "dialer/dispatch/scheduler.py",
        """        if outcome.claimed:
            self.reasons.tell(plan.campaign_id, self.around.refused() or slowed)
""",
        """        if outcome.claimed:
            pass
""",
        (f"{REASONS}::test_after_an_outage_a_campaign_that_is_dialled_says_so_from_its_first_call_on",),
    ),
    Mutation(
        "no dialer is no reason",
        "a campaign that nobody can dial says nothing, or what the last dialer said",
        "api/dialer_watch.py",
        "return NO_DIALER if self._nobody and status",
        "return NO_DIALER if False and status",
        (
            f"{WATCH}::test_nobody_lives_at_the_first_look",
            f"{WATCH}::test_the_campaign_its_list_and_its_stream_say_that_there_is_no_dialer",
        ),
    ),
    Mutation(
        "no dialer, no service",
        "requests are sent elsewhere, or nowhere, because nobody dials",
        "api/routes/health.py",
        "503 if reasons else 200",
        "503 if reasons or not dialers else 200",
        ("tests/integration/api/test_health.py::test_it_can_serve_without_a_dialer_and_says_so_to_a_key",),
    ),
    Mutation(
        "a pause waits without Redis",
        "a halt, a pause or a stop is answered after a lease only, though nobody can be told",
        "api/notify.py",
        "        return False\n    if silent:\n",
        "        gevent.sleep(membership.lease_seconds)\n        return False\n    if silent:\n",
        (f"{LIFECYCLE}::test_without_redis_a_halt_stands_and_the_answer_says_at_once_what_may_leave",),
    ),
    Mutation(
        "Redis that is known to be away is asked",
        "a halt, a pause or a stop waits for the timeout of a Redis of which everybody knows that it is away",
        "api/notify.py",
        "    if services.dialers.redis_is_away:\n        return False\n    membership",
        "    membership",
        (f"{LIFECYCLE}::test_without_redis_a_halt_stands_and_the_answer_says_at_once_what_may_leave",),
    ),
    Mutation(
        "a rebuild reads every call",
        "nobody dials for seconds after Redis lost its memory, the more the more calls there ever were",
        "dialer/capacity/limiter_snapshot.py",
        "(ended_at IS NULL OR ended_at > now() - make_interval(secs => %s) - interval '1 min')",
        "(ended_at IS NULL OR ended_at > '-infinity'::timestamptz + make_interval(secs => %s))",
        ("tests/integration/dialer/test_plans.py::test_a_limiter_is_rebuilt_without_reading_what_is_over",),
    ),
)
