"""The installation that the bench measures from outside: the processes as deployed, one simulated node, a load.

Nothing here knows how the engine works: it is told what to dial through the API, what came of it is read from the
node's ledger and from the event streams, and what it cost from the kernel and from the servers' own counts.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self, cast

import gevent
import orjson
import psycopg
import redis

from bench.delay import Delay
from bench.spent import Spent
from live.keys import campaign_keys
from local.api_client import ApiFailedError
from local.process import end, spawn
from local.simulated_cluster import SimulatorOptions
from local.stack import DRAIN_SECONDS, ROOT, Stack
from tests.e2e.rig import PARK, POLL_SECONDS, Tenant, new_tenant, numbers

ANSWERED = "10"
"""The ending of numbers that answer after 0.1 s and talk for 2."""
UNLIMITED = 100_000
SPEED = 20.0
TERMINAL = ("completed", "failed", "cancelled")
OVER = (*TERMINAL, "pending")
"""What a contact is told to be when its call is over."""
PAGE = 1000
READY_SECONDS = 120.0
PATIENCE_SECONDS = 120.0
TELLING_SECONDS = 20.0


class Stand(Stack):
    """A stack with one node that is never what limits, and with dialers that come and go."""

    def __init__(self, home: Path, *, dialers: int, speed: float, urls: str, said: list[str]) -> None:
        environ = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("CARILLON_")
            and name not in ("DATABASE_URL", "REDIS_URL", "FREESWITCH_URLS", "SECRET_KEY")
        }
        if urls:
            environ["FREESWITCH_URLS"] = urls
        environ |= {"CARILLON_MAX_CONCURRENT_CALLS": str(UNLIMITED), "LOG_LEVEL": "WARNING"}
        super().__init__(
            home,
            port=0,
            dialers=dialers,
            web_workers=1,
            environ=environ,
            simulator=SimulatorOptions(
                nodes=1,
                speed=speed,
                cps=UNLIMITED,
                channels=UNLIMITED,
                arguments=("--sps", "1000000", "--max-sessions", "1000000"),
            ),
            output=lambda name, line: said.append(f"{name}: {line}"),
            restart=False,
        )
        self._dialers: list[int] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    @property
    def key(self) -> str:
        """The first key, of role platform."""
        return (self.home / "demo.key").read_text().strip()

    def pids_of(self, kind: str) -> list[int]:
        """Of the processes of one kind: `dialer`, `web`, `cdr`."""
        return [pid for name, pid in self.pids.items() if name.partition(".")[0] == kind]

    def spent(self) -> Spent:
        """What each part has spent of a processor so far."""
        pids = self.pids
        return Spent.now(
            [*self.pids_of("dialer"), *self._dialers],
            pids["postgres"],
            pids["valkey"],
            [pids[node.name] for node in self.nodes],
            [*self.pids_of("web"), *self.pids_of("cdr")],
        )

    def window(self, seconds: float) -> Window:
        """Let it go on for a while, and say what that took."""
        before = self.spent()
        gevent.sleep(seconds)
        after = self.spent()
        return Window(before.clock, after.clock, after.since(before))

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of a statement, over a connection of the bench's own."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            return connection.execute(statement.encode()).fetchall()

    def without_page_images(self) -> None:
        """Keep out of the WAL what depends on how long ago the last checkpoint was."""
        for statement in ("ALTER SYSTEM SET full_page_writes = off", "SELECT pg_reload_conf()"):
            self.command(statement)

    def command(self, statement: str) -> None:
        """Carry out a statement that has no rows."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(statement.encode())

    def copy_rows(self, table: str, count: int, other: Mapping[str, str], *, where: str = "true") -> None:
        """Make so many rows like the first, whatever columns there are, `other` where it says so; `n` counts them."""
        names = [
            str(name)
            for (name,) in self.sql(
                f"SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND"
                f" table_name = '{table}' AND is_generated = 'NEVER' AND is_identity = 'NO'"
            )
        ]
        chosen = ", ".join(other.get(name, f"model.{name}") for name in names)
        self.command(
            f"INSERT INTO {table} ({', '.join(names)}) SELECT {chosen} FROM"
            f" (SELECT * FROM {table} WHERE {where} LIMIT 1) AS model, generate_series(1, {count}) AS n"
        )

    @contextmanager
    def dialer(self, **environ: str) -> Iterator[None]:
        """One more dialer for the time of this block, with these variables in place of what the others have."""
        process = spawn([sys.executable, "-m", "dialer"], cwd=ROOT, env=self.environ | environ)
        self._dialers.append(process.pid)
        try:
            self.wait_ready(READY_SECONDS)
            yield
        finally:
            end(process, signal.SIGTERM, grace=DRAIN_SECONDS)
            self._dialers.remove(process.pid)

    @contextmanager
    def distant_dialer(self, seconds: float) -> Iterator[None]:
        """One more dialer, each of whose statements takes so much longer to reach PostgreSQL."""
        port = int(self.database_url.rpartition("/")[0].rpartition(":")[2])
        with closing(Delay(port, seconds)) as way:
            there = self.database_url.replace(f":{port}/", f":{way.port}/")
            with self.dialer(DATABASE_URL=there):
                yield


