"""Compares the four records of a run. Pure: whatever does not agree is a line under one of the columns."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from freeswitch import dedup
from simulator.ledger import Originate
from tests.chaos.caps import Departures, Peak, judge, spans, unjudged
from tests.chaos.hours import FOR_EVER, judge_promises
from tests.chaos.listener_client import TOLD
from tests.chaos.records import Listener, Records
from tests.chaos.stops import Away, hung_up, judge_stops
from tests.chaos.stops import refused as refused_calls

DUPLICATES = "duplicate INVITEs"
LOST = "lost"
STUCK = "stuck"
CAPS = "caps exceeded"
PERMITS = "leaked permits"
OUTCOMES = "wrong outcomes"
MISSED = "transitions missed"
REPEATED = "transitions repeated"
STOPS = "halts, stops not kept"
HOURS = "called outside a window"
SUPPRESSED = "called when suppressed"
COLUMNS = (
    DUPLICATES,
    LOST,
    STUCK,
    CAPS,
    PERMITS,
    OUTCOMES,
    MISSED,
    REPEATED,
    STOPS,
    HOURS,
    SUPPRESSED,
)
"""What must be zero."""

TERMINAL = frozenset({"completed", "failed", "cancelled"})
EXPECTED = {"01": "busy", "02": "no_answer", "03": "invalid"}
"""How a call to a number with this ending ends that nobody answers."""
CONGESTION = "congestion"
RAN_LATE = ("node_fault", "TIMER_RAN_LATE")
RINGS_AT_MOST = 15.0
"""Seconds that the phones of the play ring, where an agent lets them; no longer, on a node that runs."""
EXHAUSTED, DEADLINE = "exhausted", "deadline"
RUNNING = "running"
UNKNOWN = "outcome_unknown"
NOT_TO_BE_CALLED = "suppressed"
ABANDONED = "abandoned"
"""Of a call that was answered, and whose agent's leg could not leave within its gateway's rate."""
LIVED = "ENDED_UNSEEN"
"""The cause of a call whose switch said that it had it."""
FORESTALLED = f"refused:{dedup.CAUSE}"
LOST_WITH_STREAM_SECONDS = 60.0
"""What was told so long before Valkey lost its memory may not have been read by everybody."""
AROUND_RESET_SECONDS = 5.0
CALL_ID = TOLD.index("call_id")


@dataclass(slots=True)
class Verdict:
    """What does not agree, by column; the contacts of which nobody knows how their call ended, by cause; how many
    originates a node refused; how close each cap was; and the calls that were kept on their way when somebody might
    still be called."""

    found: dict[str, list[str]] = field(default_factory=lambda: {column: [] for column in COLUMNS})
    unknown: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    peaks: list[Peak] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    unjudged: frozenset[str] = frozenset()
    """The columns of which nothing was asked for in this run."""

    @property
    def holds(self) -> bool:
        """Whether every column is 0."""
        return not any(self.found.values())


def compare(records: Records) -> Verdict:
    """All of it."""
    verdict = Verdict()
    hung, refused = hung_up(records.view, records.struck.stops), refused_calls(records.view)
    late = _ended_late(records)
    _calls(records, verdict, hung | refused | late)
    _uploads(records, verdict)
    verdict.found[LOST] += records.struck.refused
    _contacts(records, verdict, hung)
    _campaigns(records, verdict)
    _outcomes(records, verdict, hung, refused, late)
    _nodes(records, verdict)
    told: dict[str, dict[str | None, list[tuple[tuple[Any, ...], float]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for row in records.told:
        told[row["campaign_id"]][row["contact_id"]].append((tuple(row[name] for name in TOLD), row["at"]))
    for listener in records.listeners:
        _listener(records, verdict, listener, told[listener.campaign])
    if records.permits:
        verdict.found[PERMITS] = [f"{records.permits} permits are held and nothing is in flight"]
    return verdict


def _ours(records: Records) -> list[Originate]:
    return [line for line in records.view.originates if line.campaign in records.uploaded]


def _stopped(records: Records) -> set[str]:
    """The campaigns that somebody has stopped."""
    return {stop.campaign for stop in records.struck.stops if stop.campaign}


def _ending(records: Records) -> set[str]:
    """The campaigns that the clock ends."""
    return {
        hours.campaign
        for hours in records.hours
        if hours.campaign in records.by_clock and hours.spans[-1][1] < FOR_EVER
    }


def _calls(records: Records, verdict: Verdict, nobodys: frozenset[str]) -> None:
    """Ledger against call rows. `nobodys` are those that reached nobody: they are no attempt, or need not be."""
    rows = {row["id"]: row for row in records.calls}
    accepted = [line for line in _ours(records) if line.accepted]
    verdict.refused = len(_ours(records)) - len(accepted)
    for uuid, times in Counter(line.uuid for line in accepted).items():
        if times > 1:
            verdict.found[DUPLICATES].append(f"call {uuid} was placed {times} times")
    for line in accepted:
        row = rows.get(line.uuid)
        if row is None:
            verdict.found[LOST].append(f"the switch dialled {line.number} as {line.uuid}, which no row knows")
        elif row["attempt"] is None and line.uuid not in nobodys:
            verdict.found[DUPLICATES].append(
                f"call {line.uuid} to {line.number} was placed and is not counted ({row['disposition']},"
                f" {row['cause']})"
            )
    placed_ids = {line.uuid for line in accepted}
    for line in _ours(records):
        if line.result == FORESTALLED and line.uuid not in placed_ids:
            verdict.found[LOST].append(
                f"call {line.uuid} to {line.number} was refused as a second one of none"
            )
    _repeated(records, verdict, (line for line in accepted if line.uuid not in nobodys))


def _repeated(records: Records, verdict: Verdict, called: Iterable[Originate]) -> None:
    """Nobody is called more often than is counted."""
    counted: dict[str, set[str]] = defaultdict(set)
    for row in records.calls:
        if row["attempt"] is not None:
            counted[row["contact_id"]].add(row["id"])
    placed: dict[str, set[str]] = defaultdict(set)
    for line in called:
        placed[line.contact].add(line.uuid)
    for contact, uuids in placed.items():
        if len(uuids) > len(counted[contact]):
            verdict.found[DUPLICATES].append(
                f"contact {contact} was called {len(uuids)} times, counted {len(counted[contact])} times"
            )


def _uploads(records: Records, verdict: Verdict) -> None:
    """Every list is there once and whole, whatever it met."""
    kept = Counter((row["campaign_id"], row["phone_number"]) for row in records.contacts)
    for campaign, numbers in records.uploaded.items():
        for number in numbers:
            if kept[campaign, number] != 1:
                verdict.found[LOST].append(f"{number} of {campaign} is there {kept[campaign, number]} times")
    for size, found in records.imports:
        if found != [size]:
            verdict.found[LOST].append(f"a list of {size} that met a full disk is there as {found}")


def _contacts(records: Records, verdict: Verdict, hung: frozenset[str]) -> None:
    """Contact states against their calls and against the ledger. Whom a stop has hung up on is as good as not called:
    only who was stopped may be left so, and then is cancelled."""
    placed = {line.contact for line in records.view.accepted if line.uuid not in hung}
    over = {row["id"] for row in records.campaigns if row["end_reason"] == DEADLINE} & _ending(records)
    ended = _stopped(records) | over
    suppressed = {(one.campaign, one.number) for one in records.struck.suppressed}
    counted = Counter(row["contact_id"] for row in records.calls if row["attempt"] is not None)
    for row in records.contacts:
        name = f"contact {row['id']} ({row['phone_number']})"
        if row["status"] not in TERMINAL:
            verdict.found[STUCK].append(f"{name} is left {row['status']}")
        elif row["status"] == "cancelled" and row["disposition"] == NOT_TO_BE_CALLED:
            number = row["phone_number"]
            if not {("", number), (row["campaign_id"], number)} & suppressed:
                verdict.found[LOST].append(f"{name} is cancelled, and nobody suppressed it")
        elif row["status"] == "cancelled" and row["campaign_id"] not in ended:
            verdict.found[LOST].append(f"{name} is cancelled, and nobody stopped {row['campaign_id']}")
        elif row["disposition"] == UNKNOWN:
            verdict.unknown[str(row["last_cause"])] += 1
            if row["last_cause"] == LIVED and row["id"] not in placed:
                verdict.found[LOST].append(f"{name} is said to have lived and no switch called it")
        elif row["id"] not in placed and row["status"] != "cancelled":
            verdict.found[LOST].append(
                f"{name} is {row['status']} ({row['disposition']}, {row['last_cause']}) and no switch called it"
            )
        if row["attempts"] != counted[row["id"]]:
            verdict.found[OUTCOMES].append(
                f"{name} has {row['attempts']} attempts and {counted[row['id']]} counted calls"
            )


def _campaigns(records: Records, verdict: Verdict) -> None:
    """Campaigns and calls are over, and the counts are those of the contacts."""
    for row in records.calls:
        if row["state"] != "ended":
            verdict.found[STUCK].append(f"call {row['id']} is left {row['state']}")
    stopped, ending = _stopped(records), _ending(records)
    started = Counter(
        row["campaign_id"] for row in records.told if row["contact_id"] is None and row["status"] == RUNNING
    )
    over = {row["id"] for row in records.campaigns if row["end_reason"] == DEADLINE}
    for campaign_id in records.by_clock:
        # Where nobody could start it before its end it is over without.
        if started[campaign_id] != 1 and (started[campaign_id] or campaign_id not in over & ending):
            verdict.found[HOURS].append(f"campaign {campaign_id} was started {started[campaign_id]} times")
    statuses: dict[str, Counter[str]] = defaultdict(Counter)
    for row in records.contacts:
        statuses[row["campaign_id"]][row["status"]] += 1
    for campaign in records.campaigns:
        if campaign["status"] != "completed":
            verdict.found[STUCK].append(f"campaign {campaign['id']} is left {campaign['status']}")
        elif campaign["end_reason"] not in _ends(campaign["id"], ending) and campaign["id"] not in stopped:
            verdict.found[LOST].append(f"campaign {campaign['id']} ended by itself: {campaign['end_reason']}")
        for status in ("pending", "originated", "connected", "completed", "failed", "cancelled"):
            if campaign[status] != statuses[campaign["id"]][status]:
                verdict.found[OUTCOMES].append(
                    f"{campaign['id']} counts {campaign[status]} as {status},"
                    f" {statuses[campaign['id']][status]} are"
                )


def _ends(campaign: str, ending: Collection[str]) -> tuple[str, ...]:
    return (EXHAUSTED, DEADLINE) if campaign in ending else (EXHAUSTED,)


def _ended_late(records: Records) -> frozenset[str]:
    """Calls that are told as their node's fault, and that nobody answered for longer than any may ring on a node that
    runs: one that stood still hung up late, maybe on somebody who had answered. They are nobody's attempt."""
    ends = records.view.ends()
    told = {row["id"] for row in records.calls if (row["disposition"], row["cause"]) == RAN_LATE}
    return frozenset(
        line.uuid
        for line in records.view.accepted
        if line.uuid in told and line.uuid in ends and ends[line.uuid].t - line.t > RINGS_AT_MOST
    )


