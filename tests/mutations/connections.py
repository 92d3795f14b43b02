"""Mutations of: a database connection is of one greenlet, and none is lost."""

from __future__ import annotations

from tests.mutations.mutation import RECORDER, Mutation

POOL = "tests/integration/test_database_pool.py"
TRANSACTIONS = "tests/integration/test_transactions.py"
STRUCK = "tests/integration/test_database_pool_struck.py"
ANYWHERE = f"{STRUCK}::test_greenlets_that_are_struck_anywhere_leave_the_pool_whole"

CONNECTIONS = (
    Mutation(
        "descriptor closed under who waits for it",
        "a process whose connections are closed just as somebody begins to wait for an answer is aborted by libev",
        "database_pool.py",
        "            connection.cut()\n",
        "            connection.close()\n",
        (f"{POOL}::test_closing_all_ends_no_process_of_which_somebody_has_just_begun_to_wait",),
    ),
    Mutation(
        "turn that nobody takes",
        "the turn of a greenlet that is killed as its turn comes is lost, and a connection with it",
        "database_pool.py",
        "        if turn.is_set():\n            self.give()\n",
        "        if turn.is_set():\n            pass\n",
        (ANYWHERE,),
    ),
    Mutation(
        "turn kept by a check-out that failed",
        "a greenlet that is killed while it connects keeps its turn",
        "database_pool.py",
        "            self.turns.give()\n            raise\n",
        "            raise\n",
        (ANYWHERE,),
    ),
    Mutation(
        "turn overtaken",
        "who asks again at once gets the turn for which others wait",
        "database_pool.py",
        "        if self._waiting:\n",
        "        if self._waiting and self.free > 0:\n",
        (f"{POOL}::test_who_asks_again_at_once_does_not_overtake_who_waits",),
    ),
    Mutation(
        "answer left behind",
        "a kill in the middle of a statement is hidden by the error of the connection that it left in use",
        "database_pool.py",
        "                self.pgconn.finish()\n",
        "                pass\n",
        (f"{POOL}::test_what_ended_the_work_passes_through_nested_transactions",),
    ),
    Mutation(
        "transaction handed out",
        "a connection is given to the next greenlet in the transaction of the last",
        "database_pool.py",
        "        return self.pgconn.transaction_status == TransactionStatus.IDLE\n",
        "        return True\n",
        (f"{POOL}::test_one_that_is_left_in_a_transaction_is_not_handed_out_again",),
    ),
    Mutation(
        "dead connection handed out",
        "after a restart of PostgreSQL each idle connection costs somebody an error",
        "database_pool.py",
        " or connection.has_unasked_input()",
        "",
        (f"{POOL}::test_after_a_restart_of_the_server_nobody_meets_an_error",),
    ),
    Mutation(
        "doubt forgotten",
        "what ended one connection is met again on each of the others",
        "database_pool.py",
        "connection.era != self._era or ",
        "",
        (f"{POOL}::test_once_one_is_lost_those_of_its_time_are_asked_before_they_are_used",),
    ),
    Mutation(
        "work begun twice",
        "work goes on on another connection without what was done before it on the first",
        "database_pool.py",
        "if connection is None or not fresh or not connection.closed:",
        "if connection is None or not connection.closed:",
        (f"{POOL}::test_work_that_was_begun_is_never_done_again_on_another_connection",),
    ),
    Mutation(
        "half a commit kept",
        "a dialer that is stopped between two writes of a commit keeps its campaigns locked for as long as it stands",
        "database_pool.py",
        "        if connection.info.server_version >= KNOWS_TRANSACTION_TIMEOUT and self._transaction_seconds:\n",
        "        if False:\n",
        (
            f"{TRANSACTIONS}::test_a_process_that_is_stopped_between_two_writes_of_one_commit_gives_its_rows_back",
        ),
    ),
    Mutation(
        "uploads ended as half commits",
        "who looks for half commits ends the upload of a list as well",
        "dialer/recovery/half_commits.py",
        " AND query !~* '^\\\\s*copy '",
        "",
        (f"{TRANSACTIONS}::test_no_whole_transaction_no_upload_and_no_other_program_s_is_ended",),
    ),
    Mutation(
        "commits of the recorder unbounded",
        "the recorder's half commits are nobody's to end",
        "dialer/record/outcome_rows.py",
        "RECORD_SECONDS, LOCK_SECONDS, transaction_seconds=COMMIT_SECONDS, by_id=True",
        "RECORD_SECONDS, LOCK_SECONDS, by_id=True",
        (f"{TRANSACTIONS}::test_a_commit_of_the_recorder_is_over_before_a_pause_gives_up_waiting",),
    ),
    Mutation(
        "silence after connecting waited for",
        "a dialer waits for ever for a server that falls silent as it connects",
        "database_pool.py",
        'gevent.Timeout.start_new(self.connect_params.get("connect_timeout"))',
        "gevent.Timeout.start_new(None)",
        (f"{POOL}::test_a_server_that_falls_silent_once_it_is_connected_is_not_waited_for",),
    ),
    Mutation(
        "who is gone waits on",
        "a request that was given up keeps waiting at the database, and its repeat is told to wait for it",
        "database_pool.py",
        '{"client_connection_check_interval": GONE_SECONDS}',
        "{}",
        (f"{TRANSACTIONS}::test_who_asked_and_is_gone_does_not_wait_on_at_the_server",),
    ),
    Mutation(
        "group that takes too long repeated whole",
        "where one commit of many outcomes takes too long none of them is ever written",
        "dialer/record/recorder.py",
        "if time.monotonic() - began >= COMMIT_SECONDS and len(changes) > 1:",
        "if False:",
        (f"{RECORDER}::test_a_group_that_takes_too_long_is_written_in_smaller_ones",),
    ),
    Mutation(
        "an exchange that keeps its turn",
        "while a long list is written to the database nobody else of the process is answered",
        "database_wait.py",
        "at_once = 0 if at_once == MOST_AT_ONCE else at_once + 1",
        "at_once = 1",
        ("tests/unit/test_database_wait.py::test_others_run_while_an_exchange_has_nothing_to_wait_for",),
    ),
    Mutation(
        "a name that is asked for twice",
        "a statement that names a value twice takes another in its place",
        "database_statements.py",
        "places.setdefault(found['name'], len(places) + 1)",
        "len(places) + places.setdefault(found['name'], 1)",
        ("tests/unit/test_database_statements.py::test_values_stand_in_the_order_of_the_text",),
    ),
)
