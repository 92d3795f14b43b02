"""The embedded PostgreSQL: what it promises to its owner, and what it survives."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from local import postgres as module
from local.errors import HomeInUseError, LocalError, ServerFailedError
from local.home import prepare, secret
from local.postgres import EmbeddedPostgres
from local.process import User, free_port, running_in, spawn
from tests.integration.local.owner_process import SERVER, line_of, owner, running, sigkill, wait_until_gone

OWNER = SERVER.format(module="postgres", name="EmbeddedPostgres")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives up its privileges")


def remember(url: str, text: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS memory (text text)")
        connection.execute("INSERT INTO memory VALUES (%s)", (text,))


def remembered(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM memory")]


def setting(url: str, name: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
        assert row is not None
        return str(row[0])


def kill_server(server: EmbeddedPostgres) -> None:
    """The postmaster and every backend at once, as a power cut would."""
    for pid in running_in(server.data, "postgres"):
        # A backend may end by itself in between.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until_gone(*running_in(server.data, "postgres"))


def test_data_last_from_one_start_to_the_next(home: Path) -> None:
    with EmbeddedPostgres(home) as server:
        remember(server.url, "kept")
    with EmbeddedPostgres(home) as server:
        assert remembered(server.url) == ["kept"]
        assert setting(server.url, "fsync") == "on"
        assert setting(server.url, "full_page_writes") == "on"
        assert int(setting(server.url, "max_connections")) >= 100
        assert setting(server.url, "TimeZone") == "UTC"
        assert setting(server.url, "server_encoding") == "UTF8"


def test_nothing_runs_after_stop(home: Path) -> None:
    server = EmbeddedPostgres(home, durable=False)
    server.start()
    pids = running_in(server.data, "postgres")
    assert len(pids) > 1
    server.stop()
    assert not any(running(pid) for pid in pids)


def test_the_password_is_needed_and_private(postgres: EmbeddedPostgres) -> None:
    secret = postgres.home / "postgres.password"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    wrong = postgres.url.replace(secret.read_text(encoding="ascii").strip(), "guessed")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_it_listens_on_this_machine_only(postgres: EmbeddedPostgres) -> None:
    assert setting(postgres.url, "listen_addresses") == "127.0.0.1"
    assert setting(postgres.url, "unix_socket_directories") == ""


def test_committed_rows_survive_a_kill_of_everything(home: Path) -> None:
    server = EmbeddedPostgres(home)
    remember(server.start(), "committed")
    kill_server(server)
    server.stop()
    with EmbeddedPostgres(home) as again:
        assert remembered(again.url) == ["committed"]


def test_the_server_ends_with_an_owner_that_is_killed_and_the_next_start_goes_on(home: Path) -> None:
    with owner(OWNER, home) as process:
        url, pid = line_of(process).split()
        remember(url, "of the first owner")
        sigkill(process)
        wait_until_gone(int(pid))
    with EmbeddedPostgres(home) as server:
        assert remembered(server.url) == ["of the first owner"]


@pytest.mark.full
def test_a_server_whose_owner_is_dead_is_ended_by_the_next_owner(home: Path) -> None:
    first = EmbeddedPostgres(home, durable=False)
    remember(first.start(), "kept")
    assert first.pid is not None
    first.lock.release()  # what the kernel does when an owner dies
    with psycopg.connect(first.url) as client, EmbeddedPostgres(home, durable=False) as second:
        client.pgconn.finish()
        assert not running(first.pid or 0)
        assert remembered(second.url) == ["kept"]
    first.stop()


@pytest.mark.full
def test_a_living_owner_is_named_and_left_alone(home: Path) -> None:
    with owner(OWNER, home) as process:
        url, pid = line_of(process).split()
        with pytest.raises(HomeInUseError, match=f"in use by process {process.pid}"):
            EmbeddedPostgres(home).start()
        remember(url, "still there")
    wait_until_gone(int(pid))


@pytest.mark.full
def test_a_recycled_process_id_does_not_block_the_next_start(home: Path) -> None:
    with EmbeddedPostgres(home, durable=False) as server:
        data = server.data
        status = data.stat()
        user = User(status.st_uid, status.st_gid) if os.geteuid() == 0 else None
    innocent = spawn(["/bin/sleep", "60"], user=user)
    (data / "postmaster.pid").write_text(f"{innocent.pid}\n{data}\n1\n", encoding="utf-8")
    try:
        with EmbeddedPostgres(home, durable=False) as server:
            remember(server.url, "started")
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


@pytest.mark.full
def test_an_initialisation_that_was_cut_short_is_done_again(home: Path) -> None:
    folder = home / "postgres" / "data.new"
    folder.mkdir(parents=True)
    folder.parent.parent.chmod(0o711)
    (folder / "PG_VERSION").write_text("17\n", encoding="ascii")
    with EmbeddedPostgres(home, durable=False) as server:
        remember(server.url, "whole")


@pytest.mark.full
def test_two_clones_run_side_by_side(home: Path) -> None:
    other = home.parent.parent / "a clone beside it" / ".carillon"
    with EmbeddedPostgres(home, durable=False) as one, EmbeddedPostgres(other, durable=False) as two:
        remember(one.url, "one")
        remember(two.url, "two")
        assert remembered(one.url) == ["one"]
        assert one.port != two.port


@pytest.mark.full
def test_a_port_that_was_taken_meanwhile_is_given_up(
    home: Path, postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    # By its password the server is told from the one that has the port.
    secret(prepare(home) / "postgres.password")
    ports = iter([postgres.port, free_port()])
    monkeypatch.setattr(module, "free_port", lambda: next(ports))
    with EmbeddedPostgres(home, durable=False) as server:
        assert server.port != postgres.port
        assert setting(server.url, "port") == str(server.port)


@pytest.mark.full
def test_a_restart_after_a_crash_keeps_the_url(home: Path) -> None:
    with EmbeddedPostgres(home) as server:
        before = server.url
        remember(before, "kept")
        kill_server(server)
        assert server.restart() == before
        assert remembered(before) == ["kept"]


@pytest.mark.full
def test_data_of_another_version_are_refused_untouched(home: Path) -> None:
    with EmbeddedPostgres(home, durable=False) as server:
        version = server.data / "PG_VERSION"
    version.write_text("14\n", encoding="ascii")
    with pytest.raises(LocalError, match="made by PostgreSQL 14"):
        EmbeddedPostgres(home, durable=False).start()


@pytest.mark.full
def test_a_server_that_cannot_start_says_why_and_leaves_the_home_free(home: Path) -> None:
    with EmbeddedPostgres(home, durable=False) as server:
        config = server.data / "postgresql.conf"
    good = config.read_text(encoding="utf-8")
    config.write_text("nonsense = 1\n", encoding="utf-8")
    with pytest.raises(ServerFailedError, match="unrecognized configuration parameter"):
        EmbeddedPostgres(home, durable=False).start()
    config.write_text(good, encoding="utf-8")
    with EmbeddedPostgres(home, durable=False) as server:
        assert server.pid is not None


@as_root
def test_root_gives_up_its_privileges_and_changes_no_parent_folder(home: Path) -> None:
    home.parent.mkdir()
    before = {parent: parent.stat().st_mode for parent in home.parents}
    with EmbeddedPostgres(home, durable=False) as server:
        assert Path(f"/proc/{server.pid}").stat().st_uid != 0
        assert server.data.parent.parent == home
        assert server.data.stat().st_uid != 0
    assert {parent: parent.stat().st_mode for parent in home.parents} == before


@pytest.fixture
def closed() -> Iterator[tuple[Path, Path]]:
    """A home below a folder that only root can pass, and a folder outside of it that all can."""
    closed = Path(tempfile.mkdtemp(prefix="carillon closed "))
    outside = Path(tempfile.mkdtemp(prefix="carillon outside "))
    outside.chmod(0o755)
    yield closed / "clone" / ".carillon", outside
    shutil.rmtree(closed)
    shutil.rmtree(outside)


@as_root
def test_root_in_a_closed_folder_keeps_its_data_outside_and_finds_them_again(
    closed: tuple[Path, Path],
) -> None:
    home, outside = closed
    with EmbeddedPostgres(home, outside=(outside,)) as server:
        remember(server.url, "kept outside")
        assert outside in server.data.parents
        place = server.data
    assert stat.S_IMODE(home.parent.parent.stat().st_mode) == 0o700
    with EmbeddedPostgres(home, outside=(Path("/nowhere"),)) as server:
        assert server.data == place
        assert remembered(server.url) == ["kept outside"]
        assert Path(f"/proc/{server.pid}").stat().st_uid != 0


@as_root
@pytest.mark.full
def test_data_outside_that_are_not_meant_to_last_are_removed(closed: tuple[Path, Path]) -> None:
    home, outside = closed
    for _ in range(2):
        with EmbeddedPostgres(home, durable=False, outside=(outside,)) as server:
            remember(server.url, "gone tomorrow")
        assert list(outside.iterdir()) == []


@as_root
@pytest.mark.full
def test_data_outside_that_are_gone_are_missed_and_not_made_again_in_silence(
    closed: tuple[Path, Path],
) -> None:
    home, outside = closed
    with EmbeddedPostgres(home, outside=(outside,)):
        pass
    for entry in outside.iterdir():
        shutil.rmtree(entry)
    with pytest.raises(LocalError, match=r"should be in .* and are not; remove .*postgres\.place"):
        EmbeddedPostgres(home, outside=(outside,)).start()
