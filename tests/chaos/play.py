"""What is asked of the system in a run: tenants with their gateways, campaigns and listeners, and every cap.

Every cap is narrow enough to bind at times, so that a run that keeps it says something.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import math
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from local.api_client import ApiFailedError
from tests.chaos.acts import Acts
from tests.chaos.caps import CPS_WINDOWS, MINUTE_WINDOWS, Cap, Limit, Scope
from tests.chaos.faults import Fault, Size
from tests.chaos.listener_client import Ear
from tests.chaos.manager import Manager
from tests.chaos.parties import DESK_CHANNELS, DESK_CPS, GATEWAY_CHANNELS, Line, Party, Patient
from tests.chaos.records import Listener, Played, left_open
from tests.chaos.stage import AUDIO_HOST, Stage
from tests.e2e.rig import numbers

ENDINGS = ("00", "10", "01", "08", "07", "03", "02", "07")
"""Answered and ended by either side, busy, early media, no such number, nobody answers."""
ACTION = {"type": "playback", "tone": "%(16000,0,640)"}
"""Long enough for calls to be up beside each other."""
AGENT = {"max_call_seconds": 30, "ring_timeout_seconds": 15}
FROM_HOST = {"type": "playback", "file": f"https://{AUDIO_HOST}/hello.wav"}
"""What one campaign of the first tenant plays: one of the dialers may not."""
LONG_ENDINGS = ("07", "07", "02")
LONG_ACTION = {"type": "park"}
"""Much longer than a call that has to end may last."""
LONG_AGENT = {"max_call_seconds": 400, "ring_timeout_seconds": 120}
LONG_CONCURRENT, LONG_ROOM = 2, 5
"""Of each campaign of long calls, and of the tenant that dials them."""
LONG_SHARE, LONG_LEAST = 0.04, 6
"""Contacts of a campaign of long calls, for each second that the faults take; so many at the least."""
STOPS_SHARE, STOPS_LEAST = 0.02, 2
"""Campaigns that are there to be stopped, for each fault."""
STOPPED_CONTACTS = 8
DESK_ENDINGS = ("10", "07", "10", "10", "01")
DESK_AGENT = {"max_call_seconds": 80, "ring_timeout_seconds": 15}
"""Of calls whose agent is reached by a gateway: most are so short that its rate binds, some so long that its channels
do."""
DESK_CONCURRENT, DESK_PER_MINUTE, DESK_CPS_OF_FIRST_LEGS = 5, 180, 3
DESK_SHARE, DESK_LEAST = 0.7, 20
"""Contacts of theirs, for each second that the faults take; so many at the least."""
HOURS_CPS, HOURS_PER_MINUTE, HOURS_CONCURRENT = 2, 100, 2
"""Of the tenant whose campaigns have windows and schedules, and of each of these."""
TENANTS = 2
GATEWAYS = 2
"""Of each tenant."""
CAMPAIGNS = 20
LISTENERS = 2
"""Of each campaign."""
SHARED = 2
"""Numbers of each campaign that are in the list of the next one of its tenant, too: one call at a time to each."""
CAMPAIGN_CONCURRENT = 3
TENANT_CONCURRENT, FEWER_CONCURRENT = 7, 5
"""Once all its campaigns run, and after the faults' first half."""
FEWER_CHANNELS = 4
RETRY_DELAY_SECONDS = 60
"""The shortest that there is: whom a halt has hung up before an answer waits for so long."""
IN_FORCE_SECONDS = 10.0
"""A dialer reads the caps once a second. One that is stopped meanwhile may go by what it read before until it has its
next look; after its lease of 5 s it may not at all."""
QUIET_SECONDS = 5.0
"""Snapshots come every 2 s while calls are in flight."""
OVERSIZED = 4_000
"""Contacts of a list whose file is larger than what a full disk takes."""