def _outcomes(
    records: Records, verdict: Verdict, hung: frozenset[str], refused: frozenset[str], late: frozenset[str]
) -> None:
    """How each call ended, by its node's ledger and by its row."""
    ends = records.view.ends()
    answered = {step.uuid for step in records.view.steps if step.event == "answer"}
    placed = {line.uuid for line in records.view.accepted}
    for row in records.calls:
        uuid, disposition = row["id"], row["disposition"]
        if disposition == UNKNOWN or uuid not in placed:
            continue
        said = f"call {uuid} to {row['phone_number']} is recorded as {disposition} ({row['cause']})"
        connected = {"answered", ABANDONED} if row["campaign_id"] in records.bridged else {"answered"}
        if (disposition in connected) != (uuid in answered):
            verdict.found[OUTCOMES].append(f"{said}, answered at the switch: {uuid in answered}")
        elif uuid not in answered and uuid in ends and uuid not in late:
            if uuid in hung:
                # That was nobody's attempt, whatever the callee was about to do.
                if row["attempt"] is not None or disposition is not None:
                    verdict.found[STOPS].append(f"{said}, an attempt, and a stop hung it up before an answer")
                continue
            expected = CONGESTION if uuid in refused else EXPECTED.get(row["phone_number"][-2:])
            if expected is not None and disposition != expected:
                verdict.found[OUTCOMES].append(f"{said}, the ledger says {ends[uuid].cause}")


