"""The result of a recorder's commit, and the interface of those who act on it.

Implemented by the outbox, by `following`, and by the breakers and others that `following` calls; who follows, and in
which order, is said in one place: `dialer/parts.py`, under `followers` and `judges`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from dialer.live_calls import LiveCall
from dialer.record.outcome_rows import Ended, Written


@dataclass(frozen=True, slots=True)
class Commit:
    """The rows that one commit changed, the calls that are over by it, and by call id how each ended.

    Where a commit had to be repeated since its answer was lost, more may have changed than it says.
    """

    written: Written
    over: Sequence[LiveCall]
    ended: Mapping[str, Ended]


class CommitFollower(Protocol):
    """A part that acts on what was committed. What it raises is logged, and keeps no other follower waiting."""

    def after_commit(self, commit: Commit) -> None:
        """Called once for each commit, or once for some that came close together. The recorder's own followers never
        wait; those of `following` do not for long."""


def joined(commits: Sequence[Commit]) -> Commit:
    """Commits that came one after the other, as one; there is at least one. A call is over in one of them."""
    if len(commits) == 1:
        return commits[0]
    return Commit(
        Written(
            [told for commit in commits for told in commit.written.told],
            frozenset().union(*(commit.written.ended for commit in commits)),
        ),
        [call for commit in commits for call in commit.over],
        {call_id: ended for commit in commits for call_id, ended in commit.ended.items()},
    )