class Play:
    """The tenants, their campaigns and their listeners; `acts` is what is done to them while things break.

    With `stops` a tenant with long calls plays as well, whose campaigns are there to be stopped but for the first.
    Where the stage can tell of second legs, a tenant plays whose agent is reached by a gateway, and one (`manager`)
    whose campaigns have windows and schedules, are fed while they run, and meet do-not-call entries.
    """

    def __init__(self, stage: Stage, size: Size, *, stops: bool) -> None:
        self._size = size
        self._stage = stage
        # The campaigns shall last for as long as the faults do: one tenant's by its calls a minute, the other's by
        # its gateways' calls a second.
        minutes = max(0.5, size.faults * size.spacing / 60)
        share = size.contacts / minutes / TENANTS
        by_gateway = share / 60 / GATEWAYS
        # While campaigns are started, each has to find room for all that it may have up.
        room = CAMPAIGNS // TENANTS * CAMPAIGN_CONCURRENT * stage.longer
        self._parties = [
            Party(
                stage,
                calls_per_minute=calls,
                cps=cps,
                room=room,
                gateways=GATEWAYS,
                action=ACTION,
                agent=AGENT,
            )
            for calls, cps in (
                (max(30, round(share)), math.ceil(by_gateway) + 1),
                (max(30, round(1.5 * share)), max(1, round(by_gateway))),
            )
        ]
        self._long = self._of_long_calls(stage, 1 + self._stopped) if stops else None
        self._bridging = self._with_a_desk(stage) if stage.second_legs else None
        self.manager = self._of_hours(stage, size) if stage.second_legs else None
        self.acts = Acts(stage, self._everybody, ())
        self.uploaded: dict[str, list[str]] = {}
        self.ears: list[Ear] = []
        self._hasty = self._first.client()
        self._hasty.patience = 0.0
        self._concurrent: dict[str, int] = {}
        self._bridged = ""
        self._big: dict[str, list[str]] = {}
        self._changes: dict[str, list[tuple[float, int]]] = defaultdict(list)
        self._changing: threading.Thread | None = None

    @property
    def _first(self) -> Party:
        return self._parties[0]

    @property
    def _everybody(self) -> list[Party]:
        hours = None if self.manager is None else self.manager.party
        return [*self._parties, *(one for one in (self._long, self._bridging, hours) if one is not None)]

    @property
    def _stopped(self) -> int:
        """How many campaigns are there to be stopped."""
        return max(STOPS_LEAST, round(self._size.faults * STOPS_SHARE))

    @staticmethod
    def _of_long_calls(stage: Stage, campaigns: int) -> Party:
        return Party(
            stage,
            calls_per_minute=120,
            cps=2,
            room=max(LONG_ROOM, campaigns * LONG_CONCURRENT) * stage.longer,
            gateways=1,
            action=LONG_ACTION,
            agent=LONG_AGENT,
        )

    @staticmethod
    def _with_a_desk(stage: Stage) -> Party:
        party = Party(
            stage,
            calls_per_minute=DESK_PER_MINUTE,
            cps=DESK_CPS_OF_FIRST_LEGS,
            room=DESK_CONCURRENT * stage.longer,
            gateways=1,
            action=ACTION,
            agent=DESK_AGENT,
        )
        party.open_desk(stage)
        return party

    def _of_hours(self, stage: Stage, size: Size) -> Manager:
        party = Party(
            stage,
            calls_per_minute=HOURS_PER_MINUTE,
            cps=HOURS_CPS,
            room=HOURS_CONCURRENT * Manager.campaigns(size),
            gateways=1,
            action=ACTION,
            agent=AGENT,
        )

        def upload(name: str, contacts: str, fields: Mapping[str, str]) -> str:
            concurrent = HOURS_CONCURRENT
            return self._upload(
                party, party.api, name, contacts, party.lines[0], fields=fields, concurrent=concurrent
            )

        return Manager(stage, party, size, upload)

    def begin(self) -> None:
        """Upload the campaigns, listen to them, start them."""
        share = self._size.contacts // CAMPAIGNS
        of_party: dict[str, Party] = {}
        for party, own in zip(self._parties, itertools.repeat(CAMPAIGNS // TENANTS)):
            before: list[str] = []
            for number in range(own):
                called = [*before[:SHARED], *numbers(*ENDINGS, count=share - len(before[:SHARED]))]
                line = party.lines[number % GATEWAYS]
                from_host = self._stage.plays_urls and not of_party
                agent = self._agent_from_host(party) if from_host else None
                created = self._upload(party, party.api, f"chaos {number}", called, line, agent=agent)
                self.uploaded[created] = called
                of_party[created] = party
                before = called[SHARED:]
        if self._long is not None:
            of_party |= dict.fromkeys(self._upload_long(self._long), self._long)
        if self._bridging is not None:
            self._bridged = self._upload_bridging(self._bridging)
            of_party[self._bridged] = self._bridging
        if self.manager is not None:
            self.manager.begin()
            self.uploaded |= self.manager.uploaded
            self._concurrent |= dict.fromkeys(self.manager.uploaded, HOURS_CONCURRENT)
            of_party |= dict.fromkeys(self.manager.uploaded, self.manager.party)
        for campaign, party in of_party.items():
            for _ in range(LISTENERS):
                ear = Ear(party.listening, campaign)
                ear.start()
                self.ears.append(ear)
        by_clock = frozenset() if self.manager is None else self.manager.scheduled
        for campaign, party in of_party.items():
            if campaign not in by_clock:
                party.api.post(f"/api/v1/campaigns/{campaign}/start")
        for party in self._parties:
            self._allow(party, party.api, TENANT_CONCURRENT * self._stage.longer)
        if self._long is not None:
            self._allow(self._long, self._long.api, LONG_ROOM * self._stage.longer)
        if self.manager is not None:
            self.manager.start()

    def _upload_long(self, party: Party) -> list[str]:
        """One campaign that goes on, the others to be stopped."""
        line = party.lines[0]
        seconds = self._size.faults * self._size.spacing
        sizes = [max(LONG_LEAST, round(seconds * LONG_SHARE))]
        sizes += [STOPPED_CONTACTS] * self._stopped
        created = []
        for number, size in enumerate(sizes):
            called = numbers(*LONG_ENDINGS, count=size)
            campaign = self._upload(
                party, party.api, f"long {number}", called, line, concurrent=LONG_CONCURRENT
            )
            self.uploaded[campaign] = called
            created.append(campaign)
        self._concurrent |= dict.fromkeys(created, LONG_CONCURRENT)
        # Most often those whose calls do not end by themselves.
        halted = [party, party, *self._everybody]
        stoppable = [(party, campaign) for campaign in created[1:]]
        suppress = bool if self.manager is None else self.manager.suppress
        self.acts = Acts(self._stage, halted, stoppable, suppress)
        return created

    def _upload_bridging(self, party: Party) -> str:
        """The campaign whose agent is reached by a gateway."""
        count = max(DESK_LEAST, round(self._size.faults * self._size.spacing * DESK_SHARE))
        called = numbers(*DESK_ENDINGS, count=count)
        created = self._upload(party, party.api, "desk", called, party.lines[0], concurrent=DESK_CONCURRENT)
        self.uploaded[created] = called
        self._concurrent[created] = DESK_CONCURRENT
        return created

    @staticmethod
    def _agent_from_host(party: Party) -> str:
        body = {"name": "from a host", "action": FROM_HOST, **AGENT}
        created: str = party.api.post("/api/v1/agents", body)["id"]
        return created

    def changing(self, faults: Iterable[Fault]) -> Iterator[Fault]:
        """These faults; caps are lowered beside the one in the middle."""
        for fault in faults:
            if fault.number == self._size.faults // 2:
                # Whoever strikes must not wait for a web that was struck.
                self._changing = threading.Thread(target=self._lower, name="lowers caps", daemon=True)
                self._changing.start()
            yield fault

    def seconds_left(self) -> float:
        """How long the caps make the rest of the campaigns last."""
        slowest = min(
            sum(line.cps for line in self._parties[1].lines),
            self._first.calls_per_minute / 60,
            self._stage.node_cps,
            # A call lasts about a second.
            FEWER_CONCURRENT,
        )
        return 1.5 * left_open(self._stage, list(self.uploaded)) / slowest

    def quiet(self) -> bool:
        """Whether every listener has heard an end, and nothing for a while."""
        return all(
            ear.ended.is_set() and time.monotonic() - ear.heard_at > QUIET_SECONDS for ear in self.ears
        )

    def end(self) -> None:
        """Listen no more."""
        for ear in self.ears:
            ear.stop()

    def played(self) -> Played:
        """What was asked for, and what was heard."""
        if self._changing is not None:
            self._changing.join()
        heard = [Listener(e.campaign, list(e.heard), list(e.resets), e.ended.is_set()) for e in self.ears]
        return Played(
            uploaded=self.uploaded,
            listeners=heard,
            caps=list(self._caps()),
            callers={
                line.caller: (line.name, party.tenant.id) for party in self._everybody for line in party.lines
            },
            oversized={name: len(list_) for name, list_ in self._big.items()},
            bridged=frozenset([self._bridged] if self._bridged else []),
            hours=[] if self.manager is None else self.manager.hours,
            by_clock=frozenset() if self.manager is None else frozenset(self.manager.scheduled),
        )

    def upload_too_much(self) -> None:
        """Post a list that a full disk does not take; whatever comes of it."""
        name = f"oversized {len(self._big)}"
        self._big[name] = numbers("10", count=OVERSIZED)
        with contextlib.suppress(OSError, http.client.HTTPException, ApiFailedError):
            self._upload(self._first, self._hasty, name, self._big[name], self._first.lines[0])

    def upload_again(self) -> None:
        """Post those lists again, under the same keys, as a client does that was told of an error."""
        for name, called in self._big.items():
            self._upload(self._first, self._first.api, name, called, self._first.lines[0])

    def _caps(self) -> Iterator[Cap]:
        """All of them."""
        longer = self._stage.longer
        for node in self._stage.nodes:
            yield Cap(Scope.NODE, Limit(self._stage.node_cps), node.name, CPS_WINDOWS)
            yield Cap(Scope.NODE, Limit(self._stage.node_channels), node.name)
        for party in self._everybody:
            tenant = party.tenant.id
            yield Cap(Scope.TENANT, self._limit(party.room, tenant), tenant)
            yield Cap(Scope.TENANT, Limit(party.calls_per_minute), tenant, MINUTE_WINDOWS)
            for line in party.lines:
                yield Cap(Scope.GATEWAY, Limit(line.cps), line.name, CPS_WINDOWS)
                yield Cap(Scope.GATEWAY, self._limit(GATEWAY_CHANNELS * longer, line.name), line.name)
            if party.desk is not None:
                yield Cap(Scope.GATEWAY, Limit(DESK_CPS), party.desk.name, CPS_WINDOWS)
                yield Cap(Scope.GATEWAY, Limit(DESK_CHANNELS), party.desk.name)
        for campaign in self.uploaded:
            concurrent = self._concurrent.get(campaign, CAMPAIGN_CONCURRENT)
            yield Cap(Scope.CAMPAIGN, Limit(concurrent * longer), campaign)
        yield Cap(Scope.NUMBER, Limit(1))

    def _limit(self, first: int, name: str) -> Limit:
        return Limit(first, tuple(self._changes[name]))

    def _lower(self) -> None:
        """A tenant's live calls, and the channels of a gateway of another."""
        self._allow(self._first, self._first.changing, FEWER_CONCURRENT * self._stage.longer)
        other = self._parties[1]
        line = other.lines[0]
        fewer = FEWER_CHANNELS * self._stage.longer
        other.changing.patch(f"/api/v1/gateways/{line.gateway_id}", {"channels": fewer})
        self._changes[line.name].append((time.time() + IN_FORCE_SECONDS, fewer))

    def _allow(self, party: Party, api: Patient, concurrent: int) -> None:
        """Another number of live calls."""
        api.put("/api/v1/call-limits", party.limits(concurrent))
        self._changes[party.tenant.id].append((time.time() + IN_FORCE_SECONDS, concurrent))

    def _upload(
        self,
        party: Party,
        api: Patient,
        name: str,
        called: list[str] | str,
        line: Line,
        *,
        fields: Mapping[str, str] = MappingProxyType({}),
        agent: str | None = None,
        concurrent: int = CAMPAIGN_CONCURRENT,
    ) -> str:
        form = {
            "name": name,
            "agent_id": agent or party.tenant.agent_id,
            "phone_number_id": line.number_id,
            "max_concurrent_calls": str(concurrent * self._stage.longer),
            "retry_delay_seconds": str(RETRY_DELAY_SECONDS),
            **fields,
        }
        rows = called if isinstance(called, str) else "\n".join(["phone_number", *called])
        api.key = f"chaos-{party.tenant.id}-{name}".replace(" ", "-")
        try:
            created: str = api.post_form("/api/v1/campaigns", form, "contacts", "list.csv", rows.encode())[
                "id"
            ]
        finally:
            api.key = None
        return created
