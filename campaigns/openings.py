"""When each group of a campaign's contacts may be called, as instants in the table `opening`, written ahead.

The hours are worked out here, by the tables of zones and holidays that this release has; whoever dials compares
instants by the database's clock. Where no opening is written nobody is called, so that a table that was not written
on in time keeps people from being called, never the other way round. In the caller's transaction.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from campaigns import policy_choice
from campaigns.further_numbers import following, goes_on
from campaigns.group_hours import AHEAD_SECONDS, GroupHours, inside
from campaigns.opening_tables import LABEL, as_new, ours
from campaigns.places import HEAD, places_of
from campaigns.policy_packs import Rule
from campaigns.windows import DAY, Span, Windows
from campaigns.zone_groups import Group
from cooperative import let_others_run
from models import db, rows, transaction

AGAIN_SECONDS = 8 * DAY
"""Openings that are known no further ahead than this are written on."""
LAST_SECONDS = DAY
"""Those of newer tables than ours no sooner than this: nobody who has these is left."""
LEFT_SECONDS = 600
"""For so long those that somebody wants to be looked at soon are left to whoever has the newer tables."""

_UNFINISHED = "completed_at IS NULL AND deleted_at IS NULL"
_OURS, _AS_NEW = ours("campaign"), as_new("campaign")
_WANTED = f"""openings_until IS NOT NULL AND {_UNFINISHED} AND (NOT coalesce({_AS_NEW}, false)
        OR openings_until < now()
            + make_interval(secs => CASE WHEN {_OURS} THEN {AGAIN_SECONDS} ELSE {LAST_SECONDS} END)
            AND ({_OURS} OR openings_until NOT BETWEEN now() - interval '{LEFT_SECONDS} s' AND now()))"""
# Nobody claims by what is older than his own tables: those are first that are dialled.
_DUE = f"""
    SELECT id FROM campaign WHERE {_WANTED} AND id <> ALL(%s::uuid[])
    ORDER BY status <> 'running', openings_until LIMIT %s"""
_STILL_DUE = f"SELECT 1 AS one FROM campaign WHERE id = %s AND {_WANTED} FOR NO KEY UPDATE"
_TAKE_AWAY = f"""
    WITH finished AS MATERIALIZED (
        SELECT id FROM campaign WHERE openings_until IS NOT NULL AND NOT ({_UNFINISHED})
        LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
    ), gone AS (DELETE FROM opening WHERE campaign_id = ANY(ARRAY(SELECT id FROM finished)))
    UPDATE campaign SET openings_until = NULL, openings_by = NULL FROM finished WHERE campaign.id = finished.id
    RETURNING campaign.id"""
_BOUND = """policy_packs, purpose,
        (SELECT e164 FROM phone_number WHERE phone_number.id = phone_number_id) AS caller_id"""
_WINDOW = f"""
    SELECT windows, holidays, time_zone, {_BOUND}, {_UNFINISHED} AS open, extract(epoch FROM now())::float8 AS now,
        coalesce({_AS_NEW} AND NOT {_OURS}, false) AS newer
    FROM campaign WHERE id = %s"""
_LOCKED = f"{_WINDOW} FOR NO KEY UPDATE"
_WRITE = """
    INSERT INTO opening (campaign_id, zone_group, opens_at, closes_at)
    SELECT %s, written.zone_group, to_timestamp(written.opens), to_timestamp(written.closes)
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS written (zone_group, opens, closes)
    ON CONFLICT DO NOTHING"""
_GROUPS = "SELECT zone_group, zones, places, consented FROM campaign_zone WHERE campaign_id = %s"
# Of a group that is not new either, whose openings known so far are over, the next are to be found.
_UNOPENED = f"""{_GROUPS} AND zone_group = ANY(%s::bigint[]) AND NOT EXISTS (
    SELECT FROM opening WHERE opening.campaign_id = campaign_zone.campaign_id
        AND opening.zone_group = campaign_zone.zone_group AND closes_at > now())"""
# Of numbers that may be elsewhere than others one each.
_NUMBERS = f"""
    SELECT min(phone_number) AS phone_number, bool_and(consent_at IS NOT NULL) AS consented FROM contact
    WHERE campaign_id = %s AND zone_group = %s AND waiting AND status = 'pending'
    GROUP BY left(phone_number, {HEAD})"""
_NOTE_GROUPS = """
    INSERT INTO campaign_zone (campaign_id, zone_group, zones, places, consented)
    SELECT %s, noted.zone_group, noted.told::jsonb -> 0, noted.told::jsonb -> 1, (noted.told::jsonb ->> 2)::boolean
    FROM unnest(%s::bigint[], %s::text[]) AS noted (zone_group, told)
    ON CONFLICT DO NOTHING"""
_WAITS = """
    SELECT 1 FROM contact WHERE campaign_id = %s AND zone_group = ANY(%s::bigint[]) AND waiting AND status = 'pending'
    LIMIT 1"""
_ELSEWHERE = "contact.zone_groups[other.place] <> ALL(%(groups)s::bigint[])"
_GO_ON = f"""
UPDATE {{table}} AS contact SET {goes_on("contact", _ELSEWHERE, strike=False)}
WHERE campaign_id = %(campaign)s AND zone_group = ANY(%(groups)s::bigint[]) AND status = 'pending'
    AND numbers IS NOT NULL AND {following("contact", _ELSEWHERE)} IS NOT NULL"""
_CANCEL = """
WITH gone AS (
    UPDATE contact SET status = 'cancelled', waiting = false
    WHERE campaign_id = %s AND zone_group = ANY(%s::bigint[]) AND waiting AND status = 'pending'
    RETURNING zone_group, phone_number
)
SELECT zone_group, count(*)::int AS contacts, min(phone_number) AS phone_number FROM gone
GROUP BY zone_group ORDER BY count(*) DESC, zone_group"""


@dataclass(frozen=True, slots=True)
class NeverOpen:
    """Contacts of one group, one of them by its number, and the zones in which the window never opens at once, the
    rule of a policy pack that bars them, or the rules whose hours it never opens within."""

    contacts: int
    phone_number: str
    zones: Sequence[str]
    zone_group: int
    barred_by: Rule | None = None
    never_within: tuple[Rule, ...] = ()

    def __str__(self) -> str:
        who = "1 contact is cancelled" if self.contacts == 1 else f"{self.contacts} contacts are cancelled"
        return f"{who}, {self.phone_number} among them: {self.why}"

    @property
    def why(self) -> str:
        """Why they can never be called."""
        if self.barred_by is not None:
            return f"{self.barred_by.source} bars such calls"
        shown = ", ".join(self.zones[:3]) + (", …" if len(self.zones) > 3 else "")
        hours = inside(self.never_within)
        if len(self.zones) == 1:
            return f"the window does not open within a year in {shown}{hours}"
        zones = f"any of {len(self.zones)} time zones ({shown})"
        return f"they may be in {zones}, where it is never open at once{hours}"


def note_groups(campaign_id: uuid.UUID, groups: Mapping[int, Group]) -> None:
    """Keep what the groups of a campaign's contacts are. Whoever adds contacts writes the openings then."""
    if groups:
        told = [orjson.dumps(tuple(group)).decode() for group in groups.values()]
        rows(_NOTE_GROUPS, campaign_id, list(groups), told)


