"""Somebody's day at the board, in Chromium: upload to end, a server out of reach, panic, and axe on every page."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from local.api_client import ApiClient
from local.demo import create, demo_stack
from local.stack import ROOT, Stack

CHROMIUM = Path("/usr/bin/chromium")
HANG_SECONDS = 600

pytestmark = [
    pytest.mark.skipif(
        not CHROMIUM.exists(), reason=f"no browser: apt-get install chromium, or there is no {CHROMIUM}"
    ),
    pytest.mark.skipif(
        not (find_spec("playwright") and find_spec("axe_playwright_python")),
        reason="no driver: pip install -r requirements-browser.txt",
    ),
]


@pytest.fixture
def stack(server_home: Path) -> Iterator[Stack]:
    with demo_stack(server_home / "board", port=0, durable=False, output=lambda name, line: None) as running:
        running.wait_ready()
        yield running


def test_a_day_at_the_board(stack: Stack) -> None:
    key = (stack.home / "demo.key").read_text().strip()
    # With it come a gateway, an agent and a number.
    create(ApiClient(stack.web_url, key))
    argv = [sys.executable, "-m", "tests.browser.drive", stack.web_url, key]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=HANG_SECONDS, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
