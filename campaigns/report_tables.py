"""The rows of each report, from what was read of the calls. Shares are from 0 to 1, None where there is nothing to be
a share of. Pure."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from campaigns.call_outcomes import PICKED_UP
from campaigns.call_reports import Answers, Lengths, Outcome, PickedUp, RouteFigures
from campaigns.dispositions import MEANINGS
from campaigns.policy_packs import Abandoned, packs
from campaigns.report_buckets import Distribution
from campaigns.report_spans import LocalStep, Span

Row = dict[str, object]

MEDIAN, MOST = 0.5, 0.95
CARRIERS_LINE: Final = 0.2
"""What carriers bear of calls of no second, and of those of at most six, before they charge for them or refuse them:
Plivo's limits, each of a month's calls."""
WITHDRAWN, HUNG_UP = "withdrawn", "hung_up"
UNCOUNTED_MEANINGS: Final[Mapping[str, str]] = {
    **MEANINGS,
    WITHDRAWN: "Taken back before it left: a pause, a stop, a cap or a node came between.",
    HUNG_UP: "Hung up by us before an answer, for a halt or a stop.",
}
"""Why a call used no attempt: how it ended, or one of these two."""
US_30_DAYS, UK_DAY = "us_30_days", "uk_day"
FORMULAS: Final[Mapping[str, str]] = {
    US_30_DAYS: "16 CFR 310.4(b)(4)(i): of a campaign's calls that a person answered, over each 30 days.",
    UK_DAY: "Ofcom: of a campaign's calls that were abandoned or that an agent took, on each day.",
}
_LINES: Final[Mapping[str, tuple[str, int]]] = {US_30_DAYS: ("us", 30 * 24), UK_DAY: ("uk", 24)}
"""The policy pack that has a formula's line, and over how many hours."""


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of a span over which a formula looks at calls, without its end."""

    start: datetime
    end: datetime

    @classmethod
    def each(cls, asked: Span, steps: Sequence[LocalStep]) -> Sequence[Period]:
        """Those that the steps of a span are."""
        ends = [*(step.start for step in steps[1:]), asked.end]
        return [cls(step.start, end) for step, end in zip(steps, ends, strict=True)]


def share(part: int, whole: int) -> float | None:
    """To four digits behind the point."""
    return round(part / whole, 4) if whole else None


def hours(answers: Mapping[int, Answers], steps: Sequence[LocalStep]) -> list[Row]:
    """Of each hour of each day of the week (1 is Monday), whether or not anybody was called in it."""
    placed: Counter[tuple[int, int]] = Counter()
    picked_up: Counter[tuple[int, int]] = Counter()
    for number, figures in answers.items():
        local = steps[number].local
        placed[local.isoweekday(), local.hour] += figures.placed
        picked_up[local.isoweekday(), local.hour] += figures.picked_up
    return [
        {"weekday": weekday, "hour": hour} | _answered(placed[weekday, hour], picked_up[weekday, hour])
        for weekday in range(1, 8)
        for hour in range(24)
    ]


def routes(name: str, found: Iterable[RouteFigures]) -> list[Row]:
    """Of each gateway, caller id or prefix; the row says which under `name`, None where it is not known any more."""
    return [
        {name: figures.key or None}
        | _answered(figures.placed, figures.picked_up)
        | {
            "average_seconds": round(figures.seconds / figures.picked_up, 1) if figures.picked_up else None,
            "pdd_p50_ms": figures.pdd.percentile(MEDIAN),
            "pdd_p95_ms": figures.pdd.percentile(MOST),
        }
        for figures in found
    ]


def short_calls(found: Sequence[RouteFigures]) -> list[Row]:
    """Of all calls, and of each gateway: those that were picked up and over at once, beside the carriers' line."""
    every = RouteFigures(
        "",
        sum(figures.placed for figures in found),
        sum(figures.picked_up for figures in found),
        0,
        sum(figures.zero_seconds for figures in found),
        sum(figures.six_seconds for figures in found),
        Distribution((), ()),
    )
    return [
        {
            "gateway_id": figures.key or None,
            "placed": figures.placed,
            "unanswered": figures.placed - figures.picked_up,
            "zero_seconds": figures.zero_seconds,
            "zero_seconds_share": share(figures.zero_seconds, figures.placed),
            "six_seconds": figures.six_seconds,
            "six_seconds_share": share(figures.six_seconds, figures.placed),
            "over_line": figures.six_seconds > CARRIERS_LINE * figures.placed,
        }
        for figures in (every, *found)
    ]


