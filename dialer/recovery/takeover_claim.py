"""Who takes over from a dead dialer: one at a time, noted in the dead one's row by compare-and-set.

The claim is void once its claimant (`heir` in the row) is dead itself, by its lease and a fence, not by its sessions:
one that is frozen keeps those for as long as its host's kernel answers, and a host that vanished keeps them for
hours. A successor that wakes after that goes on beside the next; each step of `takeover` allows it.
"""

from __future__ import annotations

from coordination.membership import Membership
from models import db, rows

_NOTED = "SELECT heir FROM dialer WHERE id = %s"
# A dialer without a row (a failover may lose it) gets one: somebody has to settle what it left.
_CLAIM = """
INSERT INTO dialer (id, heir) VALUES (%(dead)s, %(heir)s)
    ON CONFLICT (id) DO UPDATE SET heir = excluded.heir WHERE dialer.heir IS NOT DISTINCT FROM %(noted)s
"""
_RELEASE = "UPDATE dialer SET heir = NULL WHERE id = %s AND heir = %s"


def claim_takeover(of: str, dialer_id: str, membership: Membership) -> bool:
    """Claim the takeover from the dead `of` for `dialer_id`; False while a living dialer has it.

    Raises what a server that is away raises; the note then stands or does not, and may be made again.
    """
    with db.connection_context():
        found = rows(_NOTED, of)
    noted = found[0]["heir"] if found else None
    if noted not in {None, dialer_id} and not _is_dead(noted, membership):
        return False
    with db.connection_context():
        made: int = db.execute_sql(_CLAIM, {"dead": of, "heir": dialer_id, "noted": noted}).rowcount
    return made == 1


def release_takeover(of: str, dialer_id: str) -> None:
    """Let others take over from `of`. Raises what a database that is away raises; the note then stays."""
    with db.connection_context():
        db.execute_sql(_RELEASE, (of, dialer_id))


def _is_dead(successor: str, membership: Membership) -> bool:
    # It entered the membership before it was noted: where it is not there now, it never will be again.
    return successor not in membership.alive() and membership.fence(successor) <= 0
