"""People who call a node while it dials for us: SIPp again, and what the node says of their calls.

They show whether anything of ours is in the switch's way. Their calls need a dialplan that answers whatever number
arrives at the profile of the gateway, and leaves the call up.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import orjson

from freeswitch.connection import EslConnection
from settings import NodeSettings
from tests.real.carrier import Carrier
from tests.real.machine import ask
from tests.waiting import wait_until

SCENARIO = Path(__file__).with_name("inbound.xml")
SERVICE = "2000"
REPORT_SECONDS = 20.0
_LINE = re.compile(r"(BYE|OVER) t=\S+\s+\S+\s+([0-9.]+) call-id=(\S+)")
_PORT = re.compile(r"^URL\s+sip:mod_sofia@[^:\s]+:(\d+)", re.MULTILINE)
_ADDRESS = re.compile(r"^SIP-IP\s+(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of some calls: seconds from each BYE to its 200, and to the node's report of the hang-up."""

    asked: int
    answered: list[float]
    reported: list[float]

    def __str__(self) -> str:
        def spread(seconds: list[float]) -> str:
            if not seconds:
                return "none"
            in_order = sorted(seconds)
            p99 = in_order[min(len(in_order) - 1, len(in_order) * 99 // 100)]
            return f"p50 {median(in_order) * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, most {in_order[-1] * 1000:.0f} ms"

        return (
            f"{len(self.answered)} of {self.asked} calls; BYE to 200: {spread(self.answered)};"
            f" BYE to CHANNEL_HANGUP_COMPLETE: {spread(self.reported)}"
        )


class Callers:
    """Calls one node, and listens to what it reports, as a `with` block."""

    def __init__(self, node: NodeSettings, folder: Path) -> None:
        self._node = node
        self._folder = folder
        self._reported: dict[str, float] = {}
        self._esl: EslConnection[dict[str, str]] = EslConnection(
            node.host,
            node.port,
            node.password,
            decode=orjson.loads,
            on_event=self._note,
            on_close=lambda _: None,
            silence_seconds=300,
        )

    def __enter__(self) -> Callers:
        (status,) = ask(self._node, "sofia status profile external")
        port = _PORT.search(status)
        address = _ADDRESS.search(status)
        assert port is not None
        assert address is not None
        self._target = f"{address[1]}:{port[1]}"
        self._esl.connect()
        for line in ("filter Call-Direction inbound", "event json CHANNEL_HANGUP_COMPLETE"):
            assert self._esl.send_command(line).startswith("+OK")
        return self

    def __exit__(self, *_: object) -> None:
        self._esl.close()

    def call(self, count: int, rate: int, name: str) -> Heard:
        """`count` calls, `rate` a second; returns when all of them are over, or have failed."""
        log = self._folder / f"{name}.log"
        program = Carrier.program()
        assert program is not None
        options = (
            f"{self._target} -i 127.0.0.1 -mi 127.0.0.1 -s {SERVICE} -m {count} -r {rate} -l {count} -nostdin"
        )
        limits = "-timeout 60 -recv_timeout 15000 -trace_logs"
        with (self._folder / f"{name}.out").open("wb") as output:
            subprocess.run(
                [program, "-sf", SCENARIO, *options.split(), *limits.split(), "-log_file", log],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=False,
                timeout=120,
            )
        times: dict[str, dict[str, float]] = {"BYE": {}, "OVER": {}}
        for kind, at, call_id in _LINE.findall(log.read_text(errors="replace")):
            times[kind][call_id] = float(at)
        byes, overs = times["BYE"], times["OVER"]
        wait_until(
            lambda: overs.keys() <= self._reported.keys(),
            "the report of every hang-up",
            seconds=REPORT_SECONDS,
        )
        return Heard(
            count,
            [overs[call_id] - byes[call_id] for call_id in overs],
            [self._reported[call_id] - byes[call_id] for call_id in overs],
        )

    def _note(self, event: Mapping[str, str]) -> None:
        self._reported[event.get("variable_sip_call_id", "")] = time.time()
