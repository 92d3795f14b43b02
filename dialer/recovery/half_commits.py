"""Ends commits of which the rest does not come, where the server does not do so itself: PostgreSQL before 17.

A dialer that is stopped between two writes of one commit keeps the rows that it wrote locked while it stands, and the
server counts its transaction neither as idle nor as a statement. From 17 on `transaction_timeout` ends it
(`database_pool`); else any other dialer does. Decision 0090.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from dialer.record.outcome_rows import COMMIT_SECONDS
from models import db, rows

log = structlog.get_logger()

EVERY_SECONDS: Final = 2.0
_ENDS_THEM: Final = "SELECT current_setting('transaction_timeout', true) IS NOT NULL AS itself"
# Of connections of ours alone, and of none that sends rows of a list, which may take long. `active` although it waits
# for its client since the last statement is nobody but who is between two of one commit.
_END: Final = """
    WITH half AS MATERIALIZED (
        SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
            AND application_name = current_setting('application_name')
            AND state = 'active' AND wait_event = 'ClientRead' AND query !~* '^\\s*copy '
            AND xact_start < clock_timestamp() - %s * interval '1 second'
            AND query_start < clock_timestamp() - %s * interval '1 second')
    SELECT pid FROM half WHERE pg_terminate_backend(pid)"""


@dataclass(slots=True)
class HalfCommits:
    """`turn`: whether it is this process' turn; `longest_seconds`: how long a commit may take,
    `silent_seconds`: how long nothing more of it comes."""

    turn: Callable[[], bool]
    longest_seconds: float = COMMIT_SECONDS
    silent_seconds: float = EVERY_SECONDS

    def round(self) -> None:
        """End those that there are. Called every EVERY_SECONDS; raises what a server that is away raises."""
        if not self.turn():
            return
        with db.connection_context():
            if not rows(_ENDS_THEM)[0]["itself"]:
                self.end()

    def end(self) -> int:
        """End those that there are, whatever the server's version; how many."""
        ended = len(rows(_END, self.longest_seconds, self.silent_seconds))
        if ended:
            log.warning("half_commits_ended", connections=ended)
        return ended
