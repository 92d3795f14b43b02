"""Which contacts of a list stand on a page of it: the statement that reads them by an index, and little else.

A list has its contacts in the order in which they came onto it, from either end. Who ended so, or whose last call
ended so, is found by the marks of its parts (decision 0042), who is in a call by the open calls, who was called at a
time by the calls of that time (decision 0083). A mark stays where nobody is so any more, and says nothing of who is
both of two: by how a last call ended so many parts are looked at for a page, and the next goes on behind them.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from models import ContactStatus

BLOCK: Final = 200
"""Positions of a list that `contact_block` marks as one (`migrations/0021_contact_blocks.py`)."""
MOST_PARTS = 250
"""So many parts of a list are looked at for a page by how a last call ended, or one for each contact of it, where
that is more."""
LAST_POSITION: Final = 2**31 - 1
WAITS_NO_MORE: Final = "(c.stopping_at IS NOT NULL AND status = 'pending')"
"""Who still waits in a campaign `c` that has ended is about to be cancelled (`campaigns.stopping`), and told so."""
TOLD_STATUS: Final = f"CASE WHEN {WAITS_NO_MORE} THEN 'cancelled' ELSE status END"
_WITHOUT_GAPS: Final = """
    (SELECT max(position) FROM contact WHERE campaign_id = c.id)
        = n.pending + n.originated + n.connected + n.completed + n.failed + n.cancelled"""
_CONTACT: Final = "SELECT * FROM contact WHERE campaign_id = %s"
_MARKED: Final = (ContactStatus.COMPLETED, ContactStatus.FAILED)
"""Who is so has a mark of that, too."""


@dataclass(frozen=True, slots=True)
class Called:
    """When somebody was called: from then on, and before then; None: at any time."""

    since: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which contacts of a campaign: in this status, whose last call ended so, from the end of the list on, and called
    within a time. With `called` there is no status, and the order is that of their last calls within it."""

    status: str | None = None
    disposition: str | None = None
    newest: bool = False
    called: Called | None = None

    @property
    def kept(self) -> bool:
        """Whether the campaign's counts say how many there are."""
        return self.disposition is None and self.called is None


@dataclass(frozen=True, slots=True)
class Statement:
    """Reads the rows of a page, within a query of the campaign as `c` with its counts as `n`; they are to be told in
    this `order`. `looked_to` reads the id of the last contact that was looked at, where not all were."""

    sql: str
    params: Sequence[object]
    order: str
    looked_to: str = "NULL"
    looked_to_params: Sequence[object] = ()


@dataclass(frozen=True, slots=True)
class Start:
    """Behind whom a page begins: a place of the list, or the last call of somebody within a time."""

    position: int | None = None
    call: tuple[datetime, uuid.UUID] | None = None


def page(campaign_id: uuid.UUID, wanted: Wanted, limit: int, offset: int, start: Start) -> Statement:
    """The contacts behind `start`, but the first `offset` of them."""
    if wanted.called is not None:
        return _by_call(campaign_id, wanted, wanted.called, (limit, offset), start)
    after = start.position
    if after is None:
        after = LAST_POSITION if wanted.newest else 0
    one = _Page(campaign_id, wanted.newest, limit, offset, after)
    if wanted.status in (ContactStatus.ORIGINATED, ContactStatus.CONNECTED):
        return one.in_a_call(wanted.status, wanted.disposition)
    if wanted.disposition is not None:
        return one.ended_so(wanted.disposition, wanted.status)
    if wanted.status is None:
        return one.everybody()
    if wanted.status == ContactStatus.PENDING:
        return one.waiting()
    if wanted.status == ContactStatus.CANCELLED:
        return one.cancelled()
    return one.statement(*one.marked(wanted.status, "status = %s", (wanted.status,)))


