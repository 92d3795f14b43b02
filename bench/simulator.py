"""How many calls a second one simulated node carries on one core, with a raw client that does nothing but count.

`python bench/simulator.py [--seconds 8] [--events few|all] [--at-least CALLS]` keeps a window of calls in flight, so
that the node is always busy. It prints calls per second by the clock and per second of the node's own CPU time: the
same on a machine with nothing else to do. Where they differ, the last line says who had the cores meanwhile, and for
how long the node was ready to run and had to wait for one. With fewer than `--at-least` calls for each second of CPU
time it exits 1.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import time
from dataclasses import astuple, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from simulator.process import SimulatedNode

FEW = "CHANNEL_CREATE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_ANSWER CHANNEL_HANGUP_COMPLETE BACKGROUND_JOB"
ALL = (
    "CHANNEL_OUTGOING CHANNEL_CREATE CHANNEL_ORIGINATE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_ANSWER "
    "CHANNEL_PARK CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE CHANNEL_DESTROY BACKGROUND_JOB"
)
WINDOW = 800
ENDED = b'"Event-Name":"CHANNEL_HANGUP_COMPLETE"'
VARIABLES = (
    "origination_uuid={uuid},origination_caller_id_number=15551230000,origination_caller_id_name=Carillon,"
    "ignore_early_media=true,originate_timeout=46,dialer_id=d0192f3a4b5c6,dialer_tenant=demo,dialer_campaign={uuid},"
    "dialer_contact={uuid},outbound_redirect_fatal=true,"
    "execute_on_originate='limit hash carillon {uuid} 1/3600 !LOSE_RACE',"
    "execute_on_ring='sched_hangup +30 NO_ANSWER',"
    "execute_on_pre_answer='sched_hangup +30 NO_ANSWER',api_on_answer='sched_del {uuid}',"
    "api_hangup_hook='hash insert/carillon/{uuid}/done',carillon_first_name=Ada,carillon_order_id=A-1001"
)


def originate(number: int) -> bytes:
    """One call that is answered after 0.1 s and ended by the far end after 2 s."""
    uuid = f"0192f3a4-b5c6-7000-8000-{number:012x}"
    variables = VARIABLES.format(uuid=uuid)
    line = (
        f"bgapi originate {{{variables}}}sofia/gateway/carrier/1555{number % 10_000:04}10 "
        "'m:^:sched_hangup:+1800 ALLOTTED_TIMEOUT^park:' inline"
    )
    return f"{line}\nJob-UUID: d0192f3a4b5c6.{uuid}\n\n".encode()


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds so far: by the clock, of CPU time of the node, of this client and of everybody, and of the node's waits
    for a core."""

    clock: float
    node: float
    client: float
    everybody: float
    waited: float

    @classmethod
    def now(cls, pid: int) -> Usage:
        """As it stands; `pid` is the node's."""
        tick = os.sysconf("SC_CLK_TCK")
        ran, waited, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
        # user, nice, system, idle, iowait, irq, softirq, steal: what is neither idle nor waiting for a disk.
        spent = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        everybody = (sum(spent) - spent[3] - spent[4]) / tick
        return cls(time.monotonic(), int(ran) / 1e9, time.process_time(), everybody, int(waited) / 1e9)

    def since(self, before: Usage) -> Usage:
        """What came to it."""
        return Usage(*(now - then for now, then in zip(astuple(self), astuple(before), strict=True)))


def measure(node: SimulatedNode, seconds: float, events: str) -> float:
    """Keep WINDOW calls in flight for `seconds` and print what came of it; the calls for each second of CPU time."""
    with socket.create_connection((node.host, node.port)) as client:
        client.sendall(
            b"auth ClueCon\n\nevent json "
            + events.encode()
            + b"\n\nfilter variable_dialer_id d0192f3a4b5c6\n\n"
        )
        client.sendall(b"filter Job-UUID /^d0192f3a4b5c6\\./\n\n")
        before = Usage.now(node.pid)
        sent = ended = received = 0
        tail = b""
        while time.monotonic() - before.clock < seconds:
            fresh = WINDOW - (sent - ended)
            if fresh > 0:
                client.sendall(b"".join(originate(sent + index) for index in range(fresh)))
                sent += fresh
            data = client.recv(1 << 20)
            received += len(data)
            ended += (tail + data).count(ENDED)
            tail = data[-len(ENDED) + 1 :]
        used = Usage.now(node.pid).since(before)
    print(
        f"{ended / used.clock:,.0f} calls/s by the clock, {ended / used.node:,.0f} per CPU second of the node: "
        f"{ended:,} calls in {used.clock:.1f} s, {received / used.clock / 1e6:.0f} MB/s of events"
    )
    others = max(0.0, used.everybody - used.node - used.client)
    print(
        f"of {os.cpu_count()} cores the node had {used.node / used.clock:.2f}, this client "
        f"{used.client / used.clock:.2f}, others {others / used.clock:.2f}; the node was ready to run and waited for "
        f"a core for {used.waited:.1f} s of {used.clock:.1f} s"
    )
    return ended / used.node


def main() -> int:
    """Run the bench once; 1 where it fell short of what was asked of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--events", choices=["few", "all"], default="all")
    parser.add_argument("--at-least", type=float, default=0.0)
    found = parser.parse_args()
    with (
        TemporaryDirectory() as folder,
        SimulatedNode(
            speed=20, sps=1_000_000, max_sessions=1_000_000, ledger=Path(folder) / "ledger.jsonl"
        ) as node,
    ):
        calls = measure(node, min(found.seconds, 10.0), ALL if found.events == "all" else FEW)
    return 0 if calls >= found.at_least else 1


if __name__ == "__main__":
    sys.exit(main())
