"""What a mutation is: one line of the product made wrong, and the tests that must notice."""

from __future__ import annotations

from dataclasses import dataclass

CLAIMS = "tests/integration/dialer/test_claims_and_outcomes.py"
CALL_COUNTS = "tests/integration/dialer/test_call_counts.py"
CALL_REPORTS = "tests/integration/dialer/test_call_reports.py"
SCHEDULER = "tests/unit/dialer/test_scheduler.py"
BATCH = "tests/unit/dialer/test_batch.py"
SEND_QUEUE = "tests/unit/dialer/test_send_queue.py"
NODE_ORDERS = "tests/unit/dialer/test_node_orders.py"
SENDER = "tests/unit/dialer/test_sender.py"
FOLLOWING = "tests/unit/dialer/test_following.py"
RECORDER = "tests/unit/dialer/test_recorder.py"
REDIS_CLOCK = "tests/unit/limits/test_redis_clock.py"
DECISIONS = "tests/unit/dialer/test_resend_or_close.py"
TURNS = "tests/integration/limits/test_turns.py"
PERMITS = "tests/unit/dialer/test_permits.py"
IDENTITY = "tests/integration/dialer/test_identity.py"
OWN_IDENTITIES = "tests/integration/dialer/test_own_identities.py"
TAKEOVERS = "tests/integration/dialer/test_takeover_claim.py"
ORDERS = "tests/integration/model/test_orders.py"
CAPS = "tests/integration/limits/test_caps.py"
EPOCH = "tests/integration/limits/test_epoch.py"
LAPSES = "tests/integration/limits/test_lapses.py"
LEASES = "tests/integration/coordination/test_membership.py"
MEMORY = "tests/integration/limits/test_eviction.py"
GIVEN_UP = "tests/unit/dialer/test_given_up_connections.py"
OVERDUE = "tests/integration/limits/test_overdue_orders.py"
REPEATS = "tests/integration/limits/test_repeats.py"
SNAPSHOT = "tests/integration/dialer/test_limiter_snapshot.py"
VERDICT = "tests/chaos/test_verdict.py"
STOPS_VERDICT = "tests/chaos/test_stops.py"
HOURS_VERDICT = "tests/chaos/test_hours.py"


@dataclass(frozen=True, slots=True)
class Mutation:
    """`old`, which occurs once in `file`, becomes `new`; each of `tests` (ids as pytest takes them) must then fail.

    `breaks` says in words what is wrong with the mutated product. `more` are further replacements in the same file,
    where a rule stands in several places that make up for each other.
    """

    name: str
    breaks: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    more: tuple[tuple[str, str], ...] = ()

    @property
    def edits(self) -> tuple[tuple[str, str], ...]:
        """(old, new) of each replacement."""
        return ((self.old, self.new), *self.more)