@dataclass(frozen=True, slots=True)
class Window:
    """From when to when of the wall clock, and what was spent in it."""

    began: float
    ended: float
    spent: Spent

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.ended - self.began


@contextmanager
def stand(*, dialers: int = 1, speed: float = SPEED, urls: str = "") -> Iterator[Stand]:
    """A stand that is ready; without dialers of its own it is once one comes. `urls` name other nodes."""
    said: list[str] = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)
        try:
            with Stand(folder / "home", dialers=dialers, speed=speed, urls=urls, said=said) as running:
                if dialers:
                    running.wait_ready(READY_SECONDS)
                yield running
        except BaseException:
            print("\n".join(said[-100:]))
            raise


@dataclass(slots=True)
class Load:
    """Campaigns of one tenant that are dialled together."""

    stand: Stand
    tenant: Tenant
    campaigns: list[str]
    accepted: int

    def start(self) -> None:
        """Dial, from draft or after a pause."""
        for campaign_id in self.campaigns:
            self.tenant.act(campaign_id, "start")

    def pause(self) -> None:
        """Place no more calls, and return once none is in flight."""
        for campaign_id in self.campaigns:
            # One whose list is at its end is over.
            with suppress(ApiFailedError):
                self.tenant.act(campaign_id, "pause")
        # Seldom: what the question costs PostgreSQL is counted as the calls' own.
        wait_for(lambda: not self._count("originated", "connected"), "the end of the calls", every=0.5)

    @contextmanager
    def dialled(self, warm_up: float = 1.5) -> Iterator[None]:
        """Dial for the time of this block, which begins a while after the first call."""
        self.start()
        self.wait_begun()
        gevent.sleep(warm_up)
        yield
        self.pause()

    def wait_begun(self) -> None:
        """Return once somebody was called."""
        wait_for(lambda: self.left() < self.accepted, "the first call", every=0.1)

    def left(self) -> int:
        """Contacts that nobody has called yet. A window that they do not outlast measured something else."""
        return self._count("pending")

    def over(self) -> int:
        """Contacts that are settled."""
        return self._count(*TERMINAL)

    def _count(self, *states: str) -> int:
        found = self.tenant.api.every("/api/v1/campaigns", "campaigns")
        return sum(row["counts"][state] for row in found for state in states)


def load(
    at: Stand,
    campaigns: int,
    contacts: int,
    *,
    ending: str = ANSWERED,
    gateway: Mapping[str, Any] | None = None,
    limits: Mapping[str, int | None] | None = None,
    **fields: object,
) -> Load:
    """A tenant with so many campaigns of so many contacts each, in draft."""
    tenant = new_tenant(at, action=PARK, gateway=gateway, limits=limits)
    given = {"max_concurrent_calls": UNLIMITED} | fields
    made = [tenant.campaign(numbers(ending, count=contacts), **given) for _ in range(campaigns)]
    return Load(at, tenant, made, campaigns * contacts)


