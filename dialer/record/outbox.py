"""Publishes committed transitions: this dialer's own, a dead dialer's at takeover, and those that a web process left
(one dialer in turn).

The rows are the outbox: memory only makes it quick. A transition of a dialer's commit is named by a row of the table
`outbox`; one that a web process wrote, or that a dialer wrote while an older one may have to publish it, is flagged
in its own. Publishing is idempotent and ordered for each contact, so whatever is in doubt (a Redis that went away, a
process that died) is simply published again from the rows.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gevent
from gevent.event import Event as Signal

from campaigns.campaign_state import WEB
from coordination.errors import Unavailable
from dialer.errors import DATABASE_AWAY, note
from dialer.fault_points import FaultPoint, hit
from dialer.record.commit import Commit
from dialer.record.outcome_rows import AT, Told
from dialer.tasks import wait_for_work
from live.errors import LiveUnavailable
from live.publisher import Publisher, PublishOutcome
from live.stream_events import StreamEvent, event_of_row
from models import Pool, db

GROUP = 500
MOST_IN_MEMORY = 20_000
LEFTOVERS_SECONDS = 3.0
"""So often what others left unpublished is looked for, by whose turn it is."""
FIRST_GAP_SECONDS, LAST_GAP_SECONDS = 0.05, 1.0
HOLE_SECONDS = 60.0
"""A predecessor that stays away for so long, with Redis there, was lost: a hole is better than silence."""
ROWS = 50
"""So many rows of the outbox are read at a time, each with up to some hundred transitions."""

_COLUMNS = f"""transition.id AS transition_id, transition.campaign_id::text, transition.contact_id::text,
    coalesce(call.phone_number, contact.phone_number) AS phone_number, transition.status, transition.disposition,
    transition.attempt, transition.call_id::text, transition.cause, transition.version,
    {AT.format("transition.at")} AS at"""

NOTED = f"""
SELECT {_COLUMNS}, outbox.id AS outbox_id
FROM (
    SELECT id, transition_ids FROM outbox WHERE owner = %(owner)s AND id > %(after)s ORDER BY owner, id
    LIMIT %(limit)s
) AS outbox JOIN transition ON transition.id = ANY(outbox.transition_ids)
    LEFT JOIN contact ON contact.id = transition.contact_id LEFT JOIN call ON call.id = transition.call_id
WHERE transition.at < now() - make_interval(secs => %(older)s)
ORDER BY transition.id
"""
"""Transitions of an owner that rows of the outbox name."""

# By owner and id, which is the order of the index of what is unpublished: by id alone the planner may choose to read
# all that ever was published.
LEFT = f"""
SELECT {_COLUMNS},
    transition.contact_id IS NULL AND transition.status IN ('completed', 'failed') AND (EXISTS (
        SELECT 1 FROM transition AS before WHERE before.campaign_id = transition.campaign_id
            AND NOT before.published AND before.id < transition.id) OR EXISTS (
        SELECT 1 FROM outbox WHERE outbox.campaign_id = transition.campaign_id AND outbox.id < transition.id)
    ) AS early
FROM (
    SELECT * FROM transition WHERE NOT published AND (owner, id) > (%(owner)s, %(after)s) ORDER BY owner, id
    LIMIT %(limit)s
) AS transition LEFT JOIN contact ON contact.id = transition.contact_id
    LEFT JOIN call ON call.id = transition.call_id
