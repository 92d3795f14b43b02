"""Starts a simulated node as a process of its own: for tests, benches and the demo."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final
from urllib.parse import quote

from simulator.remote import Control

START_SECONDS: Final = 20.0
STOP_SECONDS: Final = 10.0
_ROOT: Final = Path(__file__).resolve().parents[1]
_ANNOUNCEMENT: Final = re.compile(r"ESL listening on [^ ]+:(\d+)(?:, control on [^ ]+:(\d+))?$")


class SimulatorError(Exception):
    """The node did not start; the message is what it wrote."""


class SimulatedNode:
    """A node that lives as long as the `with` block, or as who starts it; options are those of the command line.

    `with SimulatedNode(speed=20, ledger=path) as node: connect(node.host, node.port)`
    """

    def __init__(
        self,
        *,
        name: str = "fs1",
        port: int = 0,
        password: str = "ClueCon",
        seed: int = 1,
        speed: float = 1.0,
        sps: int = 1_000,
        max_sessions: int = 10_000,
        mix: bool = False,
        ledger: Path | None = None,
        cdr_dir: Path | None = None,
        track_calls: Path | None = None,
        gateways: tuple[str, ...] = (),
        heartbeat: float = 20.0,
        faults: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.host = "127.0.0.1"
        self.port = port
        self.password = password
        self.ledger = ledger
        self._control_port = 0
        options: dict[str, object] = {
            "name": name,
            "password": password,
            "seed": seed,
            "speed": speed,
            "sps": sps,
            "max-sessions": max_sessions,
            "ledger": ledger,
            "cdr-dir": cdr_dir,
            "track-calls": track_calls,
            "heartbeat": heartbeat,
            "gateways": ",".join(gateways) or None,
        }
        self._options = [f"--{key}={value}" for key, value in options.items() if value is not None]
        self._options += [f"--fault={fault}" for fault in faults]
        if mix:
            self._options.append("--mix")
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """The node as `FREESWITCH_URLS` writes it."""
        return f"esl://:{quote(self.password, safe='')}@{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        """The process' id; raises SimulatorError when it is not running."""
        return self._running().pid

    @property
    def control(self) -> Control:
        """The node's control port. Raises SimulatorError when it is not running."""
        self._running()
        return Control(self._control_port)

    def fault(self, name: str, **values: float | str) -> None:
        """Let something go wrong: `fault("drop", percent=30)`. `faults.KINDS` has the names. Raises ControlError."""
        self.control.fault(name, **values)

    def clear(self, *names: str) -> None:
        """End the faults of these names; all of them without a name."""
        self.control.clear(*names)

    def start(self) -> None:
        """Start the node and wait until it listens; once known, its ports stay the same over restarts.

        Raises SimulatorError when it ends or says nothing within START_SECONDS.
        """
        ports = [f"--port={self.port}", f"--control-port={self._control_port}"]
        # Whoever started it may be killed without a word, and then nobody would end it.
        ports.append(f"--owner={os.getpid()}")
        command = [sys.executable, "-m", "simulator", *ports, *self._options]
        process = subprocess.Popen(
            command,
            cwd=_ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        watchdog = threading.Timer(START_SECONDS, process.kill)
        watchdog.start()
        assert process.stdout is not None
        line = process.stdout.readline()
        watchdog.cancel()
        announced = _ANNOUNCEMENT.match(line)
        if announced is None:
            process.kill()
            _, errors = process.communicate()
            raise SimulatorError(f"the simulated node {self.name} did not start: {errors or line}")
        self.port, self._control_port = int(announced[1]), int(announced[2])
        self._process = process

    def stop(self) -> int:
        """SIGTERM, as an operator would; its exit status. Raises SimulatorError where the node has failed."""
        return self._end(self._running().terminate)

    def kill(self) -> int:
        """SIGKILL: the node is gone without a word."""
        return self._end(self._running().kill)

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise SimulatorError(f"the simulated node {self.name} is not running")
        return self._process

    def _end(self, signal: Callable[[], None]) -> int:
        process = self._running()
        signal()
        try:
            _, errors = process.communicate(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            _, errors = process.communicate()
        self._process = None
        if process.returncode > 0:
            raise SimulatorError(f"the simulated node {self.name} failed: {errors}")
        return process.returncode

    def __enter__(self) -> SimulatedNode:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self.stop()
