"""What the doctor of the dialers found wrong with nodes. The operator's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from api import schemas
from models import FindingCode, rows

MEANINGS: Mapping[str, str] = {
    FindingCode.CANNOT_BE_ASKED: "It does not answer; what it had before stays as it was seen last.",
    FindingCode.WRONG_PASSWORD: "It does not take the password that the dialers have.",
    FindingCode.MODULE_MISSING: "A module that calls need is not loaded: `subject`.",
    FindingCode.AGENT_NEEDS: "It lacks what an agent needs: `subject`.",
    FindingCode.SESSIONS_PER_SECOND: "It takes fewer calls a second than it is asked for (`cps`).",
    FindingCode.MAX_SESSIONS: "It takes fewer calls at once than it is asked for (`channels`).",
    FindingCode.PAUSED: "It lets no outbound call go.",
    FindingCode.SHUTTING_DOWN: "It is shutting down.",
    FindingCode.PROFILE_STOPPED: "A SIP profile does not run: `subject`.",
    FindingCode.STOCK_USERS: "Whoever reaches it can place calls with the stock password.",
    FindingCode.GATEWAY_UNKNOWN: "It does not know a gateway: `subject`.",
    FindingCode.GATEWAY_DOWN: "A gateway is not up there: `subject`.",
    FindingCode.STOCK_PASSWORD: "Its event socket has the stock password, and others reach it.",
    FindingCode.OPEN_TO_ALL: "Its event socket listens on every address.",
    FindingCode.RECORDS_BY_URL: "It sends call records to a URL, which can hold up every hang-up.",
    FindingCode.RECORDS_NOT_KEPT: "It keeps no call records.",
    FindingCode.CALLS_NOT_TRACKED: "A SIP profile cannot bring calls back after a death: `subject`.",
    FindingCode.MARKS_LOST: "Its hash does not keep marks, without which recovery is blind.",
    FindingCode.CLOCK: "Its clock is off.",
}
EXAMPLE: dict[str, object] = {
    "code": "gateway_down",
    "subject": "carrier",
    "sentence": "the gateway carrier is DOWN. Look at: sofia status gateway carrier.",
    "since": "2026-01-31T08:10:00.000Z",
    "seen_at": "2026-01-31T09:00:00.000Z",
}
_KEPT = """
SELECT e.node, e.ended_at, f.code, f.subject, f.sentence, f.since, f.seen_at
FROM node_examination AS e LEFT JOIN node_finding AS f ON f.node = e.node ORDER BY f.since, f.code, f.subject
"""


class FindingSchema(schemas.Schema):
    """Something that is wrong with a node."""

    code = schemas.Word(MEANINGS, required=True)
    subject = schemas.Text(
        required=True,
        allow_none=True,
        metadata={"description": "With what of it, where that can be several: a gateway, module or profile."},
    )
    sentence = schemas.Text(required=True, metadata={"description": "What it is, and what to do about it."})
    since = schemas.Time(required=True, metadata={"description": "When it was found first."})
    seen_at = schemas.Time(required=True, metadata={"description": "When it was found last."})


class Finding(TypedDict):
    """See FindingSchema."""

    code: str
    subject: str | None
    sentence: str
    since: dt.datetime
    seen_at: dt.datetime


@dataclass(slots=True)
class Examined:
    """A node: when it was examined last, and what is wrong with it, the oldest first."""

    at: dt.datetime | None = None
    findings: list[Finding] = field(default_factory=list)


def of_nodes() -> Mapping[str, Examined]:
    """Those that were examined, by name, within a transaction."""
    found: dict[str, Examined] = {}
    for row in rows(_KEPT):
        one = found.setdefault(row["node"], Examined(row["ended_at"]))
        if row["code"] is not None:
            one.findings.append(
                {
                    "code": row["code"],
                    "subject": row["subject"] or None,
                    "sentence": row["sentence"],
                    "since": row["since"],
                    "seen_at": row["seen_at"],
                }
            )
    return found


def forget(node: str) -> None:
    """Whoever has this name next is another switch; within a transaction."""
    rows("DELETE FROM node_examination WHERE node = %s", node)
