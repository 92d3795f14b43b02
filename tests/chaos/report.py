"""What a run found, as a table to read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from tests.chaos.caps import Peak
from tests.chaos.faults import Size
from tests.chaos.run import Result
from tests.chaos.stops import CAUSE, hung_up, refused
from tests.chaos.verdict import COLUMNS, Verdict

SHOWN = 10
"""Lines under each column."""


def report(seed: int, size: Size, result: Result, verdict: Verdict) -> str:
    """The table; everything that does not agree below it."""
    struck, records = result.records.struck, result.records
    lines = ["", f"{'fault':<28}{'struck':>8}"]
    lines += [f"{kind:<28}{count:>8}" for kind, count in sorted(struck.counts.items())]
    lines += [f"  at {point:<23}{count:>8}" for point, count in sorted(struck.points.items())]
    lines += [f"{'all faults':<28}{struck.counts.total():>8}", ""]
    until = max((line.t for line in records.view.originates), default=0.0)
    accepted = sum(line.accepted and line.campaign in records.uploaded for line in records.view.originates)
    resets = sum(len(listener.resets) for listener in records.listeners)
    figures = {
        "seed": seed,
        "contacts": size.contacts,
        "calls (rows)": len(records.calls),
        "INVITEs (ledgers)": accepted,
        "originates refused by a node": verdict.refused,
        "INVITEs refused by a carrier": len(refused(records.view)),
        "halts and stops": len(struck.stops),
        "calls that they ended": sum(step.cause == CAUSE for step in records.view.ends().values()),
        "windows that closed": sum(end < until for hours in records.hours for _, end in hours.spans),
        "suppressions": len(struck.suppressed),
        "calls held past either": len(verdict.held),
        "before an answer": len(hung_up(records.view, struck.stops)),
        "orders held by a busy machine": len(struck.held_up),
        "processes that hung": sum(said.endswith(": ending") for said in struck.hung),
        "transitions": len(records.told),
        "listeners, their resets": f"{len(records.listeners)}, {resets}",
        "calls could be started": f"{result.up:.0%} of the time",
        "nothing was broken": f"{result.whole:.0%} of the time",
        "settled after the last fault": f"{result.settled_after:.0f} s",
        "took": f"{result.seconds:.0f} s",
    }
    lines += [f"{name:<30}{value:>22}" for name, value in figures.items()]
    lines += ["", f"{'must be zero':<30}{'':>22}"]
    lines += zeros(verdict)
    lines += ["", f"{'cap, by the ledgers alone':<30}{'of':>6}{'at it':>6}{'most':>10}"]
    lines += _closest(verdict.peaks)
    lines += ["", f"{'outcome_unknown, by cause':<30}{verdict.unknown.total():>22}"]
    lines += [f"  {cause:<28}{count:>22}" for cause, count in verdict.unknown.most_common()]
    for column in COLUMNS:
        lines += [f"{column.upper()}: {said}" for said in verdict.found[column][:SHOWN]]
    lines += [f"LEFT: {said}" for said in records.left[:SHOWN]]
    lines += [f"HUNG: {said}" for said in struck.hung]
    if not verdict.holds:
        lines += [f"WARNED: {said}" for said in struck.warned[-SHOWN:]]
    return "\n".join(lines)


def zeros(verdict: Verdict) -> list[str]:
    """The lines of what must be zero; of what nothing was asked for, that it was not judged."""
    return [
        f"{column:<30}{'not judged' if column in verdict.unjudged and not found else len(found):>22}"
        for column in COLUMNS
        for found in [verdict.found[column]]
    ]


def _closest(peaks: Sequence[Peak]) -> Iterator[str]:
    """For each kind of cap: how many were judged, how many were reached, and the fullest."""
    kinds: dict[str, list[Peak]] = defaultdict(list)
    for peak in peaks:
        kinds[peak.cap.kind].append(peak)
    for kind, found in sorted(kinds.items()):
        worst = max(found, key=lambda peak: (peak.most - peak.allowed, peak.most))
        reached = sum(peak.most >= peak.allowed for peak in found)
        yield f"{kind:<30}{len(found):>6}{reached:>6}{f'{worst.most} of {worst.allowed}':>10}"