@dataclass(frozen=True, slots=True)
class _Page:
    """A page in the order of the list, or against it."""

    campaign_id: uuid.UUID
    newest: bool
    limit: int
    offset: int
    after: int

    @property
    def behind(self) -> str:
        """`position`, of those behind where the page begins."""
        return "<" if self.newest else ">"

    @property
    def order(self) -> str:
        return "DESC" if self.newest else "ASC"

    def statement(self, sql: str, params: Sequence[object]) -> Statement:
        """All of `sql` but the page's end."""
        return Statement(f"{sql} LIMIT %s OFFSET %s", (*params, self.limit, self.offset), self._told)

    @property
    def _told(self) -> str:
        return f"position {self.order}"

    def everybody(self) -> Statement:
        if not self.offset:
            sql = f"{_CONTACT} AND position {self.behind} %s ORDER BY position {self.order} LIMIT %s"
            return Statement(sql, (self.campaign_id, self.after, self.limit), self._told)
        # Positions run from 1 without a gap, so that a far page costs no more than the first: but for those that an
        # import or a clone took out of its list, after which who is passed over has to be counted.
        gapless = f"CASE WHEN {_WITHOUT_GAPS} THEN %s ELSE 0 END"
        where, params = f"position > %s + {gapless}", [self.campaign_id, self.after, self.offset]
        if self.newest:
            last = "(SELECT max(position) + 1 FROM contact WHERE campaign_id = %s)"
            where = f"position < least(%s, {last}) - {gapless}"
            params = [self.campaign_id, self.after, self.campaign_id, self.offset]
        sql = f"""
            {_CONTACT} AND {where}
            ORDER BY position {self.order} LIMIT %s OFFSET CASE WHEN {_WITHOUT_GAPS} THEN 0 ELSE %s END"""
        return Statement(sql, (*params, self.limit, self.offset), self._told)

    def in_a_call(self, status: str, disposition: str | None) -> Statement:
        """Who is being called has an open call, and of these there is an index."""
        ended, of_ended = ("", ()) if disposition is None else (" AND disposition = %s", (disposition,))
        return self.statement(
            f"""
            {_CONTACT} AND status = %s{ended} AND position {self.behind} %s AND id IN (
                SELECT contact_id FROM call WHERE campaign_id = %s AND ended_at IS NULL)
            ORDER BY position {self.order}""",
            (self.campaign_id, status, *of_ended, self.after, self.campaign_id),
        )

    def ended_so(self, disposition: str, status: str | None) -> Statement:
        """Whose last call ended so, whatever became of them since: of so many parts, from where the page begins."""
        where, params = "disposition = %s", [disposition]
        if status is not None:
            where, params = f"{where} AND {TOLD_STATUS} = %s", [disposition, status]
        # Who is told as cancelled may wait still, and who waits has no mark.
        marks = (disposition, status) if status in _MARKED else (disposition,)
        most = max(MOST_PARTS, self.limit + self.offset)
        parts, of_parts = self._parts(*marks)
        sql, of_page = self._within(f"{parts} LIMIT %s", (*of_parts, most), where, params)
        edge, last = (">= block", "ASC") if self.newest else ("< (block + 1)", "DESC")
        looked_to = f"""(
            SELECT contact.id FROM ({parts} LIMIT 1 OFFSET %s) AS part JOIN LATERAL (
                SELECT id FROM contact WHERE campaign_id = %s AND position {edge} * {BLOCK}
                    AND position {self.behind} %s ORDER BY position {last} LIMIT 1) AS contact ON true)"""
        of_looked_to = (*of_parts, most - 1, self.campaign_id, self.after)
        return replace(self.statement(sql, of_page), looked_to=looked_to, looked_to_params=of_looked_to)

    def marked(self, word: str, where: str, params: Sequence[object]) -> tuple[str, Sequence[object]]:
        """Of those who ended so, the parts of the list are marked in which there is any: they alone are read, one by
        one, and no more of them than fill the page."""
        return self._within(*self._parts(word), where, params)

    def _parts(self, word: str, *others: str) -> tuple[str, Sequence[object]]:
        """The parts that have all of these marks, from where the page begins."""
        edge, first = ("<=", self.after - 1) if self.newest else (">=", self.after + 1)
        too = """
                AND EXISTS (SELECT FROM contact_block AS too WHERE too.campaign_id = part.campaign_id
                    AND too.status = %s AND too.block = part.block)"""
        sql = f"""
                SELECT DISTINCT block FROM contact_block AS part
                WHERE campaign_id = %s AND status = %s AND block {edge} %s / {BLOCK}{too * len(others)}
                ORDER BY block {self.order}"""
        return sql, (self.campaign_id, word, first, *others)

    def _within(
        self, parts: str, of_parts: Sequence[object], where: str, params: Sequence[object]
    ) -> tuple[str, Sequence[object]]:
        """Who is so within these parts. The inner LIMIT keeps the planner from reading all at once."""
        sql = f"""
            SELECT page.* FROM ({parts}
            ) AS marked CROSS JOIN LATERAL (
                {_CONTACT} AND {where} AND position {self.behind} %s
                    AND position >= block * {BLOCK} AND position < (block + 1) * {BLOCK}
                ORDER BY position {self.order} LIMIT {BLOCK}
            ) AS page ORDER BY marked.block {self.order}, page.position {self.order}"""
        return sql, (*of_parts, self.campaign_id, *params, self.after)

    def cancelled(self) -> Statement:
        """While the rest of a stopped list is being cancelled, who waits in it is told as cancelled already."""
        sql, params = self.marked(ContactStatus.CANCELLED, "status = %s", (ContactStatus.CANCELLED,))
        enough = self.limit + self.offset
        return self.statement(
            f"""
            SELECT * FROM (
                (SELECT * FROM ({sql} LIMIT %s) AS cancelled)
                UNION ALL
                ({_CONTACT} AND waiting AND {WAITS_NO_MORE} AND position {self.behind} %s
                    ORDER BY position {self.order} LIMIT %s)
            ) AS told ORDER BY position {self.order}""",
            (*params, enough, self.campaign_id, self.after, enough),
        )

    def waiting(self) -> Statement:
        """Those who wait for their first call, and those who wait for another: their places first, by the index of
        who waits alone. It has the former in the order of the list, so that no more of them is read than a page; the
        latter, who are few, are sorted."""
        place = (
            "SELECT position FROM contact WHERE campaign_id = %s AND waiting"
            f" AND status = '{ContactStatus.PENDING}'"
        )
        # The index has them with NULLS FIRST: backwards that is last.
        ends = "NULLS LAST" if self.newest else "NULLS FIRST"
        each = (self.campaign_id, self.after, self.limit + self.offset)
        return Statement(
            f"""
            {_CONTACT} AND position IN (
                SELECT position FROM (
                    ({place} AND next_attempt_at IS NULL AND position {self.behind} %s
                        ORDER BY next_attempt_at {self.order} {ends}, position {self.order} LIMIT %s)
                    UNION ALL
                    ({place} AND next_attempt_at IS NOT NULL AND position {self.behind} %s
                        ORDER BY position {self.order} LIMIT %s)
                ) AS places WHERE c.stopping_at IS NULL ORDER BY position {self.order} LIMIT %s OFFSET %s)""",
            (self.campaign_id, *each, *each, self.limit, self.offset),
            self._told,
        )


