"""Tries mutations where a pytest run costs little: which of them no test notices."""

from __future__ import annotations

import os
import queue
import re
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from tests.folders import folder_of_a_run
from tests.mutations.mutation import Mutation
from tests.mutations.tree import NotMutableError
from tests.mutations.workplace import Ran, Workplace
from tests.shared_postgres import shared

PREFIX = "carillon-mutations-"
FAILED = 1
"""pytest's exit status where tests ran and some failed; any other says that they did not run."""
SOME_FAILED = re.compile(r"^\d+ failed\b", re.MULTILINE)
"""How pytest counts tests that failed, in its last words of its own."""
NOT_PASSED = re.compile(r"^(?:FAILED|ERROR) ([^\s\[]+)", re.MULTILINE)
"""How pytest names a test that did not pass, its parameters left out."""

TOLD = 2000
"""How many characters of what pytest said are shown."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A mutation that was tried with one test: why it counts as not caught ("": it was), and what that cost."""

    mutation: Mutation
    missed: str
    seconds: float = 0.0
    processor_seconds: float = 0.0


@dataclass(slots=True)
class Tried:
    """What came of one mutation so far, of which so many trials are left."""

    mutation: Mutation
    left: int
    missed: list[str] = field(default_factory=list)
    seconds: float = 0.0
    processor_seconds: float = 0.0

    def count(self, trial: Trial) -> None:
        """One more of its trials is over."""
        self.left -= 1
        self.seconds += trial.seconds
        self.processor_seconds += trial.processor_seconds
        if trial.missed:
            self.missed.append(trial.missed)


@dataclass(slots=True)
class File:
    """The mutations to try with the tests of one file, each (mutation, test)."""

    path: str
    trials: list[tuple[Mutation, str]] = field(default_factory=list)

    @property
    def tests(self) -> list[str]:
        """Each test once."""
        return list(dict.fromkeys(test for _, test in self.trials))


Results = queue.SimpleQueue[Trial | BaseException]


@contextmanager
def workplaces(number: int) -> Iterator[list[Workplace]]:
    """So many, and all that belongs to them until the end of the block."""
    with folder_of_a_run(PREFIX) as folder, ExitStack() as open_:
        homes = [folder / str(i) for i in range(number)]
        servers = [open_.enter_context(shared(home / "servers")) for home in homes]
        yield [
            open_.enter_context(Workplace(home, server)) for home, server in zip(homes, servers, strict=True)
        ]


def tried_with(place: Workplace, mutation: Mutation, test: str, *, own_servers: bool = False) -> Trial:
    """Try a mutation with one of its tests."""
    began = time.monotonic()
    try:
        ran = place.run([test], "-x", broken=mutation, own_servers=own_servers)
    except NotMutableError as error:
        return Trial(mutation, str(error))
    missed = "" if _caught(ran) else f"{test} {_told(ran)}"
    return Trial(mutation, missed, time.monotonic() - began, ran.processor_seconds)


def _caught(ran: Ran) -> bool:
    # Where pytest is missing, or a server did not start, it is 1 as well.
    return ran.status == FAILED and SOME_FAILED.search(ran.said) is not None


def _told(ran: Ran) -> str:
    how = "did not end" if ran.status is None else f"ended with status {ran.status}"
    return f"{how}\n{ran.said[-TOLD:]}"


def try_all(mutations: Sequence[Mutation], at_once: int) -> Generator[Tried, None, None]:
    """Each mutation once it has been tried with every test that is to catch it, in any order.

    The tests of a file run on the unbroken project first, together: a test that does not pass there catches nothing.
    """
    waiting: queue.SimpleQueue[File] = queue.SimpleQueue()
    results: Results = queue.SimpleQueue()
    files = _by_file(mutations)
    for file in files:
        waiting.put(file)
    tried = {mutation.name: Tried(mutation, len(mutation.tests)) for mutation in mutations}
    with ThreadPoolExecutor(at_once) as threads, workplaces(min(at_once, len(files))) as places:
        for place in places:
            threads.submit(_work, place, waiting, results)
        for _ in range(sum(len(file.trials) for file in files)):
            result = results.get()
            if isinstance(result, BaseException):
                raise result
            one = tried[result.mutation.name]
            one.count(result)
            if not one.left:
                yield one


def _by_file(mutations: Sequence[Mutation]) -> list[File]:
    """The largest first, so that the last of them takes nobody long."""
    files: dict[str, File] = {}
    for mutation in mutations:
        for test in mutation.tests:
            path = test.partition("::")[0]
            files.setdefault(path, File(path)).trials.append((mutation, test))
    return sorted(files.values(), key=lambda file: -len(file.trials))


def _work(
    place: Workplace,
    waiting: queue.SimpleQueue[File],
    results: Results,
) -> None:
    """Take files until none waits, or the workplace is closed."""
    try:
        while True:
            file = waiting.get_nowait()
            whole, own = place.run(file.tests), False
            if failing := not_passed(whole, file.tests):
                # Some stop PostgreSQL, to which nobody else must be connected then.
                whole, own = place.run(file.tests, own_servers=True), True
                failing = not_passed(whole, file.tests)
            for mutation, test in file.trials:
                if test in failing:
                    results.put(Trial(mutation, f"{test} without the mutation {_told(whole)}"))
                else:
                    results.put(tried_with(place, mutation, test, own_servers=own))
    except queue.Empty:
        pass
    # Whatever it is ends the whole; nobody listens where the whole has been ended.
    except BaseException as error:
        results.put(error)


def not_passed(ran: Ran, tests: Sequence[str]) -> frozenset[str]:
    """Those of these tests that did not pass on the project as it is; all of them where that cannot be told."""
    if ran.status == 0:
        return frozenset()
    named = {test.partition("::")[2] for test in NOT_PASSED.findall(ran.said)}
    found = {test for test in tests if test.partition("::")[2] in named}
    return frozenset(found if ran.status == FAILED and found else tests)


def processors() -> int:
    """How many there are for us."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
