"""Mutations of: nobody is dialled twice for one attempt, and nobody is lost."""

from __future__ import annotations

from tests.mutations.mutation import (
    BATCH,
    CLAIMS,
    DECISIONS,
    IDENTITY,
    LEASES,
    NODE_ORDERS,
    ORDERS,
    OWN_IDENTITIES,
    PERMITS,
    RECORDER,
    SCHEDULER,
    SEND_QUEUE,
    SENDER,
    TAKEOVERS,
    Mutation,
)

TAKEN = "tests/integration/api/test_taken_away.py"
GATEWAYS = "tests/integration/api/test_phone_numbers_and_gateways.py"
PINGS = "tests/integration/dialer/test_gateway_pings.py"
SWITCHED = "tests/integration/dialer/test_gateway_switch.py"
SOUNDS = "tests/unit/campaigns/test_agent_reports.py"
TAKEN_AWAY = (
    Mutation(
        "a claim that comes late is anybody's",
        "a contact whose claim was committed late is not called for minutes, as one whose order may lie at a node",
        "dialer/capacity/permits.py",
        "        self._late_claims |= dict.fromkeys(ripe, now)\n",
        "",
        (
            (
                "tests/unit/dialer/test_permits.py"
                "::test_a_claim_that_arrives_after_its_permit_was_given_back_is_still_known_never_to_have_left"
            ),
        ),
    ),
    Mutation(
        "second leg by any gateway",
        "a call is bridged to a number that the gateway of the bridge does not carry",
        "dialer/dispatch/originate_builder.py",
        "            checked_bridge(action, allowed)\n",
        "            pass\n",
        ("tests/unit/dialer/test_originate_builder.py::test_a_bridge_obeys_the_prefixes_of_its_gateway",),
    ),
    Mutation(
        "claimed under an older plan",
        "a contact is called by what was taken from its campaign before the claim",
        "dialer/dispatch/claims.py",
        " AND planned.generation = campaign.generation",
        "",
        (f"{CLAIMS}::test_nothing_is_claimed_under_a_plan_from_before_something_was_taken_away",),
    ),
    Mutation(
        "taken away without a hold",
        "calls that were claimed before leave after a caller id was switched off",
        "api/routes/phone_numbers.py",
        "            held = taken_away.from_number(number.id)\n",
        "            pass\n",
        (
            "tests/integration/api/test_taken_away.py::test_every_dialer_has_held_back_what_was_claimed_before",
        ),
    ),
    Mutation(
        "a gateway is switched off without a hold",
        "calls that were claimed before leave by a gateway after it was switched off",
        "api/routes/gateways.py",
        ' or body.get("outbound_enabled") is False:\n',
        ":\n",
        (
            "tests/integration/api/test_taken_away.py::test_every_dialer_has_held_back_what_was_claimed_before",
        ),
    ),
    Mutation(
        "who runs is asked before a gateway's change stands",
        "calls of a campaign that was being started leave by a gateway after it was switched off",
        "api/routes/gateways.py",
        """        known = _known(gateway)
    if LEAVING & body.keys() or body.get("outbound_enabled") is False:
        # Once it stands: whoever starts a campaign waits for no gateway, and was not seen before.
        with transaction():
            held = taken_away.from_gateway(gateway.id)
""",
        """        known = _known(gateway)
        if LEAVING & body.keys() or body.get("outbound_enabled") is False:
            held = taken_away.from_gateway(gateway.id)
""",
        (f"{TAKEN}::test_a_gateways_change_stands_before_it_is_asked_who_runs",),
    ),
    Mutation(
        "a gateway that is off is called by",
        "calls leave by a gateway that the operator has switched off",
        "dialer/holds.py",
        "    if gateway.off:\n",
        "    if False:\n",
        (f"{SWITCHED}::test_calls_leave_by_the_gateways_that_it_fails_over_to",),
    ),
    Mutation(
        "a probe leaves by a gateway that is off",
        "a call that was to probe a paused gateway leaves by it after the operator has switched it off",
        "dialer/live_calls.py",
        "        if hold.off:\n            return False\n",
        "",
        (f"{SWITCHED}::test_a_call_that_was_to_probe_it_probes_nothing_that_is_off",),
    ),
    Mutation(
        "a gateway that is off is probed for its pings",
        "the pause of a gateway that is off is tried, and a call leaves by it once it is switched on",
        "dialer/capacity/gateway_pings.py",
        " AND outbound_enabled",
        "",
        (f"{PINGS}::test_of_one_that_is_off_no_probe_is_brought_forward",),
    ),
    Mutation(
        "beside a dialer that knows no switch",
        "a gateway is said to be off while a dialer of an older release goes on by it",
        "api/routes/gateways.py",
        "        if older_dialers.may_run(KNOWN):\n",
        "        if False:\n",
        (f"{GATEWAYS}::test_a_gateway_is_not_switched_off_beside_a_dialer_that_would_go_on_by_it",),
    ),
    Mutation(
        "settings of one process speak for all",
        "a campaign says that nobody can run it because one dialer was set up otherwise",
        "dialer/dispatch/plan_checks.py",
        "return bool(dialers) and all(",
        "return bool(dialers) and any(",
        (f"{SCHEDULER}::test_a_campaign_is_not_here_only_where_no_living_dialer_can_run_it",),
    ),
    Mutation(
        "a sound that other dialers look for elsewhere is played unheard",
        "a dialer with another sound folder has people pick up and hear nothing, until five of them have",
        "campaigns/agent_reports.py",
        'return all(str(file) in one["lacks"] for one in ours)',
        "return False",
        (
            f"{SOUNDS}::test_a_file_is_ours_to_play_where_all_look_in_one_folder_or_some_node_is_known_to_have_it",
        ),
    ),
)
DRAINED = "tests/unit/dialer/test_buffer_drain.py"
REPEATS = "tests/unit/dialer/test_repeats.py"
ONLY_ONCE_DENIED = (
    "test_a_repeat_that_shows_nothing_or_is_refused_frees_its_contact_only_once_denied_for_long_enough"
)
RESTORED = "tests/integration/dialer/test_restored_database.py"