def _nodes(records: Records, verdict: Verdict) -> None:
    """What the nodes carried out, by the ledgers alone: every cap, and what is up although all is over."""
    ours = _ours(records)
    calls = spans(records.view, (line for line in ours if line.accepted), records.struck.deaths)
    # What a node refused as a second order of one id went out for the first.
    orders = [line for line in ours if line.result != FORESTALLED]
    left = Departures(records.orders, records.struck.withheld, records.struck.held_up)
    second = [leg for leg in records.view.legs if leg.campaign in records.uploaded]
    legs = spans(records.view, second, records.struck.deaths)
    verdict.peaks = list(judge(records.caps, calls, orders, left, legs))
    verdict.found[STOPS] += judge_stops(records.struck.stops, orders, calls, left, records.struck.away)
    kept = [away for away in records.struck.away if away.node]
    kept += [Away(begin, end) for begin, end in records.struck.withheld]
    for column, judged in (
        (HOURS, judge_promises(records.hours, orders, left, kept)),
        (SUPPRESSED, judge_promises(records.struck.suppressed, orders, left, kept)),
    ):
        verdict.found[column] += judged.breaches
        verdict.held += judged.held
    _promised(records, verdict, orders)
    verdict.found[CAPS] = [str(peak) for peak in verdict.peaks if peak.exceeded]
    verdict.found[CAPS] += unjudged(records.caps, [*ours, *second])
    verdict.found[STUCK] += [
        f"call {call.line.uuid} to {call.line.number} is up at {call.line.node} since {call.begin:.1f}"
        for call in [*calls, *legs]
        if call.end == float("inf")
    ]


