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
from functools import cache
from importlib import metadata
from typing import Any

import orjson

from campaigns import policy_choice
from campaigns.further_numbers import following, goes_on
from campaigns.number_zones import Zones
from campaigns.places import HEAD, places_of
from campaigns.policies import Demands
from campaigns.policy_packs import Rule, packs_version
from campaigns.windows import DAY, Span, Windows, merged
from campaigns.zone_groups import Group
from cooperative import let_others_run
from models import db, rows, transaction

AHEAD_SECONDS = 15 * DAY
AGAIN_SECONDS = 8 * DAY
"""Openings that are known no further ahead than this are written on."""
LONGEST_SECONDS = 370 * DAY
"""A window that does not open for so long never does."""
STEP_SECONDS = 30 * DAY
"""Openings farther away than AHEAD_SECONDS are looked for so many at a time, until there are FEW."""
FEW = 50
"""Of openings that are farther away than AHEAD_SECONDS, which a holiday of weeks puts there, so many are kept."""

_UNFINISHED = "completed_at IS NULL AND deleted_at IS NULL"
_DUE = f"""
    SELECT id FROM campaign WHERE openings_until IS NOT NULL AND {_UNFINISHED}
        AND (openings_until < now() + make_interval(secs => {AGAIN_SECONDS}) OR openings_by IS DISTINCT FROM %s)
        AND id <> ALL(%s::uuid[])
    ORDER BY openings_until LIMIT %s"""
_TAKE_AWAY = f"""
    WITH finished AS MATERIALIZED (
        SELECT id FROM campaign WHERE openings_until IS NOT NULL AND NOT ({_UNFINISHED})
        LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
    ), gone AS (DELETE FROM opening WHERE campaign_id = ANY(ARRAY(SELECT id FROM finished)))
    UPDATE campaign SET openings_until = NULL, openings_by = NULL FROM finished WHERE campaign.id = finished.id
    RETURNING campaign.id"""
_BOUND = """policy_packs, purpose,
        (SELECT e164 FROM phone_number WHERE phone_number.id = phone_number_id) AS caller_id"""
_LOCKED = f"""
    SELECT windows, holidays, time_zone, {_BOUND}, {_UNFINISHED} AS open, extract(epoch FROM now())::float8 AS now
    FROM campaign WHERE id = %s FOR NO KEY UPDATE"""
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
    """Contacts of one group, one of them by its number, and the zones in which the window never opens at once, or the
    rule of a policy pack that bars them."""

    contacts: int
    phone_number: str
    zones: Zones
    zone_group: int
    barred_by: Rule | None = None

    def __str__(self) -> str:
        who = "1 contact is cancelled" if self.contacts == 1 else f"{self.contacts} contacts are cancelled"
        return f"{who}, {self.phone_number} among them: {self.why}"

    @property
    def why(self) -> str:
        """Why they can never be called."""
        if self.barred_by is not None:
            return f"{self.barred_by.source} bars such calls"
        shown = ", ".join(self.zones[:3]) + (", …" if len(self.zones) > 3 else "")
        if len(self.zones) == 1:
            return f"the window does not open within a year in {shown}"
        return f"they may be in any of {len(self.zones)} time zones ({shown}), where it is never open at once"


@cache
def tables() -> str:
    """The tables of zones and holidays, and the policy packs, that the openings of this process go by."""
    versions = [f"{name} {metadata.version(name)}" for name in ("tzdata", "holidays")]
    return ", ".join([*versions, packs_version()])


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
        tables(),
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
        found[group["zone_group"]] = _ahead(windows, campaign, group, now)
        let_others_run()
    lines = [(group, opens, closes) for group, spans in found.items() for opens, closes in spans]
    names, opens, closes = ([line[place] for line in lines] for place in range(3))
    rows(_WRITE, campaign_id, names, opens, closes)
    return [group for group, spans in found.items() if not spans]


def _ahead(windows: Windows, campaign: Mapping[str, Any], group: Mapping[str, Any], now: int) -> list[Span]:
    """The openings of a group, as far as the packs that bind it let there be any."""
    asked = _demands(campaign, group)
    if _barred_by(asked, campaign, group) is not None:
        return []
    zones = group["zones"] or [campaign["time_zone"]]
    return ahead(windows if asked is None else windows.within(asked.hours), zones, now)


def _demands(campaign: Mapping[str, Any], group: Mapping[str, Any]) -> Demands | None:
    policy = policy_choice.of_row(campaign).policy
    return None if policy is None else policy.demands_on(tuple(group["places"]))


def _barred_by(asked: Demands | None, campaign: Mapping[str, Any], group: Mapping[str, Any]) -> Rule | None:
    return None if asked is None else asked.bars(campaign["caller_id"], consented=group["consented"])


