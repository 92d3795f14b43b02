"""Every line of the bench: one module of `bench/lines/` each, found by its file.

To add one: a module in the folder that it fits, with a function `measure(quick: bool) -> Sequence[Row]`; the file's
name is the line's (`single_bytes.py`: `single-bytes`), and nothing lists it. `quick` asks to be done within seconds,
with less of everything. What a figure is compared with should be measured in the same run, so that the verdict says
something about the code and not about the machine: a peer, a second setting, a smaller load. CPU time says more than
the clock's on a machine that has other work. Each line runs in a process of its own, with gevent's standard library
as the processes of Carillon have it, so it may take memory or be killed. One that has a processor busy and tells of
nothing but processor time says `IN_PAIRS = True`: with `--quick` two of these are measured beside each other.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.table import Row

FOLDER = Path(__file__).with_name("lines")

_IN_PAIRS = re.compile(r"^IN_PAIRS = True$", re.MULTILINE)

Measure = Callable[[bool], Sequence[Row]]


def lines() -> dict[str, str]:
    """The module of each line by its name, subject by subject."""
    found: dict[str, str] = {}
    for path in sorted(FOLDER.glob("*/*.py")):
        if path.stem == "__init__":
            continue
        name = path.stem.replace("_", "-")
        assert name not in found, f"two lines are called {name}"
        found[name] = f"bench.lines.{path.parent.name}.{path.stem}"
    return found


def subject(module: str) -> str:
    """The folder that a line's module lies in."""
    return module.split(".")[2]


def measure_of(module: str) -> Measure:
    """What measures a line."""
    function: Measure = importlib.import_module(module).measure
    return function


def in_pairs(module: str) -> bool:
    """Whether another line may be measured beside this one. Its module is read and not imported: it wants gevent's
    standard library."""
    path = FOLDER.joinpath(*module.split(".")[2:]).with_suffix(".py")
    return _IN_PAIRS.search(path.read_text(encoding="utf-8")) is not None
