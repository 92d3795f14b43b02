"""Has the doctor look at every node now and then, and keeps what he found: one dialer at a time, for all.

A node is examined every few minutes, and half a minute after its link came up where it is another run of FreeSWITCH
than was there at the last examination, or could not be asked then. Over a connection of its own, in a greenlet of its
own and for EXAM_SECONDS at most: neither a call nor another node waits for one that hangs. Who took it last writes
what is wrong with it, and since when. What is found no more is deleted; where a node cannot be asked, the rest stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import gevent
import orjson
import structlog

from campaigns.agent_needs import NeedKind
from dialer.doctor_findings import Facts, Finding, findings
from dialer.doctor_questions import Required, ask
from freeswitch.cluster import LinkChange
from models import FindingCode, db, rows
from settings import NodeSettings

log = structlog.get_logger()

LOOK_SECONDS: Final = 5.0
EVERY_SECONDS: Final = 300.0
SHARE_OF_PERIOD: Final = 0.9
"""Who looks a little early finds it due all the same."""
SETTLE_SECONDS: Final = 30.0
"""After a node came up: by then its gateways have registered, and what was begun before that is over."""
EXAM_SECONDS: Final = 20.0
MOST_CHARACTERS: Final = 1_000
UNASKED: Final = (FindingCode.CANNOT_BE_ASKED, FindingCode.WRONG_PASSWORD)
"""Found in place of everything else."""

_TAKE = """
INSERT INTO node_examination AS kept (node, dialer_id) VALUES (%s, %s)
ON CONFLICT (node) DO UPDATE SET dialer_id = EXCLUDED.dialer_id, begun_at = now()
WHERE kept.begun_at <= now() - make_interval(secs => %s)
    OR kept.begun_at <= now() - make_interval(secs => %s)
        AND kept.core_uuid IS DISTINCT FROM coalesce(%s, kept.core_uuid)
RETURNING 1 AS taken
"""
_WRITE = """
WITH mine AS (
    UPDATE node_examination SET ended_at = now(), core_uuid = %s WHERE node = %s AND dialer_id = %s RETURNING node
),
said AS (SELECT * FROM json_to_recordset(%s::json) AS one (code text, subject text, sentence text)),
gone AS (
    DELETE FROM node_finding AS before USING mine WHERE before.node = mine.node AND (%s OR before.code = ANY(%s))
        AND NOT EXISTS (SELECT FROM said WHERE said.code = before.code AND said.subject = before.subject)
    RETURNING before.code, before.subject, before.sentence
),
seen AS (
    INSERT INTO node_finding AS before (node, code, subject, sentence)
    SELECT mine.node, said.code, said.subject, said.sentence FROM mine, said
    ON CONFLICT (node, code, subject) DO UPDATE SET sentence = EXCLUDED.sentence, seen_at = now()
    RETURNING before.code, before.subject, before.sentence, xmax = 0 AS is_new
)
SELECT 'node_finding' AS event, code, subject, sentence FROM seen WHERE is_new
UNION ALL SELECT 'node_finding_gone', code, subject, sentence FROM gone ORDER BY event, code, subject
"""


@dataclass(slots=True)
class NodeDoctor:
    """One process' part of it. `nodes` are those that there are, `core_uuid` the run of FreeSWITCH that a node's link
    is up to; `spawn` runs an examination beside everything else. `now` is monotonic."""

    dialer_id: str
    nodes: Callable[[], Mapping[str, NodeSettings]]
    core_uuid: Callable[[str], str | None]
    required: Callable[[], Required]
    spawn: Callable[[Callable[[], object]], object]
    ask: Callable[[NodeSettings, Required], Facts] = ask
    exam_seconds: float = EXAM_SECONDS
    now: Callable[[], float] = time.monotonic
    under_way: set[str] = field(default_factory=set)
    """The nodes that this dialer examines just now."""
    _due: dict[str, float] = field(default_factory=dict)

    def on_link(self, change: LinkChange) -> None:
        """A node that came up is looked at soon. Never waits."""
        if change.up:
            soon = self.now() + SETTLE_SECONDS
            self._due[change.node] = min(self._due.get(change.node, soon), soon)

    def round(self) -> None:
        """Have those nodes examined whose time has come. Raises what a database that is away raises."""
        nodes, now = self.nodes(), self.now()
        self._due = {name: self._due.get(name, now + SETTLE_SECONDS) for name in nodes}
        for name, node in nodes.items():
            if self._due[name] > now or name in self.under_way:
                continue
            self._due[name] = now + EVERY_SECONDS
            if self._take(name):
                self.under_way.add(name)
                self.spawn(partial(self._examine, node))

    def _take(self, name: str) -> bool:
        """Whether it is this dialer that examines it now."""
        seconds = EVERY_SECONDS * SHARE_OF_PERIOD
        with db.connection_context():
            return bool(
                rows(
                    _TAKE,
                    name,
                    self.dialer_id,
                    seconds,
                    SETTLE_SECONDS * SHARE_OF_PERIOD,
                    self.core_uuid(name),
                )
            )

    def _examine(self, node: NodeSettings) -> None:
        try:
            with db.connection_context():
                wanted = self.required()
            # Whether a server answers is no fault of a node, and many that do not would take all of its time.
            needs = tuple(need for need in wanted.needs if need.kind is not NeedKind.SERVER)
            late = Facts(error=f"it took longer than {self.exam_seconds:g} s")
            facts: Facts = gevent.with_timeout(
                self.exam_seconds, self.ask, node, replace(wanted, needs=needs), timeout_value=late
            )
            self._keep(node.name, facts, findings(node, facts))
        finally:
            self.under_way.discard(node.name)

    def _keep(self, name: str, facts: Facts, found: Iterable[Finding]) -> None:
        """Write what was found, unless another dialer has taken the node since."""
        whole = facts.error is None
        said = {
            (one.code, one.subject): {
                "code": one.code,
                "subject": one.subject,
                "sentence": one.sentence.replace("\0", "")[:MOST_CHARACTERS],
            }
            for one in found
        }
        core_uuid = facts.core_uuid if whole else None
        written = orjson.dumps([*said.values()]).decode()
        with db.connection_context():
            changes = rows(_WRITE, core_uuid, name, self.dialer_id, written, whole, list(UNASKED))
        for change in changes:
            log.warning(change.pop("event"), node=name, **change)
