"""The first key, as the release process makes it from CARILLON_BOOTSTRAP_KEY, and what it opens."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import structlog
from flask.testing import FlaskClient

import models
from api.services import EXTENSION
from app import create_app
from migrations.__main__ import main
from settings import Settings
from tests import pools

GIVEN = "given-by-the-operator-1"
LATER = "given-by-the-operator-2"
MAKE = "python -m migrations new-key --role platform"


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
    logging = structlog.get_config()
    app = create_app(Settings.from_environ())
    # It logs to what is standard error now, which pytest may have put there for this test alone.
    structlog.configure(**logging)
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


def test_where_none_is_given_the_log_says_how_one_is_made_and_holds_none(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main() == 0
    said = capsys.readouterr()
    assert (
        said.out.splitlines()[-1]
        == f"There is no key of role platform yet. Make one, which is shown once: {MAKE}"
    )
    assert "sk_" not in said.out + said.err
    assert not home.exists()
    key = made(capsys, *MAKE.split()[3:])
    with serving() as client:
        assert [row["id"] for row in ask(client, "GET", "/tenants", key).json["tenants"]] == ["demo"]
    assert main() == 0
    assert capsys.readouterr().out == ""


def made(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The key that new-key shows, and nothing else."""
    assert main(arguments) == 0
    said = capsys.readouterr()
    assert said.err == ""
    (key,) = said.out.splitlines()
    return key


@pytest.mark.usefixtures("home")
def test_another_key_is_made_of_any_role_and_for_any_tenant(capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 0
    capsys.readouterr()
    first = made(capsys, "new-key", "--role", "platform")
    with serving() as client:
        assert (
            ask(client, "POST", "/tenants", first, json={"id": "other", "name": "Other"}).status_code == 201
        )
    second = made(capsys, "new-key", "--role", "admin", "--tenant", "other", "--name", "crm")
    assert second.startswith("sk_other_")
    with serving() as client:
        assert ask(client, "GET", "/tenants", second).status_code == 403
        (shown,) = ask(client, "GET", "/api-keys", second).json["api_keys"]
        assert (shown["name"], shown["role"], second.startswith(shown["prefix"])) == ("crm", "admin", True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--role", "root"), "--role is 'root'; it must be one of read, operate, admin, platform."),
        (("--role", "read", "--tenant", "none"), "--tenant is 'none'; the tenants are demo."),
        (("--role", "read", "--name", "a\nb"), "--name must be 1-200 characters that can be printed."),
        (("--role", "read", "--into", "/proc/key"), "The key cannot be written to /proc/key: {}."),
    ],
)
@pytest.mark.usefixtures("home")
def test_a_key_that_cannot_be_made_is_one_sentence_and_status_2(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], sentence: str
) -> None:
    assert main() == 0
    capsys.readouterr()
    assert main(("new-key", *arguments)) == 2
    said = capsys.readouterr().err
    before, _, after = sentence.partition("{}")
    assert (said.startswith(before), said.endswith(f"{after}\n"), len(said.splitlines())) == (True, True, 1)


def test_a_key_that_nobody_could_be_shown_is_not_made(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    assert main() == 0
    assert not home.exists()
    capsys.readouterr()
    monkeypatch.setattr(sys, "stdout", NobodyReads())
    assert main(("new-key", "--role", "platform")) == 2
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT 1 FROM api_key").fetchone() is None


class NobodyReads(io.StringIO):
    """The output of a process whose reader is gone."""

    def write(self, _: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


def test_a_key_for_a_file_is_made_once_and_shown_to_nobody_else(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = home / "demo.key"
    order = ("new-key", "--role", "platform", "--if-none", "--into", str(file))
    assert main() == 0
    assert main(order) == 0
    key = file.read_text(encoding="ascii").strip()
    assert file.stat().st_mode & 0o777 == 0o600
    assert main(order) == 0
    assert file.read_text(encoding="ascii").strip() == key
    assert key not in capsys.readouterr().out
    with serving() as client:
        assert ask(client, "GET", "/tenants", key).status_code == 200


def test_what_becomes_of_a_given_key_is_said_on_a_database_that_has_one(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for key in (GIVEN, GIVEN, LATER):
        monkeypatch.setenv("CARILLON_BOOTSTRAP_KEY", key)
        assert main() == 0
        said.append(capsys.readouterr().out.splitlines()[-1])
    why = "there is a key of role platform (give…), and it is only heeded where there is none"
    assert said == [
        "CARILLON_BOOTSTRAP_KEY is now a key of role platform.",
        "CARILLON_BOOTSTRAP_KEY is a key of role platform already.",
        f"CARILLON_BOOTSTRAP_KEY opens nothing: {why}. Make another: {MAKE}",
    ]
    assert not home.exists()


def test_a_key_that_is_given_late_is_heeded_where_there_is_none_yet(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main() == 0
    monkeypatch.setenv("CARILLON_BOOTSTRAP_KEY", GIVEN)
    assert main() == 0
    assert not home.exists()
    with serving() as client:
        assert ask(client, "GET", "/tenants", GIVEN).status_code == 200


def test_a_secret_that_was_changed_is_told_with_the_keys_that_it_closed(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main() == 0
    capsys.readouterr()
    former = made(capsys, *MAKE.split()[3:])
    monkeypatch.setenv("SECRET_KEY", "another-pepper-for-the-tests")
    assert main() == 0
    sentence = (
        "SECRET_KEY is not the one that 1 of the 1 API keys in the database were made with: those open nothing."
        f" Set it back, or make another key: {MAKE}"
    )
    assert capsys.readouterr().out.splitlines() == [sentence]
    later = made(capsys, *MAKE.split()[3:])
    assert main() == 0
    assert capsys.readouterr().out.splitlines() == [sentence.replace("of the 1", "of the 2")]
    with serving() as client:
        assert [ask(client, "GET", "/tenants", key).status_code for key in (former, later)] == [401, 200]
    assert not home.exists()


def test_a_key_whose_secret_nobody_noted_is_taken_for_one_of_this_secret(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    monkeypatch.setenv("CARILLON_BOOTSTRAP_KEY", GIVEN)
    assert main() == 0
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE api_key SET secret = NULL")
    assert main() == 0
    monkeypatch.setenv("SECRET_KEY", "another-pepper-for-the-tests")
    capsys.readouterr()
    assert main() == 0
    assert "1 of the 1 API keys" in capsys.readouterr().out
    assert not home.exists()


def test_a_home_in_which_it_cannot_be_written_is_one_sentence_and_leaves_no_key_that_nobody_knows(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = home / "demo.key"
    file.mkdir(parents=True)
    order = ("new-key", "--role", "platform", "--if-none", "--into", str(file))
    assert main() == 0
    assert main(order) == 2
    assert capsys.readouterr().err == f"The key cannot be written to {file}: Is a directory.\n"
    file.rmdir()
    assert main(order) == 0
    assert file.is_file()
