"""The node's own account of what it was asked to dial: append-only JSON lines, and how to read them back.

The writer belongs to the server, which flushes before any reply or event leaves, so that nobody can know of a call
the ledger lacks. The reader is for proofs: numbers dialled, windows of originates, live calls.
"""

from __future__ import annotations

import os
import threading
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import Any, Protocol, TypeVar

import orjson

OWN_PREFIX = "carillon_"


class LedgerSink(Protocol):
    """Where the switch writes its lines."""

    def write(self, line: Mapping[str, object]) -> None:
        """Take one line; it reaches the disk with the next flush."""


class NoLedger:
    """A ledger that keeps nothing."""

    def write(self, line: Mapping[str, object]) -> None:
        """Forget the line."""

    def flush(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


class Ledger:
    """Appends lines to a file, one `write(2)` for each flush; a SIGKILL loses at most what was not yet flushed."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._lines: list[bytes] = []

    def write(self, line: Mapping[str, object]) -> None:
        """Queue one line, with the moment of it: a node that stood still dates what fell due meanwhile as if it had
        not."""
        written = {**line, "written": time.time()}
        self._lines.append(orjson.dumps(written, option=orjson.OPT_APPEND_NEWLINE))

    def flush(self) -> None:
        """Write what is queued."""
        if not self._lines:
            return
        data = memoryview(b"".join(self._lines))
        self._lines.clear()
        while data:
            data = data[os.write(self._file, data) :]

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        os.close(self._file)


@dataclass(frozen=True, slots=True)
class Originate:
    """One `originate` the node was sent; `t` is wall seconds, `result` is `accepted` or `refused:<CAUSE>`.

    `headers` are those of its INVITE that say who calls.
    """

    t: float
    uuid: str
    number: str
    node: str
    gateway: str
    tenant: str
    campaign: str
    contact: str
    dialer: str
    result: str
    variables: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def accepted(self) -> bool:
        """Whether a channel was made (an INVITE left)."""
        return self.result == "accepted"


@dataclass(frozen=True, slots=True)
class Step:
    """`ring`, `answer` or `end` of a call; cause, billsec (simulated seconds) and sip belong to `end`.

    `t` is when it was due, `written` when the node came to it.
    """

    t: float
    event: str
    uuid: str
    cause: str = ""
    billsec: int = 0
    sip: int = 0
    written: float = 0.0


Line = TypeVar("Line", Originate, Step)


@dataclass(frozen=True, slots=True)
class Start:
    """A node began, and knows nothing of the calls that its ledger has before: whatever ended it ended them."""

    t: float
    node: str


@dataclass(slots=True)
class LedgerView:
    """A ledger as read, in order of time."""

    originates: list[Originate]
    steps: list[Step]
    others: list[dict[str, Any]]
    starts: list[Start] = field(default_factory=list)
    legs: list[Originate] = field(default_factory=list)
    """The INVITEs of second legs, which bridges made."""
    leg_ends: dict[str, Step] = field(default_factory=dict)

    @property
    def accepted(self) -> list[Originate]:
        """The originates that became calls."""
        return [line for line in self.originates if line.accepted]

    def dialled(self) -> Counter[str]:
        """How often each number was really called."""
        return Counter(line.number for line in self.accepted)

    def ends(self) -> dict[str, Step]:
        """The last `end` of each uuid."""
        return {step.uuid: step for step in self.steps if step.event == "end"}

    def unfinished(self) -> set[str]:
        """Uuids accepted and never ended (alive, or the node died)."""
        return {line.uuid for line in self.accepted} - set(self.ends())

    def take(self, line: dict[str, Any]) -> None:
        """Add one line of a ledger, as it was written, behind those of its kind."""
        kind = line.get("event")
        if kind == "originate":
            self.originates.append(_known(Originate, line))
        elif kind in ("ring", "answer", "end"):
            self.steps.append(_known(Step, line))
        elif kind == "leg":
            self.legs.append(_known(Originate, line))
        elif kind == "leg_end":
            self.leg_ends[line["uuid"]] = _known(Step, line)
        elif kind == "start":
            self.starts.append(Start(line["t"], line["node"]))
        else:
            self.others.append(line)

    def add(self, other: LedgerView) -> None:
        """Add the lines of another ledger behind those of their kind."""
        self.originates += other.originates
        self.steps += other.steps
        self.others += other.others
        self.starts += other.starts
        self.legs += other.legs
        self.leg_ends |= other.leg_ends


def _known(kind: type[Line], line: Mapping[str, Any]) -> Line:
    """The fields that there are: a node of an earlier release wrote fewer, one of a later release writes more."""
    return kind(**{name: line[name] for name in kind.__slots__ if name in line})


class _Reading:
    """What was read of one ledger. Each look goes on where the last one ended: who waits for a call looks often."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._guard = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._view = LedgerView([], [], [])
        self._read = 0
        self._last = b""

    def add_to(self, view: LedgerView) -> None:
        """Add all that the file has by now."""
        with self._guard, open(self._path, "rb") as file:
            file.seek(self._read - len(self._last))
            if file.read(len(self._last)) != self._last:
                # Another file has this name now.
                self._begin()
                file.seek(0)
            for line in file:
                # A line without its newline was being written when the node was killed, or is being written now.
                if line.endswith(b"\n"):
                    self._view.take(orjson.loads(line))
                    self._read += len(line)
                    self._last = line
            view.add(self._view)


_reading = lru_cache(maxsize=8)(_Reading)


def read_ledger(*paths: Path | str) -> LedgerView:
    """Read one ledger or the ledgers of several nodes, merged by time. A last line cut short is left out."""
    view = LedgerView([], [], [])
    for path in paths:
        _reading(os.path.abspath(path)).add_to(view)
    for lines in (view.originates, view.steps, view.legs):
        lines.sort(key=attrgetter("t"))
    return view


def live_calls_peak(view: LedgerView, uuids: Iterable[str] | None = None) -> int:
    """The most calls alive at any moment, from accepted originate to end; only those of `uuids` when given."""
    wanted = None if uuids is None else set(uuids)
    starts = ((line.t, 1) for line in view.accepted if wanted is None or line.uuid in wanted)
    ends = (
        (step.t, -1) for step in view.steps if step.event == "end" and (wanted is None or step.uuid in wanted)
    )
    # At one and the same moment ends come first: the switch had freed the channel.
    changes = sorted([*starts, *ends])
    peak = live = 0
    for _, change in changes:
        live += change
        peak = max(peak, live)
    return peak


def window_peak(times: Iterable[float], seconds: float) -> int:
    """The most of `times` within any half-open window (t, t + seconds]; windows start just before each event."""
    ordered = sorted(times)
    peak = 0
    for index, moment in enumerate(ordered):
        # Everything from this event on that is less than `seconds` later.
        peak = max(peak, bisect_right(ordered, moment + seconds - 1e-9) - index)
    return peak
