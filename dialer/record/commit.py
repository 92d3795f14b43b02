"""The result of a recorder's commit, and the interface of those who act on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from dialer.live_calls import LiveCall
from dialer.record.outcomes import Ended, Written


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
        """Called once for each commit, by the recorder's greenlet: it never waits for long."""
