"""The power goes: everything dies at once, servers included, and what starts in the same home goes on from there."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.demo import collect
from local.process import PROC, tail
from local.stack import ROOT, Stack
from simulator.ledger import read_ledger
from tests.chaos.stage import signal_all
from tests.e2e.parts import SHORT
from tests.e2e.rig import new_tenant, numbers, polled, unexplained
from tests.integration.local.owner_process import running

CONTACTS = 120
CONCURRENT = 12
ENDINGS = ("10", "00", "01", "08", "03")
OWNER = """
import sys
from pathlib import Path
from local.server import serve, show
from local.stack import ROOT, Stack
from local.simulated_cluster import SimulatorOptions
home, port = Path(sys.argv[1]), int(sys.argv[2])
simulator = SimulatorOptions(speed=10.0, cps=40, arguments=('--sps', '60'))
sys.exit(serve(lambda: Stack(
    home, port=port, dialers=2, web_workers=2, simulator=simulator, output=show
)))
"""
"""What `script/server` does, with nodes that are faster than life."""


@contextlib.contextmanager
def powered(front: Stack) -> Iterator[subprocess.Popen[bytes]]:
    """A process that owns everything of `front` (which is not started itself), servers included; ready."""
    log = front.home.with_suffix(".log")
    with open(log, "ab") as said:
        process = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(front.home), str(front.settings.port)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=said,
            stderr=said,
        )
    try:
        front.wait_ready()
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(60)
        process.kill()
        process.wait()
        print(tail(log, 400))


def cut_power(owner: subprocess.Popen[bytes]) -> None:
    """Kill this process and everything that it started at once; nobody gets to know of anybody's death."""
    owner.send_signal(signal.SIGSTOP)
    started = descendants(owner.pid)
    signal_all([*started, owner.pid], signal.SIGKILL)
    owner.wait(30)
    polled(lambda: not any(running(pid) for pid in started), "the end of everything")


def descendants(pid: int) -> list[int]:
    """Every process that this one started, and those that they started."""
    found = []
    for children in PROC.glob(f"{pid}/task/*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, children.read_text().split()):
                found += [child, *descendants(child)]
    return found


@pytest.mark.full
def test_after_a_power_cut_everything_starts_again_and_the_proof_holds(server_home: Path) -> None:
    front = Stack(server_home / "power", port=0)
    ledgers = [front.home / f"ledger-fs{number}.jsonl" for number in (1, 2)]
    with powered(front) as owner:
        tenant = new_tenant(front, agent=SHORT)
        campaign = tenant.campaign(numbers(*ENDINGS, count=CONTACTS), max_concurrent_calls=CONCURRENT)
        tenant.act(campaign, "start")
        tenant.wait_touched(campaign, CONTACTS // 3)
        cut_power(owner)
    cut = read_ledger(*ledgers)
    lost = cut.unfinished()
    assert lost, "no call was up: nothing was proven"
    assert len(cut.originates) < CONTACTS
    with powered(front):
        tenant.wait_over(campaign)
        found, calls, proof = collect(tenant.api, campaign, ledgers)
    assert found["end_reason"] == "exhausted"
    assert unexplained(proof, calls, lost, forgetful=True) == []
    placed = Counter(line.number for line in read_ledger(*ledgers).accepted)
    assert set(placed.values()) == {1}
    unknown = [call for call in calls if call["disposition"] == "outcome_unknown"]
    assert len(unknown) <= CONCURRENT