def write(campaign_id: uuid.UUID) -> list[int]:
    """Write a campaign's openings anew, from now on; the groups that never have one. Locks the campaign."""
    (campaign,) = rows(_LOCKED, campaign_id)
    rows("DELETE FROM opening WHERE campaign_id = %s", campaign_id)
    if campaign["windows"] is None or not campaign["open"]:
        rows("UPDATE campaign SET openings_until = NULL, openings_by = NULL WHERE id = %s", campaign_id)
        return []
    never = _write_groups(campaign_id, campaign, _placed(campaign_id, campaign, rows(_GROUPS, campaign_id)))
    now = math.floor(campaign["now"])
    rows(
        "UPDATE campaign SET openings_until = %s, openings_by = %s WHERE id = %s",
        datetime.fromtimestamp(now + AHEAD_SECONDS, UTC),
        LABEL,
        campaign_id,
    )
    return never


def _placed(
    campaign_id: uuid.UUID, campaign: Mapping[str, Any], groups: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """These groups, in a campaign that packs bind each with the places of its contacts: a process of an older release
    that added them noted none, and no law would bind calls to them."""
    if not policy_choice.of_row(campaign).on:
        return list(groups)
    return [group if group["places"] else group | _where(campaign_id, group) for group in groups]


def _where(campaign_id: uuid.UUID, group: Mapping[str, Any]) -> dict[str, Any]:
    found = rows(_NUMBERS, campaign_id, group["zone_group"])
    places = {place for row in found for place in places_of(row["phone_number"])}
    return {"places": sorted(places), "consented": all(row["consented"] for row in found)}


def _write_groups(
    campaign_id: uuid.UUID, campaign: Mapping[str, Any], groups: Sequence[Mapping[str, Any]]
) -> list[int]:
    """Write the openings of these groups; which never have one."""
    windows = Windows.from_json(campaign["windows"], campaign["holidays"])
    now = math.floor(campaign["now"])
    found: dict[int, list[Span]] = {}
    for group in groups:
        found[group["zone_group"]] = GroupHours.of(windows, campaign, group).ahead(now)
        let_others_run()
    lines = [(group, opens, closes) for group, spans in found.items() for opens, closes in spans]
    names, opens, closes = ([line[place] for line in lines] for place in range(3))
    rows(_WRITE, campaign_id, names, opens, closes)
    return [group for group, spans in found.items() if not spans]


def go_on_elsewhere(campaign_id: uuid.UUID, groups: Sequence[int], table: str = "contact") -> None:
    """Have the contacts of these groups, for whom the window never opens, be called by another number where they have
    one that it opens for."""
    db.execute_sql(_GO_ON.format(table=table), {"campaign": campaign_id, "groups": list(groups)})


def cancel_never_open(campaign_id: uuid.UUID, groups: Sequence[int]) -> list[NeverOpen]:
    """Cancel the contacts of these groups, of a list that is just being stored, but for those who have a number of
    another: nobody could ever call them. Their counts are the caller's to write."""
    if not groups:
        return []
    known, now = _hours(campaign_id, groups)
    go_on_elsewhere(campaign_id, groups)
    gone = rows(_CANCEL, campaign_id, list(groups))
    return [_never_open(row, known[row["zone_group"]], now) for row in gone]


def never_groups(campaign: Mapping[str, Any], groups: Mapping[int, Group], now: int) -> list[int]:
    """The groups for which the window of a campaign with these columns, that is not stored, never opens."""
    windows = Windows.from_json(campaign["windows"], campaign["holidays"])
    found = []
    for name, group in groups.items():
        if not GroupHours.of(windows, campaign, group._asdict()).ahead(now):
            found.append(name)
        let_others_run()
    return found


def never_open(
    campaign: Mapping[str, Any], contacts: Sequence[Mapping[str, Any]], groups: Mapping[int, Group], now: int
) -> list[NeverOpen]:
    """Whom `cancel_never_open` would cancel of these `contacts`, counted by group, of a campaign with these columns
    that is not stored."""
    windows = Windows.from_json(campaign["windows"], campaign["holidays"])
    found: list[NeverOpen] = []
    for row in contacts:
        hours = GroupHours.of(windows, campaign, groups[row["zone_group"]]._asdict())
        if not hours.ahead(now):
            found.append(_never_open(row, hours, now))
        let_others_run()
    return found


def _never_open(row: Mapping[str, Any], hours: GroupHours, now: int) -> NeverOpen:
    barred_by = hours.barred_by
    never_within = () if barred_by is not None else hours.never_within(now)
    group = row["zone_group"]
    return NeverOpen(row["contacts"], row["phone_number"], hours.zones, group, barred_by, never_within)


def add_groups(campaign_id: uuid.UUID, groups: Mapping[int, Group]) -> list[NeverOpen]:
    """Note the groups of contacts that were just added to a campaign, whose row the caller has locked; those who can
    never be called are cancelled, and returned. Their counts are the caller's to write."""
    note_groups(campaign_id, groups)
    (campaign,) = rows(_LOCKED, campaign_id)
    if campaign["windows"] is None:
        return []
    unopened = _placed(campaign_id, campaign, rows(_UNOPENED, campaign_id, list(groups)))
    if unopened and campaign["newer"]:
        # Whoever has these tables writes them: by ours they could be called when they may not.
        look_soon(campaign_id)
        return []
    never = _write_groups(campaign_id, campaign, unopened)
    return cancel_never_open(campaign_id, never)


def due(limit: int, but: Sequence[uuid.UUID] = ()) -> list[uuid.UUID]:
    """The unfinished campaigns, these excepted, whose openings are not known far enough ahead, or by older tables
    than ours; the most urgent first."""
    with transaction():
        return [row["id"] for row in rows(_DUE, list(but), limit)]


def take_away_finished(limit: int) -> int:
    """Take away the openings of campaigns that are over, of `limit` at most: of how many."""
    with transaction():
        return len(rows(_TAKE_AWAY, limit))


def write_one(campaign_id: uuid.UUID) -> list[int]:
    """Write on the openings of one of those that are `due`, and still are, in a transaction of its own; the groups
    that never have one. Raises WindowRefusedError where its window cannot be any more by the tables of this
    release."""
    with transaction():
        if not rows(_STILL_DUE, campaign_id):
            return []
        never = write(campaign_id)
        if never and rows(_WAITS, campaign_id, never):
            # It stays due until these are cancelled, whoever dies meanwhile.
            look_soon(campaign_id)
    return never


def look_soon(campaign_id: uuid.UUID) -> None:
    """Have a dialer write the openings of a campaign with a window at its next look, and cancel whom nobody could
    ever call. However often that is asked for, those of newer tables are left to others once."""
    rows(
        "UPDATE campaign SET openings_until = least(openings_until, now()) WHERE id = %s"
        " AND openings_until IS NOT NULL",
        campaign_id,
    )


def why_never(campaign_id: uuid.UUID, group: int) -> str | None:
    """Why the contacts of a group can never be called, as the rest of a sentence; None where they can."""
    known, now = _hours(campaign_id, [group])
    hours = known.get(group)
    return None if hours is None or hours.ahead(now) else hours.why_never(now)


def hours_of_contact(campaign_id: uuid.UUID, contact_id: uuid.UUID) -> tuple[GroupHours, int]:
    """When a contact of a campaign with a window may be called, and what time it is for the database."""
    (contact,) = rows("SELECT zone_group FROM contact WHERE id = %s", contact_id)
    known, now = _hours(campaign_id, [contact["zone_group"]])
    return known[contact["zone_group"]], now


def _hours(campaign_id: uuid.UUID, groups: Sequence[int]) -> tuple[dict[int, GroupHours], int]:
    """When each of these groups of a campaign may be called, none of one without a window; and what time it is for
    the database."""
    (campaign,) = rows(_WINDOW, campaign_id)
    now = math.floor(campaign["now"])
    if campaign["windows"] is None:
        return {}, now
    windows = Windows.from_json(campaign["windows"], campaign["holidays"])
    found = rows(f"{_GROUPS} AND zone_group = ANY(%s::bigint[])", campaign_id, list(groups))
    placed = _placed(campaign_id, campaign, found)
    return {group["zone_group"]: GroupHours.of(windows, campaign, group) for group in placed}, now