def _by_call(
    campaign_id: uuid.UUID, wanted: Wanted, called: Called, part: tuple[int, int], start: Start
) -> Statement:
    """Who was called then, by the last call of each within that time: each once, however often he was called."""
    where, params = within(called, "told")
    if wanted.disposition is not None:
        where, params = f"{where} AND told.disposition = %s", [*params, wanted.disposition]
    behind, order = ("<", "DESC") if wanted.newest else (">", "ASC")
    if start.call is not None:
        where, params = f"{where} AND (told.created_at, told.id) {behind} (%s, %s)", [*params, *start.call]
    later, of_later = within(Called(before=called.before), "later")
    return Statement(
        f"""
        SELECT contact.*, told.created_at AS called_at, told.id AS called_by FROM (
            SELECT told.contact_id, told.created_at, told.id FROM call AS told
            WHERE told.campaign_id = %s{where} AND NOT EXISTS (
                SELECT FROM call AS later WHERE later.contact_id = told.contact_id AND later.seq > told.seq{later})
            ORDER BY told.created_at {order}, told.id {order} LIMIT %s OFFSET %s
        ) AS told JOIN contact ON contact.id = told.contact_id""",
        (campaign_id, *params, *of_later, *part),
        f"called_at {order}, called_by {order}",
    )


def within(called: Called, table: str) -> tuple[str, list[object]]:
    """The calls of that time, as conditions that each begin with AND, and their parameters."""
    asked = ((">=", called.since), ("<", called.before))
    given = [(sign, value) for sign, value in asked if value is not None]
    return "".join(f" AND {table}.created_at {sign} %s" for sign, _ in given), [value for _, value in given]
