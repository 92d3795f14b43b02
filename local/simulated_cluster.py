"""A simulated FreeSWITCH cluster: the nodes that the dialers connect to when FREESWITCH_URLS is unset."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.errors import LocalError, ServerFailedError
from local.process import START_SECONDS
from local.supervisor import Child, Output
from simulator.remote import Control

LISTENING = re.compile(r"ESL listening on 127\.0\.0\.1:(\d+)(?:, control on 127\.0\.0\.1:(\d+))?")


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """How the simulated nodes behave.

    `speed` divides every duration of a call; `cps` and `channels` are what the dialers are told a node takes, below
    the 30 sessions per second and the 1,000 sessions of a stock node; `arguments` go to each simulator as they are.
    """

    nodes: int = 2
    speed: float = 1.0
    seed: int = 1
    cps: int = 29
    channels: int = 900
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """A simulated node: its ESL `url` for FREESWITCH_URLS, and the files that tell what it did."""

    name: str
    url: str
    ledger: Path
    cdr_dir: Path


class SupervisedNode:
    """One simulator under supervision. It keeps its port when it is started again."""

    def __init__(
        self,
        home: Path,
        number: int,
        options: SimulatorOptions,
        *,
        env: Mapping[str, str],
        cwd: Path,
        output: Output,
    ) -> None:
        self.name = f"fs{number}"
        self.ledger = home / f"ledger-{self.name}.jsonl"
        self.cdr_dir = home / "cdr" / self.name
        self._tracked = home / "tracked" / self.name
        self._options = options
        self._number = number
        self._port = 0
        self._control_port: int | None = None
        self._listening = threading.Event()
        self.child = Child(self.name, self._argv(), env=env, cwd=cwd, output=output, on_line=self._on_line)

    def start(self) -> None:
        """Begin; returns at once."""
        for folder in (self.cdr_dir.parent, self.cdr_dir, self._tracked.parent, self._tracked):
            folder.mkdir(mode=0o700, exist_ok=True)
        self.child.start()

    def wait_ready(self) -> Node:
        """The node once it listens. Raises ServerFailedError where it does not."""
        if not self._listening.wait(START_SECONDS):
            raise ServerFailedError(
                f"the simulated node {self.name}", f"it does not listen after {START_SECONDS:.0f} s"
            )
        options = self._options
        url = f"esl://:ClueCon@127.0.0.1:{self._port}?cps={options.cps}&channels={options.channels}&name={self.name}"
        return Node(self.name, url, self.ledger, self.cdr_dir)

    @property
    def control(self) -> Control:
        """Where faults can be ordered from it. Raises LocalError where its options name no `--control-port`."""
        if self._control_port is None:
            raise LocalError(f"the simulated node {self.name} has no control port")
        return Control(self._control_port)

    def _argv(self) -> list[str | Path]:
        options = self._options
        argv: list[str | Path] = [sys.executable, "-m", "simulator", "--port", str(self._port)]
        argv += ["--name", self.name, "--ledger", self.ledger, "--cdr-dir", self.cdr_dir]
        argv += ["--track-calls", self._tracked]
        argv += [
            "--seed",
            str(options.seed + self._number),
            "--speed",
            str(options.speed),
            *options.arguments,
        ]
        return argv

    def _on_line(self, line: str) -> None:
        if match := LISTENING.search(line):
            self._port = int(match[1])
            self._control_port = None if match[2] is None else int(match[2])
            self.child.argv = self._argv()
            self._listening.set()
