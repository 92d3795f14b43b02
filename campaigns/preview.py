"""What an upload would do, of which nothing is kept: read, and judged, as a list that is imported.

In the caller's transaction, which must commit or end without anything else: the contacts are put into a temporary
table, so that the database says of them what it would of stored ones. Neither a campaign nor a contact is made.
"""

from __future__ import annotations

import math
import re
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import orjson

from campaigns import openings, policy_choice, policy_shown, store
from campaigns.column_names import PHONE_COLUMN
from campaigns.copy_rows import CONTACT_COLUMNS, CopyRows
from campaigns.duplicates import ONCE, Repeats
from campaigns.import_notes import ImportNotes
from campaigns.import_rows import ImportCounts
from campaigns.list_report import ListReport
from campaigns.number_hash import NumberHash
from campaigns.number_zones import Zones
from campaigns.numbering_plans import country_of_number
from campaigns.places import Places
from campaigns.policies import Policy
from campaigns.policy_choice import PolicyChoice
from campaigns.suppressed_rows import SuppressedRows, TakenOut
from campaigns.time_slice import TimeSlice
from campaigns.window_changes import Window
from campaigns.zone_groups import Group
from cooperative import let_others_run
from models import new_id, rows

TABLE = "previewed"
MOST_COUNTRIES_NAMED = 5

_STAGE = (
    f"CREATE TEMP TABLE {TABLE} (LIKE contact INCLUDING DEFAULTS) ON COMMIT DROP",
    f"CREATE INDEX ON {TABLE} (campaign_id, position)",
)
_GROUPS = f"""
    SELECT zone_group, count(*)::int AS contacts, min(phone_number) AS phone_number FROM {TABLE} GROUP BY zone_group
    ORDER BY count(*) DESC, zone_group"""
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_PLAIN = {"t": "\t", "n": "\n", "r": "\r"}
_NOW = "SELECT extract(epoch FROM now())::float8 AS now"


