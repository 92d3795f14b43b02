"""Named points where a chaos test stops or kills this process.

`hit` stands in the code at each of them and does nothing, but in a process that was armed (CARILLON_CHAOS_POINTS, a
test setting, refused where a node is not on this machine). There, whoever puts a file with the name of a point into
the folder strikes the first process that passes it: the file says KILL or STOP, and is renamed to `<point>.<pid>` by
the one process that obeys.
"""

from __future__ import annotations

import os
import signal
from enum import StrEnum
from pathlib import Path


class FaultPoint(StrEnum):
    """Every point, in the order of a call's life."""

    PERMITTED = "permitted"
    """Permits are taken, nothing is claimed."""
    CLAIMED = "claimed"
    """The claim is committed, and this process does not know it yet."""
    ENTERED = "entered"
    """The claim is known and published, nothing of it is sent."""
    CHECKED = "checked"
    """The guard has said that the frame may leave, under the lock of the socket."""
    WRITTEN = "written"
    HEARD = "heard"
    """Events are out of the queue and in no row."""
    OUTCOME_COMMITTED = "outcome_committed"
    """Nobody has been told, and no permit is back."""
    FREED = "freed"
    """Permits are back, the campaign is not looked at."""
    PUBLISHED = "published"
    """Listeners have been told, the rows do not say so."""
    TAKEOVER_CLAIMED = "takeover_claimed"
    """A dialer has claimed the takeover from a dead one, and has taken nothing yet."""
    PERMITS_TAKEN = "permits_taken"
    """It has the permits; the calls are still the dead one's."""
    ADOPTED = "adopted"
    """The calls are its own in their rows, and not among its live calls yet."""
    DECIDED = "decided"
    """Recovery has its answer, and has not acted on it."""
    RESEND_CLAIMED = "resend_claimed"
    """A call that its node never saw is to be resent, and is not queued yet."""
    CORRECTED = "corrected"
    """A late record is applied and not committed."""
    SLICE_CANCELLED = "slice_cancelled"
    """A part of a stopped campaign's list is cancelled, and the rest is not."""
    SNAPSHOT_TAKEN = "snapshot_taken"
    """The limiter is to be rebuilt from a snapshot, which nobody has been given yet."""
    HANDED_OVER = "handed_over"
    """This process ends, and its calls are somebody else's."""


_orders: Path | None = None


def arm(orders: Path | None) -> None:
    """Obey what is put into this folder from now on; None: nothing any more."""
    global _orders  # noqa: PLW0603  one for the process, set before anything runs
    _orders = orders


def hit(point: FaultPoint) -> None:
    """This process passes `point` now."""
    if _orders is not None:
        _obey(_orders / point)


def _obey(order: Path) -> None:
    mine = order.with_name(f"{order.name}.{os.getpid()}")
    try:
        # Read first: whoever gave the order may take away what it was renamed to before that could be read.
        killed = order.read_text(encoding="ascii") == "KILL"
        order.rename(mine)
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL if killed else signal.SIGSTOP)