TWICE = (
    Mutation(
        "restored database dialled",
        "who was called since a backup is called again as soon as it is restored",
        "dialer/parts.py",
        "if self.database_guard.check():",
        "if False:",
        (f"{RESTORED}::test_a_dialer_dials_nothing_of_what_was_restored_until_somebody_resumes_it",),
    ),
    Mutation(
        "repeat postponed with its first order",
        "a call that is to be sent again gets no turn, is taken back, and its contact called under another id",
        "dialer/recovery/buffer_drain.py",
        "if not (call.seen or call.queued or call.resent)",
        "if not call.seen",
        (f"{DRAINED}::test_what_may_show_itself_at_any_moment_is_what_is_unseen_and_not_to_be_sent_again",),
    ),
    Mutation(
        "repeat that gets no permit taken back",
        "a call that may have left goes back where it gets no permit, and its contact is called under another id",
        "dialer/dispatch/send_queue.py",
        "if not call.may_have_left:",
        "if call.call_id:",
        (
            f"{SEND_QUEUE}::test_a_repeat_that_cannot_leave_is_left_to_recovery_and_its_contact_not_called_anew",
        ),
    ),
    Mutation(
        "repeat that may not leave taken back",
        "a call that may have left goes back at a pause, and its contact is called under another id",
        "dialer/recovery/reconciler.py",
        "elif not call.may_have_left or unseen_seconds >= UNSEEN_SECONDS or self.is_over(call.campaign_id):",
        "else:",
        (f"{REPEATS}::test_a_call_that_cannot_be_sent_again_now_is_sent_once_it_can",),
    ),
    Mutation(
        "certainty from before a doubt",
        "a node that was not sure meanwhile is taken to have denied a call all the time, which is then called anew",
        "dialer/recovery/reconciler.py",
        "        else:\n            call.doubt()\n",
        "",
        (f"{REPEATS}::test_a_node_that_was_not_sure_meanwhile_begins_to_deny_it_anew",),
    ),
    Mutation(
        "repeat that shows nothing called anew",
        "who is not seen for 90 s after a repeat is called under another id, beside what a buffer may hold",
        "dialer/recovery/resend_or_close.py",
        "    if call.denied_seconds(now) < UNSEEN_SECONDS:\n",
        "    if call.refusal is None and now - since < LOST_SECONDS:\n",
        (
            f"{REPEATS}::{ONLY_ONCE_DENIED}",
            f"{DECISIONS}::test_every_answer_in_every_situation",
        ),
    ),
    Mutation(
        "refused repeat taken for proof",
        "a repeat that its node refuses frees its contact at once, whatever a buffer holds of the first order",
        "dialer/recovery/resend_or_close.py",
        "    if call.refusal is not None and not call.may_have_earlier_order:\n",
        "    if call.refusal is not None:\n",
        (
            f"{REPEATS}::{ONLY_ONCE_DENIED}",
            f"{DECISIONS}::test_every_answer_in_every_situation",
        ),
    ),
    Mutation(
        "command of a repeat refused",
        "a node that does not take the command of a repeat frees its contact at once",
        "dialer/dispatch/sender.py",
        "                if call.may_have_earlier_order:\n",
        "                if call.over:\n",
        (
            f"{SENDER}::test_a_command_that_is_refused_ends_its_call_only_where_no_other_order_of_it_may_lie_at_the_node",
        ),
    ),
    Mutation(
        "denied before the last order",
        "what a node denied before a repeat was written to it counts for the repeat, too",
        "dialer/live_calls.py",
        "self.state, self.sent_at, self.never_seen_since = LiveState.SENT, now, None",
        "self.state, self.sent_at = LiveState.SENT, now",
        (f"{REPEATS}::{ONLY_ONCE_DENIED}",),
    ),
    Mutation(
        "denied before a lost connection",
        "what a node denied before its connections were lost counts, though a frame on its way may come long after",
        "dialer/recovery/reconciler.py",
        "        for call in self.live_calls.on_node(node):\n            call.doubt()\n",
        "",
        (f"{REPEATS}::test_a_node_whose_connection_was_lost_begins_to_deny_anew",),
    ),
    Mutation(
        "failover that lost something not noticed",
        "a dialer that knows what it told goes on with a database that does not",
        "dialer/identity.py",
        "self._locked_at, self._doubted = NEVER, True",
        "self._locked_at = NEVER",
        (f"{RESTORED}::test_a_dialer_looks_again_whenever_its_database_was_away",),
    ),
    Mutation(
        "commit after send",
        "the originate leaves before its call row is committed",
        "dialer/dispatch/batch.py",
        """        try:
            claimed = self.statements.claim(self.dialer_id, wanted)
        except""",
        """        for (choice, permit), item in zip(admitted, wanted):
            plan, number = choice.plan, choice.candidate.due.phone_number
            early = Claimed(item.call_id, item.contact_id, item.campaign_id, item.node, item.gateway_id,
                plan.caller_id, number, plan.generation, 1, 1, 0, 0, 0, 0, False, {}, 1, 0, "")
            call = self.send_queue.register(plan, early, permit, item.core_uuid, choice.candidate)
            self.send_queue.send(plan, call, {}, permit)
            self.send_queue.send_due(item.node)
        try:
            claimed = self.statements.claim(self.dialer_id, wanted)
        except""",
        (
            f"{ORDERS}::test_a_frame_leaves_only_under_a_committed_row",
            f"{BATCH}::test_only_what_the_claim_won_is_sent",
        ),
    ),
    Mutation(
        "claim without compare-and-set",
        "a contact that another dialer has claimed is claimed again",
        "dialer/dispatch/claims.py",
        "WHERE contact.status = 'pending' AND contact.sends = wanted.sends AND",
        "WHERE",
        (f"{CLAIMS}::test_many_dialers_that_reach_for_the_same_contacts_get_each_of_them_once",),
    ),
    Mutation(
        "claim without SKIP LOCKED",
        "dialers that reach for the same contacts wait for each other",
        "dialer/dispatch/claims.py",
        "FOR UPDATE OF contact SKIP LOCKED",
        "FOR UPDATE OF contact",
        (f"{CLAIMS}::test_a_claim_does_not_wait_for_somebody_elses",),
    ),
    Mutation(
        "one open call: unique index dropped",
        "the database takes a second open call of a contact",
        "migrations/0014_cheap_updates.py",
        "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS call_one_unended ON call",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS call_one_unended ON call",
        (f"{CLAIMS}::test_the_database_itself_refuses_a_second_open_call_for_a_contact",),
    ),
    Mutation(
        "one counted call: unique index dropped",
        "the database takes two counted calls of one attempt",
        "migrations/0001_schema.py",
        "CREATE UNIQUE INDEX call_attempt ON call",
        "CREATE INDEX call_attempt ON call",
        (f"{CLAIMS}::test_the_database_itself_refuses_two_counted_calls_of_one_attempt",),
    ),
    Mutation(
        "one call for each send: constraint dropped",
        "the database takes two calls of one send",
        "migrations/0001_schema.py",
        "    UNIQUE (contact_id, seq),\n",
        "",
        (f"{CLAIMS}::test_the_database_itself_refuses_two_calls_of_one_send",),
    ),
    Mutation(
        "lease not checked at the guard",
        "a process that wakes after its lease lapsed goes on sending",
        "dialer/dispatch/sender.py",
        "return self._identity.may_send() and self._send_gate",
        "return self._send_gate",
        (f"{SENDER}::test_a_call_that_is_held_does_not_leave",),
    ),
    Mutation(
        "a process that slept concludes from old knowledge",
        "after a gap in its clock a dialer tells how calls ended by their timers, and is corrected later",
        "dialer/recovery/reconciler.py",
        "        if not self.may_tell():\n            return\n        now = self.now()\n",
        "        now = self.now()\n",
        (f"{OWN_IDENTITIES}::test_one_that_stood_still_concludes_nothing_before_it_has_a_new_identity",),
        (("        if not self.may_tell():\n            return\n        if verdict", "        if verdict"),),
    ),
    Mutation(
        "a sleep counts against the node",
        "after a stop every connection is given up, and how calls ended is guessed while the word of it lies unread",
        "freeswitch/awake_clock.py",
        "        if passed <= GAP_SECONDS:\n            self._awake += passed\n",
        "        self._awake += passed\n",
        (
            "tests/unit/freeswitch/test_awake_clock.py::test_it_goes_on_while_it_is_looked_at_and_stands_still_while_nobody_can_look",
        ),
    ),
    Mutation(
        "a lost lease ends the process",
        "ten seconds without Redis end every dialer of an installation",
        "dialer/own_identities.py",
        "            if self.process.lost and not self._ending:\n",
        "            self._ending |= self.process.lost\n            if not self._ending:\n",
        (f"{OWN_IDENTITIES}::test_a_lost_lease_costs_no_process",),
    ),
    Mutation(
        "unknown after a failover",
        "a dialer whose row a failover lost is in no list of those to take over from once it dies",
        "dialer/identity.py",
        "            self._session.execute(_REGISTER_ANEW, (self.dialer_id, KNOWS))\n",
        "",
        (f"{OWN_IDENTITIES}::test_a_failover_of_postgresql_costs_no_process",),
    ),
    Mutation(
        "dials on after a lost lease",
        "a dialer that others take for dead sends under its old id",
        "dialer/identity.py",
        "        self.lost = True\n        self.lease.end()\n",
        "        self.lost = True\n",
        (f"{IDENTITY}::test_a_process_whose_lease_lapsed_has_lost_it_for_good",),
    ),
    Mutation(
        "session lock not checked at the guard",
        "a process that lost its session lock, which is the proof that it lives, goes on sending",
        "dialer/identity.py",
        "return self.lease.valid() and time.monotonic() - self._locked_at < LOCK_SECONDS",
        "return self.lease.valid()",
        (f"{IDENTITY}::test_a_look_at_the_lock_is_good_for_seconds_only",),
    ),
    Mutation(
        "sent twice by one process",
        "a call that was sent, seen or closed leaves again",
        "dialer/live_calls.py",
        "        if not self.unsent:\n            return False\n        self.state",
        "        self.state",
        (
            f"{SENDER}::test_a_call_leaves_once",
            f"{SENDER}::test_a_call_that_has_ended_or_was_seen_does_not_leave",
        ),
    ),
    Mutation(
        "no fencing check",
        "a dead dialer's calls are taken over although it may still wake and send",
        "dialer/recovery/takeover.py",
        "if other not in alive and self.membership.fence(other) > 0:",
        "if other in alive and self.membership.fence(other) > 0:",
        (f"{ORDERS}::test_a_dialer_that_wakes_after_its_calls_were_taken_over_sends_nothing",),
    ),
    Mutation(
        "the fenced get permits",
        "a dialer that was fenced off goes on asking for permits",
        "limits/acquire.lua",
        "if redis.call('EXISTS', KEYS[2]) == 0 or redis.call('EXISTS', KEYS[3]) == 1 then",
        "if redis.call('EXISTS', KEYS[2]) == 0 then",
        (f"{LEASES}::test_a_fenced_dialer_can_neither_acquire_nor_renew",),
    ),
    Mutation(
        "the fenced take over permits",
        "a dead successor that wakes takes permits over, and its own successor releases them as never used",
        "limits/transfer.lua",
        "if redis.call('EXISTS', KEYS[6]) == 0 or redis.call('EXISTS', KEYS[7]) == 1 then",
        "if redis.call('EXISTS', KEYS[6]) == 0 then",
        (f"{LEASES}::test_a_fenced_successor_takes_nothing_over",),
    ),
    Mutation(
        "a lapsed lease comes back",
        "a dialer whose lease lapsed revives it, after somebody took it for dead",
        "coordination/lease.lua",
        "if redis.call('EXISTS', KEYS[2]) == 1 or not job.new and redis.call('EXISTS', KEYS[1]) == 0 then",
        "if redis.call('EXISTS', KEYS[2]) == 1 then",
        (f"{LEASES}::test_a_dialer_whose_lease_lapsed_can_neither_acquire_nor_renew",),
    ),
    Mutation(
        "repeat before the owner is dead",
        "a never-seen send is repeated although its sender may still write it",
        "dialer/recovery/resend_or_close.py",
        "if not (ours or call.resent or sender_is_dead()):",
        "if False:",
        (f"{DECISIONS}::test_every_answer_in_every_situation",),
    ),
    Mutation(
        "repeat after PostgreSQL restarted",
        "a session lock that is gone because PostgreSQL restarted is taken for a death",
        "dialer/identity.py",
        " AND postmaster_started_at = pg_postmaster_start_time()\n",
        "\n",
        (f"{IDENTITY}::test_a_lock_says_nothing_after_the_server_restarted",),
    ),
    Mutation(
        "repeat after a backend crash",
        "a session lock that is gone because PostgreSQL lost all of them with one backend is taken for a death",
        "migrations/0009_session_lock.py",
        "CREATE UNLOGGED TABLE",
        "CREATE TABLE",
        (f"{IDENTITY}::test_a_lock_says_nothing_after_one_backend_crashed_until_it_is_taken_anew",),
    ),
    Mutation(
        "repeat at once",
        "a send is repeated while the first may still sit in the node's buffer",
        "dialer/recovery/resend_or_close.py",
        "SETTLE_SECONDS = 5.0",
        "SETTLE_SECONDS = 0.0",
        (f"{DECISIONS}::test_every_answer_in_every_situation",),
    ),
    Mutation(
        "repeat what a stuck node may hold",
        "a send is repeated although the connection was given up with the frame in the node's buffer",
        "dialer/live_calls.py",
        "return self.unacknowledged or self.delivery_unknown",
        "return self.unacknowledged",
        (f"{DECISIONS}::test_every_answer_in_every_situation",),
    ),
    Mutation(
        "repeat what a slow connection may hold",
        "a send is repeated although the node has not acknowledged the first yet",
        "dialer/live_calls.py",
        "return self.unacknowledged or self.delivery_unknown",
        "return self.delivery_unknown",
        (f"{DECISIONS}::test_every_answer_in_every_situation",),
    ),
    Mutation(
        "originate not counted at its node",
        "an originate that a node reads after the call it was repeated for is over is a second call",
        "freeswitch/originate.py",
        "if dedup.counts(request.endpoint):",
        "if False:",
        (
            "tests/e2e/test_duplicate_refused.py::test_what_a_node_reads_only_after_it_was_sent_again_is_not_carried_out",
        ),
    ),
    Mutation(
        "repeated while it waits for its turn",
        "a call stands twice in line: it leaves, and is taken back as one that never left",
        "dialer/dispatch/send_queue.py",
        "        call.enqueue()\n        heapq.heappush(",
        "        heapq.heappush(",
        (f"{SEND_QUEUE}::test_a_call_that_has_its_turn_is_not_repeated_and_so_not_taken_back_once_it_left",),
    ),
    Mutation(
        "taken back although sent since",
        "a withdrawal that waited for the database holds for a call that was repeated meanwhile",
        "dialer/record/recorder.py",
        "if report.ended is not None and call.sent_at is not None and call.sent_at > report.at:",
        "if False:",
        (f"{RECORDER}::test_a_call_that_was_sent_since_it_was_to_be_taken_back_is_not",),
    ),
    Mutation(
        "refused duplicate taken for its call",
        "a call is over by the end of an originate that was never carried out",
        "dialer/record/switch_reports.py",
        "if event.hangup is not None and dedup.is_refused_duplicate(event.hangup):",
        "if False:",
        (f"{RECORDER}::test_a_refused_duplicate_says_nothing_about_the_call",),
    ),
    Mutation(
        "doubt not handed over",
        "a successor repeats a call that its dialer, when it ended, could not prove never to have been read",
        "dialer/call_rows.py",
        'delivery_unknown=row["doubtful"],',
        "delivery_unknown=False,",
        (f"{CLAIMS}::test_only_its_owner_puts_a_call_in_doubt_and_only_while_it_is_unseen",),
    ),
    Mutation(
        "mark asked for before the channel",
        "a call that runs and ends between the two questions counts as never seen",
        "dialer/recovery/reconciler.py",
        """    dump = link.api(uuid_dump(call_id), timeout=ASK_SECONDS)
""",
        """    early = link.api(hangup_marker_select(call_id), timeout=ASK_SECONDS).strip() == "done"
    dump = link.api(uuid_dump(call_id), timeout=ASK_SECONDS)
    if not dump.lstrip().startswith("{"):
        return Answer(None, early, link.core_uuid)
""",
        (f"{ORDERS}::test_a_call_that_runs_and_ends_between_two_questions_is_known_to_have_lived",),
    ),
    Mutation(
        "answer taken for newer than it is",
        "a send is repeated on a word of the node from before the frame can have left its buffer",
        "dialer/recovery/reconciler.py",
        "call, answer, self.dialer_id, asked, lambda",
        "call, answer, self.dialer_id, self.now(), lambda",
        (f"{ORDERS}::test_what_a_node_said_is_as_old_as_the_question",),
    ),
    Mutation(
        "repeat of somebody else's call",
        "a call is sent again by a dialer that it does not belong to any more",
        "dialer/dispatch/claims.py",
        "WHERE call.id = %(call)s::uuid AND call.dialer_id = %(dialer)s",
        "WHERE call.id = %(call)s::uuid",
        (f"{CLAIMS}::test_only_its_owner_may_send_a_call_again_and_only_while_it_is_unseen",),
    ),
    Mutation(
        "pause ignored at the guard",
        "a call that was claimed before a pause leaves after it was answered",
        "dialer/send_gate.py",
        "            or generation < self._generations.get(campaign_id, (0, 0.0))[0]\n",
        "",
        (f"{SENDER}::test_a_call_that_is_held_does_not_leave",),
    ),
    Mutation(
        "pause answered too early",
        "a dialer says that it holds while a write is still under way",
        "dialer/control.py",
        "if not self.send_gate.wait_for_writes(ACK_SECONDS):",
        "if self.send_gate.draining:",
        (f"{ORDERS}::test_a_pause_is_answered_once_the_write_under_way_is_over",),
    ),
    Mutation(
        "pause answered before the node has the orders",
        "a node that reads an order late carries it out after its dialer has said that none leaves any more",
        "dialer/control.py",
        "        self.wait_for_nodes(STALLED_SECONDS)\n",
        "",
        (
            "tests/unit/dialer/test_small_parts.py::test_an_answer_comes_once_the_nodes_have_what_was_on_its_way",
        ),
    ),
    Mutation(
        "orders under way forgotten",
        "whoever waits for the nodes' answers does not wait for those that are still to come",
        "dialer/dispatch/node_orders.py",
        "        while any(call.unacknowledged for call in under_way):\n",
        "        while any(call.unacknowledged for call in under_way[:1]):\n",
        (
            f"{NODE_ORDERS}::test_an_answer_waits_for_the_nodes_that_have_an_order_under_way_and_for_no_later_one",
        ),
    ),
)

