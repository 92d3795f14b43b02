"""Whoever runs the campaigns of one tenant while things break: windows that open and close, campaigns that start and
end by the clock, leads that trickle in, numbers that are not to be called any more. Each in a thread of its own."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

import psycopg

from local.api_client import ApiFailedError
from tests.chaos.faults import Size
from tests.chaos.hours import FOR_EVER, Hours, Suppressed
from tests.chaos.parties import Party
from tests.chaos.stage import Stage
from tests.e2e.rig import numbers

ZONES = {"UTC": 0, "Asia/Kolkata": 19_800}
"""Of the contacts in turn, with the seconds that their clocks are ahead; both never change them."""
PHASES = {"UTC": 0.0, "Asia/Kolkata": 0.5}
"""By which share of a period the windows of one zone open later than those of the other."""
CLOSINGS, LONG_OPENINGS, OPEN_SHARE = 14, 8, 0.6
"""While things break; afterwards, each of LONG_SECONDS, so that no retry is moved to one by much."""
LEAST_PERIOD, LONG_SECONDS, LAST_SECONDS = 14.0, 100.0, 7_200.0
STRETCH = 2.2
"""How many times as long as planned the faults take: each waits until the one before is overcome."""
ENDINGS = ("00", "10", "01", "02", "10", "07")
SHARE, LEAST = 0.35, 24
"""Contacts of the campaign with windows, for each second that the faults take; so many at the least."""
SCHEDULES_SHARE, SCHEDULES_LEAST, SCHEDULED_CONTACTS = 0.03, 2, 6
"""Campaigns that start by themselves, for each fault; each second one has an end."""
LEADS_SECONDS, SUPPRESSED_SECONDS = 2.0, 2.5
"""From one to the next, on average."""
LOST_ANSWERS = 0.4
"""Of the requests that add somebody: who asked does not wait for the answer, and asks again."""
PATIENCE_SECONDS = 900.0
AGAIN_SECONDS = 0.3
FAILED = (OSError, http.client.HTTPException, ApiFailedError)
DAY = 86_400

WAITING = """
SELECT phone_number, campaign_id::text FROM contact
WHERE campaign_id = ANY(%s::uuid[]) AND status IN ('pending', 'originated')
ORDER BY status, position LIMIT 6
"""


class Manager:
    """Of one `party`. `upload` makes a campaign of it from its name, list and further fields."""

    def __init__(
        self, stage: Stage, party: Party, size: Size, upload: Callable[[str, str, Mapping[str, str]], str]
    ) -> None:
        self.suppressed: list[Suppressed] = []
        self.hours: list[Hours] = []
        self.uploaded: dict[str, list[str]] = {}
        self.scheduled: set[str] = set()
        """The campaigns that nobody starts but the clock."""
        self.party, self._stage, self._upload = party, stage, upload
        self._dice = random.Random(size.contacts)
        self._seconds = size.faults * size.spacing
        self._schedules = _schedules(size)
        self.refused: list[str] = []
        """Leads and suppressions that were not taken."""
        self._fed = ""
        self._windowed: dict[str, dict[str, list[tuple[float, float]]]] = {}
        self._in_zone: dict[str, set[str]] = {zone: set() for zone in ZONES}
        self._kinds = itertools.cycle(("number", "prefix", "campaign"))
        self._ending = threading.Event()
        self._threads = [
            threading.Thread(target=work, name=work.__name__, daemon=True)
            for work in (self._feed, self._suppress)
        ]

    @staticmethod
    def campaigns(size: Size) -> int:
        """How many it makes."""
        return 2 + _schedules(size)

    def begin(self) -> None:
        """Upload the campaigns; nobody is called yet but by those that start by the clock."""
        began = time.time()
        spans = {zone: list(_spans(began, self._seconds, PHASES[zone])) for zone in ZONES}
        windows = json.dumps(
            [at for zone in ZONES for span in spans[zone] for at in _clock(span, ZONES[zone])]
        )
        windowed = {"windows": windows, "time_zone": "UTC"}
        count = max(LEAST, round(self._seconds * SHARE))
        within = self._add("hours", count, windowed)
        self._fed = self._add("leads", len(ZONES), windowed | {"keep_open": "true"})
        for number in range(self._schedules):
            # The first a moment after everything is uploaded, the last while things still break.
            starts = began + 20 + self._seconds * STRETCH * number / self._schedules
            ends = starts + 0.1 * self._seconds + 6 if number % 2 else FOR_EVER
            fields = {"scheduled_at": _utc(starts)} | ({} if ends == FOR_EVER else {"end_at": _utc(ends)})
            campaign = self._add(f"scheduled {number}", SCHEDULED_CONTACTS, fields)
            self.scheduled.add(campaign)
            self.hours.append(Hours(campaign, ((starts, ends),)))
        self._windowed = dict.fromkeys((within, self._fed), spans)

    def start(self) -> None:
        """From now on people trickle in, and are suppressed."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Nobody comes any more; what was asked for is answered, and the campaign that was fed may end."""
        self._ending.set()
        # Not of a copy: the first of them may have begun another meanwhile.
        for thread in self._threads:
            thread.join()
        self.party.client().patch(f"/api/v1/campaigns/{self._fed}", {"keep_open": False})
        self.hours += [
            Hours(campaign, tuple(spans[zone]), frozenset(self._in_zone[zone]))
            for campaign, spans in self._windowed.items()
            for zone in ZONES
        ]

    def _add(self, name: str, count: int, fields: Mapping[str, str]) -> str:
        called = numbers(*ENDINGS, count=count)
        placed = list(zip(called, itertools.cycle(ZONES), strict=False))
        for number, zone in placed:
            self._in_zone[zone].add(number)
        rows = [f"{number},{zone}" for number, zone in placed]
        campaign = self._upload(name, "\n".join(["phone_number,time_zone", *rows]), fields)
        self.uploaded[campaign] = called
        return campaign

    def _feed(self) -> None:
        """One lead after the other, each until it is answered: with a key of its own each time, so that nothing but
        its token tells that it was sent before."""
        path = f"/api/v1/campaigns/{self._fed}/contacts"
        for number, zone in zip(_for_ever(), itertools.cycle(ZONES), strict=False):
            if self._ending.wait(self._dice.expovariate(1 / LEADS_SECONDS)):
                return
            self._in_zone[zone].add(number)
            lead = {"phone_number": number, "time_zone": zone, "client_token": secrets.token_hex(8)}
            told = self._added(path, lead)
            if told in ("added", "repeated"):
                self.uploaded[self._fed].append(number)
            else:
                self.refused.append(f"lead {number} was not taken: {told}")

    def _added(self, path: str, lead: Mapping[str, str]) -> str:
        """What the API answers in the end."""
        body, failure = {"contacts": [lead]}, "nobody answered"
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            client = self.party.client()
            client.patience = client.patience_seconds = 0.0
            if self._dice.random() < LOST_ANSWERS:
                with contextlib.suppress(*FAILED):
                    client.post_unheard(path, body)
            try:
                (told,) = client.post(path, body)["results"]
                return str(told["result"])
            except FAILED as error:
                failure = str(error)
            time.sleep(AGAIN_SECONDS)
        return failure

    def suppress(self) -> bool:
        """Somebody who is called next, or is just being called, asks not to be; each third one a campaign alone. Not
        waited for. False where nobody is left, or the database is away."""
        found = self._next()
        if found is None:
            return False
        asking = threading.Thread(target=self.ask_not_to, args=found, name="suppress", daemon=True)
        self._threads.append(asking)
        asking.start()
        return True

    def _suppress(self) -> None:
        while not self._ending.wait(self._dice.expovariate(1 / SUPPRESSED_SECONDS)):
            self.suppress()

    def ask_not_to(self, number: str, campaign: str) -> None:
        """That this number is called no more, and note what the API answers."""
        kind = next(self._kinds)
        body = {"prefix": number} if kind == "prefix" else {"number": number}
        where = campaign if kind == "campaign" else ""
        asked, answered = time.time(), FOR_EVER
        try:
            self.party.client().post("/api/v1/suppressions", body | ({"campaign_id": where} if where else {}))
            answered = time.time()
        except FAILED as error:
            # Of a server that is away nothing is promised; a refusal is no such thing.
            if isinstance(error, ApiFailedError) and error.permanent:
                self.refused.append(f"the suppression of {number} was refused: {error}")
        self.suppressed.append(Suppressed(number, self.party.tenant.id, asked, answered, where))

    def _next(self) -> tuple[str, str] | None:
        known = {one.number for one in self.suppressed}
        with contextlib.suppress(psycopg.Error), self._stage.database() as connection:
            rows = connection.execute(WAITING, (list(self.uploaded),)).fetchall()
            there = [row for row in rows if row["phone_number"] not in known]
            if there:
                row = self._dice.choice(there)
                return row["phone_number"], row["campaign_id"]
        return None


