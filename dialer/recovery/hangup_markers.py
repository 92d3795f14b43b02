"""Deletes the hangup markers of ended calls from their node's hash.

Only once a call's end is committed: from then on the database says that it lived, and nobody needs the marker.

A dialer keeps in mind what it has to delete, and deletes it in batches, one round trip each. What it cannot keep in
mind, and what it takes along when it dies, still stands in the node's hash, which keeps it for as long as the node
runs: one dialer looks through that from time to time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import gevent
import structlog

from dialer.record.commit import Commit
from dialer.tasks import kill_all
from freeswitch.cluster import Cluster, NodeLink
from freeswitch.commands import hangup_marker_delete, hangup_marker_list, hangup_markers_in
from freeswitch.errors import FreeswitchError
from models import db, rows

log = structlog.get_logger()

MOST = 20_000
"""Marks kept in mind of a node that is away; older ones stay there."""
BATCH = 100
"""Deleted in one round trip: a node is busy with it for some 7 ms, and hears nothing else on that connection."""
GATHER_SECONDS = 0.1
"""For so long markers are gathered where fewer than a batch wait: nobody misses their room."""
REPLY_SECONDS = 10.0
LOOK_SECONDS = 600.0
"""How often the hash of each node is looked through, by one dialer for all."""
TRY_LOOK_SECONDS = 60.0
LIST_SECONDS = 10.0
LOOKED_UP = 1_000

OVER = """
SELECT id::text AS id FROM call
WHERE id = ANY(%s::uuid[]) AND state = 'ended' AND slot_until IS NULL AND ended_at < now() - interval '1 minute'
"""
"""Those of these calls that are over for good."""


class HangupMarkers:
    """One greenlet for each node that has markers to delete; nobody waits for it.

    `may_look` says whether it is this dialer that looks through the hash of a node now.
    """

    def __init__(self, cluster: Cluster, may_look: Callable[[str], bool]) -> None:
        self._cluster = cluster
        self._may_look = may_look
        self.left: dict[str, deque[str]] = {}
        """The calls whose markers are yet to be deleted, by their node."""
        self._working: dict[str, gevent.Greenlet[..., None]] = {}

    def after_commit(self, commit: Commit) -> None:
        """Delete the markers of calls that are over. That of a call that may be up says later that it is over."""
        for node in {call.node for call in commit.over}:
            over = (call for call in commit.over if call.node == node and call.seen)
            self.forget(node, [c.call_id for c in over if commit.ended[c.call_id].may_live is None])

    def forget(self, node: str, call_ids: Iterable[str]) -> None:
        """These calls of `node` are over and written. Never waits."""
        self.left.setdefault(node, deque(maxlen=MOST)).extend(call_ids)
        self._work_on(node)

    def round(self) -> None:
        """Go on where a node was away. Called every second."""
        for node in list(self.left):
            if node in self._cluster.links:
                self._work_on(node)
            else:
                del self.left[node]

    def look(self) -> None:
        """Find the markers that nobody has in mind.

        Raises what a database that is away raises, and what `may_look` does; they are found the next time.
        """
        for node, link in list(self._cluster.links.items()):
            if not link.connected or not self._may_look(node):
                continue
            try:
                found = hangup_markers_in(link.api_apart(hangup_marker_list(), LIST_SECONDS))
            except FreeswitchError as error:
                log.info("hangup_markers_not_listed", node=node, error=str(error)[:200])
                continue
            over = [call_id for some in _slices(found) for call_id in _over(some)]
            if over:
                log.info("hangup_markers_found", node=node, hangup_markers=len(over))
                self.forget(node, over)

    def stop(self) -> None:
        """Delete what is known to be over, as far as a second allows; leave the rest where it is."""
        gevent.joinall(self.greenlets(), timeout=1.0)
        kill_all(self.greenlets(), timeout=1.0)

    def greenlets(self) -> list[gevent.Greenlet[..., None]]:
        """What runs of it, for whoever ends it or waits for it."""
        return list(self._working.values())

    def working_on(self, node: str) -> bool:
        """Whether markers of a node are being deleted just now."""
        working = self._working.get(node)
        return working is not None and not working.dead

    def _work_on(self, node: str) -> None:
        link = self._cluster.links.get(node)
        if link is None or not link.connected or not self.left[node]:
            return
        if not self.working_on(node):
            self._working[node] = gevent.spawn(self._work, link, self.left[node])

    def _work(self, link: NodeLink, left: deque[str]) -> None:
        try:
            while left and link.connected:
                if len(left) < BATCH:
                    gevent.sleep(GATHER_SECONDS)
                _delete(link, left)
        except FreeswitchError as error:
            log.info("hangup_markers_kept", node=link.name, hangup_markers=len(left), error=str(error)[:200])


def _delete(link: NodeLink, left: deque[str]) -> None:
    """Delete the first of them; those that the node did not answer for are the first again."""
    batch = [left.popleft() for _ in range(min(BATCH, len(left)))]
    answered = 0
    try:
        answered = len(link.api_many([hangup_marker_delete(one) for one in batch], REPLY_SECONDS))
    finally:
        left.extendleft(reversed(batch[answered:]))
    if not answered:
        gevent.sleep(GATHER_SECONDS)


def _over(call_ids: Sequence[str]) -> list[str]:
    """Those that are over and written, for long enough that nobody is about to delete their marker."""
    with db.connection_context():
        return [row["id"] for row in rows(OVER, call_ids)]


def _slices(call_ids: Iterable[str]) -> Iterator[list[str]]:
    found = iter(call_ids)
    while some := list(islice(found, LOOKED_UP)):
        yield some
