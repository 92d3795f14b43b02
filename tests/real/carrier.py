"""The called party of these tests: SIPp with our number plan, and its log of every message that reached it.

The log is the witness: it is written by a program that knows nothing of ours, from what came over the wire.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from tests.waiting import wait_until

PLAN = Path(__file__).with_name("plan.xml")
_REGISTERED = """
300 301 302 305 380
400 401 402 403 404 405 406 407 408 409 410 411 412 413 414 415 416 417 420 421 423 424 425 428 429 430 433 436
437 438 439 440 469 470 480 481 482 483 484 485 486 487 488 489 491 493 494 499
500 501 502 503 504 505 513 555 580 599
600 603 604 606 607 608 699
"""
STATUSES = tuple(map(int, _REGISTERED.split()))
"""Every registered final response, and the last of each class: SIPp takes scenarios of up to 64 KB. Not 422, which a
node answers by itself, with another INVITE that proposes a longer session."""
_LINE = re.compile(
    r"(INVITE|REINVITE|CANCEL|BYE-IN|BYE-OUT) t=\S+\s+\S+\s+([0-9.]+) num=(\S*) call-id=(\S+)"
    r"(?: from=(\S*) pai=(\S*) rpid=(\S*) port=([0-9]*))?"
)
_RESPONSE = """
<label id="F{status}"/>
<send retrans="500"><![CDATA[

SIP/2.0 {status} [$phrase]
[last_Via:]
From:[$from]
To:[$to];tag=[pid]p[call_number]
Call-ID: [call_id]
CSeq: [$cseq] INVITE
{contact}
[$extra]
Content-Length: 0

]]></send>
<recv request="ACK"/>
<nop next="END"/>
"""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a call, as the called party saw it; `t` is seconds of the epoch.

    An INVITE tells who calls: the user in From (`caller`), P-Asserted-Identity (`asserted`) and Remote-Party-ID
    (`remote_party`), "" where there is no such header; and where the answer goes: the `port` in Contact, which is its
    node's profile's.
    """

    kind: str
    t: float
    number: str
    sip_call_id: str
    caller: str
    asserted: str
    remote_party: str
    port: int | None = None


class Carrier:
    """SIPp on 127.0.0.1, as long as the `with` block lasts."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self._folder = folder
        self._log = folder / "messages.log"
        self._errors = folder / "errors.log"
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def program() -> str | None:
        """Where SIPp is; None where there is none."""
        return shutil.which("sipp")

    def messages(self) -> list[Message]:
        """Everything that has been logged so far, in order."""
        return [
            Message(
                m[1], float(m[2]), m[3], m[4], m[5] or "", m[6] or "", m[7] or "", int(m[8]) if m[8] else None
            )
            for m in map(_LINE.match, self._lines())
            if m
        ]

    def invites(self, numbers: Sequence[str]) -> list[Message]:
        """The INVITEs to these numbers, in order; retransmissions are not among them."""
        wanted = set(numbers)
        return [m for m in self.messages() if m.kind == "INVITE" and m.number in wanted]

    def __enter__(self) -> Carrier:
        scenario = self._folder / "scenario.xml"
        scenario.write_text(scenario_text())
        program = self.program()
        assert program is not None
        with (self._folder / "stderr").open("wb") as errors:
            self._process = self._started(program, scenario, errors)
        wait_until(self._listening, what="SIPp's socket")
        return self

    def _started(self, program: str, scenario: Path, errors: IO[bytes]) -> subprocess.Popen[bytes]:
        options = (
            f"-i 127.0.0.1 -p {self.port} -mi 127.0.0.1 -t u1 -l 5000 -nostdin -aa -trace_logs -trace_err"
        )
        files: list[str | Path] = ["-sf", scenario, "-log_file", self._log, "-error_file", self._errors]
        return subprocess.Popen(
            [program, *options.split(), *files],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _listening(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            said = (self._folder / "stderr").read_text(errors="replace")
            raise AssertionError(f"SIPp does not start: {said}")
        return f":{self.port:04X} " in Path("/proc/net/udp").read_text()

    def _lines(self) -> list[str]:
        return self._log.read_text(errors="replace").splitlines() if self._log.exists() else []


def scenario_text() -> str:
    """The plan with a branch for every final response."""
    asked = "".join(
        f'<ereg regexp="{status}" search_in="var" variable="digits" assign_to="f{status}"/>'
        for status in STATUSES
    )
    tests = [f'<nop next="F{status}" test="f{status}"/>' for status in STATUSES]
    responses = [
        _RESPONSE.format(
            status=status,
            contact="Contact: <sip:+12125550110@[local_ip]:[local_port]>"
            if status < 400
            else "Contact: <sip:[local_ip]:[local_port]>",
        )
        for status in STATUSES
    ]
    branches = "\n".join([f"<nop><action>{asked}</action></nop>", *tests])
    return (
        PLAN.read_text()
        .replace("<!-- branches -->", branches)
        .replace("<!-- responses -->", "".join(responses))
    )