def ahead(windows: Windows, zones: Sequence[str], now: int) -> list[Span]:
    """The openings of the next AHEAD_SECONDS in all of these zones, or the first after that; none where there is none
    within LONGEST_SECONDS."""
    found: list[Span] = []
    start, end = now, now + AHEAD_SECONDS
    while start < now + LONGEST_SECONDS:
        found = merged([*found, *windows.openings_of_all(zones, start, end)])
        # The last of them may go on.
        if found and (start == now or len(found) > FEW):
            break
        let_others_run()
        start, end = end, min(end + STEP_SECONDS, now + LONGEST_SECONDS)
    return found if start == now else found[:FEW]


def go_on_elsewhere(campaign_id: uuid.UUID, groups: Sequence[int], table: str = "contact") -> None:
    """Have the contacts of these groups, for whom the window never opens, be called by another number where they have
    one that it opens for."""
    db.execute_sql(_GO_ON.format(table=table), {"campaign": campaign_id, "groups": list(groups)})


def cancel_never_open(campaign_id: uuid.UUID, groups: Sequence[int]) -> list[NeverOpen]:
    """Cancel the contacts of these groups, of a list that is just being stored, but for those who have a number of
    another: nobody could ever call them. Their counts are the caller's to write."""
    if not groups:
        return []
    (campaign,) = rows(f"SELECT time_zone, {_BOUND} FROM campaign WHERE id = %s", campaign_id)
    known = {row["zone_group"]: row for row in _placed(campaign_id, campaign, rows(_GROUPS, campaign_id))}
    go_on_elsewhere(campaign_id, groups)
    gone = rows(_CANCEL, campaign_id, list(groups))
    return [_never_open(row, campaign, known[row["zone_group"]]) for row in gone]


def never_groups(campaign: Mapping[str, Any], groups: Mapping[int, Group], now: int) -> list[int]:
    """The groups for which the window of a campaign with these columns, that is not stored, never opens."""
    windows = Windows.from_json(campaign["windows"], campaign["holidays"])
    found = []
    for name, group in groups.items():
        if not _ahead(windows, campaign, group._asdict(), now):
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
        group = groups[row["zone_group"]]._asdict()
        if not _ahead(windows, campaign, group, now):
            found.append(_never_open(row, campaign, group))
        let_others_run()
    return found


def _never_open(row: Mapping[str, Any], campaign: Mapping[str, Any], group: Mapping[str, Any]) -> NeverOpen:
    barred_by = _barred_by(_demands(campaign, group), campaign, group)
    zones = tuple(group["zones"] or [campaign["time_zone"]])
    return NeverOpen(row["contacts"], row["phone_number"], zones, row["zone_group"], barred_by)


def add_groups(campaign_id: uuid.UUID, groups: Mapping[int, Group]) -> list[NeverOpen]:
    """Note the groups of contacts that were just added to a campaign, whose row the caller has locked; those who can
    never be called are cancelled, and returned. Their counts are the caller's to write."""
    note_groups(campaign_id, groups)
    (campaign,) = rows(_LOCKED, campaign_id)
    if campaign["windows"] is None:
        return []
    unopened = _placed(campaign_id, campaign, rows(_UNOPENED, campaign_id, list(groups)))
    never = _write_groups(campaign_id, campaign, unopened)
    return cancel_never_open(campaign_id, never)


def due(limit: int, but: Sequence[uuid.UUID] = ()) -> list[uuid.UUID]:
    """The unfinished campaigns, these excepted, whose openings are not known far enough ahead, or by other tables
    than ours; the most urgent first."""
    with transaction():
        return [row["id"] for row in rows(_DUE, tables(), list(but), limit)]


def take_away_finished(limit: int) -> int:
    """Take away the openings of campaigns that are over, of `limit` at most: of how many."""
    with transaction():
        return len(rows(_TAKE_AWAY, limit))


def write_one(campaign_id: uuid.UUID) -> list[int]:
    """Write on the openings of one of those that are `due`, in a transaction of its own; the groups that never have
    one. Raises WindowRefusedError
    where its window cannot be any more by the tables of this release."""
    with transaction():
        never = write(campaign_id)
        if never and rows(_WAITS, campaign_id, never):
            # It stays due until these are cancelled, whoever dies meanwhile.
            look_soon(campaign_id)
    return never


def look_soon(campaign_id: uuid.UUID) -> None:
    """Have a dialer write the openings of a campaign with a window at its next look, and cancel whom nobody could
    ever call."""
    rows(
        "UPDATE campaign SET openings_until = now() WHERE id = %s AND openings_until IS NOT NULL", campaign_id
    )


def never_opens(campaign_id: uuid.UUID, group: int) -> bool:
    """Whether the campaign's window never opens for the contacts of a group."""
    (campaign,) = rows(
        f"SELECT windows, holidays, time_zone, {_BOUND}, extract(epoch FROM now())::float8 AS now"
        " FROM campaign WHERE id = %s",
        campaign_id,
    )
    found = _placed(campaign_id, campaign, rows(f"{_GROUPS} AND zone_group = %s", campaign_id, group))
    if campaign["windows"] is None or not found:
        return False
    windows = Windows.from_json(campaign["windows"], campaign["holidays"])
    return not _ahead(windows, campaign, found[0], math.floor(campaign["now"]))
