"""Deletes the hangup markers of ended calls from their node's hash.

Only once a call's end is committed: from then on the database says that it lived, and nobody needs the marker.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import gevent
import structlog

from dialer.record.commit import Commit
from dialer.tasks import kill_all
from freeswitch.cluster import Cluster
from freeswitch.commands import hangup_marker_delete
from freeswitch.errors import FreeswitchError

log = structlog.get_logger()

MOST = 20_000
"""Marks kept in mind of a node that is away; older ones stay there."""
REPLY_SECONDS = 10.0


class HangupMarkers:
    """One greenlet for each node that has marks to forget; nobody waits for it."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._left: dict[str, deque[str]] = {}
        self._working: dict[str, gevent.Greenlet[..., None]] = {}

    def after_commit(self, commit: Commit) -> None:
        """Delete the markers of calls that are over. That of a call that may be up says later that it is over."""
        for node in {call.node for call in commit.over}:
            over = (call for call in commit.over if call.node == node and call.seen)
            self.forget(node, [c.call_id for c in over if commit.ended[c.call_id].may_live is None])

    def forget(self, node: str, call_ids: Iterable[str]) -> None:
        """These calls of `node` are over and written. Never waits."""
        left = self._left.setdefault(node, deque(maxlen=MOST))
        left.extend(call_ids)
        working = self._working.get(node)
        if left and (working is None or working.dead):
            self._working[node] = gevent.spawn(self._work, node, left)

    def stop(self) -> None:
        """Leave the rest where it is."""
        kill_all(self._working.values(), timeout=1.0)

    def _work(self, node: str, left: deque[str]) -> None:
        link = self._cluster.links.get(node)
        try:
            while left and link is not None and link.connected:
                link.api(hangup_marker_delete(left[0]), timeout=REPLY_SECONDS)
                left.popleft()
        except FreeswitchError as error:
            log.info("hangup_markers_kept", node=node, hangup_markers=len(left), error=str(error)[:200])
