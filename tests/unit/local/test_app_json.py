"""What a platform reads before it deploys: `app.json` and `.python-version`, beside what the code knows."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from honcho.environ import parse_procfile

from settings import Settings
from tests.variables import OUR_VARIABLES

ROOT = Path(__file__).parents[3]
APP: dict[str, Any] = json.loads((ROOT / "app.json").read_text(encoding="utf-8"))
OF_ADDONS = {
    "DATABASE_URL": "postgres://u:p@db.example.com/d",
    "REDIS_URL": "rediss://:p@redis.example.com:1",
}
GIVEN = {
    "FREESWITCH_URLS": "esl://:password@fs1.example.com:8021?cps=20&channels=500",
    "SECRET_KEY": "s" * 40,
}


def test_every_variable_is_one_that_is_read() -> None:
    assert set(APP["env"]) <= OUR_VARIABLES


def test_what_it_asks_for_and_what_its_addons_give_is_enough() -> None:
    needed = {
        name: one.get("value", GIVEN.get(name))
        for name, one in APP["env"].items()
        if one.get("required", True)
    }
    assert None not in needed.values()
    made = Settings.from_environ(OF_ADDONS | {name: str(value) for name, value in needed.items()})
    assert [node.name for node in made.nodes] == ["fs1.example.com"]
    assert "ssl_cert_reqs=none" in (made.redis_url or "")


def test_it_starts_what_the_procfile_has_but_for_the_release() -> None:
    processes = parse_procfile((ROOT / "Procfile").read_text(encoding="utf-8")).processes
    assert set(APP["formation"]) == set(processes) - {"release"}


def test_the_python_is_one_that_the_project_takes() -> None:
    chosen = (ROOT / ".python-version").read_text(encoding="utf-8").strip()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == f">={chosen}"