LOST = (
    Mutation(
        "outcome dropped while the database is away",
        "what a call became is forgotten where the commit fails",
        "dialer/record/recorder.py",
        "                pause = min(pause * 2, LAST_RETRY_SECONDS)\n",
        "                return Written([], frozenset())\n",
        (f"{RECORDER}::test_a_group_is_repeated_until_the_database_is_back",),
    ),
    Mutation(
        "seen call taken back",
        "a call that the switch has shown goes back to pending as never sent, and is dialled again",
        "dialer/record/outcome_rows.py",
        "            AND (seen.sent_age IS NOT NULL OR before.state = 'dispatching' AND before.sent_at IS NULL))\n",
        ")\n",
        (f"{CLAIMS}::test_a_call_that_was_seen_is_not_taken_back_as_never_sent",),
    ),
    Mutation(
        "lost claim not looked for",
        "a claim whose answer was lost keeps its contacts and its permits for ever",
        "dialer/dispatch/batch.py",
        "                self.around.note_unknown_claim(list(left.values()))\n",
        "                pass\n",
        (
            f"{SCHEDULER}::test_a_claim_whose_answer_is_lost_leaves_its_permits_in_doubt_and_the_greenlet_alive",
        ),
    ),
    Mutation(
        "pending and not waiting",
        "a contact that goes back to pending is never found again",
        "migrations/0013_waiting.py",
        "WHEN (coalesce(NEW.waiting, false) <> (NEW.status = 'pending'))",
        "WHEN (NEW.waiting AND NEW.status <> 'pending')",
        (
            "tests/integration/test_cheap_updates.py::test_waiting_follows_the_status_of_whoever_does_not_write_it",
            f"{CLAIMS}::test_a_call_that_does_not_count_gives_its_attempt_back",
        ),
    ),
    Mutation(
        "arrived claim not found",
        "a claim that arrived although its answer was lost is not withdrawn",
        "dialer/capacity/permits.py",
        "        return arrived\n",
        "        return []\n",
        (f"{PERMITS}::test_a_claim_that_did_arrive_is_found_although_redis_is_away",),
    ),
    Mutation(
        "successor before filters",
        "a successor takes the rows before it hears the events of their calls",
        "dialer/recovery/takeover.py",
        "            self.cluster.adopt(sender)\n",
        "            pass\n",
        (f"{ORDERS}::test_a_successor_hears_a_call_before_it_owns_it",),
    ),
    Mutation(
        "a dead successor stays the successor",
        "what a dead dialer left is never settled once its successor has died or stands still",
        "dialer/recovery/takeover_claim.py",
        "if noted not in {None, dialer_id} and not _is_dead(noted, membership):",
        "if noted not in {None, dialer_id}:",
        (
            f"{TAKEOVERS}::test_a_successor_that_stands_still_is_followed_once_it_is_dead_although_its_session_stands",
            f"{ORDERS}::test_two_successors_at_once_settle_a_dialer_as_one_would",
        ),
    ),
    Mutation(
        "settled with calls open",
        "a dead dialer counts as settled while a call of it is open",
        "dialer/recovery/takeover.py",
        "    AND NOT EXISTS (SELECT 1 FROM call WHERE dialer_id = %(id)s"
        " AND (ended_at IS NULL OR slot_until IS NOT NULL))\n",
        "",
        (f"{ORDERS}::test_a_dialer_with_an_open_call_is_not_settled",),
    ),
    Mutation(
        "left unsent and forgotten",
        "calls that wait for a permit are dropped when their campaign stops being dialled",
        "dialer/dispatch/send_queue.py",
        """            if self._held(call) or not (call.unsent and self.sender.allowed(call) and patient):
                self.withdraw(call)
""",
        """            if self._held(call) or not (call.unsent and self.sender.allowed(call) and patient):
                self.lapsed.pop(call.call_id)
""",
        (f"{SEND_QUEUE}::test_what_waits_for_a_permit_goes_back_when_nothing_may_leave",),
    ),
)