@dataclass(slots=True)
class Preview:
    """What would become of a list. `zones`: where its contacts are, with how many; `cancelled`: those for whom the
    window never opens; `policy`: what packs would ask of calls to them, None where they would not bind these."""

    counts: ImportCounts
    notes: ImportNotes
    report: ListReport
    zones: list[tuple[Zones, int]] = field(default_factory=list)
    cancelled: int = 0
    policy: dict[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """How the list's contacts would be called: within this window, bound by packs or not, from this number, by an
    agent that lets it ring for so long; None is not known, and nothing is judged by it then."""

    window: Window
    policy: PolicyChoice
    caller_id: str | None
    ring_seconds: int | None
    repeats: Repeats = ONCE

    @property
    def bound(self) -> Policy | None:
        """What packs ask of each row; None where they ask nothing of it."""
        return None if self.caller_id is None else self.policy.policy

    def columns(self) -> dict[str, Any]:
        """As the campaign's columns would have them."""
        return {
            "windows": self.window.windows,
            "holidays": self.window.holidays,
            "time_zone": self.window.time_zone,
            "policy_packs": policy_choice.ON if self.bound else policy_choice.OFF,
            "purpose": self.policy.purpose,
            "caller_id": self.caller_id,
        }


def preview(
    tenant_id: str,
    terms: Terms,
    read: store.ReadRows,
    number_hash: NumberHash,
    corrected: BinaryIO | None = None,
) -> Preview:
    """Look at a list that would be a new campaign's, on these terms; `read` has a doctor look on, and its corrected
    rows (`Doctor.take`) are written to `corrected`, but for those who must not be called. Raises
    PolicyRefusedError."""
    for statement in _STAGE:
        rows(statement)
    campaign_id = new_id()
    suppressed = SuppressedRows(campaign_id, tenant_id, number_hash, TABLE, terms.repeats)
    taken: list[TakenOut] = []

    def keep(piece: CopyRows, more: Sequence[TakenOut]) -> None:
        taken.extend(more)
        if corrected is not None:
            corrected.write(_without(piece.corrected, more))

    pieces = read(campaign_id)
    copied = f"COPY {TABLE} ({CONTACT_COLUMNS}) FROM STDIN"
    counts, notes = store.take_in(pieces, suppressed, copied, keep)
    report = notes.report
    assert report is not None
    _tell_taken(report, taken, suppressed.first)
    if report.refused is None and not counts.accepted:
        refused = store.nobody_left(counts)
        report.refused = {"code": refused.code, "reason": refused.message}
    if report.refused is not None:
        # What is refused was perhaps not read to its end: counted as far as it was.
        counts = _counted(report, suppressed)
    found = Preview(counts, notes, report)
    if terms.bound is not None:
        found.policy = policy_shown.of_places(terms.bound, _places(notes.groups.values()))
    if report.refused is None or report.guess is not None:
        _look_at_zones(found, terms, campaign_id)
        _warn_of_countries(found)
    return found


def _without(lines: bytes, taken: Sequence[TakenOut]) -> bytes:
    """The corrected rows but for those at these places."""
    if not taken or not lines:
        return lines
    gone = {row.place for row in taken}
    return b"".join(line for line in lines.splitlines(keepends=True) if orjson.loads(line)[0] not in gone)


def _tell_taken(report: ListReport, taken: Sequence[TakenOut], first: Mapping[int, str]) -> None:
    """Say of rows that the reader accepted that they are rejected after all, or, of those at the places of `first`,
    which number they have first after all."""
    time_slice = TimeSlice(let_others_run)
    shown = {row["place"]: row for row in report.first_rows if row["place"]}
    for place in first.keys() & shown.keys():
        shown[place]["phone_number"] = first[place]
    for row in taken:
        time_slice.check()
        line, _, raw = row.source.decode().partition("\t")
        report.reject(row.code, int(line), _unescaped(raw), row.reason, PHONE_COLUMN)
        report.accepted -= 1
        country = country_of_number(row.number) or ""
        report.countries[country] -= 1
        if row.place in shown:
            shown[row.place].update(phone_number=None, code=row.code, reason=row.reason)
    report.countries = {name: count for name, count in report.countries.items() if count}


def _unescaped(text: str) -> str:
    """What COPY would read."""
    return _ESCAPED.sub(lambda found: _PLAIN.get(found[1], found[1]), text)


def _counted(report: ListReport, taken: SuppressedRows) -> ImportCounts:
    duplicates = report.codes.get("duplicate", {"rows": 0})["rows"]
    invalid = report.rows - report.accepted - duplicates - taken.count - taken.recent
    return ImportCounts(report.rows, report.accepted, duplicates, invalid, taken.count, taken.recent)


def _look_at_zones(found: Preview, terms: Terms, campaign_id: uuid.UUID) -> None:
    known = found.notes.groups
    if found.notes.most_numbers > 1 and terms.window.windows is not None:
        now = math.floor(rows(_NOW)[0]["now"])
        openings.go_on_elsewhere(campaign_id, openings.never_groups(terms.columns(), known, now), TABLE)
    groups = rows(_GROUPS)
    zones: Counter[Zones] = Counter()
    for group in groups:
        zones[known[group["zone_group"]].zones] += group["contacts"]
    found.zones = zones.most_common()
    _check_policy(terms, _places(known.values()))
    if terms.window.windows is None:
        return
    now = math.floor(rows(_NOW)[0]["now"])
    for never in openings.never_open(terms.columns(), groups, known, now):
        found.cancelled += never.contacts
        found.notes.warn(str(never))


def _places(groups: Iterable[Group]) -> list[Places]:
    """Where they are, in the order in which the database would have them."""
    return sorted({group.places for group in groups if group.places}, key=lambda some: (len(some), some))


def _check_policy(terms: Terms, places: Iterable[Places]) -> None:
    """Raise PolicyRefusedError where the packs do not let anybody be called there."""
    policy, caller_id = terms.bound, terms.caller_id
    if policy is None or caller_id is None:
        return
    for some in places:
        policy_choice.check_place(policy.demands_on(some), caller_id, terms.ring_seconds)


def _warn_of_countries(found: Preview) -> None:
    countries = sorted(found.report.countries.items(), key=lambda one: -one[1])
    if len(countries) > 1:
        named = [f"{count} in {name or 'no country'}" for name, count in countries[:MOST_COUNTRIES_NAMED]]
        more = ", …" if len(countries) > MOST_COUNTRIES_NAMED else ""
        found.notes.warn(
            f"the numbers are of {len(countries)} countries ({', '.join(named)}{more}); look whether all of them are "
            f"meant"
        )