WHERE transition.owner = %(owner)s AND transition.at < now() - make_interval(secs => %(older)s)
ORDER BY transition.id
"""
"""Transitions of an owner that are flagged as not published."""


Mark = Callable[[Pool | None, str, list[int], list[int]], None]
"""Notes what of an owner was published, transitions and rows of the outbox: by a pool, or the one that all share."""


def mark_published(
    own_pool: Pool | None, owner: str, transition_ids: list[int], outbox_ids: list[int]
) -> None:
    """The flags of these transitions are taken, and these rows of the outbox are gone. Raises what a database that is
    away raises."""
    pool = db if own_pool is None else own_pool
    with pool.connection_context():
        if transition_ids:
            pool.execute_sql("UPDATE transition SET published = true WHERE id = ANY(%s)", (transition_ids,))
        if outbox_ids:
            pool.execute_sql("DELETE FROM outbox WHERE owner = %s AND id = ANY(%s)", (owner, outbox_ids))


class Outbox:
    """Publishes what this process commits, and what others left behind."""

    def __init__(
        self,
        publisher: Publisher,
        owner: str,
        webs_turn: Callable[[], bool] = lambda: True,
        pool: Pool | None = None,
        mark: Mark | None = None,
    ) -> None:
        """`webs_turn`: whether it is this process' turn to publish what web processes left. What was published is
        noted by `mark`, by a connection of `pool` or of the one that all share."""
        self.publisher = publisher
        self._note_published = mark_published if mark is None else mark
        self._webs_turn = webs_turn
        self._owner = owner
        self._pool = pool
        self._waiting: deque[tuple[Told, StreamEvent]] = deque()
        # By row of the outbox, how many of its transitions wait: a group may have a part of them.
        self._unpublished: Counter[int] = Counter()
        self._wake = Signal()
        self.behind = False
        """Whether there are rows of ours that do not wait here: they are read with the next round."""
        self._stopping = False
        self._looked_at = 0.0
        self._held_since: dict[int, float] = {}
        self.newest = 0
        """The newest transition that this process has committed."""

    def after_commit(self, commit: Commit) -> None:
        """Publish the transitions of a commit."""
        self.put(commit.written.told)

    def put(self, told: Sequence[Told]) -> None:
        """Publish these soon; never blocks."""
        self.newest = max((self.newest, *(item.transition_id for item in told)))
        if len(self._waiting) > MOST_IN_MEMORY:
            self.behind = True
        else:
            self._waiting.extend((item, item.event()) for item in told)
            self._unpublished.update(item.outbox_id for item in told if item.outbox_id is not None)
        self._wake.set()

    def nudge(self) -> None:
        """There are rows of ours that were not `put`."""
        self.behind = True
        self._wake.set()

    def run(self) -> None:
        """The greenlet: until `stop`, and then until nothing of ours is unpublished."""
        pause = FIRST_GAP_SECONDS
        while not (self._stopping and not self._waiting and not self.behind):
            wait_for_work(self._wake, LEFTOVERS_SECONDS)
            self._wake.clear()
            try:
                self.publish_all()
            except (LiveUnavailable, Unavailable, *DATABASE_AWAY) as error:
                note(error)
                self.behind = True
                pause = LAST_GAP_SECONDS
                if self._stopping:
                    return
            if not self.behind:
                pause = FIRST_GAP_SECONDS
                continue
            gevent.sleep(pause)
            pause = min(2 * pause, LAST_GAP_SECONDS)
            self._wake.set()

    def stop(self) -> None:
        """Let `run` return once everything is published; what Redis does not take now stays in its rows."""
        self._stopping = True
        self._wake.set()

    def publish_leftovers(self, owner: str, older_than: float = 0.0) -> int:
        """Publish every transition of `owner` that is not published, oldest first; how many there were.

        Raises LiveUnavailable or what a database that is away raises; whatever was published is marked or will be
        recognised.
        """
        total, last = self._publish_noted(owner, older_than), 0
        while True:
            with db.connection_context():
                left = unpublished(owner, last, older_than)
            # A campaign's end is told after everything that led to it, whoever has that to tell.
            done = self._publish_rows([row for row in left if not row["early"] or self._is_hole(row)])
            self._mark(owner, done, [])
            total += len(done)
            self.behind = self.behind or len(done) < len(left)
            if len(left) < GROUP:
                return total
            # What waits for somebody else must not keep the rest waiting.
            last = left[-1]["transition_id"]

    def _publish_noted(self, owner: str, older_than: float) -> int:
        """The same of what rows of the outbox name, which are gone once all of that is published."""
        total = last = 0
        while True:
            with db.connection_context():
                left = noted(owner, last, older_than)
            published = set(self._publish_rows(left))
            waiting = {row["outbox_id"] for row in left if row["transition_id"] not in published}
            found = {row["outbox_id"] for row in left}
            self._mark(owner, [], list(found - waiting))
            total += len(published)
            self.behind = self.behind or bool(waiting)
            if len(found) < ROWS:
                return total
            last = max(found)

    def publish_all(self) -> None:
        """Publish what there is; now and then also what others left, where it is this process' turn.

        Raises LiveUnavailable or what a database that is away raises.
        """
        while self._waiting and not self.behind:
            self.publish_group()
        if self.behind:
            self.behind = False
            self._waiting.clear()
            self._unpublished.clear()
            self.publish_leftovers(self._owner)
        if time.monotonic() - self._looked_at >= LEFTOVERS_SECONDS:
            # Rows whose commit's answer was lost were never `put`, and a web process may die before it publishes.
            self._looked_at = time.monotonic()
            self._held_since = {
                key: since
                for key, since in self._held_since.items()
                if self._looked_at - since < 2 * HOLE_SECONDS
            }
            self.publish_leftovers(self._owner, older_than=LEFTOVERS_SECONDS)
            if self._webs_turn():
                self.publish_leftovers(WEB, older_than=LEFTOVERS_SECONDS)

    def _is_hole(self, row: Mapping[str, Any]) -> bool:
        since = self._held_since.get(row["transition_id"])
        return since is not None and time.monotonic() - since > HOLE_SECONDS

    def _publish_rows(self, left: list[dict[str, Any]]) -> list[int]:
        """The ids of those that are told now; what waits for something that is lost is told as it is."""
        holes = [row for row in left if self._is_hole(row)]
        lost = {row["transition_id"] for row in holes}
        return self._publish(holes, force=True) + self._publish(
            [row for row in left if row["transition_id"] not in lost], force=False
        )

    def _publish(self, left: list[dict[str, Any]], *, force: bool) -> list[int]:
        if not left:
            return []
        outcomes = self.publisher.publish([event_of_row(row) for row in left], force=force)
        done: list[int] = []
        for row, outcome in zip(left, outcomes, strict=True):
            transition_id = row["transition_id"]
            if outcome is PublishOutcome.GAP:
                self._held_since.setdefault(transition_id, time.monotonic())
            else:
                self._held_since.pop(transition_id, None)
                done.append(transition_id)
        return done

    def publish_group(self) -> None:
        """Publish the next of what was put, up to GROUP transitions. Raises as `publish_all` does."""
        group = [self._waiting.popleft() for _ in range(min(GROUP, len(self._waiting)))]
        outcomes = self.publisher.publish([transition for _, transition in group])
        done = [
            told
            for (told, _), outcome in zip(group, outcomes, strict=True)
            if outcome is not PublishOutcome.GAP
        ]
        rows = Counter(told.outbox_id for told in done if told.outbox_id is not None)
        self._unpublished.subtract(rows)
        whole = [row for row in rows if self._unpublished[row] <= 0]
        for row in whole:
            del self._unpublished[row]
        self._mark(self._owner, [told.transition_id for told in done if told.outbox_id is None], whole)
        if len(done) < len(group):
            # The predecessor is another process' to publish (or its heir's, once it is dead): try again soon.
            self.behind = True

    def _mark(self, owner: str, transition_ids: list[int], outbox_ids: list[int]) -> None:
        """Note what was published: whose flag is taken, and which rows of the outbox are gone."""
        hit(FaultPoint.PUBLISHED)
        if transition_ids or outbox_ids:
            self._note_published(self._pool, owner, transition_ids, outbox_ids)


def noted(owner: str, after: int = 0, older_than: float = 0.0) -> list[dict[str, Any]]:
    """What the next rows of the outbox of `owner` name, on the connection that this greenlet holds."""
    return _rows(NOTED, {"owner": owner, "after": after, "older": older_than, "limit": ROWS})


def unpublished(owner: str, after: int = 0, older_than: float = 0.0) -> list[dict[str, Any]]:
    """The next flagged rows of `owner` that are to be published, on the connection that this greenlet holds."""
    return _rows(LEFT, {"owner": owner, "after": after, "older": older_than, "limit": GROUP})


def _rows(sql: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    cursor = db.execute_sql(sql, parameters)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
