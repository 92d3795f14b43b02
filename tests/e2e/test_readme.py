"""Every snippet of the README and of the guide does what it says, in the order in which a reader would run them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from local.simulated_cluster import SimulatorOptions
from settings import Settings
from tests.e2e.conftest import StackMaker
from tests.variables import LEVELS, OUR_VARIABLES
from tests.waiting import HANG_SECONDS

ROOT = Path(__file__).parents[2]
README, GUIDE, DEPLOYING = (
    (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/guide.md", "docs/deploying.md")
)


def snippets(text: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


SNIPPETS = snippets(README)
SETTINGS = [snippet for snippet in SNIPPETS if "export FREESWITCH_URLS" in snippet]
CURL = [snippet for snippet in SNIPPETS if snippet not in SETTINGS]


def bash(script: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=cwd,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )


def test_the_first_campaign_with_curl_and_its_life_after_that(make_stack: StackMaker, tmp_path: Path) -> None:
    # As script/server has them: calls of real length, so that a reader who is slow to listen sees them.
    stack = make_stack(simulator=SimulatorOptions(speed=1.0))
    port = stack.web_url.rsplit(":", 1)[1]
    done = bash("\n".join([*CURL, *snippets(GUIDE)]), tmp_path, PORT=port, CARILLON_HOME=str(stack.home))
    assert done.returncode == 0, done.stdout + done.stderr
    for word in (
        "event: contact",
        '"status":"connected"',
        '"import"',
        "+12025550100",
        '"owner":"sales"',
        '"family"',
    ):
        assert word in done.stdout.replace('": ', '":'), word


def test_the_settings_of_a_real_cluster_are_good_ones(tmp_path: Path) -> None:
    (snippet,) = SETTINGS
    shown = bash(
        f"{snippet}\nexec {sys.executable} -c 'import json, os; print(json.dumps(dict(os.environ)))'",
        tmp_path,
    )
    settings = Settings.from_environ(json.loads(shown.stdout))
    assert [(node.name, node.cps, node.channels) for node in settings.nodes] == [
        ("fs1.example.com", 20, 500),
        ("fs2.example.com", 10, None),
    ]
    settings.require("database_url", "redis_url", "secret_key")


def test_every_setting_of_the_table_exists_and_every_setting_is_in_the_table() -> None:
    told = set(re.findall(r"`([A-Z_]{4,})`", DEPLOYING.split("| setting |")[1].split("\n\n")[0]))
    assert told - LEVELS == OUR_VARIABLES