def _promised(records: Records, verdict: Verdict, orders: Iterable[Originate]) -> None:
    """That nobody broke what was promised says something only where it was: a window closed while there were calls,
    and a suppression was answered."""
    hours, suppressed = records.hours, records.struck.suppressed
    verdict.unjudged = frozenset(
        column for column, asked in ((HOURS, hours), (SUPPRESSED, suppressed)) if not asked
    )
    last = max((line.t for line in orders), default=0.0)
    if hours and not any(end < last for one in hours for _, end in one.spans):
        verdict.found[HOURS].append("no window closed before the last order: nothing was judged")
    if suppressed and all(one.answered == FOR_EVER for one in suppressed):
        verdict.found[SUPPRESSED].append(f"none of {len(suppressed)} suppressions was answered")


def _listener(
    records: Records,
    verdict: Verdict,
    listener: Listener,
    told: dict[str | None, list[tuple[tuple[Any, ...], float]]],
) -> None:
    """Each transition once and in order for each contact; a reset excuses what Valkey lost."""
    emptied = sorted(records.struck.emptied)
    since = 0.0
    for at in listener.resets:
        if not any(since < lost <= at for lost in emptied):
            verdict.found[MISSED].append(f"a reset of {listener.campaign} at {at:.0f}, and nothing was lost")
        since = at
    for said in listener.heard:
        # Calls that were in flight when their campaign was stopped end later; who waited is cancelled before.
        if said.late and said.told[CALL_ID] is None:
            verdict.found[STOPS].append(
                f"{said.contact}: {said.told} came after the end of {listener.campaign}"
            )
    if not listener.ended:
        verdict.found[MISSED].append(f"a listener of {listener.campaign} never heard its end")
    heard: dict[str | None, list[tuple[tuple[Any, ...], int]]] = defaultdict(list)
    for said in listener.heard:
        heard[said.contact].append((said.told, said.part))
    for contact, written in told.items():
        order = {item: place for place, (item, _) in enumerate(written)}
        last: dict[int, int] = {}
        for item, part in heard[contact]:
            place = order.get(item)
            if place is None:
                verdict.found[REPEATED].append(f"{contact}: {item} was heard and never written")
            elif place <= last.get(part, -1):
                verdict.found[REPEATED].append(f"{contact}: {item} was heard again or out of order")
            last[part] = max(last.get(part, -1), -1 if place is None else place)
        known = {item for item, _ in heard[contact]}
        for told_item, at in written:
            if told_item not in known and not _excused(at, listener.resets, emptied):
                verdict.found[MISSED].append(f"{contact}: {told_item} at {at:.1f} was not heard")


def _excused(at: float, resets: Iterable[float], emptied: Iterable[float]) -> bool:
    """Whether what was told at this moment may have gone with the stream."""
    lost = list(emptied)
    return any(
        lose - LOST_WITH_STREAM_SECONDS <= at <= reset + AROUND_RESET_SECONDS
        for reset in resets
        for lose in lost
        if lose <= reset
    )
