"""What is done once outcomes are committed: slots are freed, breakers judge, campaigns are completed.

In the order of the commits and beside the recorder: each of these asks Redis or the database something, and the
recorder, which writes the next group meanwhile, waits for none of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
from gevent.event import Event as Signal

from dialer.record.commit import Commit, CommitFollower, joined
from dialer.tasks import wait_for_work

log = structlog.get_logger()

MOST_CALLS = 500
"""Commits that wait are followed together, up to so many calls that are over."""


@dataclass(slots=True)
class Following:
    """A follower of the recorder's that has `judges` and then `followers` act, one after the other, in a greenlet of
    its own. What one of them cannot do now costs the others nothing, and no later commit. `judges` may hold calls for
    what became of others, and bring contacts back."""

    followers: Sequence[CommitFollower] = ()
    judges: Sequence[CommitFollower] = ()
    _judged: Commit | None = None
    """The commit that is being judged."""
    _waiting: deque[Commit] = field(default_factory=deque)
    _wake: Signal = field(default_factory=Signal)
    _idle: Signal = field(default_factory=Signal)

    def __post_init__(self) -> None:
        self._idle.set()

    def after_commit(self, commit: Commit) -> None:
        """Have it followed soon; never waits."""
        self._waiting.append(commit)
        self._idle.clear()
        self._wake.set()

    def run(self) -> None:
        """The greenlet. Never returns."""
        while True:
            wait_for_work(self._wake)
            self._wake.clear()
            self.follow()

    def follow(self) -> None:
        """Have all that waits followed."""
        while self._waiting:
            commit = self._judged = self._next()
            for judge in self.judges:
                follow(judge, commit)
            self._judged = None
            for follower in self.followers:
                follow(follower, commit)
        self._idle.set()

    def owes(self, campaign_id: str) -> bool:
        """Whether a call of this campaign is over that is not judged yet: its contacts may still come back."""
        commits = self._waiting if self._judged is None else (*self._waiting, self._judged)
        return any(call.campaign_id == campaign_id for commit in commits for call in commit.over)

    def flush(self, timeout: float) -> bool:
        """Wait until everything that was committed is followed; False when the time was not enough."""
        return bool(self._idle.wait(timeout=timeout))

    def _next(self) -> Commit:
        found = [self._waiting.popleft()]
        calls = len(found[0].over)
        while self._waiting and (calls := calls + len(self._waiting[0].over)) <= MOST_CALLS:
            found.append(self._waiting.popleft())
        return joined(found)


def follow(follower: CommitFollower, commit: Commit) -> None:
    """Have one follower act. Committed is committed: what one part cannot do now must not cost the others theirs."""
    try:
        follower.after_commit(commit)
    except Exception:
        # Whatever it is: the permits of these calls, and all later commits, are for the parts behind it.
        log.exception("after_commit_failed", part=type(follower).__name__, calls=len(commit.over))
