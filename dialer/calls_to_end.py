"""Ends the calls that have to end, by a halt or by `stop?hangup=true`, until their switch says that they are over.

The rows say which they are (`campaigns/calls_to_end.py`). Every dialer looks every second whether there are any
(`lookout`); then, when a control message comes, when a node comes back and when it takes calls over, it ends its own;
one dialer in turn looks after everybody's, so that nobody waits for an owner that is dead or stands still. A call is
ended by its id: nothing that was placed since is hit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import gevent
import structlog
from gevent.event import Event as Signal

from campaigns import calls_to_end
from campaigns.calls_to_end import EVERYBODY, CallToEnd
from coordination.errors import Unavailable
from dialer.errors import DATABASE_AWAY, note
from dialer.live_calls import LiveCalls
from dialer.recovery.node_restart import NodeRestarts
from freeswitch.cluster import Cluster, LinkChange, NodeLink
from freeswitch.commands import uuid_kill
from freeswitch.errors import FreeswitchError
from models import db

log = structlog.get_logger()

CAUSE = "MANAGER_REQUEST"
"""Why they end, as the switch is told; what is recorded of one that was not answered goes by it (`outcome_rows`)."""
TOGETHER = 100
ANSWER_SECONDS = 5.0


@dataclass(slots=True)
class CallsToEnd:
    """`everybodys_turn`: whether it is this process' turn to look after the calls of all. `wake` asks for a round."""

    dialer_id: str
    cluster: Cluster
    live_calls: LiveCalls
    node_restarts: NodeRestarts
    everybodys_turn: Callable[[], bool]
    wake: Signal = field(default_factory=Signal)
    _at_work: dict[str, gevent.Greenlet[..., None]] = field(default_factory=dict)
    _unreached: set[str] = field(default_factory=set)

    def on_link(self, change: LinkChange) -> None:
        """A node that is back may have calls that have to end."""
        if change.up:
            self.wake.set()

    def on_hangup(self, campaign_id: str) -> None:
        """The calls of a campaign have to end. A web process of the last release says so, and in no row."""
        gevent.spawn(self._mark, campaign_id)

    def waits(self) -> bool:
        """Whether a node has yet to be reached, as far as is known."""
        return bool(self._unreached)

    def telling(self, node: str) -> bool:
        """Whether a node is being told just now: it is not told twice at a time."""
        at_work = self._at_work.get(node)
        return at_work is not None and not at_work.dead

    def round(self) -> None:
        """Tell every node once more to end what has to end there. Never waits for a node.

        Raises what a database that is away raises; the next round goes on.
        """
        whose = EVERYBODY if self._is_everybodys_turn() else self.dialer_id
        with db.connection_context():
            if calls_to_end.in_force():
                with db.atomic():
                    calls_to_end.mark_dialer(self.dialer_id)
            found = calls_to_end.to_end(whose)
        by_node: defaultdict[str, list[CallToEnd]] = defaultdict(list)
        for call in found:
            live = self.live_calls.get(call.call_id)
            if live is not None:
                live.must_end = True
            by_node[call.node].append(call)
        self._unreached &= by_node.keys()
        for node, calls in by_node.items():
            self._tell(node, calls)

    def stop(self) -> None:
        """Tell nobody anything any more."""
        gevent.killall(list(self._at_work.values()), block=False)

    def _is_everybodys_turn(self) -> bool:
        try:
            return self.everybodys_turn()
        except Unavailable:
            return False

    def _tell(self, node: str, calls: Sequence[CallToEnd]) -> None:
        link = self.cluster.links.get(node)
        if link is None or not link.connected:
            self._missed(node, len(calls), "no connection")
        elif not self.telling(node):
            self._at_work[node] = gevent.spawn(self._end, link, calls)

    def _end(self, link: NodeLink, calls: Sequence[CallToEnd]) -> None:
        ended = 0
        try:
            for call in calls:
                # Those of an earlier run of the node have to be there to be ended.
                self.node_restarts.bring_back(link, call)
            for first in range(0, len(calls), TOGETHER):
                orders = [uuid_kill(call.call_id, CAUSE) for call in calls[first : first + TOGETHER]]
                answers = link.api_many(orders, timeout=ANSWER_SECONDS)
                ended += sum(answer.startswith("+OK") for answer in answers)
                if len(answers) < len(orders):
                    self._missed(link.name, len(calls), "no answer")
                    return
        except FreeswitchError as error:
            self._missed(link.name, len(calls), str(error)[:200])
            return
        self._unreached.discard(link.name)
        # One that may be up although its node does not have it is asked for every second until that is certain.
        if ended:
            log.info("calls_hung_up", node=link.name, calls=ended)

    def _missed(self, node: str, calls: int, error: str) -> None:
        if node not in self._unreached:
            log.warning("hangup_waits_for_node", node=node, calls=calls, error=error)
        self._unreached.add(node)

    def _mark(self, campaign_id: str) -> None:
        try:
            with db.connection_context(), db.atomic():
                calls_to_end.mark_campaign(campaign_id)
        except DATABASE_AWAY as error:
            note(error)
        self.wake.set()
