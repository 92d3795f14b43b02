"""Applies the nodes' CDRs, which the API put into the inbox, to calls whose end nobody heard.

A record of an open call goes to its owner's recorder as the HANGUP_COMPLETE that was missed, by the same way. One of
a call that was closed without the switch's word corrects what is said of it, and never what is done: nobody is called
again for a record that came late. Run by every dialer; a record is done with once its call's row has its facts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from dialer.fault_points import FaultPoint, hit
from dialer.live_calls import LiveCalls
from dialer.record import call_end
from dialer.record.cdr_correction import correct
from dialer.record.outcome_rows import Ended, Told
from dialer.record.recorder import Recorder
from freeswitch import dedup
from freeswitch.events import ChannelEvent, ChannelEventKind
from freeswitch.hangup import Hangup, hangup_from_variables
from limits.caps import LateSeconds, UncountedCall
from models import db, rows

log = structlog.get_logger()

MOST = 500

_OURS = "inbox.applied_at IS NULL AND (call.state = 'ended' OR call.dialer_id = {dialer})"
WAITS = f"""EXISTS (
    SELECT FROM cdr_inbox AS inbox JOIN call ON call.id = inbox.uuid WHERE {_OURS.format(dialer="%(dialer)s")})"""
"""Whether anything waits for `dialer`: a part of the statement with which it looks for that."""
WAITING = f"""
SELECT inbox.uuid::text AS call_id, inbox.node, inbox.variables, call.state = 'ended' AS ended
FROM cdr_inbox AS inbox JOIN call ON call.id = inbox.uuid WHERE {_OURS.format(dialer="%s")}
ORDER BY inbox.received_at LIMIT %s
"""
"""The records that are a dialer's to apply, the oldest first."""
# One dialer corrects a call, so that no two wait for each other's rows; and of whose rows somebody keeps one locked,
# the record waits, and no other with it.
LOCKED = """
SELECT inbox.uuid::text AS call_id, inbox.variables, call.duration_ms IS NOT NULL AS told,
    call.answered_at IS NOT NULL AS answered, call.progress_at IS NOT NULL AS progress
FROM cdr_inbox AS inbox JOIN call ON call.id = inbox.uuid JOIN contact ON contact.id = call.contact_id
WHERE inbox.uuid = ANY(%s::uuid[]) AND inbox.applied_at IS NULL
ORDER BY inbox.received_at FOR UPDATE OF inbox, call, contact SKIP LOCKED
"""
"""Those of these records that nobody else applies just now, locked with the rows that they correct."""
APPLIED = "UPDATE cdr_inbox SET applied_at = now() WHERE uuid = ANY(%s::uuid[]) AND applied_at IS NULL"
"""Notes that these records were applied."""


@dataclass(slots=True)
class CdrInboxReader:
    """Takes what waits. `publish` gets the transitions of corrections, `bill` what calls spoke today, each as often
    as it takes until its correction is committed, `uncount` calls that do not count for their numbers after all."""

    owner: str
    live_calls: LiveCalls
    recorder: Recorder
    publish: Callable[[Sequence[Told]], None]
    bill: Callable[[Sequence[LateSeconds]], None]
    uncount: Callable[[Sequence[UncountedCall]], None]

    def round(self) -> None:
        """Apply what waits now. Raises what a database that is away raises, and what `bill` raises."""
        with db.connection_context():
            waiting = rows(WAITING, self.owner, MOST)
        over = [row["call_id"] for row in waiting if row["ended"]]
        for row in waiting:
            if not row["ended"]:
                self._report(row)
        if over:
            self._correct(over)

    def _report(self, row: dict[str, Any]) -> None:
        """Tell the recorder; the record stays until the call's end is committed, whoever commits it."""
        hangup = _hangup(row)
        call = self.live_calls.get(row["call_id"])
        if hangup is None or call is None or call.over:
            return
        log.info("end_told_by_record", call_id=call.call_id, node=call.node)
        kind = ChannelEventKind.HANGUP_COMPLETE
        event = ChannelEvent(kind, call.call_id, call.core_uuid or "", 0, call.sent_by, hangup)
        self.recorder.on_event(call.node, event)

    def _correct(self, call_ids: list[str]) -> None:
        with db.connection_context(), db.atomic():
            locked = rows(LOCKED, call_ids)
            corrections = {row["call_id"]: ended for row in locked if (ended := _late(row)) is not None}
            corrected = correct(self.owner, list(corrections.values())) if corrections else None
            db.execute_sql(APPLIED, ([row["call_id"] for row in locked],))
            if corrected is not None and corrected.seconds:
                # Before the commit: where Redis is away the record waits, and nothing spoken is lost to the day.
                self.bill(corrected.seconds)
            hit(FaultPoint.CORRECTED)
        if corrected is None:
            return
        log.info("outcomes_corrected", calls=corrected.calls, contacts=len(corrected.told))
        self.publish(corrected.told)
        if corrected.uncounted:
            self.uncount(corrected.uncounted)


def _late(row: dict[str, Any]) -> Ended | None:
    hangup = None if row["told"] else _hangup(row)
    if hangup is None:
        return None
    return call_end.from_cdr(row["call_id"], hangup, answered=row["answered"], progress=row["progress"])


def _hangup(row: dict[str, Any]) -> Hangup | None:
    hangup = hangup_from_variables(row["variables"])
    return None if hangup is None or dedup.is_refused_duplicate(hangup) else hangup