@dataclass(slots=True)
class Account:
    """What the node did and what the streams tell, by the id of the call: moments of the wall clock."""

    placed: dict[str, float] = field(default_factory=dict)
    answered: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    told: dict[str, float] = field(default_factory=dict)
    """When the end of a call was in its campaign's stream: its contact is settled, or waits for another try."""
    numbers: list[str] = field(default_factory=list)
    """Every number that was dialled, as often as it was."""
    steps: list[float] = field(default_factory=list)
    """Of everything that the node did about calls, in order."""
    read_to: dict[str, str] = field(default_factory=dict)
    """By campaign, the last entry of its stream that was read."""

    @property
    def placed_at(self) -> list[float]:
        """When calls were placed, in order."""
        return sorted(self.placed.values())

    @property
    def told_at(self) -> list[float]:
        """When the ends of calls were in the streams, in order."""
        return sorted(self.told.values())


def account(loaded: Load) -> Account:
    """Of one load, as it stands now."""
    found = Account()
    wanted = set(loaded.campaigns)
    for node in loaded.stand.nodes:
        read_ledger(found, node.ledger.read_bytes().splitlines(), wanted)
    found.steps.sort()
    with redis.Redis.from_url(loaded.stand.redis_url, decode_responses=True) as client:
        for campaign_id in loaded.campaigns:
            read_stream(found, campaign_id, entries(client, loaded.stand.settings.redis_prefix, campaign_id))
    return found


def settled(loaded: Load) -> Account:
    """Of one load that was paused, once the streams have what the node has ended; what they miss then is lost."""
    until = time.monotonic() + TELLING_SECONDS
    prefix = loaded.stand.settings.redis_prefix
    with redis.Redis.from_url(loaded.stand.redis_url, decode_responses=True) as client:
        while not (found := account(loaded)).told.keys() >= found.ended.keys():
            left_ms = round((until - time.monotonic()) * 1000)
            if left_ms <= 0:
                break
            read = {
                campaign_keys(prefix, name).stream: found.read_to.get(name, "0") for name in loaded.campaigns
            }
            # One entry behind what was read is enough to read on.
            client.xread(read, count=1, block=left_ms)
    return found


def read_ledger(found: Account, lines: Sequence[bytes], campaigns: set[str]) -> None:
    """Add what a node's ledger says of these campaigns."""
    for raw in lines:
        line = orjson.loads(raw)
        kind = line.get("event")
        uuid = line.get("uuid")
        if kind == "originate" and line["campaign"] in campaigns and line["result"] == "accepted":
            found.placed[uuid] = line["t"]
            found.numbers.append(line["number"])
        elif kind == "answer" and uuid in found.placed:
            found.answered[uuid] = line["t"]
            found.steps.append(line["t"])
        elif kind in ("ring", "end") and uuid in found.placed:
            found.steps.append(line["t"])
            if kind == "end":
                found.ended[uuid] = line["t"]


Entry = tuple[str, Mapping[str, str]]


def entries(client: redis.Redis, prefix: str, campaign_id: str) -> Iterator[Entry]:
    """The entries of a campaign's stream, page by page."""
    stream, begin = campaign_keys(prefix, campaign_id).stream, "-"
    while page := cast("list[Entry]", client.xrange(stream, min=begin, count=PAGE)):
        yield from page
        begin = f"({page[-1][0]}"


def read_stream(found: Account, campaign_id: str, stream: Iterator[Entry]) -> None:
    """Add when the ends of calls were told."""
    for entry_id, values in stream:
        found.read_to[campaign_id] = entry_id
        data = orjson.loads(values["data"])
        if data.get("call_id") and data["status"] in OVER:
            found.told[data["call_id"]] = int(entry_id.partition("-")[0]) / 1000


def rounds(quick: bool) -> int:
    """How often each side of a comparison has its turn."""
    return 1 if quick else 6


def seconds(quick: bool) -> float:
    """How long a window is."""
    return 2.0 if quick else 5.0


def wait_for(condition: Callable[[], object], what: str, *, every: float = POLL_SECONDS) -> None:
    """Return once it holds; it is asked each `every` seconds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come about within {PATIENCE_SECONDS} s"
        gevent.sleep(every)
