"""gunicorn's configuration, and the Procfile that names it."""

from __future__ import annotations

import runpy
import shlex
from pathlib import Path
from types import SimpleNamespace

# gunicorn reads WEB_CONCURRENCY itself while it is imported, which has to be over before a test sets a wrong one.
import gunicorn.config  # noqa: F401
import pytest
from honcho.environ import parse_procfile

from api import start_check
from live import worker_state

ROOT = Path(__file__).parent.parent.parent.parent
CONFIGURATION = str(ROOT / "gunicorn.conf.py")


@pytest.fixture(autouse=True)
def needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the web process cannot do without."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://db/carillon")
    monkeypatch.setenv("REDIS_URL", "redis://redis/0")
    monkeypatch.setenv("SECRET_KEY", "pepper-for-the-tests-only")


def test_it_serves_where_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "8123")
    monkeypatch.setenv("WEB_CONCURRENCY", "3")
    configuration = runpy.run_path(CONFIGURATION)
    assert configuration["bind"] == "0.0.0.0:8123"
    assert configuration["workers"] == 3
    monkeypatch.setenv("HOST", "::1")
    assert runpy.run_path(CONFIGURATION)["bind"] == "[::1]:8123"
    assert configuration["worker_class"] == "gevent"


def test_it_leaves_nothing_open_and_drains_before_a_platform_kills() -> None:
    configuration = runpy.run_path(CONFIGURATION)
    assert configuration["control_socket_disable"] is True
    assert configuration["preload_app"] is False
    assert configuration["graceful_timeout"] <= 20


def test_streams_can_see_that_their_worker_was_asked_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_state, "worker", None)
    looked_at: list[object] = []
    monkeypatch.setattr(start_check, "begin", looked_at.append)
    worker = SimpleNamespace(alive=True, wsgi="the application")
    runpy.run_path(CONFIGURATION)["post_worker_init"](worker)
    assert worker_state.alive()
    worker.alive = False
    assert not worker_state.alive()
    assert looked_at == ["the application"]


def test_a_wrong_setting_is_one_sentence_and_status_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "none")
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(CONFIGURATION)
    assert ended.value.code == 2
    assert capsys.readouterr().err == "WEB_CONCURRENCY is 'none'; it must be a whole number from 1 to 64.\n"


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL", "SECRET_KEY"])
def test_what_is_needed_and_not_set_is_one_sentence_and_status_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(CONFIGURATION)
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"{name} is not set and this process needs it.\n"


def test_the_procfile_names_the_three_kinds_of_process() -> None:
    commands = parse_procfile((ROOT / "Procfile").read_text(encoding="utf-8")).processes
    assert {kind: shlex.split(command)[-1] for kind, command in commands.items()} == {
        "release": "migrations",
        "web": "app:create_app()",
        "dialer": "dialer",
    }
