"""The first key, as the release process makes it from CARILLON_BOOTSTRAP_KEY, and what it opens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

import models
from api.services import EXTENSION
from app import create_app
from migrations.__main__ import main
from settings import Settings
from tests import pools

GIVEN = "given-by-the-operator-1"
LATER = "given-by-the-operator-2"


@pytest.fixture
def home(tmp_path: Path, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of an installation whose settings are in the environment."""
    home = tmp_path / "home"
    for name, value in {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SECRET_KEY": "pepper-for-the-tests-only",
        "CARILLON_HOME": str(home),
    }.items():
        monkeypatch.setenv(name, value)
    return home


@contextmanager
def serving() -> Iterator[FlaskClient]:
    app = create_app(Settings.from_environ())
    try:
        yield app.test_client()
    finally:
        app.extensions[EXTENSION].redis.close()
        pools.close(models.db.obj)


def ask(client: FlaskClient, method: str, path: str, key: str, tenant: str | None = None, **body: Any) -> Any:
    headers = {"Authorization": f"Bearer {key}"} | ({"X-Tenant": tenant} if tenant else {})
    return client.open(f"/api/v1{path}", method=method, headers=headers, **body)


def test_a_given_key_is_the_operators_and_acts_for_tenant_demo_unless_told_otherwise(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARILLON_BOOTSTRAP_KEY", GIVEN)
    assert main() == 0
    assert not (home / "demo.key").exists()
    agent = {"name": "Desk", "action": {"type": "park"}}
    with serving() as client:
        # Only role `platform` may see or make tenants.
        assert [row["id"] for row in ask(client, "GET", "/tenants", GIVEN).json["tenants"]] == ["demo"]
        made = ask(client, "POST", "/tenants", GIVEN, json={"id": "other", "name": "Other"})
        assert made.status_code == 201, made.text
        assert ask(client, "POST", "/agents", GIVEN, json=agent).status_code == 201
        for tenant, names in ((None, ["Desk"]), ("demo", ["Desk"]), ("other", [])):
            answer = ask(client, "GET", "/agents", GIVEN, tenant)
            assert [row["name"] for row in answer.json["agents"]] == names, tenant


def test_a_key_that_is_given_once_there_is_a_tenant_opens_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in (GIVEN, LATER):
        monkeypatch.setenv("CARILLON_BOOTSTRAP_KEY", key)
        assert main() == 0
    assert not (home / "demo.key").exists()
    with serving() as client:
        assert ask(client, "GET", "/tenants", LATER).status_code == 401
        assert ask(client, "GET", "/tenants", GIVEN).status_code == 200


def test_where_none_is_given_one_is_made_and_written_down(home: Path) -> None:
    assert main() == 0
    made = (home / "demo.key").read_text(encoding="ascii").strip()
    assert main() == 0
    assert (home / "demo.key").read_text(encoding="ascii").strip() == made
    with serving() as client:
        assert ask(client, "GET", "/tenants", made).status_code == 200


def test_a_home_in_which_it_cannot_be_written_is_one_sentence_and_leaves_no_key_that_nobody_knows(
    home: Path, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "demo.key").mkdir(parents=True)
    assert main() == 2
    reason = "the first key cannot be written there: Is a directory"
    assert capsys.readouterr().err == f"CARILLON_HOME is {str(home)!r}; {reason}.\n"
    (home / "demo.key").rmdir()
    assert main() == 0
    assert (home / "demo.key").is_file()
