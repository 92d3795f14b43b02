"""Rests a node that has no port for the media of its calls: whoever is called by it picks up for nothing.

Hears how calls ended (from the recorder), asked by `nodes` before a node is offered. Three such ends in a row without
an answer between them, and the node is offered no call for a minute; then one, and after each that ends alike none
for twice as long, half an hour at most. A call that is answered, or another run of the node, ends it. Each dialer
finds out by itself. A node that is merely short of ports is slowed down (`capacity.backpressure`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from dialer.live_calls import LiveCall, LiveCalls
from dialer.record.call_end import lacked_media
from dialer.record.commit import Commit

log = structlog.get_logger()

FAULTS_THAT_REST = 3
FIRST_SECONDS = 60.0
LAST_SECONDS = 1800.0


@dataclass(slots=True)
class Rest:
    """A node's ends without media in a row, of its run `core_uuid`; monotonic. It rests until `until`, None where it
    was not told to yet, for the `times`-th time."""

    core_uuid: str | None
    faults: int = 0
    last_at: float = 0.0
    until: float | None = None
    times: int = 0


@dataclass(slots=True)
class NodeRests:
    """One process' part of it. `now` is monotonic, as the times of calls are."""

    live_calls: LiveCalls
    now: Callable[[], float] = time.monotonic
    by_node: dict[str, Rest] = field(default_factory=dict)
    """Of each node that ended calls without media: how often, and until when it rests."""

    def after_commit(self, commit: Commit) -> None:
        """Hear which calls had no media, and which were answered since."""
        for call in commit.over:
            if lacked_media(commit.ended[call.call_id]):
                self._fault(call)
            else:
                self._note_answer(call)

    def rests(self, node: str, core_uuid: str | None) -> bool:
        """Whether a node's present run is to be offered no call: not yet, or while the one that tries it is up."""
        found = self._of_run(node, core_uuid)
        if found is None or found.until is None:
            return False
        if self.now() < found.until:
            return True
        up = self.live_calls.on_node(node)
        for call in up:
            self._note_answer(call)
        return node in self.by_node and any(call.claimed_at >= found.until for call in up)

    def tries(self, node: str) -> bool:
        """Whether the next call by this node is the one that tries it."""
        found = self.by_node.get(node)
        return found is not None and found.until is not None

    def _of_run(self, node: str, core_uuid: str | None) -> Rest | None:
        found = self.by_node.get(node)
        if found is not None and core_uuid and found.core_uuid and core_uuid != found.core_uuid:
            del self.by_node[node]
            return None
        return found

    def _note_answer(self, call: LiveCall) -> None:
        found = self.by_node.get(call.node)
        if found is None or call.answered_at is None or call.answered_at <= found.last_at:
            return
        del self.by_node[call.node]
        if found.until is not None:
            log.info("node_has_media", node=call.node)

    def _fault(self, call: LiveCall) -> None:
        for other in self.live_calls.on_node(call.node):
            self._note_answer(other)
        found = self._of_run(call.node, call.core_uuid)
        if found is None:
            found = self.by_node[call.node] = Rest(call.core_uuid)
        if found.until is not None and call.claimed_at < found.until:
            # It had left before that was known.
            return
        now = self.now()
        found.faults, found.last_at = found.faults + 1, now
        if found.faults < FAULTS_THAT_REST:
            return
        seconds = min(LAST_SECONDS, FIRST_SECONDS * 2.0 ** min(found.times, 10))
        found.until, found.times = now + seconds, found.times + 1
        log.error("node_without_media", node=call.node, calls=found.faults, seconds=seconds)
