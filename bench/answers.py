"""What an answer costs its web worker, and what a page of a long list costs beside one of a short list."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import gevent
import requests
from flask import Flask, jsonify

from app import create_app
from bench.imports import HEADERS, served
from bench.table import Bound, Figure
from tests.integration.api.site import Site
from tests.integration.api.test_concurrency import Service

A_SECOND = 200
AT_ONCE = 20


def with_an_empty_answer() -> Flask:
    """The application, and beside it a view that does nothing: what every answer costs on this server."""
    app = create_app()
    app.add_url_rule("/bench/empty", "empty", lambda: jsonify({}))
    return app


def cpu(quick: bool) -> Sequence[Figure]:
    """CPU time of the worker for an answer, 200 a second, beside `{}` from the same server, in turns."""
    seconds, rounds = (1.0, 3) if quick else (5.0, 6)
    paths = {"nothing": "/bench/empty"}
    spent: dict[str, list[float]] = {"nothing": []}
    with served(1, "bench.answers:with_an_empty_answer()") as (site, service, _):
        campaign_id = site.create(1000)
        paths["contacts?limit=100"] = f"/api/v1/campaigns/{campaign_id}/contacts?limit=100"
        paths["GET campaign"] = f"/api/v1/campaigns/{campaign_id}"
        (worker,) = (
            int(pid) for pid in Path(f"/proc/{service.pid}/task/{service.pid}/children").read_text().split()
        )
        for path in paths.values():
            asked(service, path, 0.2)
        for _ in range(rounds):
            for name, path in paths.items():
                before = cpu_seconds(worker)
                answers = asked(service, path, seconds)
                spent.setdefault(name, []).append((cpu_seconds(worker) - before) / answers)
    times = {name: statistics.median(found) for name, found in spent.items()}
    beside = f"{{}} of the same server, {times['nothing'] * 1e6:.0f} µs"
    return [
        Figure(f"CPU of {name}", times[name] / times["nothing"], "×", Bound.AT_MOST, bound, beside)
        for name, bound in (("contacts?limit=100", 2.5), ("GET campaign", 2.0))
    ]


def asked(service: Service, path: str, seconds: float) -> int:
    """Ask 200 times a second for so long; how many answers there were."""
    answers = 0

    def ask(first: int) -> None:
        nonlocal answers
        with requests.Session() as session:
            for number in range(first, int(A_SECOND * seconds), AT_ONCE):
                gevent.sleep(max(0.0, began + number / A_SECOND - time.monotonic()))
                answer = session.get(service.url + path, headers=HEADERS, timeout=60)
                assert answer.status_code == 200, answer.text
                answers += 1

    began = time.monotonic()
    gevent.joinall([gevent.spawn(ask, first) for first in range(AT_ONCE)], raise_error=True)
    return answers


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def pages(quick: bool) -> Sequence[Figure]:
    """A page of contacts by status, the first and one from the middle, of a long list beside a list of 1,000."""
    size, rounds = (100_000, 60) if quick else (1_000_000, 200)
    figures = []
    with served(1) as (site, _, _):
        short, long = filled(site, 1000), filled(site, size)
        site.sql("ANALYZE contact")
        for status in ("pending", "originated", "completed", "failed"):
            for where, part in (("first page", 0.0), ("page from the middle", 0.5)):
                paths = [page_of(site, campaign, status, count, part)
                         for campaign, count in ((short, 1000), (long, size))]  # fmt: skip
                times: tuple[list[float], list[float]] = ([], [])
                for _ in range(rounds):
                    for path, found in zip(paths, times, strict=True):
                        began = time.monotonic()
                        assert site.get(path).status_code == 200
                        found.append(time.monotonic() - began)
                base, taken = (statistics.median(found) for found in times)
                figures.append(
                    Figure(f"{where} of {status}, {size:,} contacts", taken / base, "×", Bound.AT_MOST, 1.3,
                           f"its own 1,000, {base * 1000:.1f} ms")
                )  # fmt: skip
    return figures


def filled(site: Site, count: int) -> str:
    """A campaign half called: one in fifty of those failed; some are called now or wait for another call."""
    campaign_id = site.create(1)
    site.sql(
        "INSERT INTO contact (id, campaign_id, position, phone_number, status, call_id, next_attempt_at)"
        " SELECT gen_random_uuid(), %s, n, '+1' || n,"
        " CASE WHEN n %% (%s / 20) = 0 THEN 'originated' WHEN n > %s / 2 OR n %% 100 = 0 THEN 'pending'"
        " WHEN n %% 50 = 1 THEN 'failed' ELSE 'completed' END,"
        " CASE WHEN n %% (%s / 20) = 0 THEN gen_random_uuid() END,"
        " CASE WHEN n %% 1000 = 0 THEN now() END FROM generate_series(2, %s) AS n",
        campaign_id, count, count, count, count,
    )  # fmt: skip
    return campaign_id


def page_of(site: Site, campaign_id: str, status: str, count: int, part: float) -> str:
    """The path of a page of ten, after the contact at this part of the list."""
    path = f"/campaigns/{campaign_id}/contacts?status={status}&limit=10"
    if not part:
        return path
    (row,) = site.sql(
        "SELECT id FROM contact WHERE campaign_id = %s AND position = %s", campaign_id, int(count * part)
    )
    return f"{path}&starting_after={row['id']}"