def _schedules(size: Size) -> int:
    return max(SCHEDULES_LEAST, round(size.faults * SCHEDULES_SHARE))


def _spans(began: float, seconds: float, phase: float) -> Iterator[tuple[float, float]]:
    """When it is open: for short times while things break, for long ones afterwards; whole seconds."""
    period = round(max(LEAST_PERIOD, seconds * STRETCH / CLOSINGS))
    opens = int(began) + round(phase * period)
    for _ in range(CLOSINGS):
        yield opens, opens + round(OPEN_SHARE * period)
        opens += period
    for _ in range(LONG_OPENINGS):
        yield opens, opens + LONG_SECONDS
        opens += int(LONG_SECONDS) + 2
    yield opens, opens + LAST_SECONDS


def _clock(span: tuple[float, float], ahead: int) -> Iterator[dict[str, str]]:
    """A span as clocks show it that are ahead by so much; one over their midnight is two."""
    start, end = (int(t) + ahead for t in span)
    while start < end:
        midnight = start // DAY * DAY
        until = min(end, midnight + DAY)
        yield {"from": _time(start - midnight), "to": _time(until - midnight)}
        start = until


def _time(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _for_ever() -> Iterator[str]:
    while True:
        yield from numbers(*ENDINGS, count=len(ENDINGS))


def _utc(t: float) -> str:
    return datetime.fromtimestamp(t, UTC).isoformat()