def distributions(found: Lengths) -> list[Row]:
    """How long it took until calls rang, how long they rang, and how long they were up."""
    return [
        _distribution("post_dial_delay", "ms", found.pdd),
        _distribution("ring_time", "ms", found.ring),
        _distribution("call_length", "s", found.length),
    ]


def buckets(found: Lengths) -> list[Row]:
    """The same as a row for each bucket, so that it fits a table."""
    return [
        {name: row[name] for name in ("measure", "unit", "p50", "p95")} | bucket
        for row, lengths in zip(distributions(found), (found.pdd, found.ring, found.length), strict=True)
        for bucket in _buckets(lengths)
    ]


def attempts(found: Iterable[Outcome]) -> list[Row]:
    """Of each attempt that counted: how many calls were it, and how many of those were picked up."""
    calls: Counter[int] = Counter()
    picked_up: Counter[int] = Counter()
    for outcome in found:
        if outcome.attempt:
            calls[outcome.attempt] += outcome.calls
            picked_up[outcome.attempt] += outcome.calls * (outcome.disposition in PICKED_UP)
    return [
        {
            "attempt": attempt,
            "calls": calls[attempt],
            "picked_up": picked_up[attempt],
            "answer_rate": share(picked_up[attempt], calls[attempt]),
            "share_of_answers": share(picked_up[attempt], picked_up.total()),
        }
        for attempt in sorted(calls)
    ]


def uncounted(found: Sequence[Outcome]) -> list[Row]:
    """Why calls used no attempt, the most frequent first; the shares are of all calls."""
    whole = sum(outcome.calls for outcome in found)
    reasons: Counter[str] = Counter()
    for outcome in found:
        if not outcome.attempt:
            reasons[outcome.disposition or (HUNG_UP if outcome.placed else WITHDRAWN)] += outcome.calls
    return [
        {"reason": reason, "calls": calls, "share": share(calls, whole)}
        for reason, calls in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    ]


def abandon_rate(
    formula: str, found: Iterable[PickedUp], periods: Sequence[Period], names: Mapping[uuid.UUID, str]
) -> list[Row]:
    """Of each campaign that has a name here and each period in which a person answered, by one formula.

    A call that nobody took in time is abandoned, and so is one whose agent failed: the person had nobody either.
    """
    rows: list[Row] = []
    most = allowed(formula)
    told = [figures for figures in found if figures.campaign_id in names]
    for figures in sorted(told, key=lambda one: (names[one.campaign_id], one.campaign_id, one.step)):
        period = periods[figures.step]
        abandoned = figures.abandoned + figures.agent_failed
        people = figures.answered + abandoned
        rows.append(
            {
                "formula": formula,
                "campaign_id": figures.campaign_id,
                "campaign_name": names[figures.campaign_id],
                "from": period.start,
                "to": period.end,
                "answered": figures.answered,
                "abandoned": figures.abandoned,
                "agent_failed": figures.agent_failed,
                "numerator": abandoned,
                "denominator": people,
                "rate": share(abandoned, people),
                "line": None if most is None else most / 100,
                "over_line": most is not None and 100 * abandoned > most * people,
            }
        )
    return rows


def allowed(formula: str) -> float | None:
    """The most that a formula's rate may be, in percent, as its policy pack has it."""
    name, hours = _LINES[formula]
    demands = [rule.demand for pack in packs() if pack.name == name for rule in pack.rules]
    found = [one for one in demands if isinstance(one, Abandoned) and (one.of, one.hours) == ("live", hours)]
    return min((one.percent for one in found), default=None)


def _answered(placed: int, picked_up: int) -> Row:
    return {"placed": placed, "picked_up": picked_up, "answer_rate": share(picked_up, placed)}


def _distribution(measure: str, unit: str, found: Distribution) -> Row:
    return {
        "measure": measure,
        "unit": unit,
        "calls": found.total,
        "p50": found.percentile(MEDIAN),
        "p95": found.percentile(MOST),
        "buckets": _buckets(found),
    }


def _buckets(found: Distribution) -> list[Row]:
    each = zip((*found.bounds, None), found.calls, strict=True)
    return [{"at_most": bound, "calls": calls} for bound, calls in each]
